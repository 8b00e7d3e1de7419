"""Text and JSON are converted to the values of fields; a value that does not fit is kept, and refused by name."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Required

from cliniko_async import to_dict
from cliniko_async._dates import Date, DateTime
from cliniko_async.cli.values import typed, typed_fields
from cliniko_async.fields import Fields, Id, MaxLength, Moment, Money
from cliniko_async.resources._registry import resource_class
from tests.support.for_each import for_each


class Phone(Fields, total=False):
    number: Required[str]
    main: bool


NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


@for_each(
    "hint, value, expected",
    [
        (str, "12", "12"),
        (Annotated[str, MaxLength(3)], "x", "x"),
        (int, "12", 12),
        (int, "12.5", "12.5"),
        (int, True, True),
        (int, [1], [1]),
        (bool, "TRUE", True),
        (bool, "false", False),
        (bool, True, True),
        (bool, "yes", "yes"),
        (Id, "007", "007"),
        (Id, 7, 7),
        (Money, "12.50", Decimal("12.50")),
        (Money, Decimal("0.1"), Decimal("0.1")),
        (Money, True, True),
        (Money, "much", "much"),
        (Moment, "2026-01-31T12:00:00Z", NOON),
        (DateTime | None, "soon", "soon"),
        (Date, "2026-01-31", dt.date(2026, 1, 31)),
        (Date, 5, 5),
        (str | None, None, None),
        (int | None, "nothing", "nothing"),
        (Literal[0, 24], "24", 24),
        (Literal[0, 24], "25", "25"),
        (Literal["a"] | None, "a", "a"),
        (Literal["a"], {"a": 1}, {"a": 1}),
        (Sequence[Id], "1, 2", ["1", "2"]),
        (Sequence[Id], '["1"]', ["1"]),
        (Sequence[Id], [1, 2], [1, 2]),
        (Sequence[Id], 5, 5),
        (Sequence[Phone], [{"number": "5", "main": "true", "odd": 1}], [{"number": "5", "main": True, "odd": 1}]),
        (Phone, '{"number": "5"}', {"number": "5"}),
        (Phone, "[1]", "[1]"),
        (Phone, "{", "{"),
        (Phone, '{"a":' * 100_000, '{"a":' * 100_000),
    ],
)
def test_a_value_gets_its_type_or_stays(hint: Any, value: Any, expected: Any):
    found = typed(hint, value)
    assert (found, type(found)) == (expected, type(expected))


def test_a_part_that_was_read_can_be_sent_again():
    fields = resource_class("patient_form_templates").sent_fields("update")
    content = {"sections": []}
    found = typed_fields(fields, {"content": content, "unknown": 1})
    assert (to_dict(found["content"]), found["unknown"]) == (content, 1)
    assert typed_fields(fields, {"content": 5}) == {"content": 5}
