"""What follows from other fields: computed for a row before it is written, or in other rows behind it."""

import json
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

from . import derived_rows as consequences
from .columns import Row, Stored, decimal_text

if TYPE_CHECKING:
    from .rows import Store

COUNTRIES = {"AU": "Australia", "CA": "Canada", "GB": "United Kingdom", "IE": "Ireland", "NZ": "New Zealand"}
ZONES = {
    "Adelaide": "Australia/Adelaide",
    "Auckland": "Pacific/Auckland",
    "Brisbane": "Australia/Brisbane",
    "Canberra": "Australia/Melbourne",
    "Darwin": "Australia/Darwin",
    "Dublin": "Europe/Dublin",
    "Hobart": "Australia/Hobart",
    "London": "Europe/London",
    "Melbourne": "Australia/Melbourne",
    "Perth": "Australia/Perth",
    "Sydney": "Australia/Sydney",
    "Wellington": "Pacific/Auckland",
}
"""The zones that the sandbox knows by their label."""
_CENT = Decimal("0.01")


def _appointment_type(row: Row, given: Row, store: "Store") -> Row:
    del given, store
    return {"online_payments_enabled": int(row["online_payments_mode"] is not None)}


def _priced_item(row: Row, given: Row, store: "Store") -> Row:
    del given, store
    return {"is_monetary_discount": int(row["discounted_amount"] is not None)}


def _business(row: Row, given: Row, store: "Store") -> Row:
    """Country and label; and of a time zone's two names, the one that was not sent."""
    del store
    zone, identifier = row["time_zone"], row["time_zone_identifier"]
    if given.get("time_zone"):
        identifier = ZONES.get(str(zone), identifier)
    elif given.get("time_zone_identifier"):
        zone = next((label for label, name in ZONES.items() if name == identifier), zone)
    return {
        "time_zone": zone,
        "time_zone_identifier": identifier,
        "country": COUNTRIES.get(str(row["country_code"])),
        "label": row["display_name"] or row["business_name"],
    }


def _patient(row: Row, given: Row, store: "Store") -> Row:
    """The name to show, and the country of a code."""
    del given, store
    name = f"{row['first_name']} {row['last_name']}".strip()
    return {"label": name or None, "country": COUNTRIES.get(str(row["country_code"]), row["country"])}


def _practitioner(row: Row, given: Row, store: "Store") -> Row:
    del given, store
    name = " ".join(str(row[part]) for part in ("title", "first_name", "last_name") if row[part])
    shown = row["display_name"] or name or None
    return {"display_name": shown, "label": shown}


def _product(row: Row, given: Row, store: "Store") -> Row:
    del given
    price, rate = Decimal(str(row["price"] or "0.0")), _rate(row["tax_id"], store)
    with_tax = price if row["price_includes_tax"] else price * (1 + rate / 100)
    without = price / (1 + rate / 100) if row["price_includes_tax"] else price
    return {"price_ex_tax": _cents(without), "price_including_tax": _cents(with_tax)}


def _tax(row: Row, given: Row, store: "Store") -> Row:
    del given, store
    return {"amount": row["rate"]}


def _rate(tax_id: Stored, store: "Store") -> Decimal:
    row = store.rows.row(store.tables["taxes"], int(tax_id or 0))
    return Decimal(str(row["rate"])) if row else Decimal(0)


def _cents(amount: Decimal) -> str:
    # No price and rate that may be sent have more digits.
    return decimal_text(amount.quantize(_CENT, ROUND_HALF_UP, Context(prec=60)))


def _offer_at_businesses(row: Row, given: Row, store: "Store") -> None:
    """Write `business_ids` of an appointment type where it is read: in the businesses."""
    if "business_ids" not in given:
        return
    table, chosen, own = store.tables["businesses"], json.loads(str(given["business_ids"])), str(row["id"])
    for business_id, ids in store.rows.column(table, "appointment_type_ids").items():
        before: list[str] = json.loads(str(ids or "[]"))
        offered = str(business_id) in chosen
        if offered is not (own in before):
            after = [*before, own] if offered else [one for one in before if one != own]
            store.change(table, business_id, {"appointment_type_ids": after})


DERIVED: dict[str, Callable[[Row, Row, "Store"], Row]] = {
    "appointment_type_billable_items": _priced_item,
    "appointment_type_products": _priced_item,
    "appointment_types": _appointment_type,
    "attendees": consequences.attendee,
    "businesses": _business,
    "communications": consequences.communication,
    "contacts": consequences.contact,
    "group_appointments": consequences.group_appointment,
    "individual_appointments": consequences.individual_appointment,
    "invoices": consequences.invoice,
    "patient_cases": consequences.patient_case,
    "patient_forms": consequences.patient_form,
    "patients": _patient,
    "practitioners": _practitioner,
    "products": _product,
    "relationships": consequences.relationship,
    "taxes": _tax,
    "treatment_notes": consequences.treatment_note,
    "unavailable_blocks": consequences.unavailable_block,
}
AFTER: dict[str, Callable[[Row, Row, "Store"], None]] = {
    "appointment_types": _offer_at_businesses,
    "attendees": consequences.join,
    "group_appointments": consequences.attend,
    "individual_appointments": consequences.attend,
    "patient_cases": consequences.keep_attachments,
    "stock_adjustments": consequences.adjust_stock,
}
