"""The decorator that runs many cases of a rule in one test."""

import asyncio
import inspect
import traceback

import pytest

from tests.support.clients import virtually
from tests.support.for_each import for_each


def failures(test, *args) -> dict[str, str]:
    """The text of each failure by the note that names its case."""
    with pytest.raises(BaseExceptionGroup) as raised:
        test(*args)
    return {"; ".join(error.__notes__): str(error) for error in raised.value.exceptions}


def test_all_cases_run_and_each_that_fails_is_reported_under_its_name():
    seen = []

    @for_each("number", {"one": 1, "two": 2, "three": 3})
    def check(number):
        seen.append(number)
        assert number == 2, f"{number} is not 2"

    assert {name: text.partition("\n")[0] for name, text in failures(check).items()} == {
        "case: one": "1 is not 2",
        "case: three": "3 is not 2",
    }
    assert seen == [1, 2, 3]


def test_the_summary_says_which_and_how_many():
    @for_each("number", [1, 2, 3])
    def check(number):
        assert number == 2

    with pytest.raises(BaseExceptionGroup, match="2 of 3 cases failed: 1; 3"):
        check()


def test_a_test_without_a_fault_passes():
    @for_each("number, square", [(1, 1), (2, 4)])
    def check(number, square):
        assert number**2 == square

    check()


def test_what_pytest_misses_is_a_failure_and_so_is_what_it_would_skip():
    @for_each("act", {"nothing": lambda: None, "skip": lambda: pytest.skip("unseen"), "error": lambda: 1 / 0})
    def check(act):
        with pytest.raises(KeyError):
            act()

    assert failures(check).keys() == {"case: nothing", "case: skip", "case: error"}


def test_stacked_ones_run_every_combination():
    seen = []

    @for_each("left", "ab")
    @for_each("right", "xy")
    def check(left, right):
        seen.append(left + right)
        assert (left, right) != ("b", "x")

    with pytest.raises(BaseExceptionGroup, match="1 of 2 cases failed: b") as raised:
        check()
    assert seen == ["ax", "ay", "bx", "by"]
    assert "1 of 2 cases failed: x" in "".join(traceback.format_exception(raised.value))


def test_below_a_virtual_loop_each_case_has_its_own():
    loops = []

    @for_each("number", [1, 2])
    @virtually
    async def check(number):
        loops.append(asyncio.get_running_loop())

    check()
    assert len({*map(id, loops)}) == 2


async def test_a_coroutine_function_stays_one():
    seen = []

    @for_each("number", [1, 2])
    async def check(number):
        await asyncio.sleep(0)
        seen.append(number)

    assert inspect.iscoroutinefunction(check)
    await check()
    assert seen == [1, 2]


def test_pytest_is_asked_for_the_other_arguments_alone():
    @for_each("number", [1])
    def check(tmp_path, number):
        assert number

    assert [*inspect.signature(check).parameters] == ["tmp_path"]


def test_the_names_are_given_or_made_of_the_values():
    @for_each("value", [1, 2], ids=["one", "two"])
    def given(value):
        raise ValueError

    @for_each("value", [1, 2], ids=lambda value: f"<{value}>")
    def made(value):
        raise ValueError

    @for_each("value, then", [("text", failures)])
    def read(value, then):
        raise ValueError

    assert [*failures(given), *failures(made), *failures(read)] == [
        "case: one",
        "case: two",
        "case: <1>",
        "case: <2>",
        "case: text-failures",
    ]


def test_no_cases_and_no_such_argument_are_errors():
    with pytest.raises(AssertionError, match="without a case"):
        for_each("number", [])
    with pytest.raises(AssertionError, match="no argument"):
        for_each("nothing", [1])(lambda number: None)


def test_what_ends_a_run_ends_it():
    @for_each("number", [1, 2])
    def check(number):
        raise KeyboardInterrupt(number)

    with pytest.raises(KeyboardInterrupt, match="1"):
        check()
