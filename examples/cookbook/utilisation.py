"""Print how much of each practitioner's time was booked, in each of the last four whole weeks. It never writes."""

import asyncio
import datetime as dt
import itertools
import sys
from collections import Counter, defaultdict

from cliniko_async import Booking, Cliniko, ClinikoError, UnavailableBlock
from cliniko_async.observers import AttemptEnded, Event

DAY, WEEK = dt.timedelta(days=1), 7 * 24 * 60


def minutes(start: dt.datetime, end: dt.datetime) -> range:
    """Return the minutes of a local clock from start to end, counted from the first Monday of the calendar."""
    return range(*((each.toordinal() - 1) * 24 * 60 + each.hour * 60 + each.minute for each in (start, end)))


async def main(now: dt.datetime) -> None:
    events: list[Event] = []
    async with Cliniko.from_env(priority="bulk", observers=[events.append]) as cliniko:
        businesses = cliniko.businesses.list(archived="include", deleted="include")
        zones = {each.id: each.zone or dt.UTC async for each in businesses}
        today = min((now.astimezone(zone).date() for zone in zones.values()), default=now.date())
        days = [today - (today.weekday() + back) * DAY for back in range(28, 0, -1)]
        # A day more at both ends, because a week begins at another moment in each time zone.
        first, last = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (days[0] - DAY, days[-1] + 2 * DAY))
        where, extra = cliniko.bookings.where, cliniko.availability_blocks.where
        bookings = await cliniko.bookings.list(where.ends_at > first, where.starts_at < last, stable=True).collect()
        blocks = await cliniko.availability_blocks.list(extra.starts_at > first, extra.starts_at < last).collect()
        usual = await cliniko.daily_availabilities.list(stable=True).collect()
        people = await cliniko.resolve(each.practitioner for each in (*bookings, *blocks, *usual))
    booked, blocked, hours = (defaultdict[str | None, set[int]](set) for _ in range(3))
    for each in (*bookings, *blocks):
        times = blocked if isinstance(each, UnavailableBlock) else booked if isinstance(each, Booking) else hours
        zone = zones.get((each.business and each.business.id) or "", dt.UTC)
        start, end = max(each.starts_at, first).astimezone(zone), min(each.ends_at, last).astimezone(zone)
        times[each.practitioner and each.practitioner.id].update(minutes(start, end))
    for each in usual:
        for day, span in itertools.product(days, each.availabilities or ()):
            # Sunday is 0 or 7, and a day may end at 00:00.
            if each.day_of_week in (day.isoweekday(), day.isoweekday() % 7) and span.start and span.end:
                start, end = dt.datetime.combine(day, span.start), dt.datetime.combine(day, span.end)
                there = minutes(start, end if end > start else end + DAY)
                hours[each.practitioner and each.practitioner.id].update(there)
    for key, person in sorted(people.items(), key=lambda item: item[1].label or ""):
        busy, free = (Counter(each // WEEK for each in found) for found in (booked[key], hours[key] - blocked[key]))
        for monday in days[::7] if person.active or busy else ():
            week = monday.toordinal() // 7
            share = f"{busy[week] / free[week]:>5.0%}" if free[week] else "    -"
            print(f"{person.label:<28} {monday} {busy[week] / 60:>6.1f} of {free[week] / 60:>5.1f} h {share}")
    print(f"{sum(isinstance(each, AttemptEnded) for each in events)} requests", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main(dt.datetime.now(dt.UTC)))
    except ClinikoError as error:
        sys.exit(f"{type(error).__name__}: {error}")
