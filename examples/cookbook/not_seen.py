"""Print the patients who were not seen for 26 weeks and have no appointment to come. It never writes."""

import asyncio
import datetime as dt
import sys

from cliniko_async import Cliniko, ClinikoError, GroupAppointment, IndividualAppointment, Patient
from cliniko_async.observers import AttemptEnded, Event


async def seen_since(cliniko: Cliniko, then: dt.datetime) -> set[str | None]:
    """Return the ids of the patients who came since then, or are expected."""
    where = cliniko.bookings.where
    bookings = await cliniko.bookings.list(where.starts_at >= then, stable=True).collect()
    singles = (each for each in bookings if isinstance(each, IndividualAppointment))
    seen = {each.patient.id for each in singles if each.patient and not each.did_not_arrive}
    groups = [each.id for each in bookings if isinstance(each, GroupAppointment)]
    for first in range(0, len(groups), 100):
        in_groups = cliniko.attendees.where.booking_id.is_in(groups[first : first + 100])
        attendees = await cliniko.attendees.list(in_groups).collect()
        seen |= {each.patient.id for each in attendees if each.patient and each.arrived is not False}
    return seen


def phone(patient: Patient) -> str:
    numbers = [each for each in patient.patient_phone_numbers or () if each.number and each.phone_type != "Fax"]
    best = min(numbers, key=lambda each: each.phone_type != "Mobile", default=None)
    return (best and best.number) or "no phone number"


async def main(now: dt.datetime) -> None:
    events: list[Event] = []
    then = now - dt.timedelta(weeks=26)
    async with Cliniko.from_env(priority="bulk", observers=[events.append]) as cliniko:
        seen = await seen_since(cliniko, then)
        known = cliniko.patients.list(cliniko.patients.where.created_at < then, stable=True)
        lapsed = [each async for each in known if each.id not in seen]
        latest = await cliniko.resolve(each.latest_booking for each in lapsed)
        businesses = await cliniko.resolve(each.business for each in latest.values())

    def last_booked(patient: Patient) -> str:
        booking = latest.get((patient.latest_booking and patient.latest_booking.id) or "")
        if booking is None:
            return "never booked"
        business = businesses.get((booking.business and booking.business.id) or "")
        cancelled = isinstance(booking, IndividualAppointment) and booking.cancelled_at
        day = booking.starts_at.astimezone((business and business.zone) or dt.UTC)
        return f"{day:%Y-%m-%d}{' cancelled' if cancelled else ''}"

    for each in sorted(lapsed, key=last_booked):
        print(f"{last_booked(each):<20}  {each.first_name} {each.last_name}: {phone(each)}")
    print(f"{len(lapsed)} patients were not seen since {then:%Y-%m-%d}")
    print(f"{sum(isinstance(each, AttemptEnded) for each in events)} requests", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main(dt.datetime.now(dt.UTC)))
    except ClinikoError as error:
        sys.exit(f"{type(error).__name__}: {error}")
