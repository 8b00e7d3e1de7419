"""JSON is read by msgspec or field by field, with the same result, and faults name no values."""

import datetime as dt
import json
import traceback
from contextlib import suppress
from decimal import Decimal
from typing import Any

import cattrs
import msgspec
import pytest
from hypothesis import example as also
from hypothesis import given, settings
from hypothesis import strategies as st

from cliniko_async import (
    AppointmentType,
    Booking,
    Communication,
    DecodingError,
    EmailCommunication,
    GroupAppointment,
    IndividualAppointment,
    InvoiceItem,
    MemoCommunication,
    PatientAttachment,
    PatientForm,
    Settings,
    SmsCommunication,
    UnavailableBlock,
    UploadedPatientAttachment,
    from_dict,
    to_json,
)
from cliniko_async._records.converter import CONVERTER
from cliniko_async._records.page import decode_page, decode_record, page_type
from cliniko_async._records.record import is_renamed, is_union, variant_of
from tests.support.for_each import for_each
from tests.support.records import (
    BASE,
    EXAMPLES,
    JSON,
    RECORD_OF,
    RECORDS,
    example,
    objects,
    page_of,
    request,
    response,
    spoiled,
    written,
)

SECRET = "Robin-Sandover-1988"
KIND = example("appointment_type")
KIND_ID = KIND["id"]


def fast(cls: Any, body: bytes) -> Any:
    """A record as msgspec alone reads it, or None."""
    with suppress(msgspec.MsgspecError, ValueError):
        variant = variant_of(cls, msgspec.json.decode(body, type=dict[str, Any])) if is_union(cls) else cls
        return msgspec.json.decode(body, type=variant)
    return None


def exact(cls: Any, body: bytes) -> Any:
    """A record as cattrs alone reads it, or None."""
    with suppress(cattrs.BaseValidationError, ValueError):
        return CONVERTER.structure(json.loads(body, parse_float=Decimal), cls)
    return None


def fault_of(body: Any, cls: Any = AppointmentType, method: str = "GET") -> DecodingError:
    with pytest.raises(DecodingError) as caught:
        decode_record(cls, request(method), response(body))
    return caught.value


def texts(error: BaseException) -> str:
    """Everything that an error could show: its text, its repr, its attributes, and every error it is chained to."""
    chain = "".join(traceback.format_exception(error))
    assert error.__cause__ is None
    assert error.__context__ is None
    return f"{error} {error!r} {error.args} {vars(error)} {chain}"


# By msgspec, and field by field


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_both_readers_return_the_same_record_for_an_example(name: str):
    cls, body = RECORD_OF[name], EXAMPLES[name]
    found = CONVERTER.structure(body, cls)
    assert exact(cls, body) == found
    assert is_renamed(cls) or fast(cls, body) == found


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=max(12, settings().max_examples // 50))
def test_both_readers_accept_and_refuse_the_same(cls: Any, data: st.DataObject):
    """With nulls, absent and unknown keys, every form that a value may have, and values of other types.

    What is read can be written, and read again.
    """
    fits = data.draw(st.booleans())
    body = json.dumps(data.draw(objects(cls) if fits else spoiled(cls))).encode()
    found = exact(cls, body)
    assert is_renamed(cls) or fast(cls, body) == found
    if fits or found is not None:
        assert CONVERTER.structure(body, cls) == found
        assert decode_record(cls, request(), response(to_json(found))) == found
        assert json.loads(to_json(found)) == written(found)
    else:
        with pytest.raises(DecodingError):
            decode_record(cls, request(), response(body))


@given(body=st.binary() | JSON.map(json.dumps).map(str.encode))
@also(b'{"id": NaN}')
@also(b"[" * 100_000)
@also(b'{"appointment_types": [{"deposit_price": 1e99999999999999999999}]}')
@also(b'{"appointment_types": [{"id": "\\ud800"}], "x": "\\ud800"}')
@also('{"id": "1"}'.encode("utf-16"))
@also(b"1" * 5000)
def test_no_bytes_make_any_other_error(body: bytes):
    for cls in (AppointmentType, Booking, Communication, Settings):
        with suppress(DecodingError):
            decode_record(cls, request(), response(body))
        with suppress(DecodingError):
            decode_page(cls, "appointment_types", request(), response(body))


def test_no_depth_makes_any_other_error():
    """Reading, counting and writing what does not fit take unequal shares of the stack."""
    read = 0
    for depth in range(1, 1100):
        raw = json.dumps(KIND | {"name": "@"}).replace('"@"', "[" * depth + "]" * depth).encode()
        with suppress(DecodingError):
            found = decode_page(AppointmentType, "kinds", request(), response(b'{"kinds": [' + raw + b"]}"))
            assert len(found.faults) == 1
            read += 1
        with suppress(DecodingError):
            decode_record(AppointmentType, request(), response(raw))
    assert read


@given(value=JSON)
def test_any_json_in_any_field_makes_no_other_error(value: Any):
    for key in ("id", "type_code", "category_code", "from", "links"):
        with suppress(DecodingError):
            decode_record(Communication, request(), response(example("communication") | {key: value}))


# What fits


@for_each("number", ["50", "50.10", "0.1000000000000000055511151231257827", "123456789012345678901.25"])
def test_a_decimal_keeps_its_digits_as_a_number_and_as_a_text(number: str):
    for form in (number, f'"{number}"'):
        body = json.dumps(KIND | {"deposit_price": "@"}).replace('"@"', form).encode()
        for found in (fast(AppointmentType, body), exact(AppointmentType, body)):
            assert str(found.deposit_price) == number


@for_each("text", ["66", "66.0", "0.10", "12345678901234567890.12", "1E-7", "1E+30"])
def test_the_total_of_an_invoice_item_is_written_as_the_number_it_was(text: str):
    body = json.dumps(example("invoice_item") | {"total_including_tax": "@"}).replace('"@"', text).encode()
    found = decode_record(InvoiceItem, request(), response(body))
    again = decode_record(InvoiceItem, request(), response(to_json(found)))
    assert str(again.total_including_tax) == str(found.total_including_tax) == text
    assert f'"total_including_tax":{text}'.encode() in to_json(found)


def test_a_number_that_json_has_not_is_written_as_the_text_it_was():
    found = decode_record(InvoiceItem, request(), response(example("invoice_item") | {"total_including_tax": "NaN"}))
    assert json.loads(to_json(found))["total_including_tax"] == "NaN"


@pytest.mark.parametrize("offset", ["Z", "+10:00", "-03:30"])
def test_a_time_keeps_its_offset(offset: str):
    found = decode_record(AppointmentType, request(), response(KIND | {"updated_at": "2025-07-21T09:30:00" + offset}))
    assert found.updated_at.isoformat() == "2025-07-21T09:30:00" + offset.replace("Z", "+00:00")
    assert json.loads(to_json(found))["updated_at"] == "2025-07-21T09:30:00" + offset


def test_an_unknown_enumerated_value_or_key_is_accepted():
    found = decode_record(AppointmentType, request(), response(KIND | {"online_payments_mode": "barter", "new": [1]}))
    assert found.online_payments_mode == "barter"


def test_a_key_that_is_no_python_name_has_one():
    letter = decode_record(Communication, request(), response(example("communication") | {"from": "the clinic"}))
    assert letter.from_ == "the clinic"
    assert json.loads(to_json(letter))["from"] == "the clinic"
    account = {"compliance": {"hipaa_compliance-conflict_messages": ["one"]}}
    found = decode_record(Settings, request(), response({"account": account}))
    assert found.account is not None
    assert found.account.compliance is not None
    assert found.account.compliance.hipaa_compliance_conflict_messages == ("one",)


def test_a_field_of_several_types_is_read_as_the_type_that_came():
    for answer in ("text", [{"number": "1"}], {"city": "Hobart"}, None):
        form = {"sections": [{"questions": [{"answer": answer}]}]} if answer else {"sections": [{"questions": [{}]}]}
        body = json.dumps(example("patient_form") | {"content": form}).encode()
        found = fast(PatientForm, body)
        assert found == exact(PatientForm, body)
        assert json.loads(to_json(found))["content"] == form


def link(path: str) -> dict[str, Any]:
    return {"links": {"self": BASE + path}}


VARIANTS = [
    (Booking, {"max_attendees": 3}, GroupAppointment),
    (Booking, {"max_attendees": 3, "patient_ids": ["1"]}, GroupAppointment),
    (Booking, {"patient_name": ""}, IndividualAppointment),
    (Booking, {"patient": KIND["practitioners"]}, IndividualAppointment),
    (Booking, {"appointment_type": KIND["practitioners"]}, IndividualAppointment),
    (Booking, {"unavailable_block_type": KIND["practitioners"]}, UnavailableBlock),
    (Booking, {"attendees": KIND["practitioners"]}, IndividualAppointment),
    (Booking, {"did_not_arrive": None}, IndividualAppointment),
    (Booking, {"max_attendees": None, "did_not_arrive": None}, UnavailableBlock),
    (Booking, {"max_attendees": None, "cancelled_at": KIND["created_at"]}, IndividualAppointment),
    (Booking, {"conflicts": link("/individual_appointments/1/conflicts")}, IndividualAppointment),
    (Booking, {"conflicts": link("/unavailable_blocks/1/conflicts"), "did_not_arrive": None}, UnavailableBlock),
    (Booking, {"conflicts": link("/bookings/1/conflicts")}, UnavailableBlock),
    (Booking, {}, UnavailableBlock),
    (Communication, {"type_code": 1}, SmsCommunication),
    (Communication, {"type_code": 2}, EmailCommunication),
    (Communication, {"type_code": 2, "category_code": 12}, MemoCommunication),
    (Communication, {"type_code": 3}, MemoCommunication),
    (Communication, {"type_code": None, "type": "SMS"}, SmsCommunication),
    (Communication, {"type": "Email"}, EmailCommunication),
    (Communication, {"type": "Email", "category": "Memo"}, MemoCommunication),
    (Communication, {"type": "Email", "confidential": False}, MemoCommunication),
    (Communication, {"type": "Email", "confidential": None}, EmailCommunication),
    (Communication, {"type": "Other"}, MemoCommunication),
    (Communication, {"content_subject": None}, EmailCommunication),
    (Communication, {"content_subject": "Hello", "booking": KIND["practitioners"]}, EmailCommunication),
    (Communication, {"booking": KIND["practitioners"]}, SmsCommunication),
    (Communication, {"confidential": None}, MemoCommunication),
    (Communication, {}, MemoCommunication),
    (PatientAttachment, {}, UploadedPatientAttachment),
]


@for_each("base, keys, variant", VARIANTS)
def test_a_record_of_a_union_is_one_of_its_variants(base: Any, keys: dict[str, Any], variant: Any):
    """Alone, in a page, both ways, and written again."""
    bare = {"id": "1", "links": {"self": "x"}, **{f"{key}_at": KIND["created_at"] for key in ("created", "updated")}}
    raw = bare | {f"{key}_at": KIND["created_at"] for key in ("starts", "ends")} | keys
    alone = decode_record(base, request(), response(raw))
    paged = decode_page(base, "records", request(), response(page_of("records", [raw, raw])))
    assert type(alone) is variant
    assert paged.items == (alone, alone)
    assert exact(base, json.dumps(raw).encode()) == alone
    assert decode_record(base, request(), response(to_json(alone))) == alone


@for_each("value", [None, 0, "", [], {}, ["x"], {"links": 5}, {"links": {"self": None}}], ids=str)
@pytest.mark.parametrize("base", [Booking, Communication])
def test_any_value_of_a_discriminator_is_read_or_reported_as_a_fault(base: Any, value: Any):
    """And both ways agree."""
    raw = example("booking" if base is Booking else "communication")
    for key in {*raw, "confidential", "content_subject", "max_attendees", "conflicts", "type", "category"}:
        body = json.dumps(raw | {key: value}).encode()
        assert is_renamed(base) or fast(base, body) == exact(base, body)


# Pages


def test_a_page_is_read_with_its_total_and_its_next_link():
    for body in (
        page_of("appointment_types", [KIND], links={"next": "n"}),
        page_of("appointment_types", [KIND]),
    ):
        found = decode_page(AppointmentType, "appointment_types", request(), response(body))
        assert [appointment_type.id for appointment_type in found.items] == [KIND_ID]
        assert (found.total_entries, found.next, found.faults) == (1, body["links"].get("next"), ())
        assert found.rows == found.items


@pytest.mark.parametrize("more", [{}, {"links": None, "total_entries": None}])
def test_the_total_and_the_links_of_a_page_may_be_missing(more: dict[str, Any]):
    found = decode_page(AppointmentType, "appointment_types", request(), response({"appointment_types": [], **more}))
    assert (found.items, found.total_entries, found.next) == ((), None, None)


@pytest.mark.parametrize("envelope", ["settings", "communications"])
def test_a_page_with_renamed_fields_is_read_field_by_field(envelope: str):
    cls, raw = (Settings, example("settings")) if envelope == "settings" else (Communication, example("communication"))
    found = decode_page(cls, envelope, request(), response(page_of(envelope, [raw], links={"next": "n"})))
    assert found.items == (decode_record(cls, request(), response(raw)),)
    assert (found.next, found.total_entries, found.faults) == ("n", 1, ())


BAD_PAGES = [
    (b"{", "is not JSON"),
    (b"", "is not JSON"),
    ([], "appointment_types is missing"),
    ({"taxes": []}, "appointment_types is missing"),
    ({"appointment_types": {}}, "appointment_types expected a list"),
    ({"appointment_types": None}, "appointment_types expected a list"),
    (page_of("appointment_types", [], total_entries="7"), "total_entries expected a non-negative 64-bit integer"),
    (page_of("appointment_types", [], total_entries=True), "total_entries expected a non-negative 64-bit integer"),
    (page_of("appointment_types", [], links=[]), "links expected an object of URLs"),
    (page_of("appointment_types", [], links={"next": 5}), "links expected an object of URLs"),
]


@for_each("body, fault", BAD_PAGES)
def test_a_malformed_page_is_an_error(body: Any, fault: str):
    with pytest.raises(DecodingError) as caught:
        decode_page(AppointmentType, "appointment_types", request(), response(body))
    assert caught.value.faults == (fault,)


def test_all_bad_records_of_a_page_are_named_at_once_and_the_others_read():
    records = [KIND | {"id": str(number)} for number in range(100)]
    records[57] |= {"name": 5, "deposit_price": SECRET}
    del records[80]["created_at"]
    found = decode_page(
        AppointmentType, "appointment_types", request(), response(page_of("appointment_types", records))
    )
    assert found.faults == (
        "record 57: name expected a string, deposit_price expected a decimal",
        "record 80: created_at is missing",
    )
    assert [int(record.id) for record in found.items] == [number for number in range(100) if number not in (57, 80)]
    assert [row.id for row in found.rows] == [str(number) for number in range(100)]


@for_each("raw", [5, None, {"id": SECRET}, {"id": None}, {"id": "1" * 20}, [SECRET]])
def test_a_bad_record_without_an_id_is_named_by_its_index(raw: Any):
    found = decode_page(
        AppointmentType, "appointment_types", request(), response(page_of("appointment_types", [KIND, raw]))
    )
    assert found.faults[0].startswith("record #1: ")
    assert found.rows[1].id is None
    assert SECRET not in str(found.faults)


@for_each("stamp", [KIND["created_at"], None, 5, "yesterday"])
def test_the_index_of_a_bad_record_is_reported_as_far_as_it_can_be_read(stamp: Any):
    raw = KIND | {"name": None, "created_at": stamp}
    found = decode_page(AppointmentType, "appointment_types", request(), response(page_of("appointment_types", [raw])))
    expected = dt.datetime.fromisoformat(stamp) if stamp == KIND["created_at"] else None
    assert (found.rows[0].id, found.rows[0].created_at) == (KIND_ID, expected)


def test_a_page_and_its_bad_rows_show_no_value():
    bad = KIND | {"name": [SECRET]}
    body = page_of("appointment_types", [KIND, bad], links={"next": f"x?q={SECRET}"})
    found = decode_page(AppointmentType, "appointment_types", request(), response(body))
    assert f"{found!r} {found.rows[1]!r}" == f"PageData(1 of 2) InvalidRow(id='{KIND_ID}')"


# Faults


@for_each(
    "change, fault",
    [
        ({"name": 5}, "name expected a string"),
        ({"name": None}, "name expected a string"),
        ({"name": "\ud800"}, "name expected a string"),
        ({"duration_in_minutes": True}, "duration_in_minutes expected an integer"),
        ({"duration_in_minutes": 5.5}, "duration_in_minutes expected an integer"),
        ({"telehealth_enabled": 1}, "telehealth_enabled expected true or false"),
        ({"deposit_price": SECRET}, "deposit_price expected a decimal"),
        ({"deposit_price": True}, "deposit_price expected a decimal"),
        ({"created_at": "2025-01-01T00:00:00"}, "created_at expected a datetime with a time zone"),
        ({"created_at": SECRET}, "created_at expected a datetime with a time zone"),
        ({"practitioners": {"links": {}}}, "practitioners expected a link"),
        ({"practitioners": {"links": {"self": "\ud800"}}}, "practitioners expected a link"),
        ({"product": SECRET}, "product expected a link"),
        ({"links": {"self": None}}, "links expected a link"),
        ({"appointment_reminder_template_ids": SECRET}, "appointment_reminder_template_ids expected a list"),
        ({"appointment_reminder_template_ids": {}}, "appointment_reminder_template_ids expected a list"),
        ({"appointment_reminder_template_ids": ["1", 2]}, "appointment_reminder_template_ids[1] expected a string"),
    ],
)
def test_a_fault_names_the_record_and_the_field(change: dict[str, Any], fault: str):
    error = fault_of(KIND | change)
    assert error.faults == (f"record {KIND_ID}: {fault}",)
    assert SECRET not in texts(error)
    assert not error.written


def test_a_fault_names_the_path_through_lists_and_parts():
    questions = [{"answers": [{"value": "x"}, {"value": 5}]}, {"answer": 5}, [], {"options": 5}]
    error = fault_of(example("patient_form") | {"content": {"sections": [{"questions": questions}]}}, PatientForm)
    path = "content.sections[0].questions"
    assert error.faults[0].partition(": ")[2].split(", ") == [
        f"{path}[0].answers[1].value expected a string",
        f"{path}[1].answer expected a string or an object or a list",
        f"{path}[2] expected an object",
        f"{path}[3].options expected an object or a list",
    ]


def test_a_free_map_holds_texts():
    cls = next(cls for cls in RECORDS if cls.__name__ == "AttachmentPresignedPost")
    for fields, fault in (({"a @ b": 5}, "a string"), ({"\ud800": ""}, "a string"), ([SECRET], "an object")):
        error = fault_of({"fields": fields}, cls)
        assert error.faults == (f"the record: fields expected {fault}",)


def test_a_date_is_a_day_without_a_time():
    body = example("patient") | {"date_of_birth": "1988-02-30T00:00:00Z"}
    assert fault_of(body, RECORD_OF["patient"]).faults == (f"record {body['id']}: date_of_birth expected a date",)


def test_a_decoding_error_of_a_write_is_marked_as_written():
    error = fault_of(KIND | {"name": 5}, method="POST")
    assert error.written
    assert "the write was done" in str(error)
    assert fault_of(b"<html>", method="PATCH").faults == ("is not JSON",)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_fault_in_any_field_names_it_and_shows_no_value(name: str):
    raw = example(name)
    found = {key: fault_of(raw | {key: [[SECRET], {SECRET: SECRET}], SECRET: SECRET}, RECORD_OF[name]) for key in raw}
    record = {key: f"record {raw['id']}" if "id" in raw and key != "id" else "the record" for key in raw}
    assert {
        key: each.faults[0] for key, each in found.items() if not each.faults[0].startswith(f"{record[key]}: {key}")
    } == {}
    assert [key for key, each in found.items() if SECRET in texts(each)] == []


def test_only_unions_and_records_with_a_key_that_is_no_python_name_are_ever_parsed_by_python():
    """Which cannot read an integer of 5,000 digits; for all others it is an unknown key like any other."""
    strange = b'{"strange": ' + b"9" * 5000 + b", "
    slow = set()
    for name, cls in RECORD_OF.items():
        try:
            CONVERTER.structure(EXAMPLES[name].replace(b"{", strange, 1), cls)
        except ValueError:
            slow.add(cls.__name__)
    assert slow == {"Booking", "Communication", "PatientAttachment", "Settings"}


@pytest.mark.parametrize("cls", [AppointmentType, Booking, Communication])
def test_a_page_is_a_type_of_the_converter_for_bytes_and_for_what_was_parsed_of_them(cls: Any):
    page = page_type(cls, "records")
    name = next(name for name in RECORD_OF if RECORD_OF[name] is cls)
    data = page_of("records", [example(name)] * 2, links={"next": "n"})
    body = json.dumps(data).encode()
    found = CONVERTER.structure(body, page)
    assert found == CONVERTER.structure(msgspec.Raw(body), page) == CONVERTER.structure(data, page)
    assert found.items == found.rows == (from_dict(cls, example(name)),) * 2
    assert (found.total_entries, found.next, repr(found)) == (2, "n", f"{cls.__name__}Page(…)")
