"""Print the unpaid invoices, the oldest first, and what is owed by age. It never writes."""

import asyncio
import datetime as dt
import sys
from collections import defaultdict
from decimal import Decimal

from cliniko_async import Cliniko, ClinikoError
from cliniko_async.observers import AttemptEnded, Event

OPEN = 10
AGES = ("up to 30 days", "31 to 60 days", "61 to 90 days", "over 90 days")


def money(symbol: str, amount: Decimal) -> str:
    return f"{symbol}{amount:,.2f}".rjust(12)


async def main(now: dt.datetime) -> None:
    events: list[Event] = []
    async with Cliniko.from_env(priority="bulk", observers=[events.append]) as cliniko:
        unpaid = await cliniko.invoices.list(cliniko.invoices.where.status == OPEN, stable=True).collect()
        businesses = await cliniko.resolve(each.business for each in unpaid)
        patients = await cliniko.resolve(each.patient for each in unpaid)
        account = (await cliniko.public_settings.get()).account
    symbol = (account and account.currency_symbol) or ""
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for each in sorted(unpaid, key=lambda each: (each.issue_date, each.number)):
        business = businesses.get((each.business and each.business.id) or "")
        today = now.astimezone((business and business.zone) or dt.UTC).date()
        days = (today - each.issue_date).days
        amount = each.total_amount or Decimal(0)
        owed[AGES[min(max(days - 1, 0) // 30, 3)]] += amount
        patient = patients.get((each.patient and each.patient.id) or "")
        name = f"{patient.first_name} {patient.last_name}" if patient else "(deleted patient)"
        print(f"{each.number:>8}  {each.issue_date}  {days:>4} days  {money(symbol, amount)}  {name}")
    for age in AGES:
        print(f"{age:<31} {money(symbol, owed[age])}")
    print(f"{f'{len(unpaid)} unpaid invoices':<31} {money(symbol, sum(owed.values(), Decimal(0)))}")
    print(f"{sum(isinstance(each, AttemptEnded) for each in events)} requests", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main(dt.datetime.now(dt.UTC)))
    except ClinikoError as error:
        sys.exit(f"{type(error).__name__}: {error}")
