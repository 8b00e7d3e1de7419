"""Fields are checked against their rules before anything is sent, and every fault is reported at once."""

import datetime as dt
import enum
import json
from collections import UserDict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Required, TypedDict

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliniko_async import (
    BookingRepeatRule,
    Cliniko,
    InvalidFieldsError,
    PatientFormContent,
    PatientFormQuestion,
    PatientFormSection,
    to_json,
)
from cliniko_async._records.record import Part, record
from cliniko_async.fields import (
    DecimalNumber,
    Id,
    MaxLength,
    MinLength,
    Money,
    Pattern,
    Range,
    check_fields,
    id_text,
    wire_name,
)
from cliniko_async.sandbox import Sandbox
from tests.support.for_each import for_each

HOBART = dt.timezone(dt.timedelta(hours=10))


@record
class Inner(Part):
    note: str | None = None


class InnerFields(TypedDict, total=False):
    note: Annotated[str, MaxLength(3)]


class RuleFields(TypedDict, total=False):
    every: Annotated[int, Range(1, 9)]
    inner: Sequence[InnerFields | Inner]
    kind: Required[str]


class Fields(TypedDict, total=False):
    text: Annotated[str, MaxLength(3)]
    long: Annotated[str, MinLength(2), MaxLength(3)]
    coloured: Annotated[str, Pattern("^#[0-9a-f]{3}$")]
    nullable: str | None
    number: Annotated[int, Range(0, 10, low_excluded=True)]
    whole: int
    open: Annotated[int, Range(5, None)]
    money: Annotated[Money, Range(0, 100, high_excluded=True)] | None
    price: Annotated[Decimal | int, DecimalNumber()]
    flag: bool
    mode: Literal["one", "two"] | None
    code: Literal[1, 2]
    many: Literal[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    id: Id
    ids: Sequence[Id]
    at: dt.datetime
    on: dt.date
    rule: RuleFields | Inner | None
    answer: dt.date | Annotated[str, MaxLength(3)] | InnerFields | Inner | Sequence[str]
    from_: str


def sent(**fields: Any) -> Any:
    """The body for these fields."""
    return json.loads(to_json(check_fields(Fields, fields)), parse_float=Decimal)


def faults(**fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as caught:
        check_fields(Fields, fields)
    return caught.value.faults


NO_INT = "must be an int"
NO_MONEY = "must be a Decimal or an int"


@for_each(
    "field, value, fault",
    [
        ("text", "long", "is longer than 3 characters"),
        ("text", 5, "must be a str"),
        ("text", b"x", "must be a str"),
        ("text", None, "must be a str"),
        ("text", "\ud800", "holds a character that cannot be encoded"),
        ("long", "x", "is shorter than 2 characters"),
        ("long", "long", "is longer than 3 characters"),
        ("coloured", "red", "does not match ^#[0-9a-f]{3}$"),
        ("nullable", 5, "must be a str or None"),
        ("number", 0, "must be more than 0 and at most 10"),
        ("number", 11, "must be more than 0 and at most 10"),
        ("number", True, NO_INT),
        ("number", 1.0, NO_INT),
        ("number", "1", NO_INT),
        ("number", Decimal(1), NO_INT),
        ("open", 4, "must be at least 5"),
        ("money", 100, "must be at least 0 and less than 100"),
        ("money", Decimal("-0.01"), "must be at least 0 and less than 100"),
        ("money", 1.5, f"{NO_MONEY} or None"),
        ("money", "1.5", f"{NO_MONEY} or None"),
        ("money", True, f"{NO_MONEY} or None"),
        ("money", Decimal("NaN"), "must be finite"),
        ("money", Decimal("sNaN"), "must be finite"),
        ("money", Decimal("-Infinity"), "must be finite"),
        ("price", Decimal("Infinity"), "must be finite"),
        ("price", Decimal("1E+999999"), "has an exponent beyond 30"),
        ("price", Decimal("1E-999999"), "has an exponent beyond 30"),
        ("price", Decimal("0E-999999"), "has an exponent beyond 30"),
        ("price", 1.5, NO_MONEY),
        ("flag", 1, "must be True or False"),
        ("flag", "true", "must be True or False"),
        ("mode", "three", "must be one of 'one', 'two' or None"),
        ("mode", ["one"], "must be one of 'one', 'two' or None"),
        ("code", 3, "must be one of 1, 2"),
        ("code", True, "must be one of 1, 2"),
        ("code", 1.0, "must be one of 1, 2"),
        ("many", 21, "must be one of the values that the API knows"),
        ("id", "", "must be an id of 1 to 19 digits"),
        ("id", "1/../2", "must be an id of 1 to 19 digits"),
        ("id", "1" * 20, "must be an id of 1 to 19 digits"),
        ("id", 10**19, "must be an id of 1 to 19 digits"),
        ("id", -1, "must be an id of 1 to 19 digits"),
        ("id", "\N{ARABIC-INDIC DIGIT ONE}", "must be an id of 1 to 19 digits"),
        ("id", True, "must be a str or an int"),
        ("id", 1.0, "must be a str or an int"),
        ("ids", "12", "must be a list"),
        ("ids", b"12", "must be a list"),
        ("ids", {1}, "must be a list"),
        ("ids", {"1": 1}, "must be a list"),
        ("ids", 1, "must be a list"),
        ("at", dt.datetime(2025, 7, 21), "must have a time zone"),  # noqa: DTZ001  (that is the point)
        ("at", dt.date(2025, 7, 21), "must be a datetime"),
        ("at", "2025-07-21T00:00:00Z", "must be a datetime"),
        (
            "at",
            dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=1))),
            "must be between the years 1 and 9999 in UTC",
        ),
        ("at", dt.datetime.min.replace(tzinfo=HOBART), "must be between the years 1 and 9999 in UTC"),
        ("on", dt.datetime(2025, 7, 21, tzinfo=dt.UTC), "must be a date"),
        ("on", "2025-07-21", "must be a date"),
        ("rule", [], "must be a mapping of fields or Inner or None"),
        ("answer", 5, "must be a date or a str or a mapping of fields or Inner or a list"),
        ("answer", "long", "is longer than 3 characters"),
        ("unknown", 5, "unknown field"),
        ("x" * 10_000, 5, "unknown field"),
        ("tekst", 5, "unknown field; did you mean 'text'?"),
        ("from", "x", "unknown field; did you mean 'from_'?"),
    ],
)
def test_a_value_that_breaks_a_rule_is_a_fault(field: str, value: Any, fault: str):
    assert faults(**{field: value}) == {field: fault}


class Mode(enum.StrEnum):
    TWO = "two"


class Text(str):
    __slots__ = ()


class Number(enum.IntEnum):
    FIVE = 5


@for_each("field, value, written", [
        ("text", "", ""),
        ("text", "Zoë", "Zoë"),
        ("text", Text("x"), "x"),
        ("text", Mode.TWO, "two"),
        ("nullable", None, None),
        ("number", 10, 10),
        ("number", Number.FIVE, 5),
        ("whole", 10**20, 10**20),
        ("open", 10**9, 10**9),
        ("money", None, None),
        ("money", 5, "5"),
        ("money", Decimal("99.990"), "99.990"),
        ("money", Decimal("1E+1"), "10"),
        ("money", Decimal("1E-7"), "0.0000001"),
        ("price", Decimal("50.10"), Decimal("50.10")),
        ("price", Decimal("1E+2"), 100),
        ("price", 7, 7),
        ("price", Decimal("12345678901234567890.12"), Decimal("12345678901234567890.12")),
        ("flag", False, False),
        ("mode", "two", "two"),
        ("mode", None, None),
        ("code", 1, 1),
        ("id", "007", "007"),
        ("id", 0, "0"),
        ("id", Number.FIVE, "5"),
        ("id", 9223372036854775807, "9223372036854775807"),
        ("ids", [], []),
        ("ids", (1, "2"), ["1", "2"]),
        ("ids", range(2), ["0", "1"]),
        ("at", dt.datetime(2025, 7, 21, 9, 30, tzinfo=HOBART), "2025-07-20T23:30:00Z"),
        ("at", dt.datetime(2025, 7, 21, 9, 30, 1, 999_999, tzinfo=dt.UTC), "2025-07-21T09:30:01Z"),
        ("on", dt.date(2025, 7, 21), "2025-07-21"),
        ("rule", None, None),
        ("rule", {"kind": "x", "every": 5, "inner": [{"note": "x"}, Inner(note="left as it is"), Inner()]},
         {"kind": "x", "every": 5, "inner": [{"note": "x"}, {"note": "left as it is"}, {}]}),
        ("rule", UserDict({"kind": "x"}), {"kind": "x"}),
        ("rule", Inner(note="as it was read"), {"note": "as it was read"}),
        ("answer", dt.date(2025, 7, 21), "2025-07-21"),
        ("answer", "abc", "abc"),
        ("answer", ["a"], ["a"]),
        ("answer", {"note": "x"}, {"note": "x"}),
        ("answer", Inner(note="x"), {"note": "x"}),
    ])  # fmt: skip
def test_a_value_is_written_in_the_form_of_the_api(field: str, value: Any, written: Any):
    found = sent(**{field: value})
    assert found == {field: written}
    assert str(found[field]) == str(written)


def test_every_fault_is_reported_at_once_with_its_path():
    rule = {"every": 0, "inner": [{"note": "x"}, {"note": "long", "nota": 1}, 5], 7: 1}
    assert faults(text=5, ids=["1", "x", True], rule=rule, unknown=1, nullable="fine") == {
        "text": "must be a str",
        "ids[1]": "must be an id of 1 to 19 digits",
        "ids[2]": "must be a str or an int",
        "rule.every": "must be at least 1 and at most 9",
        "rule.inner[1].note": "is longer than 3 characters",
        "rule.inner[1].nota": "unknown field; did you mean 'note'?",
        "rule.inner[2]": "must be a mapping of fields or Inner",
        "rule.7": "unknown field",
        "rule.kind": "is missing",
        "unknown": "unknown field",
    }


def test_the_text_of_the_error_has_every_field_and_no_value():
    with pytest.raises(InvalidFieldsError) as caught:
        check_fields(Fields, {"text": "Robin Sandover", "coloured": "Robin", "mode": "Robin"})
    assert isinstance(caught.value, ValueError)
    assert "Robin" not in f"{caught.value} {caught.value!r} {caught.value.faults}"
    assert all(f"{field}: " in str(caught.value) for field in ("text", "coloured", "mode"))


def test_a_keyword_that_python_has_is_sent_under_its_own_name():
    assert sent(from_="x") == {"from": "x"}
    assert [wire_name(name) for name in ("from_", "to", "first_name")] == ["from", "to", "first_name"]


@given(number=st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=99, places=9))
def test_a_decimal_keeps_its_value_and_its_digits(number: Decimal):
    text = sent(money=number)["money"]
    assert Decimal(text) == number
    assert "e" not in text.lower()
    assert str(sent(price=number)["price"]) == str(Decimal(text))


@given(moment=st.datetimes(dt.datetime(2, 1, 1), timezones=st.timezones()).filter(lambda moment: moment.year < 9999))  # noqa: DTZ001
def test_a_moment_is_written_in_utc_to_the_second(moment: dt.datetime):
    written = dt.datetime.fromisoformat(sent(at=moment)["at"])
    assert dt.timedelta(0) <= moment.astimezone(dt.UTC) - written < dt.timedelta(seconds=1)


@given(value=st.integers() | st.text() | st.booleans() | st.floats() | st.none() | st.from_regex(r"\A\d{1,21}\Z"))
def test_an_id_is_up_to_nineteen_digits_and_nothing_else(value: Any):
    found = id_text(value)
    plain = isinstance(value, int | str) and not isinstance(value, bool)
    expected = str(value) if plain and str(value).isascii() and str(value).isdigit() and len(str(value)) < 20 else None
    assert found == expected


def test_an_int_too_long_to_print_is_not_an_id():
    assert id_text(10**5000) is None


def test_the_content_of_a_form_that_was_read_can_be_sent_again():
    from cliniko_async import PatientFormFields

    content = PatientFormContent(sections=(PatientFormSection(name="x" * 300),))
    mixed = {"sections": [{"questions": [PatientFormQuestion(name="Why?", type="text")]}, *(content.sections or ())]}
    for given_content in (content, mixed):
        body = json.loads(to_json(check_fields(PatientFormFields, {"content": given_content})))
        assert body["content"]["sections"][-1] == {"name": "x" * 300}


# Nothing is sent on a fault

WRITES: list[Callable[[Cliniko], Any]] = [
    lambda cliniko: cliniko.appointment_types.create(name=5, color="red"),
    lambda cliniko: cliniko.appointment_types.create(unknown=5),
    lambda cliniko: cliniko.appointment_types.update("1", name=None),
    lambda cliniko: cliniko.products.create(price=1.5),
    lambda cliniko: cliniko.individual_appointments.update(1, starts_at=dt.datetime(2025, 1, 1)),  # noqa: DTZ001
    lambda cliniko: cliniko.communications.create(category_code=13),
]


@for_each("write", WRITES)
async def test_nothing_is_sent_on_a_fault(cliniko_sandbox: Sandbox, cliniko: Cliniko, write: Callable[[Cliniko], Any]):
    with pytest.raises(InvalidFieldsError):
        await write(cliniko)
    assert cliniko_sandbox.requests == []


async def test_valid_fields_are_sent_in_the_form_of_the_api(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    """Nested parts, ids as int, a decimal as a number where the API takes one, a keyword as its own name."""
    starts = dt.datetime(2025, 7, 21, 9, 30, tzinfo=HOBART)
    names = {"patient": "patients", "practitioner": "practitioners", "business": "businesses"}
    ids = {f"{name}_id": int(cliniko_sandbox.add(resource)) for name, resource in names.items()}
    ids["appointment_type_id"] = int(cliniko_sandbox.all("appointment_types")[0]["id"])
    rule = BookingRepeatRule(number_of_repeats=2, repeat_type="Weekly", repeating_interval=1)
    memo: Any = {"from_": "us", "to": "them", "content": "A talk.", "direction_code": 1, "confidential": False}
    await cliniko.individual_appointments.create(starts_at=starts, repeat_rule=rule, **ids)
    await cliniko.communications.create(patient_id=ids["patient_id"], category_code=12, type_code=3, **memo)
    await cliniko.products.create(name="Band", price=Decimal("9.90"))
    bodies = [each.body for each in cliniko_sandbox.requests]
    assert bodies[0]["starts_at"] == "2025-07-20T23:30:00Z"
    assert bodies[0]["repeat_rule"] == attrs.asdict(rule)
    assert bodies[0]["patient_id"] == str(ids["patient_id"])
    assert bodies[1]["from"] == "us"
    assert bodies[2]["price"] == 9.9
