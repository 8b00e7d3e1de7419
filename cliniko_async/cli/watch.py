"""`cliniko changes` and `cliniko watch`: what has changed, once or continuously."""

import contextlib
import datetime as dt
import hashlib
import sqlite3
import sys
from collections.abc import Generator, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from .. import ConfigurationError, InvalidRequestError, Watch
from .._loops import side_by_side
from ..cursors import SqliteCursors
from ..webhooks import WebhookGoneError, WebhookSender, message_json
from .context import Context
from .errors import CommandError, ExitCode
from .names import AT_LEAST_1, Repeated, ResourceName, check_filters, class_with
from .output import write_bytes
from .signals import terminate_like_ctrl_c

_CURSORS = "cliniko-cursors.sqlite"


async def changes(resource: ResourceName, /, *, since: str, where: Repeated = (), context: Context) -> None:
    """Write the records that changed since a moment, one JSON object a line.

    The lines have "type", such as patient.upsert or patient.archive, "timestamp" and "data", the record. At the end, a
    note shows the --since for the next time, so that no change is missed or repeated.

    Args:
        resource: What to look at, such as patients. `cliniko resources` shows all names.
        since: A moment such as 2026-01-31 or 2026-01-31T09:00, in the time zone of this computer unless it names one;
            or the cursor that the previous run printed at its end.
        where: A filter as the API writes it, such as 'category:=Osteo'. Repeat it: a record must match all.
        context: The options of the command line.
    """
    _check([resource], where)
    async with context.client(priority="bulk") as cliniko:
        with _lines_for_errors():
            found: Any = cliniko.resources[resource]
            stream = aiter(found.changes(_moment(since), *where))
        with context.progress(beside_output=True) as display:
            task = display.add(resource)
            async for change in stream:
                write_bytes(message_json(change) + b"\n")
                task.advance(1, pages=0)
        context.note(f"next time: --since {stream.cursor}")


async def watch(
    *resources: ResourceName,
    since: str | None = None,
    where: Repeated = (),
    every: Annotated[float, Parameter(validator=Number(gt=0))] = 60.0,
    post: Annotated[str | None, Parameter(name="--post")] = None,
    cursors: str | None = None,
    dead_letters: str | None = None,
    tries: Annotated[int, AT_LEAST_1] = 20,
    context: Context,
) -> None:
    """Write or post every change from now on, until Ctrl-C.

    The lines are those of `cliniko changes`. With --post, each is posted to a URL as a signed webhook (the Standard
    Webhooks specification) until the receiver accepts it; the secret is in the environment variable
    CLINIKO_WEBHOOK_SECRET. With --post or --cursors, the next run continues where this one ends, and the last change
    may come again.

    Args:
        resources: What to watch, such as patients invoices. `cliniko resources` shows all names.
        since: Where to start the first time: a moment such as 2026-01-31 or 2026-01-31T09:00. Now, if it is left out.
        where: A filter as the API writes it, for a single resource. Repeat it: a record must match all.
        every: Seconds from one look to the next.
        post: Where to post each change, a URL that begins with https.
        cursors: The file that keeps the position up to which changes were written or posted. With --post,
            cliniko-cursors.sqlite in this folder, unless you name another.
        dead_letters: The file for changes that the receiver does not accept. Without it, they are posted again and
            again, and delay the changes after them.
        tries: How often the receiver may refuse a change before it is written to that file.
        context: The options of the command line.
    """
    _check(resources, where)
    path = cursors or (_CURSORS if post else None)
    options = {
        "since": dt.datetime.now(dt.UTC) if since is None else _moment(since),
        "store": SqliteCursors(path) if path else None,
        "every": every,
    }
    context.interrupt_message = "interrupted; the next run continues here" if path else ""
    with terminate_like_ctrl_c(), _lines_for_errors(path):
        async with context.client() as cliniko:
            found: Mapping[str, Any] = cliniko.resources
            watches = [found[each].watch(*where, name=_stream_name(each, where, post), **options) for each in resources]
            if post is None:
                await side_by_side(map(_write, watches))
            else:
                async with WebhookSender.from_env(post, dead_letters=dead_letters, tries=tries) as sender:
                    await sender.forward(*watches)


def _check(resources: Sequence[str], where: Sequence[str]) -> None:
    if not resources:
        raise CommandError("name what to watch, such as patients")
    if where and len(resources) > 1:
        raise CommandError("--where needs a single resource")
    for resource in resources:
        check_filters(where, class_with("changes", resource))


def _moment(text: str) -> dt.datetime | str:
    """Return a moment, in the time zone of this computer unless it names one, or the cursor that it must be."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.astimezone()


def _stream_name(resource: str, where: Sequence[str], post: str | None) -> str:
    """Return the name of a cursor, another one for each URL: each receiver has its own position."""
    # A digest, because a filter may contain the name of a patient, and a URL a password.
    digest = hashlib.blake2b(repr((where, post)).encode(), digest_size=8).hexdigest()
    return f"cliniko watch {resource} {digest}"


async def _write(watched: Watch[Any]) -> None:
    async with contextlib.aclosing(aiter(watched)) as stream:
        async for change in stream:
            write_bytes(message_json(change) + b"\n")
            # Before the next one is requested, which confirms this one.
            sys.stdout.buffer.flush()


@contextlib.contextmanager
def _lines_for_errors(path: str | None = None) -> Generator[None]:
    """Turn the errors that only these commands have into lines."""
    try:
        yield
    except WebhookGoneError:
        raise CommandError("the receiver answered 410: it has unsubscribed", ExitCode.UNAVAILABLE) from None
    except ConfigurationError as error:
        raise CommandError(str(error)) from None
    except sqlite3.Error as error:
        raise CommandError(f"{path}: {error}", ExitCode.FILE) from None
    except InvalidRequestError as error:
        if error.argument != "since":
            raise
        raise CommandError(
            "--since must be a moment such as 2026-01-31T09:00, or the cursor that an earlier run printed at its end"
        ) from None
