"""Drafts invoices whose items add up, and stock adjustments that explain the stock levels."""

import datetime as dt
from decimal import Decimal
from typing import Any

from ..db.columns import Row, rounded_to_cents
from .drafts import DAY, Draft, Drafts
from .patient_data import CONCESSIONS

OPEN, PAID, CLOSED = 10, 20, 30
_TAX_EXCLUSIVE = 2
_SUMS = {"net_amount": "net_price", "tax_amount": "tax_amount", "discounted_amount": "discounted_amount"}


def draft_invoices(drafts: Drafts) -> None:
    """Draft an invoice for most attendees who arrived, then the stock adjustments of each product."""
    bookings = {id(one): one for one in (*drafts.of("individual_appointments"), *drafts.of("group_appointments"))}
    arrived = [one for one in drafts.of("attendees") if one["arrived"]]
    arrived.sort(key=lambda one: (one["booking_id"]["starts_at"], one["created_at"]))
    for number, attendee in enumerate(drafts.sample(arrived, 0.85), 1041):
        _invoice(drafts, number, attendee, bookings[id(attendee["booking_id"])])
    for invoice in drafts.of("invoices")[5:6]:
        _reverse(drafts, invoice)
    for product in drafts.timeline.inserted["products"]:
        _stock(drafts, drafts.timeline.row("products", product))


def _invoice(drafts: Drafts, number: int, attendee: Draft, booking: Draft) -> None:
    patient, issued = attendee["patient_id"], booking["ends_at"]
    is_open = issued > drafts.today - 10 * DAY and drafts.rng.random() < 0.5
    status = OPEN if is_open else PAID
    invoice = drafts.add(
        "invoices",
        issued,
        number=number,
        issue_date=issued.date(),
        appointment_id=booking,
        attendee_id=attendee,
        patient_case_id=attendee["patient_case_id"],
        business_id=booking["business_id"],
        patient_id=patient,
        practitioner_id=booking["practitioner_id"],
        calculation_method=_TAX_EXCLUSIVE,
        status=status,
        closed_at=None if is_open else issued + dt.timedelta(minutes=5),
        invoice_to=f"{patient['first_name']} {patient['last_name']}\r\n{patient['address_1']}\r\n{patient['city']}",
        notes="",
        patient_extra_information="",
    )
    _set_status(attendee, status)
    _add_up(invoice, _items(drafts, invoice, booking))


def _set_status(attendee: Draft, status: int) -> None:
    """Write the status of an invoice to its attendee, and to its booking if that shows one."""
    attendee["invoice_status"] = status
    booking: Draft = attendee["booking_id"]
    booking |= {"invoice_status": status} if "patient_id" in booking else {}


def _items(drafts: Drafts, invoice: Draft, booking: Draft) -> list[Draft]:
    appointment_type = drafts.timeline.row("appointment_types", booking["appointment_type_id"])
    service = drafts.timeline.row("billable_items", appointment_type["billable_item_id"])
    items = [_item(drafts, invoice, service, "billable_item_id", price=str(service["price"]), quantity=Decimal(1))]
    if drafts.rng.random() < 0.25:
        product = drafts.timeline.row("products", drafts.rng.choice(drafts.timeline.inserted["products"]))
        quantity = Decimal(drafts.rng.choice((1, 1, 2)))
        items.append(
            _item(drafts, invoice, product, "product_id", price=str(product["price_ex_tax"]), quantity=quantity)
        )
        _adjust(
            drafts,
            invoice["created_at"],
            product,
            "Item Sold",
            quantity=-quantity,
            notes=f"Invoice {invoice['number']}",
        )
    return items


def _item(drafts: Drafts, invoice: Draft, sold: Row, column: str, *, price: str, quantity: Decimal) -> Draft:
    tax = drafts.timeline.row("taxes", sold["tax_id"])
    concession = _concession(invoice["patient_id"]["concession_type_id"], column)
    percent = Decimal(concession[1] if concession else drafts.rng.choice((0, 0, 0, 10)))
    gross = Decimal(price) * quantity
    discount = rounded_to_cents(gross * percent / 100)
    rate = Decimal(str(tax.get("rate", "0.0")))
    taxed = rounded_to_cents((gross - discount) * rate / 100)
    return drafts.add(
        "invoice_items",
        invoice["created_at"],
        **{column: sold["id"]},
        source_item_id=sold["id"],
        invoice_id=invoice,
        name=sold["name"],
        code=sold["item_code"],
        quantity=quantity,
        unit_price=price,
        discount_percentage=percent,
        discounted_amount=discount,
        is_monetary_discount=False,
        net_price=gross - discount,
        tax_amount=taxed,
        tax_name=tax.get("name"),
        tax_rate=rate,
        total_including_tax=gross - discount + taxed,
        concession_type_name=concession[0] if concession else "",
    )


def _concession(concession_type: Draft | None, column: str) -> tuple[str, int] | None:
    """Return the name and the percentage of a patient's concession, which applies to services only."""
    if concession_type is None or column == "product_id":
        return None
    return next(one for one in CONCESSIONS if one[0] == concession_type["name"])


def _add_up(invoice: Draft, items: list[Draft]) -> None:
    sums: dict[str, Decimal] = {
        name: sum((item[column] for item in items), Decimal(0)) for name, column in _SUMS.items()
    }
    invoice |= {**sums, "total_amount": sums["net_amount"] + sums["tax_amount"]}


def _reverse(drafts: Drafts, invoice: Draft) -> None:
    """Reverse an invoice by another one with the opposite amounts."""
    invoice["status"] = CLOSED
    _set_status(invoice["attendee_id"], CLOSED)
    invoice["closed_at"] = issued = invoice["created_at"] + DAY
    amounts = {name: -invoice[name] for name in (*_SUMS, "total_amount")}
    kept = {name: value for name, value in invoice.items() if name not in ("created_at", "updated_at")}
    number = drafts.of("invoices")[-1]["number"] + 1
    other = {"number": number, "issue_date": issued.date(), "original_invoice_id": invoice}
    reversal = drafts.add("invoices", issued, **{**kept, **amounts, **other})
    for item in [one for one in drafts.of("invoice_items") if one["invoice_id"] is invoice]:
        signs = ("quantity", "net_price", "tax_amount", "discounted_amount", "total_including_tax")
        copied = {name: value for name, value in item.items() if name not in ("created_at", "updated_at")}
        drafts.add("invoice_items", issued, **copied | {name: -item[name] for name in signs} | {"invoice_id": reversal})


def _stock(drafts: Drafts, product: Row) -> None:
    """Draft two purchases that make up for what was sold or damaged and is still in stock."""
    level = Decimal(str(product["stock_level"]))
    own = [one for one in drafts.of("stock_adjustments") if one["product_id"] == product["id"]]
    bought = level - sum((one["quantity"] for one in own), Decimal(0))
    if drafts.rng.random() < 0.3:
        _adjust(drafts, drafts.past_moment(3, 90), product, "Damaged", quantity=Decimal(-1))
        bought += 1
    first = Decimal(int(bought) // 2)
    lots = ((first, drafts.past_moment(400, 700)), (bought - first, drafts.past_moment(70, 300)))
    for lot, moment in [one for one in lots if one[0]]:
        _adjust(drafts, moment, product, "Stock Purchase", quantity=lot, notes="Regular order")


def _adjust(
    drafts: Drafts,
    moment: dt.datetime,
    product: Row,
    adjustment_type: str,
    *,
    quantity: Decimal,
    notes: str | None = None,
) -> None:
    user = drafts.timeline.inserted["users"][0]
    fields: dict[str, Any] = {"product_id": product["id"], "user_id": user, "quantity": quantity, "notes": notes}
    drafts.add("stock_adjustments", moment, adjustment_type=adjustment_type, comment=None, **fields)
