"""Dates and times are of the real classes, even under frozen time, and subclasses are accepted.

Libraries that freeze time replace `date` and `datetime` in every module; pandas and others derive classes from them.
"""

import datetime as dt
import json
import operator
import subprocess
import sys
from decimal import Decimal
from typing import Any

import attrs
import pandas as pd
import pytest
from freezegun.api import FakeDate, FakeDatetime
from pydantic import TypeAdapter

from cliniko_async import (
    AppointmentType,
    Cliniko,
    IndividualAppointmentFields,
    InvalidFieldsError,
    InvalidRequestError,
    Patient,
    PatientCase,
    PatientCaseFields,
    ResponseError,
    from_dict,
    to_dict,
)
from cliniko_async.fields import check_fields
from cliniko_async.filters import DateField, DateTimeField, Filters
from cliniko_async.sandbox import Sandbox
from tests.support.clients import WHO
from tests.support.for_each import for_each
from tests.support.records import EXAMPLES, example

# Frozen time

PROGRAM = """
import asyncio, contextlib, datetime as dt, json, pathlib, sys, warnings
from freezegun import freeze_time
from pydantic import TypeAdapter
warnings.simplefilter("ignore")
when, folder = sys.argv[1:]
frozen = freeze_time("2025-03-04T05:06:07Z", real_asyncio=True)
never = contextlib.nullcontext()
with frozen if when == "frozen before the import" else never:
    import cliniko_async
    from cliniko_async.sandbox import Sandbox
real = (type(dt.date.min), type(dt.datetime.min))
EXAMPLES = {path.stem: json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).iterdir())}

def record(name):
    return getattr(cliniko_async, "".join(word.title() for word in name.split("_")))

def convert():
    read = {name: cliniko_async.from_dict(record(name), data) for name, data in EXAMPLES.items()}
    return {name: json.loads(cliniko_async.to_json(each)) for name, each in read.items()}

async def work():
    async with Sandbox() as sandbox:
        who = dict(app_name="Tests", contact_email="it@example.com", base_url=sandbox.base_url)
        patient = sandbox.add("patients", first_name="A", last_name="B", date_of_birth="1990-01-02")
        async with cliniko_async.Cliniko(sandbox.api_key, **who) as cliniko:
            patients = cliniko.patients
            moment = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
            listed = await patients.list(patients.where.date_of_birth == dt.date(1990, 1, 2)).collect()
            since = [change.record async for change in patients.changes(moment)]
            read = await patients.get(patient)
            case = await cliniko.patient_cases.create(name="C", patient_id=patient, issue_date=dt.date(2025, 1, 2))
            found = [*listed, read, *since]
            kinds = [type(value) in real for one in found for value in (one.date_of_birth, one.created_at) if value]
            sums = [len(listed), len(since) > 0, all(kinds), str(read.date_of_birth), str(case.issue_date)]
            return sums, (patients.where.updated_at >= moment).text

def everything():
    return convert(), asyncio.run(work()), TypeAdapter(cliniko_async.Patient).json_schema()

with frozen if when != "never frozen" else never:
    first = everything()
print(json.dumps([first, everything()]))
"""


def outcome(when: str) -> Any:
    folder = "tests/facts/examples"
    command = [sys.executable, "-c", PROGRAM, when, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("when", ["never frozen", "frozen before the import", "frozen after the import"])
def test_frozen_time_changes_nothing(when: str):
    """Reading, converting, filters, bodies, changes and schemas, while time is frozen and afterwards."""
    described = TypeAdapter(Patient).json_schema()
    for converted, worked, schema in outcome(when):
        assert converted == {name: example(name) for name in EXAMPLES}
        assert worked == [[1, True, True, "1990-01-02", "2025-01-02"], "updated_at:>=2020-01-01T00:00:00Z"]
        assert schema == described


def test_records_hold_the_real_classes_and_are_written_from_any():
    """A record that was changed by hand under frozen time is written like any other."""
    kind = from_dict(AppointmentType, example("appointment_type"))
    moment = FakeDatetime(2025, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert to_dict(attrs.evolve(kind, created_at=moment))["created_at"] == "2025-01-02T03:04:05Z"
    case = from_dict(PatientCase, example("patient_case"))
    assert to_dict(attrs.evolve(case, issue_date=FakeDate(2025, 1, 2)))["issue_date"] == "2025-01-02"
    read = from_dict(Patient, example("patient") | {"created_at": moment, "date_of_birth": FakeDate(1990, 1, 2)})
    assert (type(read.created_at), type(read.date_of_birth)) == (dt.datetime, dt.date)


# Subclasses


class Odd(dt.datetime):
    """A subclass that shows itself in its own way."""

    def isoformat(self, *args: Any, **options: Any) -> str:
        return "odd"

    __str__ = isoformat

    def astimezone(self, tz: Any = None) -> "Odd":
        return self


class OddDay(dt.date):
    def isoformat(self) -> str:
        return "odd"

    __str__ = isoformat


class Everything(Filters):
    moment = DateTimeField()
    day = DateField()


where = Everything()
SYDNEY = dt.timezone(dt.timedelta(hours=10))
MOMENTS = [
    Odd(2024, 7, 3, 19, 46, 40, tzinfo=SYDNEY),
    FakeDatetime(2024, 7, 3, 19, 46, 40, tzinfo=SYDNEY),
    pd.Timestamp("2024-07-03T19:46:40", tz=SYDNEY),
    pd.Timestamp("2024-07-03T19:46:40", tz="Australia/Sydney"),
]
FRACTIONS = [
    Odd(2024, 7, 3, 9, 46, 40, 1, tzinfo=dt.UTC),
    pd.Timestamp("2024-07-03T09:46:40.000001Z"),
    pd.Timestamp("2024-07-03T09:46:40.000000001Z"),
]
AT, NEXT = "2024-07-03T09:46:40Z", "2024-07-03T09:46:41Z"


@for_each("moment", MOMENTS, ids=lambda moment: type(moment).__name__)
def test_a_subclass_of_datetime_is_written_as_the_moment_it_stands_for(moment: Any):
    assert (where.moment >= moment).text == f"moment:>={AT}"
    assert (where.moment < moment).text == f"moment:<{AT}"
    assert check_fields(IndividualAppointmentFields, {"starts_at": moment}) == {"starts_at": AT}
    kind = from_dict(AppointmentType, example("appointment_type"))
    assert dt.datetime.fromisoformat(to_dict(attrs.evolve(kind, created_at=moment))["created_at"]) == moment


@pytest.mark.parametrize("moment", FRACTIONS, ids=str)
def test_the_fraction_of_any_moment_widens_a_filter(moment: Any):
    """Upper bounds go up to the next second, lower ones down to the last; what is sent in a body is cut off."""
    texts = [(where.moment < moment).text, (where.moment <= moment).text]
    assert texts == [f"moment:<{NEXT}", f"moment:<={NEXT}"]
    texts = [(where.moment > moment).text, (where.moment >= moment).text]
    assert texts == [f"moment:>{AT}", f"moment:>={AT}"]
    assert check_fields(IndividualAppointmentFields, {"starts_at": moment}) == {"starts_at": AT}


@pytest.mark.parametrize("day", [OddDay(2025, 1, 2), FakeDate(2025, 1, 2)], ids=lambda day: type(day).__name__)
async def test_a_subclass_of_date_is_written_as_the_day_it_stands_for(day: Any):
    assert (where.day == day).text == "day:=2025-01-02"
    assert check_fields(PatientCaseFields, {"issue_date": day}) == {"issue_date": "2025-01-02"}
    async with Sandbox() as sandbox, Cliniko(sandbox.api_key, base_url=sandbox.base_url, **WHO) as cliniko:
        with pytest.raises(ResponseError):
            await cliniko.available_times.list("1", "2", "3", from_=day, to=day)
    assert {(*sent.query["from"], *sent.query["to"]) for sent in sandbox.requests} == {("2025-01-02", "2025-01-02")}


NO_MOMENTS = [pd.NaT, "2025-01-01T00:00:00Z", dt.date(2025, 1, 1), 0, Decimal(0), None]


@for_each("value", NO_MOMENTS, ids=repr)
def test_an_invalid_moment_is_refused_with_an_error_of_the_library(value: Any):
    """The NaT of pandas, which is a datetime to Python, like any other wrong value."""
    patients = Cliniko("key-au1", **WHO).patients
    for compare in (operator.ge, operator.lt):
        with pytest.raises(InvalidRequestError, match="takes a datetime"):
            compare(patients.where.created_at, value)
    if value is not None:
        with pytest.raises(InvalidFieldsError) as refused:
            check_fields(IndividualAppointmentFields, {"starts_at": value})
        assert refused.value.faults == {"starts_at": "must be a datetime"}


def test_nat_is_refused_as_a_beginning_of_changes_and_as_a_day():
    patients = Cliniko("key-au1", **WHO).patients
    with pytest.raises(InvalidRequestError, match="a datetime with a time zone"):
        patients.changes(pd.NaT)
    with pytest.raises(InvalidRequestError, match="takes a date"):
        _ = where.day == pd.NaT
    with pytest.raises(InvalidFieldsError, match="issue_date"):
        check_fields(PatientCaseFields, {"issue_date": pd.NaT})
    kind = from_dict(AppointmentType, example("appointment_type"))
    with pytest.raises(TypeError, match="a NaTType cannot be written as JSON"):
        to_dict(attrs.evolve(kind, created_at=pd.NaT))
