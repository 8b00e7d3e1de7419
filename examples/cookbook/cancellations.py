"""Print last month's cancellations by reason, and the no-shows. It never writes."""

import asyncio
import datetime as dt
import sys
from collections import Counter

from cliniko_async import Attendee, Booking, Cliniko, ClinikoError, GroupAppointment, IndividualAppointment
from cliniko_async.observers import AttemptEnded, Event

DAY = dt.timedelta(days=1)


def outcome(visit: IndividualAppointment | Attendee) -> str:
    if visit.cancelled_at:
        return f"cancelled: {visit.cancellation_reason_description or 'no reason given'}"
    missed = visit.arrived is False if isinstance(visit, Attendee) else visit.did_not_arrive
    return "did not arrive" if missed else "kept"


async def last_month(cliniko: Cliniko, now: dt.datetime) -> tuple[dt.date, list[Booking]]:
    """Return the first day of last month, and the bookings of that month."""
    zones = {
        each.id: each.zone or dt.UTC async for each in cliniko.businesses.list(archived="include", deleted="include")
    }
    today = min((now.astimezone(zone).date() for zone in zones.values()), default=now.date())
    end = today.replace(day=1)
    first = (end - DAY).replace(day=1)
    # A day more at both ends, because the month begins at another moment in each time zone.
    low, high = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (first - DAY, end + DAY))
    where = cliniko.bookings.where
    listing = cliniko.bookings.list(where.starts_at >= low, where.starts_at < high, cancelled="include", stable=True)
    bookings = await listing.collect()
    zone_of = {each.id: zones.get((each.business and each.business.id) or "", dt.UTC) for each in bookings}
    return first, [each for each in bookings if first <= each.starts_at.astimezone(zone_of[each.id]).date() < end]


async def main(now: dt.datetime) -> None:
    events: list[Event] = []
    async with Cliniko.from_env(priority="bulk", observers=[events.append]) as cliniko:
        first, bookings = await last_month(cliniko, now)
        outcomes = Counter(outcome(each) for each in bookings if isinstance(each, IndividualAppointment))
        groups = [each.id for each in bookings if isinstance(each, GroupAppointment)]
        for ids in (groups[start : start + 100] for start in range(0, len(groups), 100)):
            in_groups = cliniko.attendees.where.booking_id.is_in(ids)
            async for attendee in cliniko.attendees.list(in_groups, cancelled="include"):
                outcomes[outcome(attendee)] += 1
    total = outcomes.total()
    print(f"{first:%B %Y}: {total} visits booked, {total - outcomes['kept']} of them cancelled or missed")
    for name, count in outcomes.most_common():
        print(f"{count:>6}  {count / total:>4.0%}  {name}")
    print(f"{sum(isinstance(each, AttemptEnded) for each in events)} requests", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main(dt.datetime.now(dt.UTC)))
    except ClinikoError as error:
        sys.exit(f"{type(error).__name__}: {error}")
