"""The fields that can be sent. Annotations hold their rules, which are checked before a request is sent.

`check_fields` checks values against a TypedDict of `Fields` and returns the body to send. `describe_fields` returns the
same rules in words.
"""

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
from ._dates import DateTime, Real, format_utc, is_date, is_datetime, plain_date
from ._field_rules import (
    AsItWasRead,
    DecimalNumber,
    DecimalText,
    Deprecated,
    Digits,
    MaxLength,
    MinLength,
    Pattern,
    Range,
    Rule,
    Zoned,
    id_text,
)
from ._messages import is_unicode
from ._spelling import did_you_mean
from .errors import InvalidFieldsError

__all__ = [
    "AsItWasRead",
    "AsRead",
    "DecimalNumber",
    "DecimalText",
    "Deprecated",
    "Digits",
    "Fields",
    "Id",
    "MaxLength",
    "MinLength",
    "Moment",
    "Money",
    "Pattern",
    "Range",
    "Rule",
    "Zoned",
    "check_fields",
    "describe_fields",
    "id_text",
    "wire_name",
]

P = TypeVar("P")


class Fields(TypedDict, total=False):
    """The base of the TypedDicts of fields that can be sent."""


if not TYPE_CHECKING:
    # Otherwise a model of pydantic would silently drop a misspelt field.
    Fields.__pydantic_config__ = {"extra": "forbid"}


AsRead: TypeAlias = Annotated[P, AsItWasRead()]
Id: TypeAlias = Annotated[str | int, Digits()]
Money: TypeAlias = Annotated[Decimal | int, DecimalText()]
Moment: TypeAlias = Annotated[DateTime, Zoned()]

_FieldFaults: TypeAlias = list[tuple[str, str]]
_Writer: TypeAlias = Callable[[Any, str, _FieldFaults], Any]

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

    def __call__(self, value: Any, path: str, faults: _FieldFaults) -> Any:
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
    faults: _FieldFaults = []
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


@cache
def _mapping(fields_type: type) -> _Check:
    hints = get_type_hints(fields_type, include_extras=True)
    checks = {name: _check(_unmarked(hint)) for name, hint in hints.items()}
    needed: frozenset[str] = getattr(fields_type, "__required_keys__", frozenset())

    def write(values: Mapping[Any, Any], path: str, faults: _FieldFaults) -> dict[str, Any]:
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

    def ruled(value: Any, path: str, faults: _FieldFaults) -> Any:
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

    def write(value: Any, path: str, faults: _FieldFaults) -> Any:
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

    def write(items: Sequence[Any], path: str, faults: _FieldFaults) -> Any:
        return [check(item, f"{path}[{index}]", faults) for index, item in enumerate(items)]

    return _Check("a list", takes, write, f"each {check.description}")


def _scalar(kind: type, expected: str, form: Callable[[Any], Any] | None = None) -> _Check:
    def takes(value: Any) -> bool:
        # A bool is an int to Python.
        return isinstance(value, kind) and isinstance(value, bool) is (kind is bool)

    return _formed(takes, expected, form)


def _formed(takes: Callable[[Any], bool], expected: str, form: Callable[[Any], Any] | None) -> _Check:
    def write(value: Any, path: str, faults: _FieldFaults) -> Any:
        try:
            return form(value) if form else value
        except ValueError as error:
            return faults.append((path, str(error)))

    return _Check(expected, takes, write)


def _part(kind: Any) -> _Check:
    """Accept a part of a record that was read, and leave out the fields that no request accepts."""
    unsent = {field.name: None for field in attrs.fields(kind) if field.metadata.get("read_only")}
    return _scalar(kind, kind.__name__, (lambda part: attrs.evolve(part, **unsent)) if unsent else None)


def _as_it_is(value: Any, _: str, __: _FieldFaults) -> Any:
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
