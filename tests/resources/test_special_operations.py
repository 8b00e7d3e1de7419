"""The operations other than list, get, create, update and archive: their requests, results and refusals."""

import datetime as dt
import zoneinfo
from typing import Any

import pytest

from cliniko_async import (
    AttachmentPresignedPost,
    Business,
    DailyAvailability,
    DailyAvailabilityHours,
    InvalidFieldsError,
    NextAvailableTime,
    NotFoundError,
    OutcomeUnknownError,
    Patient,
    PatientPhoneNumber,
    Service,
    User,
    from_dict,
    to_dict,
)
from cliniko_async._records.record import Record, Value
from tests.support.attachments import Clinic, clinic
from tests.support.clients import virtually
from tests.support.for_each import for_each

STARTS = dt.datetime(2025, 7, 21, 9, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
BOOKED = ("individual_appointments", "group_appointments", "unavailable_blocks")


def book(at: Clinic, name: str, practitioner_id: str, starts: dt.datetime = STARTS) -> str:
    """Add a booking of an hour."""
    return at.sandbox.add(name, practitioner_id=practitioner_id, starts_at=starts, ends_at=starts + HOUR)


@virtually
async def test_an_appointment_is_cancelled_with_its_reason():
    async with clinic() as at:
        key = book(at, "individual_appointments", at.sandbox.add("practitioners"))
        cancel = at.cliniko.individual_appointments.cancel
        assert await cancel(key, cancellation_reason=30, cancellation_note="Flu", apply_to_repeats=False) is None
        (request,) = at.sandbox.requests
        assert (request.method, request.path) == ("PATCH", f"/v1/individual_appointments/{key}/cancel")
        assert request.body == {"cancellation_reason": 30, "cancellation_note": "Flu", "apply_to_repeats": False}
        found = await at.cliniko.individual_appointments.get(key, cancelled="include")
        assert (found.cancellation_reason, found.cancellation_note) == (30, "Flu")
        assert found.cancelled_at is not None


@virtually
async def test_an_attendance_is_cancelled():
    async with clinic() as at:
        key = at.sandbox.add("attendees", patient_id=at.patient_id)
        await at.cliniko.attendees.cancel(key, cancellation_reason=10)
        assert (await at.cliniko.attendees.get(key, cancelled="only")).cancelled_at is not None


@for_each(
    "fields, fault",
    [
        ({}, "is missing"),
        ({"cancellation_note": "x"}, "is missing"),
        ({"cancellation_reason": 31}, "must be one of"),
        ({"cancellation_reason": "10"}, "must be one of"),
        ({"cancellation_reason": None}, "must be one of"),
    ],
)
def test_a_cancellation_needs_a_reason_that_the_api_knows(fields: dict[str, Any], fault: str):
    @virtually
    async def test():
        async with clinic() as at:
            for resource in (at.cliniko.individual_appointments, at.cliniko.attendees):
                with pytest.raises(InvalidFieldsError) as caught:
                    await resource.cancel(1, **fields)
                assert fault in caught.value.faults["cancellation_reason"]
            assert at.asked == []

    test()


@pytest.mark.parametrize("moment", ["request", "answer", "headers"])
def test_a_cancellation_without_an_answer_is_not_sent_again(moment: Any):
    """The first request may have notified the patient."""

    @virtually
    async def test():
        async with clinic() as at:
            at.sandbox.faults.drop(moment)
            with pytest.raises(OutcomeUnknownError):
                await at.cliniko.individual_appointments.cancel(at.patient_id, cancellation_reason=10)
            assert len(at.asked) == 1

    test()


@virtually
async def test_a_cancellation_that_was_throttled_is_sent_again():
    async with clinic() as at:
        key = at.sandbox.add("attendees", patient_id=at.patient_id)
        at.sandbox.faults.throttle(1.0)
        await at.cliniko.attendees.cancel(key, cancellation_reason=10)
        assert len(at.asked) == 2


@pytest.mark.parametrize("name", BOOKED)
def test_bookings_tell_whether_they_overlap_with_others_of_their_practitioner(name: str):
    @virtually
    async def test():
        async with clinic() as at:
            resource = getattr(at.cliniko, name)
            practitioner = at.sandbox.add("practitioners")
            key = book(at, name, practitioner)
            book(at, "unavailable_blocks", practitioner, STARTS + HOUR)
            book(at, "unavailable_blocks", at.sandbox.add("practitioners"))
            found = await resource.conflicts(key)
            assert to_dict(found) == {"conflicts": {"exist": False}}
            book(at, "group_appointments", practitioner, STARTS + HOUR / 2)
            assert (await resource.conflicts(key)).conflicts.exist is True
            with pytest.raises(NotFoundError):
                await resource.conflicts(1)

    test()


@virtually
async def test_settings_are_read_with_every_group():
    async with clinic() as at:
        settings = await at.cliniko.settings.get()
        public = await at.cliniko.public_settings.get()
        assert [one.path for one in at.sandbox.requests] == ["/v1/settings", "/v1/settings/public"]
        assert settings.account is not None
        assert settings.account.compliance is not None
        assert settings.account.compliance.hipaa_compliance_conflict_messages == ()
        written = to_dict(settings)
        assert written["account"]["compliance"]["hipaa_compliance-conflict_messages"] == []
        assert from_dict(type(settings), written) == settings
        assert public.account is not None
        assert "email_from" not in to_dict(public)["account"]


@virtually
async def test_the_user_of_the_key_is_returned():
    async with clinic() as at:
        me = await at.cliniko.users.get_authenticated()
        assert at.sandbox.requests[0].path == "/v1/user"
        assert me == await at.cliniko.users.get(me.id)


@virtually
async def test_the_referral_source_of_a_patient_is_read_and_changed_below_the_patient():
    async with clinic() as at:
        with pytest.raises(NotFoundError):
            await at.cliniko.referral_sources.get(at.patient_id)
        key = at.sandbox.add("referral_sources", patient_id=at.patient_id, notes="Asked at the desk")
        found = await at.cliniko.referral_sources.get(at.patient_id)
        assert (found.id, found.notes) == (key, "Asked at the desk")
        changed = await at.cliniko.referral_sources.update(at.patient_id, notes=None)
        assert (changed.id, changed.notes) == (key, None)
        assert at.sandbox.requests[-1].body == {"notes": None}
        at.sandbox.archive("referral_sources", key)
        with pytest.raises(NotFoundError):
            await at.cliniko.referral_sources.get(at.patient_id)
        assert (await at.cliniko.referral_sources.get(at.patient_id, archived="only")).id == key


@virtually
async def test_a_signature_is_read_below_its_form():
    async with clinic() as at:
        form = at.sandbox.add("patient_forms", patient_id=at.patient_id)
        signature = await at.cliniko.signatures.get(form, 77)
        assert at.sandbox.requests[0].path == f"/v1/patient_forms/{form}/signatures/77"
        assert (signature.id, signature.image[:14]) == ("77", "data:image/svg")


@virtually
async def test_a_form_for_a_file_is_given_with_every_field_that_came():
    async with clinic() as at:
        form = await at.cliniko.patient_attachments.presigned_post(at.patient_id)
        assert form.url == at.sandbox.files.url
        assert form.fields is not None
        assert {"x-amz-date", "policy", "acl"} < form.fields.keys()
        assert to_dict(form)["fields"] == form.fields


def test_values_without_an_id_are_not_records_and_write_their_nulls():
    assert not issubclass(Service, Record)
    assert issubclass(Service, Value)
    assert issubclass(Record, Value)
    assert not hasattr(NextAvailableTime, "link")
    assert to_dict(AttachmentPresignedPost()) == {"fields": None, "url": None}
    assert repr(AttachmentPresignedPost(url="https://store.example.com/secret")) == "AttachmentPresignedPost(…)"


# Time zones and times of day


def read(cls: Any, **fields: Any) -> Any:
    stamps = {"created_at": "2025-07-20T10:02:31Z", "updated_at": "2025-07-20T10:02:31Z"}
    return from_dict(cls, {"id": "1", "links": {"self": "https://x/1"}, **stamps, **fields})


def test_a_zone_is_that_of_the_iana_name():
    names = {"time_zone": "Perth", "time_zone_identifier": "Australia/Perth"}
    person = {"first_name": "Sam", "last_name": "Example", "email": "sam@example.com"}
    perth = zoneinfo.ZoneInfo("Australia/Perth")
    assert read(Business, **names).zone == perth
    assert read(User, **names, **person).zone == perth
    assert read(DailyAvailability, **names).zone == perth
    assert read(Patient, first_name="Sam", last_name="Example", time_zone="Australia/Perth").zone == perth


def test_without_a_name_there_is_no_zone_and_an_unknown_one_says_so():
    assert read(Business).zone is None
    with pytest.raises(zoneinfo.ZoneInfoNotFoundError):
        _ = read(Business, time_zone_identifier="Nowhere/Atlantis").zone


def test_a_time_of_day_is_a_text_with_a_property_for_the_time():
    hours = DailyAvailabilityHours(starts_at="09:00", ends_at="17:30")
    assert (hours.starts_at, hours.start, hours.end) == ("09:00", dt.time(9), dt.time(17, 30))
    assert DailyAvailabilityHours().start is None


def test_a_day_that_is_worked_through_ends_at_midnight():
    assert DailyAvailabilityHours(ends_at="24:00").end == dt.time(0)


# Sending back what was read


@virtually
async def test_phone_numbers_are_sent_back_without_what_no_body_accepts():
    async with clinic() as at:
        number = PatientPhoneNumber(number="03 5550 0118", phone_type="Home", normalized_number="61355500118")
        await at.cliniko.patients.update(at.patient_id, patient_phone_numbers=[number])
        assert at.sandbox.requests[0].body == {
            "patient_phone_numbers": [{"number": "03 5550 0118", "phone_type": "Home"}]
        }
        assert number.normalized_number == "61355500118"


@virtually
async def test_a_nested_body_is_refused_without_what_it_needs():
    async with clinic() as at:
        with pytest.raises(InvalidFieldsError) as caught:
            await at.cliniko.patients.update(
                at.patient_id,
                pronouns={"nominative": "she"},
                custom_fields={"sections": [{"name": "Insurance"}]},
            )
        assert set(caught.value.faults) == {
            "custom_fields.sections[0].fields",
            "custom_fields.sections[0].token",
            "pronouns.accusative",
            "pronouns.predicative_possessive",
            "pronouns.pronominal_possessive",
            "pronouns.reflexive",
        }
        assert at.asked == []
