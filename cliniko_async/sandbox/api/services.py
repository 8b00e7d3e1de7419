"""Services: which appointment type is offered at which business, and by which practitioners."""

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from ..db.columns import Row
from ..protocol import Reply
from .operations import OperationCall, Operations

Offer: TypeAlias = tuple[Row, int, list[int]]
"""A business, an appointment type, and the practitioners who offer it there."""


def services(operations: Operations, call: OperationCall) -> Reply:
    """Return a page of the services of all businesses or of one."""
    if call.ids:
        operations.required_row("businesses", call.ids[0])
    offers = [offer for offer in _offers(operations) if not call.ids or offer[0]["id"] == call.ids[0]]
    return operations.page_of(call, "services", [_service(operations, offer) for offer in offers])


def _offers(operations: Operations) -> Iterator[Offer]:
    store = operations.store
    archived_at = store.column("appointment_types", "archived_at")
    offering = store.column("appointment_types", "practitioner_ids")
    active = store.column("practitioners", "active")
    for business in (operations.required_row("businesses", each) for each in store.column("businesses", "id")):
        if business["archived_at"] is not None:
            continue
        staff = set(_ids(business["practitioner_ids"]))
        for appointment_type in _ids(business["appointment_type_ids"]):
            practitioners = [
                each for each in _ids(offering.get(appointment_type)) if each in staff and active.get(each)
            ]
            if practitioners and archived_at.get(appointment_type) is None:
                yield business, appointment_type, practitioners


def _ids(stored: Any) -> list[int]:
    return [int(each) for each in json.loads(stored or "[]")]


def _service(operations: Operations, offer: Offer) -> dict[str, Any]:
    def link(path: str) -> dict[str, Any]:
        return {"links": {"self": f"{operations.store.base_url}/{path}"}}

    business, appointment_type, practitioners = offer
    return {
        "appointment_type": link(f"appointment_types/{appointment_type}"),
        "business": link(f"businesses/{business['id']}"),
        "practitioners": [link(f"practitioners/{each}") for each in practitioners],
    }
