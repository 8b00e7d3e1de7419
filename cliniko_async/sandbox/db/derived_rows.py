"""What follows from other fields of patients, bookings and all that is about them."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from ..seed.people import REASONS
from .columns import Row, Stored, decimal_text

if TYPE_CHECKING:
    from .rows import Store

_CATEGORIES = {
    1: "Appointment Reminder",
    3: "Invoice",
    4: "Appointment Confirmation",
    5: "Letter",
    7: "SMS Message",
    8: "Reply from Patient",
    12: "Memo",
}
_TYPES = {1: "SMS", 2: "Email", 3: "Phone call", 4: "Other"}
_DIRECTIONS = {1: "Sent", 2: "Received"}
_CONTACTS = {0: "Standard", 1: "Doctor", 2: "3rd Party Payer"}
_RELATIONS = {10: "Parent", 20: "Child", 30: "Sibling", 40: "Spouse", 50: "Partner", 60: "Relative", 70: "Other"}
_STATUSES = {10: "Open", 20: "Paid", 30: "Closed", 40: "Open credit"}
_METHODS = {1: "Legacy", 2: "Tax exclusive", 3: "Tax inclusive"}
_REASONS = {**REASONS, 31: "COVID-19 related"}
_MINUTE = 60_000_000
_MEMO, _USUAL_MINUTES, _LEAST_OF_A_GROUP = 12, 30, 2


def contact(row: Row, given: Row, store: "Store") -> Row:
    """The type that a code stands for."""
    del given, store
    return {"type": _labelled(_CONTACTS, row["type_code"]) or row["type"]}


def communication(row: Row, given: Row, store: "Store") -> Row:
    """What the codes stand for; what is given no category is a memo."""
    del given, store
    code = _MEMO if row["category_code"] is None else row["category_code"]
    return {
        "category_code": code,
        "category": _labelled(_CATEGORIES, code),
        "direction_description": _labelled(_DIRECTIONS, row["direction_code"]),
        "type": _labelled(_TYPES, row["type_code"]),
    }


def relationship(row: Row, given: Row, store: "Store") -> Row:
    """What the relation is called."""
    del given, store
    return {"relation_description": _labelled(_RELATIONS, row["relation"])}


def invoice(row: Row, given: Row, store: "Store") -> Row:
    """What the codes stand for."""
    del given, store
    return {
        "invoice_id": row["original_invoice_id"],
        "status_description": _labelled(_STATUSES, row["status"]),
        "calculation_method_description": _labelled(_METHODS, row["calculation_method"]),
    }


def attendee(row: Row, given: Row, store: "Store") -> Row:
    """Why it was cancelled."""
    del given, store
    return {"appointment_id": row["booking_id"], "cancellation_reason_description": _reason(row)}


def individual_appointment(row: Row, given: Row, store: "Store") -> Row:
    """When it ends, who comes, and why it was cancelled."""
    who = _of(store, "patients", row["patient_id"])
    name = f"{who['first_name']} {who['last_name']}" if who and "patient_id" in given else row["patient_name"]
    found: Row = {"cancellation_reason_description": _reason(row), "ends_at": _end(row, "appointment_type", store)}
    return {**found, "patient_name": row["patient_name"] or name}


def group_appointment(row: Row, given: Row, store: "Store") -> Row:
    """When it ends, and how many may come."""
    del given
    kind = _of(store, "appointment_types", row["appointment_type_id"]) or {}
    most = row["max_attendees"] or max(_LEAST_OF_A_GROUP, int(kind.get("max_attendees") or 0))
    return {"ends_at": _end(row, "appointment_type", store), "max_attendees": most}


def unavailable_block(row: Row, given: Row, store: "Store") -> Row:
    """When it ends."""
    del given
    return {"ends_at": _end(row, "unavailable_block_type", store)}


def patient_case(row: Row, given: Row, store: "Store") -> Row:
    """When it was closed."""
    closed = None if not row["closed"] else row["closed_at"] or round(store.now() * 1_000_000)
    return {"closed_at": closed} if "closed" in given else {}


def patient_form(row: Row, given: Row, store: "Store") -> Row:
    """What its template says, and when it was completed."""
    template = _of(store, "patient_form_templates", row["patient_form_template_id"]) or {}
    copied: Row = {name: row[name] or template.get(name) for name in ("name", "content") if template}
    completed = round(store.now() * 1_000_000)
    return {**copied, "completed_at": completed} if given.get("completed") else copied


def treatment_note(row: Row, given: Row, store: "Store") -> Row:
    """When it was finished, and its template's questions where it has none of its own."""
    template = _of(store, "treatment_note_templates", row["treatment_note_template_id"]) or {}
    finished = row["finalized_at"] or row["updated_at"] if row["draft"] == 0 else None
    found: Row = {"content": row["content"] or template.get("content")}
    return {**found, "finalized_at": finished} if "draft" in given else found


def adjust_stock(row: Row, given: Row, store: "Store") -> None:
    """Write a new adjustment where it shows: in the level of the product."""
    product = _of(store, "products", row["product_id"])
    if product is not None and "product_id" in given:
        level = Decimal(str(product["stock_level"])) + Decimal(str(row["quantity"] or "0.0"))
        values = {"stock_level": decimal_text(level)}
        store.change(store.tables["products"], int(product["id"] or 0), values)


def attend(row: Row, given: Row, store: "Store") -> None:
    """Give each patient of an appointment a place in it."""
    ids = json.loads(str(row["patient_ids"] or "[]")) if "patient_ids" in row else [row["patient_id"]]
    if given.keys().isdisjoint({"patient_id", "patient_ids"}):
        return
    table = store.tables["attendees"]
    bookings, patients = (store.rows.column(table, name) for name in ("booking_id", "patient_id"))
    there = {str(patients[one]) for one, booking in bookings.items() if booking == row["id"]}
    for one in ids:
        if one is not None and str(one) not in there:
            store.insert(table, {"booking_id": row["id"], "patient_id": one})


def join(row: Row, given: Row, store: "Store") -> None:
    """Write a place in a group appointment where it is read: in its patients."""
    group = _of(store, "group_appointments", row["booking_id"])
    if group is None or "booking_id" not in given:
        return
    before: list[str] = json.loads(str(group["patient_ids"] or "[]"))
    if str(row["patient_id"]) not in before:
        after = {"patient_ids": [*before, str(row["patient_id"])]}
        store.change(store.tables["group_appointments"], int(group["id"] or 0), after, touch=False)


def keep_attachments(row: Row, given: Row, store: "Store") -> None:
    """Write the attachments of a case where they are read: in themselves."""
    for one in json.loads(str(given.get("patient_attachment_ids") or "[]")):
        store.change(store.tables["patient_attachments"], int(one), {"patient_case_id": row["id"]}, touch=False)


def _labelled(labels: dict[int, str], code: Stored) -> str | None:
    return labels.get(int(code)) if code is not None else None


def _reason(row: Row) -> str:
    return _labelled(_REASONS, row["cancellation_reason"]) or ""


def _of(store: "Store", resource: str, record_id: Stored) -> Row | None:
    return None if record_id is None else store.rows.row(store.tables[resource], int(record_id))


def _end(row: Row, kind: str, store: "Store") -> Stored:
    """As given; else so long after the start as that kind takes."""
    if row["ends_at"]:
        return row["ends_at"]
    of_kind = _of(store, f"{kind}s", row[f"{kind}_id"]) or {}
    return int(row["starts_at"] or 0) + int(of_kind.get("duration_in_minutes") or _USUAL_MINUTES) * _MINUTE
