"""Filters: each kind of field has the operators of the facts, and no others."""

import datetime as dt
import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cliniko_async import Cliniko, Filter, InvalidRequestError, Sort
from cliniko_async._dates import format_utc
from cliniko_async.filters import (
    ArrayField,
    BooleanField,
    Column,
    DateField,
    DateTimeField,
    Filters,
    IntField,
    StringField,
)
from cliniko_async.sandbox import Sandbox
from tests.support.for_each import for_each
from tests.support.paths import FACTS as FOLDER

FACTS = yaml.safe_load((FOLDER / "cliniko-v1.yaml").read_text(encoding="utf-8"))
OFFERED: dict[str, Any] = FACTS["protocol"]["filters"]["formats"]
EXAMPLES: list[dict[str, str]] = FACTS["protocol"]["filters"]["serialised_examples"]


class Everything(Filters):
    number = IntField()
    text = StringField()
    moment = DateTimeField()
    day = DateField()
    flag = BooleanField()
    ids = ArrayField()
    from_ = StringField()
    name = Column()


where = Everything()
NOON = dt.datetime(2025, 1, 1, 12, tzinfo=dt.UTC)
DAY = dt.date(2025, 1, 1)
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
COLUMNS: list[Any] = [where.number, where.text, where.moment, where.day, where.flag, where.ids]
VALUES = {"int64": 5, "string": "x", "date-time": NOON, "date": DAY, "boolean": True, "array": "5"}
WRITTEN = {"int64": "5", "string": "x", "date-time": "2025-01-01T12:00:00Z", "date": "2025-01-01"}


# Operators


def offered_by(column: Any) -> set[str]:
    """The operators that a column has, found by trying."""
    methods = {f"{name}()" for name in dir(column) if not name.startswith("_") and callable(getattr(column, name))}
    signs = {"==" if sign == "=" else sign for sign in OFFERED[column.kind]["operators"] if sign in COMPARISONS}
    return (methods - {"asc()", "desc()"}) | (signs if column.kind != "boolean" else set())


def operators_in(text: str) -> set[str]:
    """The operators that an error says a column has."""
    return set(text.partition("; it has ")[2].split(", "))


@pytest.mark.parametrize("sign", COMPARISONS)
@for_each("column", COLUMNS, ids=lambda column: column.kind)
def test_a_kind_of_column_has_the_comparisons_of_the_facts_and_no_others(column: Any, sign: str):
    """From both sides, and also against values of other types."""
    value = VALUES[column.kind]
    if sign in OFFERED[column.kind]["operators"] and column.kind != "boolean":
        assert COMPARISONS[sign](column, value) == Filter(f"{column.name}:{sign}{WRITTEN[column.kind]}")
        return
    for other in (value, None, object(), "x", column):
        with pytest.raises(TypeError, match=f"^'{column.name}' has no operator ") as raised:
            COMPARISONS[sign](column, other)
        assert operators_in(str(raised.value)) == offered_by(column)
        with pytest.raises(TypeError):
            COMPARISONS[sign](other, column)


@for_each("column", COLUMNS, ids=lambda column: column.kind)
def test_a_kind_of_column_has_the_named_operators_of_the_facts(column: Any):
    offered = set(OFFERED[column.kind]["operators"])
    methods = {
        "is_null": "!?" in offered,
        "is_not_null": "?" in offered,
        "any": "*" in offered,
        "contains": "~" in offered,
        "is_in": "list_with_equals" in OFFERED[column.kind],
        "matches": "wildcard" in OFFERED[column.kind],
        "is_": column.kind == "boolean",
        "is_not": column.kind == "boolean",
    }
    assert {name: hasattr(column, name) for name in methods} == methods


NAMED = [
    (where.number.is_null(), "number:!?"),
    (where.number.is_not_null(), "number:?"),
    (where.text.is_null(), "text:!?"),
    (where.day.is_not_null(), "day:?"),
    (where.moment.any(), "moment:*"),
    (where.number.is_in([1, "2", 3]), "number:=1,2,3"),
    (where.number.is_in(iter((1,))), "number:=1"),
    (where.number == "-5", "number:=-5"),
    (where.number >= -5, "number:>=-5"),
    (where.text.contains("ann"), "text:~ann"),
    (where.text.matches("ja%on%"), "text:~~ja%on%"),
    (where.text == "", "text:="),
    (where.day.matches("****-05-**"), "day:=****-05-**"),
    (where.flag.is_(True), "flag:=true"),
    (where.flag.is_not(False), "flag:!=false"),
    (where.ids.contains(123), "ids:~123"),
    (where.from_ == "x", "from:=x"),
]


@for_each("found, text", NAMED, ids=lambda value: str(getattr(value, "text", value)))
def test_a_named_operator_has_its_text(found: Filter, text: str):
    assert found.text == text
    assert found.field == text.partition(":")[0]


@pytest.mark.parametrize("offset", [0, 10, -3.5])
def test_a_moment_is_sent_in_utc(offset: float):
    there = NOON.astimezone(dt.timezone(dt.timedelta(hours=offset)))
    assert (where.moment >= there).text == "moment:>=2025-01-01T12:00:00Z"


@given(moment=st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=st.just(dt.UTC)))  # noqa: DTZ001
def test_a_fraction_of_a_second_widens_a_filter_and_never_narrows_it(moment: dt.datetime):
    for asked, fits in (
        (where.moment >= moment, operator.le),
        (where.moment > moment, operator.le),
        (where.moment <= moment, operator.ge),
        (where.moment < moment, operator.ge),
    ):
        bound = dt.datetime.fromisoformat(re.sub("[^0-9]*", "", asked.text, count=1))
        assert fits(bound, moment)
        assert abs(bound - moment) < dt.timedelta(seconds=1)
        assert bound.microsecond == 0


def test_a_moment_beyond_all_years_is_refused():
    east = dt.timezone(dt.timedelta(hours=10))
    for ask in (
        lambda: where.moment >= dt.datetime.min.replace(tzinfo=east),
        lambda: where.moment <= dt.datetime.max.replace(tzinfo=dt.UTC),
    ):
        with pytest.raises(InvalidRequestError, match="between the years 1 and 9999"):
            ask()
    assert format_utc(dt.datetime.max.replace(tzinfo=dt.UTC)) == "9999-12-31T23:59:59Z"


# Refused


@for_each(
    "ask",
    [
        lambda: where.moment >= dt.datetime(2025, 1, 1),  # noqa: DTZ001  (that is the point)
        lambda: where.moment >= DAY,
        lambda: where.moment >= "2025-01-01T00:00:00Z",
        lambda: where.day == NOON,
        lambda: where.day >= "2025-01-01",
        lambda: where.day.matches("2025"),
        lambda: where.day.matches(DAY),
        lambda: where.number == 5.0,
        lambda: where.number == True,  # noqa: E712  (as a user might)
        lambda: where.number == None,  # noqa: E711
        lambda: where.number == "5,6",
        lambda: where.number == "--5",
        lambda: where.number == 10**19,
        lambda: where.number == -(10**5000),
        lambda: where.number == "1" * 20,
        lambda: where.number >= Decimal(5),
        lambda: where.number.is_in([]),
        lambda: where.number.is_in(()),
        lambda: where.number.is_in("12"),
        lambda: where.number.is_in(b"12"),
        lambda: where.number.is_in([1, None]),
        lambda: where.text == 5,
        lambda: where.text == None,  # noqa: E711
        lambda: where.text != b"x",
        lambda: where.text.contains(None),
        lambda: where.text.matches(5),
        lambda: where.flag.is_("true"),
        lambda: where.flag.is_not(1),
        lambda: where.ids.contains("x"),
        lambda: where.ids.contains([1]),
    ],
)
def test_a_value_of_another_kind_is_refused(ask: Callable[[], Any]):
    with pytest.raises(InvalidRequestError, match=r"^the filter [a-z]+ takes ") as raised:
        ask()
    assert raised.value.argument == str(raised.value).split()[2]


def test_a_filter_has_no_truth_value():
    """Otherwise a chained comparison would silently drop its first half."""
    with pytest.raises(TypeError, match="two filters"):
        _ = DAY <= where.day < DAY
    with pytest.raises(TypeError, match="two filters"):
        _ = where.number > 1 and where.number < 5
    with pytest.raises(TypeError):
        bool(where.flag.is_(True))


def test_a_field_is_not_a_container_and_has_no_hash():
    for column in (*COLUMNS, where.name):
        with pytest.raises(TypeError):
            _ = 5 in column
        with pytest.raises(TypeError):
            iter(column)
        with pytest.raises(TypeError, match="unhashable"):
            hash(column)


def test_a_column_that_cannot_be_filtered_can_be_sorted_by():
    for compare in COMPARISONS.values():
        with pytest.raises(TypeError, match=r"^'name' cannot be filtered on; it can only be sorted by$"):
            compare(where.name, "x")
    assert (where.name.asc(), where.name.desc()) == (Sort("name:asc"), Sort("name:desc"))
    with pytest.raises(AttributeError, match=r"^'name' cannot be filtered on; it can only be sorted by$"):
        where.name.contains("x")
    assert "name" not in where.fields()


@for_each("column", COLUMNS, ids=lambda column: column.kind)
def test_an_operator_that_a_column_does_not_have_is_an_error_that_names_those_it_has(column: Any):
    with pytest.raises(AttributeError, match=rf"^'{column.name}' has no operator between\(\); it has ") as raised:
        column.between(1, 2)
    assert operators_in(str(raised.value)) == offered_by(column)


def test_a_misspelt_column_is_an_error_that_names_the_nearest_one():
    with pytest.raises(AttributeError, match=r"^Everything has no column 'momnet'; did you mean 'moment'"):
        _ = where.momnet
    with pytest.raises(AttributeError, match=r"^Everything has no column 'xyz'; it has day, flag, from_, ids, moment"):
        _ = where.xyz


def test_a_filter_is_shown_without_its_value():
    asked = where.text == "Robin Sandover"
    assert repr(asked) == "Filter(text)"
    assert "Robin" not in f"{asked} {[asked]}"


def test_filters_can_be_compared_and_kept_in_sets():
    assert len({where.number == 1, where.number == 1, where.number == 2}) == 2


def test_the_fields_of_a_base_belong_to_those_below_it():
    class More(Everything):
        other = IntField()
        text = DateField()

    assert More.fields().keys() == Everything.fields().keys() | {"other"}
    assert isinstance(More.fields()["text"], DateField)
    assert "from" in More.fields()


# As they are sent

SENT: dict[str, Callable[[Cliniko], Any]] = {
    "updated_at:>=2025-01-01T00:00:00Z": lambda it: it.patients.list(
        it.patients.where.updated_at >= dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    ),
    "archived_at:*": lambda it: it.patients.list(archived="include"),
    "archived_at:?": lambda it: it.patients.list(archived="only"),
    "archived_at:!?": lambda it: it.patients.list(it.patients.where.archived_at.is_null()),
    "practitioner_id:=1,2,3": lambda it: it.bookings.list(it.bookings.where.practitioner_id.is_in([1, "2", 3])),
    "last_name:~~ja%on%": lambda it: it.patients.list(it.patients.where.last_name.matches("ja%on%")),
    "show_in_online_bookings:=true": lambda it: it.practitioners.list(
        it.practitioners.where.show_in_online_bookings.is_(True)
    ),
    "patient_ids:~123": lambda it: it.group_appointments.list(it.group_appointments.where.patient_ids.contains(123)),
}


@for_each("example", EXAMPLES, ids=lambda example: example["plain"])
async def test_a_filter_is_sent_byte_for_byte_as_the_api_writes_it(
    cliniko_sandbox: Sandbox, cliniko: Cliniko, example: dict[str, str]
):
    before = len(cliniko_sandbox.requests)
    await SENT[example["plain"].removeprefix("q[]=")](cliniko)
    (sent,) = cliniko_sandbox.requests[before:]
    assert example["encoded"] in sent.url.partition("?")[2].split("&")


async def test_a_filter_as_a_str_passes_as_it_is(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    await cliniko.appointment_types.list("category:=Zoë & Söhne + 5%", "category:!?")
    (sent,) = cliniko_sandbox.requests
    assert sent.query["q[]"] == ["category:=Zoë & Söhne + 5%", "category:!?"]


@given(text=st.text(min_size=1))
def test_any_text_is_sent_unchanged(text: str):
    assert (where.text == text).text == f"text:={text}"
    assert where.text.contains(text).text == f"text:~{text}"


SORTS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda it: "name", "name"),
    (lambda it: "created_at:desc", "created_at:desc"),
    (lambda it: it.category, "category"),
    (lambda it: it.name, "name"),
    (lambda it: it.created_at.desc(), "created_at:desc"),
    (lambda it: [it.category, it.name.desc()], "category,name:desc"),
    (lambda it: ("category:asc", it.updated_at.asc()), "category:asc,updated_at:asc"),
]


@for_each("sort, text", SORTS, ids=[text for _, text in SORTS])
async def test_a_sort_has_its_text(cliniko_sandbox: Sandbox, cliniko: Cliniko, sort: Callable[[Any], Any], text: str):
    before = len(cliniko_sandbox.requests)
    await cliniko.appointment_types.list(sort=sort(cliniko.appointment_types.where))
    (sent,) = cliniko_sandbox.requests[before:]
    assert sent.query["sort"] == [text]


@pytest.mark.parametrize("sort", [None, [], ()])
async def test_no_sort_is_no_parameter(cliniko_sandbox: Sandbox, cliniko: Cliniko, sort: Any):
    await cliniko.appointment_types.list(sort=sort)
    assert "sort" not in cliniko_sandbox.requests[0].query


async def test_a_list_is_in_the_requested_order(cliniko: Cliniko):
    types = cliniko.appointment_types
    kinds = await types.list(sort=[types.where.category, types.where.name.desc()]).collect()
    assert kinds == sorted(
        sorted(kinds, key=lambda kind: kind.name, reverse=True), key=lambda kind: kind.category or ""
    )
    assert len(kinds) > 10
