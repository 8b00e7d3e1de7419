"""What may be sent: the rules in the annotations of a table, and the check that obeys them before a request is."""

import datetime as dt
import re
import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    Protocol,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import attrs
import msgspec

from ._http import is_id
from .errors import InvalidFieldsError
from .filters import format_utc


class Rule(Protocol):
    """What a value must fulfil beyond its type."""

    def fault(self, value: Any) -> str | None:
        """Say what is wrong with a value, if anything is."""
        ...


@attrs.frozen
class MaxLength:
    """A text of at most so many characters."""

    most: int

    def fault(self, value: str) -> str | None:
        """Say when it is longer."""
        return f"is longer than {self.most} characters" if len(value) > self.most else None


@attrs.frozen
class MinLength:
    """A text of at least so many characters."""

    least: int

    def fault(self, value: str) -> str | None:
        """Say when it is shorter."""
        return f"is shorter than {self.least} characters" if len(value) < self.least else None


@attrs.frozen
class Range:
    """A number between two bounds, which belong to it unless they are excluded; None is no bound."""

    low: int
    high: int | None
    low_excluded: bool = attrs.field(default=False, kw_only=True)
    high_excluded: bool = attrs.field(default=False, kw_only=True)

    def fault(self, value: int | Decimal) -> str | None:
        """Say when it lies outside."""
        too_low = value <= self.low if self.low_excluded else value < self.low
        too_high = self.high is not None and (value >= self.high if self.high_excluded else value > self.high)
        if not (too_low or too_high):
            return None
        low = f"more than {self.low}" if self.low_excluded else f"at least {self.low}"
        high = f"less than {self.high}" if self.high_excluded else f"at most {self.high}"
        return f"must be {low}" if self.high is None else f"must be {low} and {high}"


@attrs.frozen
class Pattern:
    """A text of a form given by a regular expression."""

    regex: str

    def fault(self, value: str) -> str | None:
        """Say when it has another form."""
        return None if re.search(self.regex, value) else f"does not match {self.regex}"


@attrs.frozen
class Digits:
    """An id: up to 19 digits, as a str or an int; sent as a text."""

    def fault(self, value: str | int) -> str | None:
        """Say when it is no id."""
        return None if is_id(str(value)) else "is no id"

    def write(self, value: str | int) -> str:
        """Write it as the API does."""
        return str(value)


@attrs.frozen
class DecimalText:
    """A finite decimal number, sent as a text."""

    def fault(self, value: Decimal | int) -> str | None:
        """Say when it is no finite number."""
        return None if Decimal(value).is_finite() else "must be finite"

    def write(self, value: Decimal | int) -> Any:
        """Write it in full, without an exponent."""
        return format(Decimal(value), "f")


@attrs.frozen
class DecimalNumber(DecimalText):
    """A finite decimal number, sent as a JSON number."""

    def write(self, value: Decimal | int) -> Any:
        """Write it in full, to the last digit."""
        return msgspec.Raw(super().write(value).encode())


Id: TypeAlias = Annotated[str | int, Digits()]
Money: TypeAlias = Annotated[Decimal | int, DecimalText()]

_Faults: TypeAlias = list[tuple[str, str]]
_Check: TypeAlias = Callable[[Any, str, _Faults], Any]


def check_fields(fields_type: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Hold values against the rules of a TypedDict and give them as they are to be written.

    Raises:
        InvalidFieldsError: with every fault at once.
    """
    faults: _Faults = []
    body: dict[str, Any] = _mapping(fields_type)(values, "", faults)
    if faults:
        raise InvalidFieldsError(dict(faults))
    return body


def wire_name(attribute: str) -> str:
    """Give the API's name of a keyword argument: `from_` is `from`."""
    return attribute.removesuffix("_")


@cache
def _mapping(fields_type: type) -> _Check:
    checks = {name: _check(hint) for name, hint in get_type_hints(fields_type, include_extras=True).items()}

    def check(values: Any, path: str, faults: _Faults) -> Any:
        if not isinstance(values, Mapping):
            return faults.append((path, "must be a mapping of fields"))
        body: dict[str, Any] = {}
        given: Mapping[Any, Any] = values
        for name, value in given.items():
            where = f"{path}.{name}" if path else str(name)
            if name in checks:
                body[wire_name(name)] = checks[name](value, where, faults)
            else:
                faults.append((where, "is no field that can be sent"))
        return body

    return check


def _check(hint: Any) -> _Check:
    origin = get_origin(hint)
    if origin is Annotated:
        base, *rules = get_args(hint)
        return _ruled(_check(base), rules)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(hint))
    if origin is Literal:
        return _literal(get_args(hint))
    if origin is Sequence:
        return _sequence(_check(get_args(hint)[0]))
    if is_typeddict(hint):
        return _mapping(hint)
    return _SCALARS[hint] if hint in _SCALARS else _part(hint)


def _ruled(check: _Check, rules: list[Any]) -> _Check:
    write = next((rule.write for rule in rules if hasattr(rule, "write")), None)

    def ruled(value: Any, path: str, faults: _Faults) -> Any:
        before = len(faults)
        written = check(value, path, faults)
        if value is None or len(faults) > before:
            return written
        fault = next((text for rule in rules if (text := rule.fault(value)) is not None), None)
        if fault is not None:
            return faults.append((path, fault))
        return write(value) if write else written

    return ruled


def _one_of(hints: tuple[Any, ...]) -> _Check:
    """Take the first kind that finds no fault; of several, the faults of the last one are told."""
    nullable = types.NoneType in hints
    checks = [_check(hint) for hint in hints if hint is not types.NoneType]

    def one_of(value: Any, path: str, faults: _Faults) -> Any:
        if value is None and nullable:
            return None
        found: _Faults = []
        for check in checks:
            found = []
            written = check(value, path, found)
            if not found:
                return written
        return faults.extend(found)

    return one_of


def _literal(allowed: tuple[Any, ...]) -> _Check:
    def literal(value: Any, path: str, faults: _Faults) -> Any:
        if any(value == one and type(value) is type(one) for one in allowed):
            return value
        shown = ", ".join(map(str, allowed)) if len(allowed) <= _FEW else "the values that the API knows"
        return faults.append((path, f"must be one of {shown}"))

    return literal


def _sequence(check: _Check) -> _Check:
    def sequence(value: Any, path: str, faults: _Faults) -> Any:
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray)):
            return faults.append((path, "must be a list"))
        items: Sequence[Any] = value
        return [check(item, f"{path}[{index}]", faults) for index, item in enumerate(items)]

    return sequence


def _scalar(kind: type | tuple[type, ...], text: str, write: Callable[[Any], Any] = lambda value: value) -> _Check:
    def scalar(value: Any, path: str, faults: _Faults) -> Any:
        # A bool is an int to Python, and a datetime a date.
        wrong = isinstance(value, bool) is not (kind is bool) or (kind is dt.date and isinstance(value, dt.datetime))
        if wrong or not isinstance(value, kind):
            return faults.append((path, f"must be {text}"))
        try:
            return write(value)
        except ValueError as error:
            return faults.append((path, str(error)))

    return scalar


def _part(kind: type) -> _Check:
    """Take a part of a record as it is, so that what was read can be sent again."""
    return _scalar(kind, f"a mapping or a {kind.__name__}")


def _text(value: str) -> str:
    if not value.isascii() and value != value.encode("utf-8", "replace").decode():
        raise ValueError("holds a character that cannot be encoded")
    return value


def _utc(value: dt.datetime) -> str:
    if value.utcoffset() is None:
        raise ValueError("must have a time zone")
    return format_utc(value)


_FEW = 20
_SCALARS: dict[Any, _Check] = {
    str: _scalar(str, "a str", _text),
    int: _scalar(int, "an int"),
    bool: _scalar(bool, "True or False"),
    Decimal: _scalar(Decimal, "a Decimal or an int"),
    dt.datetime: _scalar(dt.datetime, "a datetime", _utc),
    dt.date: _scalar(dt.date, "a date", lambda value: value.isoformat()),
}
