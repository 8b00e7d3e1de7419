"""Unpaid invoices: each open one once, its age by the day of its business, and sums that add up."""

import datetime as dt
from decimal import Decimal

from tests.support.clients import virtually
from tests.support.cookbook import MELBOURNE, PERTH, clinic, run, without

NOW = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)
"""Tuesday in Melbourne, still Monday in Perth."""
OPEN, PAID, CLOSED, CREDIT = 10, 20, 30, 40


def invoice(sandbox, number, issued, amount="10.00", status=OPEN, **fields):
    patient = sandbox.add("patients", first_name="Kim", last_name="Day")
    return sandbox.add(
        "invoices",
        number=number,
        issue_date=issued,
        total_amount=amount,
        status=status,
        patient_id=patient,
        **fields,
    )


def ages(printed):
    return {line[:20].strip(): Decimal(line.partition("$")[2].replace(",", "")) for line in printed.lines[-5:-1]}


@virtually
async def test_every_open_invoice_is_listed_once_and_the_sums_add_up():
    async with clinic(NOW) as sandbox:
        printed = await run("unpaid_invoices", sandbox, NOW)
        unpaid = [each for each in sandbox.all("invoices") if each["status"] == OPEN]
    rows = sorted((int(line[:8]), line[10:20], line.partition("$")[2].split()[0]) for line in printed.lines[:-5])
    assert len(rows) > 3
    assert rows == sorted(
        (each["number"], each["issue_date"], f"{Decimal(each['total_amount']):,.2f}") for each in unpaid
    )
    total = sum(Decimal(each["total_amount"]) for each in unpaid)
    assert sum(ages(printed).values()) == total
    assert printed.lines[-1].split() == [str(len(unpaid)), "unpaid", "invoices", f"${total:,.2f}"]
    assert printed.priorities == {"bulk"}


@virtually
async def test_only_open_invoices_are_unpaid():
    async with clinic(NOW) as sandbox:
        without(sandbox, "invoices")
        for number, status in enumerate((OPEN, PAID, CLOSED, CREDIT), 1):
            invoice(sandbox, number, dt.date(2026, 3, 1), status=status)
        invoice(sandbox, 5, dt.date(2026, 3, 1), deleted_at=NOW)
        sandbox.archive("invoices", invoice(sandbox, 6, dt.date(2026, 3, 1)))
        printed = await run("unpaid_invoices", sandbox, NOW)
    assert [line.split()[0] for line in printed.lines[:-5]] == ["1"]


@virtually
async def test_the_age_is_counted_by_the_day_of_the_business():
    async with clinic(NOW) as sandbox:
        without(sandbox, "invoices")
        for number, zone in enumerate((MELBOURNE, PERTH), 1):
            place = sandbox.add("businesses", business_name="Here", time_zone_identifier=zone.key)
            invoice(sandbox, number, dt.date(2026, 2, 28), business_id=place)
        printed = await run("unpaid_invoices", sandbox, NOW)
    assert [line.split()[2] for line in printed.lines[:-5]] == ["3", "2"]


@virtually
async def test_an_amount_is_in_the_sum_of_its_age():
    today = NOW.astimezone(MELBOURNE).date()
    async with clinic(NOW) as sandbox:
        without(sandbox, "invoices")
        place = sandbox.add("businesses", business_name="Here", time_zone_identifier=MELBOURNE.key)
        for days in (-1, 0, 30, 31, 60, 61, 90, 91, 4000):
            amount = Decimal(2) ** len(sandbox.all("invoices"))
            invoice(sandbox, days + 2, today - dt.timedelta(days=days), amount, business_id=place)
        printed = await run("unpaid_invoices", sandbox, NOW)
    assert ages(printed) == {
        "up to 30 days": 1 + 2 + 4,
        "31 to 60 days": 8 + 16,
        "61 to 90 days": 32 + 64,
        "over 90 days": 128 + 256,
    }
    assert [int(line[:8]) for line in printed.lines[:-5]] == [4002, 93, 92, 63, 62, 33, 32, 2, 1]


@virtually
async def test_no_invoice_and_an_invoice_without_amount_or_patient_are_no_error():
    async with clinic(NOW) as sandbox:
        without(sandbox, "invoices")
        nothing = await run("unpaid_invoices", sandbox, NOW)
        sandbox.add("invoices", number=1, issue_date=dt.date(2026, 3, 1), status=OPEN)
        one = await run("unpaid_invoices", sandbox, NOW)
    assert nothing.lines[-1].split() == ["0", "unpaid", "invoices", "$0.00"]
    assert one.lines[0].endswith("$0.00  (deleted patient)")
