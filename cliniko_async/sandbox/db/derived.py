"""The fields of a row that follow from its other fields, computed before the row is written."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from . import labels
from .columns import Row, Stored, decimal_text, rounded_to_cents, stored_moment

if TYPE_CHECKING:
    from .row_store import RowStore

_MINUTE = 60_000_000
_DEFAULT_MINUTES, _MIN_GROUP_SIZE = 30, 2


@attrs.frozen
class RowWrite:
    """A row that is being created or changed."""

    row: Row
    """The whole row."""
    given: Row
    """The fields that this write sets."""
    store: "RowStore"

    def referred(self, column: str, resource: str) -> Row | None:
        """Return the row that a column refers to, if it is there."""
        return self.store.row(resource, self.row[column])

    @property
    def now(self) -> int:
        """The current time as it is stored."""
        return stored_moment(self.store.now())


def _appointment_type(write: RowWrite) -> Row:
    return {"online_payments_enabled": int(write.row["online_payments_mode"] is not None)}


def _priced_item(write: RowWrite) -> Row:
    return {"is_monetary_discount": int(write.row["discounted_amount"] is not None)}


def _business(write: RowWrite) -> Row:
    """Add the country, the label, and that name of the time zone which was not sent."""
    row = write.row
    zone, identifier = row["time_zone"], row["time_zone_identifier"]
    if write.given.get("time_zone"):
        identifier = labels.TIME_ZONES.get(str(zone), identifier)
    elif write.given.get("time_zone_identifier"):
        zone = next((name for name, known in labels.TIME_ZONES.items() if known == identifier), zone)
    return {
        "time_zone": zone,
        "time_zone_identifier": identifier,
        "country": labels.COUNTRIES.get(str(row["country_code"])),
        "label": row["display_name"] or row["business_name"],
    }


def _patient(write: RowWrite) -> Row:
    row = write.row
    country = labels.COUNTRIES.get(str(row["country_code"]), row["country"])
    return {"label": _full_name(row).strip() or None, "country": country}


def _practitioner(write: RowWrite) -> Row:
    row = write.row
    name = " ".join(str(row[part]) for part in ("title", "first_name", "last_name") if row[part])
    shown = row["display_name"] or name or None
    return {"display_name": shown, "label": shown}


def _product(write: RowWrite) -> Row:
    price = Decimal(str(write.row["price"] or "0.0"))
    tax = write.referred("tax_id", "taxes")
    factor = 1 + Decimal(str(tax["rate"] if tax else 0)) / 100
    includes_tax = write.row["price_includes_tax"]
    return {
        "price_ex_tax": decimal_text(rounded_to_cents(price / factor if includes_tax else price)),
        "price_including_tax": decimal_text(rounded_to_cents(price if includes_tax else price * factor)),
    }


def _tax(write: RowWrite) -> Row:
    return {"amount": write.row["rate"]}


def _contact(write: RowWrite) -> Row:
    return {"type": labels.label(labels.CONTACT_TYPES, write.row["type_code"]) or write.row["type"]}


def _communication(write: RowWrite) -> Row:
    """Add the labels of the codes; a communication without a category is a memo."""
    row = write.row
    code = labels.MEMO if row["category_code"] is None else row["category_code"]
    return {
        "category_code": code,
        "category": labels.label(labels.COMMUNICATION_CATEGORIES, code),
        "direction_description": labels.label(labels.COMMUNICATION_DIRECTIONS, row["direction_code"]),
        "type": labels.label(labels.COMMUNICATION_TYPES, row["type_code"]),
    }


def _relationship(write: RowWrite) -> Row:
    return {"relation_description": labels.label(labels.RELATIONS, write.row["relation"])}


def _invoice(write: RowWrite) -> Row:
    row = write.row
    return {
        "invoice_id": row["original_invoice_id"],
        "status_description": labels.label(labels.INVOICE_STATUSES, row["status"]),
        "calculation_method_description": labels.label(labels.CALCULATION_METHODS, row["calculation_method"]),
    }


def _attendee(write: RowWrite) -> Row:
    return {"appointment_id": write.row["booking_id"], "cancellation_reason_description": _cancellation_reason(write)}


def _individual_appointment(write: RowWrite) -> Row:
    """Add the end, the label of the reason for cancelling, and the patient's name unless the row has one."""
    name = write.row["patient_name"]
    patient = write.referred("patient_id", "patients")
    if not name and patient is not None and "patient_id" in write.given:
        name = _full_name(patient)
    return {
        "cancellation_reason_description": _cancellation_reason(write),
        "ends_at": _end(write, "appointment_type"),
        "patient_name": name,
    }


def _group_appointment(write: RowWrite) -> Row:
    """Add the end and the number of places."""
    appointment_type = write.referred("appointment_type_id", "appointment_types") or {}
    places = write.row["max_attendees"] or max(_MIN_GROUP_SIZE, int(appointment_type.get("max_attendees") or 0))
    return {"ends_at": _end(write, "appointment_type"), "max_attendees": places}


def _unavailable_block(write: RowWrite) -> Row:
    return {"ends_at": _end(write, "unavailable_block_type")}


def _patient_case(write: RowWrite) -> Row:
    if "closed" not in write.given:
        return {}
    return {"closed_at": (write.row["closed_at"] or write.now) if write.row["closed"] else None}


def _patient_form(write: RowWrite) -> Row:
    """Copy name and content from the template, and add the time of completion."""
    row = write.row
    template = write.referred("patient_form_template_id", "patient_form_templates")
    copied: Row = {name: row[name] or template.get(name) for name in ("name", "content")} if template else {}
    return {**copied, "completed_at": write.now} if write.given.get("completed") else copied


def _treatment_note(write: RowWrite) -> Row:
    """Copy the content of the template if there is none, and add the time at which the note was finalized."""
    row = write.row
    template = write.referred("treatment_note_template_id", "treatment_note_templates") or {}
    copied: Row = {"content": row["content"] or template.get("content")}
    if "draft" not in write.given:
        return copied
    return {**copied, "finalized_at": (row["finalized_at"] or row["updated_at"]) if row["draft"] == 0 else None}


def _full_name(row: Row) -> str:
    return f"{row['first_name']} {row['last_name']}"


def _cancellation_reason(write: RowWrite) -> str:
    return labels.label(labels.CANCELLATION_REASONS, write.row["cancellation_reason"]) or ""


def _end(write: RowWrite, type_name: str) -> Stored:
    """Return the end as given, otherwise the start plus the duration of the type."""
    if write.row["ends_at"]:
        return write.row["ends_at"]
    booked = write.referred(f"{type_name}_id", f"{type_name}s") or {}
    return int(write.row["starts_at"] or 0) + int(booked.get("duration_in_minutes") or _DEFAULT_MINUTES) * _MINUTE


DERIVED_FIELDS: dict[str, Callable[[RowWrite], Row]] = {
    "appointment_type_billable_items": _priced_item,
    "appointment_type_products": _priced_item,
    "appointment_types": _appointment_type,
    "attendees": _attendee,
    "businesses": _business,
    "communications": _communication,
    "contacts": _contact,
    "group_appointments": _group_appointment,
    "individual_appointments": _individual_appointment,
    "invoices": _invoice,
    "patient_cases": _patient_case,
    "patient_forms": _patient_form,
    "patients": _patient,
    "practitioners": _practitioner,
    "products": _product,
    "relationships": _relationship,
    "taxes": _tax,
    "treatment_notes": _treatment_note,
    "unavailable_blocks": _unavailable_block,
}
