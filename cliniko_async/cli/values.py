"""Text and JSON from the command line or a file, as the Python values that a field can be sent with."""

import datetime as dt
import json
import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Required, Union, cast, get_args, get_origin, get_type_hints

from .. import ClinikoError, from_dict
from .._compat import is_typeddict
from .._dates import Real
from ..fields import Digits
from .errors import CommandError


def typed_fields(fields: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of fields with their Python types.

    A value that does not fit is kept: `cliniko_async.fields.check_fields`, which checks every write, then reports it
    together with all other faults.

    Args:
        fields: The TypedDict of the fields.
        values: Text, or JSON values, by the names of the fields.

    Returns:
        The values to pass to the operation. Unknown fields are among them.
    """
    hints = get_type_hints(fields, include_extras=True)
    return {name: typed(hints[name], value) if name in hints else value for name, value in values.items()}


def typed(hint: Any, value: Any) -> Any:
    """Return a value with its Python type, or as it is if it does not fit.

    Args:
        hint: The annotation of the field.
        value: Text, or a JSON value.
    """
    for convert in _converters(hint):
        try:
            return convert(value)
        except (ValueError, TypeError, InvalidOperation, ClinikoError):
            continue
    return value


def _converters(hint: Any) -> list[Callable[[Any], Any]]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Annotated, Required):
        # As a number, an id would lose zeros.
        return [_text, _int] if any(isinstance(note, Digits) for note in inner[1:]) else _converters(inner[0])
    if origin in (Union, types.UnionType):
        # Any text is a text, so that comes last.
        members = sorted(inner, key=lambda member: _base(member) is str)
        return [convert for member in members for convert in _converters(member)]
    if origin is Literal:
        return [lambda value: _member(inner, value)]
    return [_SCALARS[hint]] if hint in _SCALARS else _compound(hint, origin, inner)


def _compound(hint: Any, origin: Any, inner: Sequence[Any]) -> list[Callable[[Any], Any]]:
    if origin is Sequence:
        return [lambda value: [typed(inner[0], item) for item in _items(value)]]
    if is_typeddict(hint):
        return [lambda value: typed_fields(hint, _object(value))]
    # What is left is a part of a record, such as its repeat rule.
    return [lambda value: from_dict(hint, _object(value))]


def _base(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _member(allowed: Sequence[Any], value: Any) -> Any:
    """Return the allowed value that is written like a value."""
    return next((one for one in allowed if _written(one) == _written(value)), value)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return parse_json(value) if value.startswith("[") else [each.strip() for each in value.split(",")]
    if isinstance(value, list):
        return [*cast("Sequence[Any]", value)]
    raise TypeError


def _object(value: Any) -> dict[str, Any]:
    found = parse_json(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise TypeError
    return cast("dict[str, Any]", found)


def _none(value: object) -> None:
    if value is not None:
        raise TypeError


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError
    return int(value)


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value).lower()
    if text not in {"true", "false"}:
        raise ValueError
    return text == "true"


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError
    return Decimal(value)


def _datetime(value: object) -> dt.datetime:
    return Real.datetime.fromisoformat(_text(value))


def _date(value: object) -> dt.date:
    return Real.date.fromisoformat(_text(value))


_SCALARS: dict[Any, Callable[[Any], Any]] = {
    types.NoneType: _none,
    str: _text,
    int: _int,
    bool: _bool,
    Decimal: _decimal,
    Real.datetime: _datetime,
    Real.date: _date,
}


def assigned(assignments: Sequence[str], cleared: Sequence[str] = ()) -> dict[str, Any]:
    """Return the fields of --set and --clear.

    Args:
        assignments: The values of --set: a name, "=" and a text.
        cleared: The values of --clear: names of fields to be emptied.

    Raises:
        CommandError: One is not like this, or a field is named twice.
    """
    values: dict[str, Any] = {}
    for name, value in [*map(_assignment, assignments), *((name, None) for name in cleared)]:
        if name in values:
            raise CommandError(f"the field {name} is given twice")
        values[name] = value
    return values


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        # The text may be about a patient, so the message does not repeat it.
        raise CommandError("--set takes a name, = and a value, such as --set first_name=Ann")
    return name.strip(), value


def parse_json(data: str | bytes) -> Any:
    """Parse JSON from a file or the command line, with exact decimals.

    Args:
        data: The JSON.

    Raises:
        ValueError: It is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(data, parse_float=Decimal)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def json_fields(data: bytes, source: str) -> dict[str, Any]:
    """Return the fields in a JSON object.

    Args:
        data: The JSON.
        source: Where it comes from, for the message.

    Raises:
        CommandError: It is not a JSON object.
    """
    try:
        found = parse_json(data)
    except ValueError as error:
        line = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise CommandError(f"{source} is not JSON{line}") from None
    if not isinstance(found, dict):
        raise CommandError(f"{source} must hold one JSON object, from the names of fields to their values")
    return cast("dict[str, Any]", found)
