"""Values in reprs: none by default, and all of them inside `reveal`, but never in errors and logs."""

import asyncio
import contextlib
import logging
import pickle
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from rich.pretty import pretty_repr

from cliniko_async import (
    Booking,
    Change,
    Cliniko,
    ClinikoError,
    DecodingError,
    InvalidFieldsError,
    Page,
    Patient,
    from_dict,
    reveal,
)
from cliniko_async._messages import Credentials, Request, Response
from cliniko_async.integrations.arrow import table
from tests.support.clients import KEY, WHO, virtually
from tests.support.for_each import for_each
from tests.support.frames import assert_hidden, chain
from tests.support.listed import listed
from tests.support.records import CLASSES, example
from tests.support.seeded import seeded

NAME = "Samuelina"
PATIENT = from_dict(Patient, example("patient") | {"first_name": NAME})
HIDDEN = f"Patient(id={PATIENT.id!r})"
PAGE = Page((PATIENT,), 1, None, "cursor", b'{"patients": []}')


def shows(value: object = PATIENT) -> bool:
    return NAME in repr(value)


# What is shown


@pytest.mark.parametrize("name", seeded())
def test_every_field_of_every_record_is_shown_in_a_block_and_none_after_it(name: str):
    record = seeded()[name][0]
    hidden = repr(record)
    with reveal():
        shown = repr(record)
        fields = {field.name: repr(getattr(record, field.name)) for field in attrs.fields(type(record))}
    inner = ", ".join(f"{field}={value}" for field, value in fields.items())
    assert shown == f"{type(record).__name__}({inner})"
    assert repr(record) == hidden != shown


def test_a_value_is_shown_without_a_block_and_its_repr_stays_as_it_is():
    assert f"first_name={NAME!r}" in reveal(PATIENT)
    assert repr(PATIENT) == HIDDEN
    assert reveal(None) == "None"
    assert reveal([PATIENT]) == f"[{reveal(PATIENT)}]"


def test_parts_links_pages_changes_and_containers_show_what_they_hold():
    booking = from_dict(Booking, example("individual_appointment") | {"repeat_rule": {"repeat_type": "Weekly"}})
    assert "repeat_rule=BookingRepeatRule(number_of_repeats=None, repeat_type='Weekly'" in reveal(booking)
    assert booking.practitioner
    assert f"practitioner={booking.practitioner!r}" in reveal(booking)
    assert reveal(Change(PATIENT, "upsert")) == f"Change(record={reveal(PATIENT)}, kind='upsert')"
    assert reveal(PAGE) == f"Page(items=({reveal(PATIENT)},), total_entries=1, next=None, cursor='cursor')"
    assert (repr(PAGE), repr(Change(PATIENT, "upsert"))) == ("Page(1 of 1)", f"Change(record={HIDDEN}, kind='upsert')")
    assert [shows({"a": [PATIENT]}), NAME in reveal({"a": [PATIENT]})] == [False, True]


def test_rich_shows_the_same():
    assert pretty_repr(PATIENT) == HIDDEN
    with reveal():
        assert f"first_name={NAME!r}" in pretty_repr(PATIENT)
        assert NAME in pretty_repr(PAGE)
    assert NAME not in pretty_repr(PAGE)


@for_each("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_record_that_is_not_complete_has_a_repr_too(cls: Any):
    """As a debugger may show it while it is made."""
    empty = object.__new__(cls)
    assert repr(empty) in {f"{cls.__name__}(…)", f"{cls.__name__}(id=None)"}
    assert reveal(empty).startswith(f"{cls.__name__}(")


def test_keys_requests_and_responses_stay_hidden():
    secrets = (Credentials(KEY, "Tests"), Request("GET", f"https://a/?q={NAME}", NAME.encode()), Cliniko(KEY, **WHO))
    with reveal():
        for secret in (*secrets, Response(200, {}, NAME.encode())):
            assert_hidden(repr(secret), NAME)


def test_a_record_is_pickled_compared_and_hashed_as_before():
    with reveal():
        assert pickle.loads(pickle.dumps(PATIENT)) == PATIENT


# Where it is shown


def test_blocks_can_be_nested_left_by_an_error_and_used_again():
    with contextlib.suppress(ZeroDivisionError), reveal():
        with reveal():
            assert shows()
        assert reveal(1) == "1"
        assert shows()
        raise ZeroDivisionError
    assert not shows()
    with reveal():
        assert shows()
    assert not shows()


def test_another_thread_shows_nothing():
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(shows()))
    with reveal():
        thread.start()
        thread.join()
    assert found == [False]


async def test_a_task_beside_the_block_shows_nothing():
    """Even if it runs while another task is in its block."""
    inside, done = asyncio.Event(), asyncio.Event()

    async def beside() -> bool:
        await inside.wait()
        found = shows()
        done.set()
        return found

    async def revealing() -> bool:
        with reveal():
            inside.set()
            await done.wait()
            return shows()

    assert await asyncio.gather(beside(), revealing()) == [False, True]


async def test_a_task_that_starts_in_a_block_shows_values_until_the_block_ends():
    """A task keeps the context in which it was started, and must still stop showing values."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def long() -> list[bool]:
        found = [shows(), await asyncio.to_thread(shows)]
        begun.set()
        await ended.wait()
        return [*found, shows(), await asyncio.to_thread(shows)]

    with reveal():
        task = asyncio.create_task(long())
        await begun.wait()
    ended.set()
    assert await task == [True, True, False, False]


def test_a_block_may_end_in_another_context():
    """As in a fixture, or in an asynchronous generator that is closed by the event loop."""

    def fixture() -> Iterator[None]:
        with reveal():
            yield

    async def begin() -> Iterator[None]:
        running = fixture()
        next(running)
        return running

    running = asyncio.run(begin())
    with reveal():
        next(running, None)
        assert shows()
    assert not shows()


# Where it is never shown


def everything(error: BaseException) -> str:
    """Everything that an error reporter called in the block could record."""
    texts = [f"{one!r} {one!s} {one.args}" for one in chain(error)]
    frames = [
        f"{frame.name}: {frame.locals}"
        for one in chain(error)
        for frame in traceback.TracebackException.from_exception(one, capture_locals=True).stack
        if "cliniko_async" in frame.filename
    ]
    return "\n".join(texts + frames)


@virtually
async def test_errors_and_logs_show_no_value_in_a_block():
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(f"{record.getMessage()} {vars(record)}")
    logger = logging.getLogger("cliniko_async")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    errors: list[ClinikoError] = []
    try:
        with reveal():
            async with listed(2) as (sandbox, cliniko):
                sandbox.add("patients", first_name=NAME, last_name=NAME)
                sandbox.faults.status(503, path="/patients")
                sandbox.faults.edit(lambda page: page["patients"][0].update(created_at=NAME), path="/patients", times=2)
                for _ in range(3):
                    with pytest.raises(ClinikoError) as caught:
                        await cliniko.patients.list(cliniko.patients.where.first_name == NAME).collect()
                    errors.append(caught.value)
                with pytest.raises(InvalidFieldsError) as refused:
                    await cliniko.patients.create(first_name=NAME, date_of_birth=NAME)
                with pytest.raises(DecodingError) as misfit:
                    table([attrs.evolve(PATIENT, archived_at=NAME)])
                texts = [everything(error) for error in (*errors, refused.value, misfit.value)]
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert {type(error).__name__ for error in errors} == {"ServerError", "DecodingError"}
    for text in (*texts, *lines):
        assert_hidden(text, NAME)
    assert lines
