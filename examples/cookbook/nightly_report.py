"""Print a report of the day as an e-mail, without anything about a patient. It never writes to the account."""

import asyncio
import datetime as dt
import sys
from collections import Counter
from decimal import Decimal
from email.message import EmailMessage

from cliniko_async import Attendee, Booking, Cliniko, ClinikoError, GroupAppointment, IndividualAppointment
from cliniko_async.observers import AttemptEnded, Event

DAY = dt.timedelta(days=1)


def outcome(visit: IndividualAppointment | Attendee) -> str:
    missed = visit.arrived is False if isinstance(visit, Attendee) else visit.did_not_arrive
    return "cancelled" if visit.cancelled_at else "missed" if missed else "kept"


async def report(cliniko: Cliniko, now: dt.datetime) -> str:
    where, issued = cliniko.bookings.where, cliniko.invoices.where.issue_date
    around = (where.starts_at >= now - 2 * DAY, where.starts_at < now + 2 * DAY)
    bookings = await cliniko.bookings.list(*around, cancelled="include", stable=True).collect()
    found: list[tuple[Booking, str]] = []
    found += [(each, outcome(each)) for each in bookings if isinstance(each, IndividualAppointment)]
    groups = {each.id: each for each in bookings if isinstance(each, GroupAppointment)}
    for some in (list(groups)[first : first + 100] for first in range(0, len(groups), 100)):
        attendees = cliniko.attendees.list(cliniko.attendees.where.booking_id.is_in(some), cancelled="include")
        found += [(groups[each.booking.id or ""], outcome(each)) async for each in attendees if each.booking]
    invoices = await cliniko.invoices.list(issued >= (now - 2 * DAY).date(), issued <= (now + DAY).date()).collect()
    lines = [f"New patients: {await cliniko.patients.list(cliniko.patients.where.created_at >= now - DAY).count()}"]
    async for place in cliniko.businesses.list():
        zone = place.zone or dt.UTC
        day = (now - dt.timedelta(hours=6)).astimezone(zone).date()  # until six, it is the day before
        here = [each for each in found if each[0].business and each[0].business.id == place.id]
        counts = Counter((booking.starts_at.astimezone(zone).date(), what) for booking, what in here)
        today = ", ".join(f"{counts[day, what]} {what}" for what in ("kept", "cancelled", "missed"))
        own = [each for each in invoices if each.business and each.business.id == place.id and each.issue_date == day]
        total = sum(each.total_amount or Decimal(0) for each in own)
        lines += ["", f"{place.label}, {day:%A %d %B %Y}", f"  Visits: {today}"]
        lines += [f"  Visits tomorrow: {counts[day + DAY, 'kept']}", f"  Invoices: {len(own)}, in all {total:,.2f}"]
    return "\n".join([*lines, ""])


async def main(now: dt.datetime, *to: str) -> None:
    events: list[Event] = []
    message = EmailMessage()
    async with Cliniko.from_env(priority="bulk", observers=[events.append]) as cliniko:
        message.set_content(await report(cliniko, now), cte="quoted-printable")
    message["To"], message["Subject"] = ", ".join(to), "Report of the day"
    print(message)
    print(f"{sum(isinstance(each, AttemptEnded) for each in events)} requests", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main(dt.datetime.now(dt.UTC), *sys.argv[1:]))
    except ClinikoError as error:
        sys.exit(f"{type(error).__name__}: {error}")
