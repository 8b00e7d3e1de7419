"""Print tomorrow's appointments, each with the patient's phone number. It never writes."""

import asyncio
import datetime as dt
import itertools
import sys

from cliniko_async import Cliniko, ClinikoError, Link, Patient, UnavailableBlock
from cliniko_async.observers import AttemptEnded, Event

Visit = tuple[str, dt.datetime, Link[Patient] | None]


def name_and_phone(patient: Patient | None) -> str:
    if not patient:
        return "(deleted patient)"
    numbers = [each for each in patient.patient_phone_numbers or () if each.number and each.phone_type != "Fax"]
    best = min(numbers, key=lambda each: each.phone_type != "Mobile", default=None)
    return f"{patient.first_name} {patient.last_name}: {(best and best.number) or 'no phone number'}"


async def tomorrow(cliniko: Cliniko, now: dt.datetime) -> list[Visit]:
    """Return the place, the local start and the patient of each visit, in this order."""
    where = cliniko.bookings.where
    # A day has at most 25 hours, so tomorrow ends within 49, in every time zone.
    soon = cliniko.bookings.list(where.starts_at >= now, where.starts_at < now + dt.timedelta(hours=49), stable=True)
    bookings = [each async for each in soon if not isinstance(each, UnavailableBlock)]
    businesses = await cliniko.resolve(each.business for each in bookings)
    starts: dict[str, tuple[str, dt.datetime]] = {}
    for each in bookings:
        business = businesses.get((each.business and each.business.id) or "")
        start = each.starts_at.astimezone((business and business.zone) or dt.UTC)
        if start.date() == now.astimezone(start.tzinfo).date() + dt.timedelta(days=1):
            starts[each.id] = (f"{(business and business.label) or 'No business'} ({start.tzinfo})", start)
    visits: list[Visit] = []
    for first in range(0, len(starts), 100):
        in_batch = cliniko.attendees.where.booking_id.is_in(list(starts)[first : first + 100])
        attendees = await cliniko.attendees.list(in_batch).collect()
        visits += [(*starts[each.booking.id or ""], each.patient) for each in attendees if each.booking]
    return sorted(visits, key=lambda visit: visit[:2])


async def main(now: dt.datetime) -> None:
    events: list[Event] = []
    async with Cliniko.from_env(observers=[events.append]) as cliniko:
        visits = await tomorrow(cliniko, now)
        patients = await cliniko.resolve(patient for _, _, patient in visits)
    for place, there in itertools.groupby(visits, key=lambda visit: visit[0]):
        print(place)
        for _, start, link in there:
            print(f"  {start:%a %d %b %H:%M}  {name_and_phone(patients.get((link and link.id) or ''))}")
    print(f"{len(visits)} visits tomorrow")
    print(f"{sum(isinstance(each, AttemptEnded) for each in events)} requests", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main(dt.datetime.now(dt.UTC)))
    except ClinikoError as error:
        sys.exit(f"{type(error).__name__}: {error}")
