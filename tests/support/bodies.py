"""Request bodies made from the rules of their fields: every field has a valid value."""

import datetime as dt
import types
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin, get_type_hints

from cliniko_async._compat import is_typeddict
from cliniko_async.fields import Digits, MaxLength, Pattern, Range

FITTING = {
    "@": "sam@example.com",
    "#": "#2F80ED",
    "NVQSWT": "NX123456",
}
"""Texts that match a pattern, by a part of the pattern."""
UNKNOWN_ID = "1412345678901990917"
SCALARS: dict[Any, Any] = {
    str: "Sample",
    int: 1,
    bool: True,
    Decimal: Decimal("12.5"),
    dt.date: dt.date(2026, 7, 21),
    dt.datetime: dt.datetime(2031, 7, 21, 9, 30, tzinfo=dt.UTC),
}


def body_of(fields: type, id_of: Callable[[str], str | None]) -> dict[str, Any]:
    """Return a body with every field; `id_of` returns the id for the name of a field."""
    hints = get_type_hints(fields, include_extras=True)
    return {name: _value(hint, lambda name=name: id_of(name) or UNKNOWN_ID) for name, hint in hints.items()}


def _value(hint: Any, give_id: Callable[[], str]) -> Any:
    origin = get_origin(hint)
    if origin in (Required, Union, types.UnionType):
        return _value(get_args(hint)[0], give_id)
    if origin is Annotated:
        return _ruled(*get_args(hint), give_id=give_id)
    if origin is Literal:
        return get_args(hint)[0]
    if origin is Sequence:
        return [_value(get_args(hint)[0], give_id)]
    return body_of(hint, lambda _: None) if is_typeddict(hint) else SCALARS[hint]


def _ruled(base: Any, *rules: Any, give_id: Callable[[], str]) -> Any:
    for rule in rules:
        if isinstance(rule, Digits):
            return give_id()
        if isinstance(rule, Pattern):
            return next(text for part, text in FITTING.items() if part in rule.regex)
    for rule in rules:
        if isinstance(rule, Range) and rule.low is not None:
            return int(rule.low) + 1
        if isinstance(rule, MaxLength):
            return SCALARS[str][: rule.most]
    return _value(base, give_id)
