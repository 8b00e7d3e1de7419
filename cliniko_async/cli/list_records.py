"""`cliniko list`: the records of a resource."""

import contextlib
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from .. import to_json
from .context import Context
from .names import ResourceName, check_resource, operation
from .output import write_bytes


async def list_records(
    resource: ResourceName,
    /,
    *,
    where: Annotated[Sequence[str], Parameter(negative="")] = (),
    limit: int | None = None,
    context: Context,
) -> None:
    """List records, such as patients.

    Args:
        resource: What to list, such as patients. `cliniko resources` shows all names.
        where: A filter as the API writes it, such as "category:=Osteo". Repeat it: a record must match all.
        limit: The largest number of records.
        context: The options of the command line.
    """
    name = check_resource(resource)
    async with context.client() as cliniko:
        paginator = operation(cliniko.resources[name], "list")(*where, limit=limit)
        with context.progress(beside_output=True) as display:
            task = display.add(name)
            async with contextlib.aclosing(paginator.pages()) as pages:
                async for page in pages:
                    for record in page.items:
                        write_bytes(to_json(record) + b"\n")
                    task.advance(len(page.items), total=page.total_entries)
