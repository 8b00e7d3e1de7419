"""What a body may hold: each field against the rules of its table, in the words of a Rails application."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import attrs

from ..._compat import is_typeddict
from ..db.columns import BOOLEAN, DAY, DECIMAL, ID, INTEGER, MOMENT, OBJECT, TEXT, decimal_text
from ..db.rows import Store
from ..db.schema import Hint, Table
from ..protocol import NO_OBJECT, Refused
from .record_rules import BLANK, NO_NUMBER, Errors, faults_of_record

Check = Callable[[Any], Any]

INVALID = "is invalid"
NOT_LISTED = "is not included in the list"

_ID = re.compile(r"\d{1,19}", re.ASCII)
_LARGEST_ID = 2**63 - 1
_MOST_DIGITS = 15
# Within these, whatever follows from a moment is a moment, too.
_EARLIEST, _LATEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC), dt.datetime(9999, 12, 30, tzinfo=dt.UTC)
_OLDER_CODES = {"cancellation_reason": 31}
_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)


class Wrong(Exception):  # noqa: N818
    """A value that does not fit; its text says why."""


class _NoObject(Wrong):
    """A text, a number or a list where an object belongs."""


@attrs.frozen
class Body:
    """What became of a body: the values to write, and a text for each field that does not fit."""

    values: dict[str, Any]
    errors: Errors


def check_body(body: Mapping[str, Any], table: Table, store: Store, operation: str, *, strict: bool) -> Body:
    """Hold a body against a table; fields that the table does not have are passed over.

    Raises:
        Refused: a text or a list stands where an object belongs.
    """
    fields = table.sent[operation]
    sent = {name: value for name, value in body.items() if name in fields}
    values: dict[str, Any] = {}
    errors: Errors = {}
    for name, value in sent.items():
        try:
            values[name] = (_strictly if strict else _leniently)(table, name, fields[name], value)
        except _NoObject:
            raise Refused(NO_OBJECT) from None
        except Wrong as wrong:
            errors[name] = str(wrong)
    return Body(values, {**errors, **faults_of_record(sent, values, table, store, operation)})


def _leniently(table: Table, name: str, annotation: Any, value: Any) -> Any:
    """Take what the API is on record to take, too: a code that is gone, and moments in UTC that do not say so."""
    if name in _OLDER_CODES and _OLDER_CODES[name] == value:
        return _OLDER_CODES[name]
    if table.columns[name] is MOMENT and isinstance(value, str) and _WITHOUT_ZONE.fullmatch(value):
        value = f"{value}Z"
    return _strictly(table, name, annotation, value)


def _strictly(table: Table, name: str, annotation: Any, value: Any) -> Any:
    return _check_of(table.name, name, annotation)(value)


_checks: dict[tuple[str, str], tuple[Any, Check]] = {}


def _check_of(table: str, name: str, annotation: Any) -> Check:
    known = _checks.get((table, name))
    if known is None or known[0] is not annotation:
        known = _checks[table, name] = (annotation, _check(annotation))
    return known[1]


def _check(annotation: Any) -> Check:
    hint = Hint.of(annotation)
    base = _base(hint)
    rules = [(_RULES[type(rule).__name__], rule) for rule in hint.rules if type(rule).__name__ in _RULES]

    def check(value: Any) -> Any:
        if value is None:
            return _nothing(nullable=hint.nullable)
        checked = base(value)
        for rule, options in rules:
            rule(options, checked)
        return checked

    return check


def _nothing(*, nullable: bool) -> None:
    if not nullable:
        raise Wrong(BLANK)


def _base(hint: Hint) -> Check:
    if get_origin(hint.base) is Literal:
        return _literal(get_args(hint.base))
    if get_origin(hint.base) in (Sequence, tuple):
        return _list(_check(get_args(hint.base)[0]))
    # Whether a program gave a mapping or a part of a record, the same comes over the wire.
    if is_typeddict(hint.base):
        return _mapping(hint.base)
    if hint.several and hint.kind in (OBJECT, TEXT):
        return _any_of([_check(one) for one in hint.several if not attrs.has(Hint.of(one).base)])
    return _SCALARS.get(hint.kind.name, _object)


def _literal(allowed: tuple[Any, ...]) -> Check:
    def literal(value: Any) -> Any:
        if not any(value == one and type(value) is type(one) for one in allowed):
            raise Wrong(NOT_LISTED)
        return value

    return literal


def _list(check: Check) -> Check:
    def items(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Wrong(INVALID)
        try:
            return [check(item) for item in cast("list[object]", value)]
        except _NoObject:
            raise Wrong(INVALID) from None

    return items


def _mapping(fields_type: type) -> Check:
    @cache
    def checks() -> dict[str, Check]:
        hints = get_type_hints(fields_type, include_extras=True)
        return {name.removesuffix("_"): _check(hint) for name, hint in hints.items()}

    def mapping(value: Any) -> dict[str, Any]:
        for name, one in _object(value).items():
            _inner(checks().get(name), one)
        return _object(value)

    return mapping


def _inner(check: Check | None, value: Any) -> None:
    """Check a part; whatever is wrong inside, the field as a whole is what is not valid."""
    try:
        if check is not None:
            check(value)
    except Wrong:
        raise Wrong(INVALID) from None


def _any_of(checks: list[Check]) -> Check:
    def any_of(value: Any) -> Any:
        wrongs: list[Wrong] = []
        for check in checks:
            try:
                return check(value)
            except Wrong as wrong:
                wrongs.append(wrong)
        raise next((one for one in wrongs if isinstance(one, _NoObject)), Wrong(INVALID))

    return any_of


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _NoObject(INVALID)
    return cast("dict[str, Any]", value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or value != value.encode("utf-8", "replace").decode():
        raise Wrong(INVALID)
    return value


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise Wrong("must be an integer")
    return int(number)


def _decimal(value: Any) -> str:
    return decimal_text(_number(value))


def _number(value: Any) -> Decimal:
    try:
        number = Decimal(str(value)) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise Wrong(NO_NUMBER)
    if not number:
        # Whatever its exponent, which would be written as so many zeros.
        return Decimal(0)
    if abs(number.adjusted()) > _MOST_DIGITS:
        raise Wrong(f"must be less than {10**_MOST_DIGITS}")
    return number


def _id(value: Any) -> str:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _ID.fullmatch(text) or int(text) > _LARGEST_ID:
        raise Wrong(INVALID)
    return text


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong(NOT_LISTED)
    return value


def _moment(value: Any) -> str:
    try:
        moment = dt.datetime.fromisoformat(_text(value))
    except ValueError:
        raise Wrong(INVALID) from None
    if moment.utcoffset() is None or not _EARLIEST <= moment <= _LATEST:
        raise Wrong(INVALID)
    return moment.isoformat()


def _day(value: Any) -> str:
    try:
        return dt.date.fromisoformat(_text(value)).isoformat()
    except ValueError:
        raise Wrong(INVALID) from None


def _most_characters(rule: Any, value: str) -> None:
    if len(value) > rule.most:
        raise Wrong(f"is too long (maximum is {rule.most} characters)")


def _within(rule: Any, value: str | int) -> None:
    number = Decimal(value)
    if rule.low is not None and (number < rule.low or (number == rule.low and rule.low_excluded)):
        raise Wrong(f"must be greater than {'' if rule.low_excluded else 'or equal to '}{rule.low}")
    if rule.high is not None and (number > rule.high or (number == rule.high and rule.high_excluded)):
        raise Wrong(f"must be less than {'' if rule.high_excluded else 'or equal to '}{rule.high}")


def _of_form(rule: Any, value: str) -> None:
    if not re.fullmatch(rule.regex, value):
        raise Wrong(INVALID)


# By the names of the classes: the sandbox holds values against the rules of the tables in words of its own.
_RULES: dict[str, Callable[[Any, Any], None]] = {"MaxLength": _most_characters, "Range": _within, "Pattern": _of_form}
_SCALARS: dict[str, Check] = {
    BOOLEAN.name: _boolean,
    DAY.name: _day,
    DECIMAL.name: _decimal,
    ID.name: _id,
    INTEGER.name: _integer,
    MOMENT.name: _moment,
    TEXT.name: _text,
}
