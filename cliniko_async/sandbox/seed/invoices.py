"""Drafts what the clinic is paid: invoices whose items add up, and adjustments that explain what is in stock."""

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ..db.columns import Row
from .drafts import DAY, Draft, Drafts
from .people import CONCESSIONS

OPEN, PAID, CLOSED = 10, 20, 30
_CENT = Decimal("0.01")
_TAX_EXCLUSIVE = 2
_SUMS = {"net_amount": "net_price", "tax_amount": "tax_amount", "discounted_amount": "discounted_amount"}


def draft_ledger(drafts: Drafts) -> None:
    """Draft an invoice for most of those who came, then what that leaves in stock."""
    bookings = {id(one): one for one in (*drafts.of("individual_appointments"), *drafts.of("group_appointments"))}
    came = [one for one in drafts.of("attendees") if one["arrived"]]
    came.sort(key=lambda one: (one["booking_id"]["starts_at"], one["created_at"]))
    for number, attendee in enumerate(drafts.some(came, 0.85), 1041):
        _invoice(drafts, number, attendee, bookings[id(attendee["booking_id"])])
    for invoice in drafts.of("invoices")[5:6]:
        _reverse(drafts, invoice)
    for product in drafts.plot.planted["products"]:
        _stock(drafts, drafts.plot.row("products", product))


def _invoice(drafts: Drafts, number: int, attendee: Draft, booking: Draft) -> None:
    patient, issued = attendee["patient_id"], booking["ends_at"]
    open_still = issued > drafts.today - 10 * DAY and drafts.rng.random() < 0.5
    status = OPEN if open_still else PAID
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
        closed_at=None if open_still else issued + dt.timedelta(minutes=5),
        invoice_to=f"{patient['first_name']} {patient['last_name']}\r\n{patient['address_1']}\r\n{patient['city']}",
        notes="",
        patient_extra_information="",
    )
    _mark(attendee, status)
    _add_up(invoice, _items(drafts, invoice, booking))


def _mark(attendee: Draft, status: int) -> None:
    """Write the status of an invoice where it shows, which a group appointment has no place for."""
    attendee["invoice_status"] = status
    booking: Draft = attendee["booking_id"]
    booking |= {"invoice_status": status} if "patient_id" in booking else {}


def _items(drafts: Drafts, invoice: Draft, booking: Draft) -> list[Draft]:
    kind = drafts.plot.row("appointment_types", booking["appointment_type_id"])
    service = drafts.plot.row("billable_items", int(kind["billable_item_id"] or 0))
    items = [_item(drafts, invoice, service, "billable_item_id", price=str(service["price"]), quantity=Decimal(1))]
    if drafts.rng.random() < 0.25:
        product = drafts.plot.row("products", drafts.rng.choice(drafts.plot.planted["products"]))
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
    tax = drafts.plot.row("taxes", int(sold["tax_id"] or 0))
    concession = _concession(invoice["patient_id"]["concession_type_id"], column)
    percent = Decimal(concession[1] if concession else drafts.rng.choice((0, 0, 0, 10)))
    gross = Decimal(price) * quantity
    discount = _cents(gross * percent / 100)
    rate = Decimal(str(tax.get("rate", "0.0")))
    taxed = _cents((gross - discount) * rate / 100)
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


def _concession(kind: Draft | None, column: str) -> tuple[str, int] | None:
    """What a patient pays less for a service."""
    if kind is None or column == "product_id":
        return None
    return next(one for one in CONCESSIONS if one[0] == kind["name"])


def _add_up(invoice: Draft, items: list[Draft]) -> None:
    sums: dict[str, Decimal] = {
        name: sum((item[column] for item in items), Decimal(0)) for name, column in _SUMS.items()
    }
    invoice |= {**sums, "total_amount": sums["net_amount"] + sums["tax_amount"]}


def _reverse(drafts: Drafts, invoice: Draft) -> None:
    """Take an invoice back by another of the opposite amount."""
    invoice["status"] = CLOSED
    _mark(invoice["attendee_id"], CLOSED)
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
    """Buy in two lots what was sold, broken, and is still there."""
    level = Decimal(str(product["stock_level"]))
    own = [one for one in drafts.of("stock_adjustments") if one["product_id"] == product["id"]]
    bought = level - sum((one["quantity"] for one in own), Decimal(0))
    if drafts.rng.random() < 0.3:
        _adjust(drafts, drafts.moment(3, 90), product, "Damaged", quantity=Decimal(-1))
        bought += 1
    first = Decimal(int(bought) // 2)
    lots = ((first, drafts.moment(400, 700)), (bought - first, drafts.moment(70, 300)))
    for lot, moment in [one for one in lots if one[0]]:
        _adjust(drafts, moment, product, "Stock Purchase", quantity=lot, notes="Regular order")


def _adjust(
    drafts: Drafts, moment: dt.datetime, product: Row, kind: str, *, quantity: Decimal, notes: str | None = None
) -> None:
    user = drafts.plot.planted["users"][0]
    fields: dict[str, Any] = {"product_id": product["id"], "user_id": user, "quantity": quantity, "notes": notes}
    drafts.add("stock_adjustments", moment, adjustment_type=kind, comment=None, **fields)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
