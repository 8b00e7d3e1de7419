"""The changes to other rows that follow from a row, made after the row is written."""

import json
from collections.abc import Callable
from decimal import Decimal

from .columns import Stored, decimal_text
from .derived import RowWrite


def _add_to_businesses(write: RowWrite) -> None:
    """Write the `business_ids` of an appointment type to the businesses, which show them."""
    if "business_ids" not in write.given:
        return
    chosen, own = _ids(write.given["business_ids"]), str(write.row["id"])
    for business_id, stored in write.store.column("businesses", "appointment_type_ids").items():
        before = _ids(stored)
        is_offered = str(business_id) in chosen
        if is_offered is not (own in before):
            after = [*before, own] if is_offered else [each for each in before if each != own]
            write.store.change("businesses", business_id, {"appointment_type_ids": after})


def _adjust_stock(write: RowWrite) -> None:
    """Add a new stock adjustment to the stock level of its product."""
    product = write.referred("product_id", "products")
    if product is not None and "product_id" in write.given:
        level = Decimal(str(product["stock_level"])) + Decimal(str(write.row["quantity"] or "0.0"))
        write.store.change("products", int(product["id"] or 0), {"stock_level": decimal_text(level)})


def _add_attendees(write: RowWrite) -> None:
    """Add an attendee for each patient of an appointment that has none yet."""
    row, store = write.row, write.store
    if write.given.keys().isdisjoint({"patient_id", "patient_ids"}):
        return
    patient_ids = _ids(row["patient_ids"]) if "patient_ids" in row else [row["patient_id"]]
    bookings, patients = (store.column("attendees", name) for name in ("booking_id", "patient_id"))
    present = {str(patients[attendee]) for attendee, booking in bookings.items() if booking == row["id"]}
    for patient_id in patient_ids:
        if patient_id is not None and str(patient_id) not in present:
            store.insert("attendees", {"booking_id": row["id"], "patient_id": patient_id})


def _add_to_group(write: RowWrite) -> None:
    """Add the patient of an attendee to the patients of its group appointment, which shows them."""
    group = write.referred("booking_id", "group_appointments")
    if group is None or "booking_id" not in write.given:
        return
    before, patient_id = _ids(group["patient_ids"]), str(write.row["patient_id"])
    if patient_id not in before:
        after = {"patient_ids": [*before, patient_id]}
        write.store.change("group_appointments", int(group["id"] or 0), after, touch=False)


def _set_case_of_attachments(write: RowWrite) -> None:
    """Write the attachments of a case to the attachments, which show their case."""
    for attachment_id in _ids(write.given.get("patient_attachment_ids")):
        values = {"patient_case_id": write.row["id"]}
        write.store.change("patient_attachments", int(attachment_id), values, touch=False)


def _ids(stored: Stored) -> list[str]:
    ids: list[str] = json.loads(str(stored or "[]"))
    return ids


SIDE_EFFECTS: dict[str, Callable[[RowWrite], None]] = {
    "appointment_types": _add_to_businesses,
    "attendees": _add_to_group,
    "group_appointments": _add_attendees,
    "individual_appointments": _add_attendees,
    "patient_cases": _set_case_of_attachments,
    "stock_adjustments": _adjust_stock,
}
