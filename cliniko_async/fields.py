"""The fields that can be sent. Annotations hold their rules, which are checked before a request is sent.

`check_fields` checks values against a TypedDict of `Fields` and returns the body to send. `describe_fields` returns the
same rules in words.
"""

import datetime as dt
import re
import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Required,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs
import msgspec

from ._compat import TypedDict, is_typeddict
from ._dates import DateTime, Real, is_date, is_datetime, plain_date
from ._messages import is_id, is_unicode
from ._spelling import did_you_mean
from .errors import InvalidFieldsError
from .filters import format_utc

P = TypeVar("P")


class Fields(TypedDict, total=False):
    """The base of the TypedDicts of fields that can be sent."""


if not TYPE_CHECKING:
    # Otherwise a model of pydantic would silently drop a misspelt field.
    Fields.__pydantic_config__ = {"extra": "forbid"}


class Rule(msgspec.Struct, frozen=True):
    """A restriction of the values of a field beyond their type, as metadata of its annotation."""

    @property
    def text(self) -> str:
        """The rule in words, such as "at most 255 characters"; empty if there is nothing to add to the type."""
        return ""

    def fault(self, value: Any) -> str | None:
        """Check a value that has the right type.

        Args:
            value: The value.

        Returns:
            What is wrong with the value, or None if it is allowed.
        """
        return self._fault(value)

    def _fault(self, value: Any) -> str | None:  # noqa: ARG002
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from ._records.pydantic import ruled_schema  # noqa: PLC0415  (only pydantic calls this)

        return ruled_schema(self, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        from ._records.pydantic import json_schema_of_rule  # noqa: PLC0415  (as above)

        described: dict[str, Any] = handler(schema)
        return described | json_schema_of_rule(self)


class MaxLength(Rule, frozen=True):
    """A text with a maximum length.

    Args:
        most: The maximum number of characters.
    """

    most: int

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"at most {self.most} characters"

    def _fault(self, value: str) -> str | None:
        return f"is longer than {self.most} characters" if len(value) > self.most else None


class MinLength(Rule, frozen=True):
    """A text with a minimum length.

    Args:
        least: The minimum number of characters.
    """

    least: int

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"at least {self.least} characters"

    def _fault(self, value: str) -> str | None:
        return f"is shorter than {self.least} characters" if len(value) < self.least else None


class Range(Rule, frozen=True):
    """A number within bounds.

    Args:
        low: The lower bound.
        high: The upper bound, or None if there is none.
        low_excluded: Whether the number must be more than `low`; otherwise it can equal `low`.
        high_excluded: Whether the number must be less than `high`; otherwise it can equal `high`.
    """

    low: int
    high: int | None
    low_excluded: bool = False
    high_excluded: bool = False

    @property
    def text(self) -> str:
        """The rule in words."""
        low = f"more than {self.low}" if self.low_excluded else f"at least {self.low}"
        high = f"less than {self.high}" if self.high_excluded else f"at most {self.high}"
        return low if self.high is None else f"{low} and {high}"

    def _fault(self, value: int | Decimal) -> str | None:
        too_low = value <= self.low if self.low_excluded else value < self.low
        too_high = self.high is not None and (value >= self.high if self.high_excluded else value > self.high)
        return f"must be {self.text}" if too_low or too_high else None


class Pattern(Rule, frozen=True):
    """A text that matches a regular expression.

    Args:
        regex: The expression, which must match the whole text.
    """

    regex: str

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"matching `{self.regex}`"

    def _fault(self, value: str) -> str | None:
        return None if re.fullmatch(self.regex, value) else f"does not match {self.regex}"


class Digits(Rule, frozen=True):
    """An id: 1 to 19 digits, as a str or an int; sent as a string."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return "1 to 19 digits"

    def _fault(self, value: str | int) -> str | None:
        return "must be an id of 1 to 19 digits" if id_text(value) is None else None

    def write(self, value: str | int) -> str | None:
        """Return the id as the API writes it.

        Args:
            value: The id.

        Returns:
            The value to encode as JSON.
        """
        return id_text(value)


class DecimalText(Rule, frozen=True):
    """A finite decimal number, sent as a string."""

    def _fault(self, value: Decimal | int) -> str | None:
        exponent = Decimal(value).as_tuple().exponent
        if not isinstance(exponent, int):
            return "must be finite"
        return None if abs(exponent) <= _MOST_ZEROS else f"has an exponent beyond {_MOST_ZEROS}"

    def write(self, value: Decimal | int) -> Any:
        """Return the number in full, without an exponent.

        Args:
            value: The number.

        Returns:
            The value to encode as JSON.
        """
        return format(Decimal(value), "f")


class DecimalNumber(DecimalText, frozen=True):
    """A finite decimal number, sent as a JSON number."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return "sent as a number"

    def write(self, value: Decimal | int) -> Any:
        """Return the number in full, to the last digit.

        Args:
            value: The number.

        Returns:
            The value to encode as JSON.
        """
        return msgspec.Raw(super().write(value).encode())


class Zoned(Rule, frozen=True):
    """A datetime with a time zone that lies between the years 1 and 9999 in UTC."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return "with a time zone"

    def _fault(self, value: dt.datetime) -> str | None:
        try:
            format_utc(value)
        except ValueError as error:
            return str(error)
        return None


class AsItWasRead(Rule, frozen=True):
    """A part of a record that was read and can be sent back.

    Pydantic does not accept JSON for it, because a part made from it would lose unknown keys.
    """

    def __get_pydantic_core_schema__(self, source: Any, _: Any) -> Any:
        from ._records.pydantic import instance_schema  # noqa: PLC0415  (as above)

        return instance_schema(source)


class Deprecated(Rule, frozen=True):
    """A field that the API has deprecated."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return "deprecated"


AsRead: TypeAlias = Annotated[P, AsItWasRead()]
Id: TypeAlias = Annotated[str | int, Digits()]
Money: TypeAlias = Annotated[Decimal | int, DecimalText()]
Moment: TypeAlias = Annotated[DateTime, Zoned()]

_Faults: TypeAlias = list[tuple[str, str]]
_Writer: TypeAlias = Callable[[Any, str, _Faults], Any]

_MOST_ZEROS = 30
_FEW = 20


class _Check(msgspec.Struct, frozen=True):
    """A check of one kind of value: its description, a test for it, and a function that writes it as JSON."""

    expected: str
    takes: Callable[[Any], bool]
    write: _Writer
    details: str = ""
    """What else is expected, in words."""

    @property
    def description(self) -> str:
        return ", ".join(filter(None, (self.expected, self.details)))

    def __call__(self, value: Any, path: str, faults: _Faults) -> Any:
        """Return the value to encode as JSON, or add a fault."""
        if self.takes(value):
            return self.write(value, path, faults)
        return faults.append((path, f"must be {self.expected}"))


def check_fields(fields_type: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check values against the rules of a TypedDict.

    Args:
        fields_type: A subclass of `Fields`.
        values: The values by the names of the fields.

    Returns:
        The body to send, under the API's names.

    Raises:
        InvalidFieldsError: Some values are not allowed; its `faults` has all of them.
    """
    faults: _Faults = []
    body: dict[str, Any] = _mapping(fields_type)(values, "", faults)
    if faults:
        raise InvalidFieldsError(dict(faults))
    return body


def describe_fields(fields_type: type) -> dict[str, str]:
    """Describe the fields of a TypedDict in words.

    Args:
        fields_type: A subclass of `Fields`.

    Returns:
        For each field, the values that it accepts, such as "an int, more than 0 and less than 1440".
    """
    hints = get_type_hints(fields_type, include_extras=True)
    needed: frozenset[str] = getattr(fields_type, "__required_keys__", frozenset())
    return {
        name: _check(_unmarked(hint)).description + (" (required)" if name in needed else "")
        for name, hint in hints.items()
    }


def wire_name(attribute: str) -> str:
    """Return the API's name of a field.

    Args:
        attribute: The name of the keyword argument, such as `from_`.

    Returns:
        The name without the trailing underscore.
    """
    return attribute.removesuffix("_")


def id_text(value: object) -> str | None:
    """Return an id as the API writes it.

    Args:
        value: The id, as a str or an int.

    Returns:
        The digits, or None if the value is not an id.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value)) if 0 <= value < 10**19 else None
    return str.__str__(value) if isinstance(value, str) and is_id(value) else None


@cache
def _mapping(fields_type: type) -> _Check:
    hints = get_type_hints(fields_type, include_extras=True)
    checks = {name: _check(_unmarked(hint)) for name, hint in hints.items()}
    needed: frozenset[str] = getattr(fields_type, "__required_keys__", frozenset())

    def write(values: Mapping[Any, Any], path: str, faults: _Faults) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in values.items():
            where = f"{path}.{name}" if path else str(name)
            if name in checks:
                body[wire_name(name)] = checks[name](value, where, faults)
            else:
                faults.append((where, "unknown field" + did_you_mean(name, checks)))
        faults += [(f"{path}.{name}" if path else name, "is missing") for name in sorted(needed - values.keys())]
        return body

    return _Check(
        "a mapping of fields", lambda values: isinstance(values, Mapping), write, f"see `{fields_type.__name__}`"
    )


def _unmarked(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Required else hint


def _check(hint: Any) -> _Check:
    origin = get_origin(hint)
    if origin is Annotated:
        base, *notes = get_args(hint)
        return _ruled(_check(base), [note for note in notes if isinstance(note, Rule)])
    if origin in (Union, types.UnionType):
        return _one_of([_check(member) for member in get_args(hint)])
    if origin is Literal:
        return _literal(get_args(hint))
    if origin is Sequence:
        return _sequence(_check(get_args(hint)[0]))
    if is_typeddict(hint):
        return _mapping(hint)
    return _SCALARS[hint] if hint in _SCALARS else _part(hint)


def _ruled(check: _Check, rules: list[Rule]) -> _Check:
    write: Callable[[Any], Any] | None = next(filter(None, (getattr(rule, "write", None) for rule in rules)), None)

    def ruled(value: Any, path: str, faults: _Faults) -> Any:
        before = len(faults)
        written = check.write(value, path, faults)
        if len(faults) > before:
            return None
        fault = next((text for rule in rules if (text := rule.fault(value)) is not None), None)
        if fault is not None:
            return faults.append((path, fault))
        return write(value) if write else written

    details = ", ".join(filter(None, (check.details, *(rule.text for rule in rules))))
    return msgspec.structs.replace(check, write=ruled, details=details)


def _one_of(checks: list[_Check]) -> _Check:
    """Pass a value to the one check that accepts it."""

    def takes(value: Any) -> bool:
        return any(check.takes(value) for check in checks)

    def write(value: Any, path: str, faults: _Faults) -> Any:
        return next(check for check in checks if check.takes(value)).write(value, path, faults)

    details = "; ".join(check.details for check in checks if check.details)
    return _Check(" or ".join(check.expected for check in checks), takes, write, details)


def _literal(allowed: tuple[Any, ...]) -> _Check:
    shown = ", ".join(map(repr, allowed)) if len(allowed) <= _FEW else "the values that the API knows"

    def takes(value: Any) -> bool:
        return any(type(value) is type(one) and value == one for one in allowed)

    return _Check(f"one of {shown}", takes, _as_it_is)


def _sequence(check: _Check) -> _Check:
    def takes(value: Any) -> bool:
        return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)

    def write(items: Sequence[Any], path: str, faults: _Faults) -> Any:
        return [check(item, f"{path}[{index}]", faults) for index, item in enumerate(items)]

    return _Check("a list", takes, write, f"each {check.description}")


def _scalar(kind: type, expected: str, form: Callable[[Any], Any] | None = None) -> _Check:
    def takes(value: Any) -> bool:
        # A bool is an int to Python.
        return isinstance(value, kind) and isinstance(value, bool) is (kind is bool)

    return _formed(takes, expected, form)


def _formed(takes: Callable[[Any], bool], expected: str, form: Callable[[Any], Any] | None) -> _Check:
    def write(value: Any, path: str, faults: _Faults) -> Any:
        try:
            return form(value) if form else value
        except ValueError as error:
            return faults.append((path, str(error)))

    return _Check(expected, takes, write)


def _part(kind: Any) -> _Check:
    """Accept a part of a record that was read, and leave out the fields that no request accepts."""
    unsent = {field.name: None for field in attrs.fields(kind) if field.metadata.get("read_only")}
    return _scalar(kind, kind.__name__, (lambda part: attrs.evolve(part, **unsent)) if unsent else None)


def _as_it_is(value: Any, _: str, __: _Faults) -> Any:
    return value


def _text(value: str) -> str:
    if not is_unicode(value):
        raise ValueError("holds a character that cannot be encoded")
    return str.__str__(value)


_SCALARS = {
    types.NoneType: _scalar(types.NoneType, "None"),
    str: _scalar(str, "a str", _text),
    int: _scalar(int, "an int", int),
    bool: _scalar(bool, "True or False"),
    Decimal: _scalar(Decimal, "a Decimal"),
    Real.datetime: _formed(is_datetime, "a datetime", format_utc),
    Real.date: _formed(is_date, "a date", lambda value: plain_date(value).isoformat()),
}
