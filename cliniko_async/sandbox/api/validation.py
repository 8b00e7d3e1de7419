"""Checks a body: each field against the rules in its annotation, then the record as a whole."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs

from ..._compat import is_typeddict
from ...fields import wire_name
from ..db.annotations import FieldAnnotation
from ..db.columns import MOMENT, OBJECT, TEXT
from ..db.row_store import RowStore
from ..db.schema import Table
from ..protocol import NOT_AN_OBJECT, RefusedRequest
from .record_rules import Errors, record_errors
from .value_checks import (
    BLANK,
    CHECKS,
    INVALID,
    Check,
    InvalidValue,
    NotAnObject,
    any_of,
    check_object,
    check_rule,
    list_of,
    one_of,
)

_LEGACY_CODES = {"cancellation_reason": 31}
_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)


@attrs.frozen
class CheckedBody:
    """The result of checking a body: the values to write, and a text or None for each invalid field."""

    values: dict[str, Any]
    errors: Errors


def check_body(body: Mapping[str, Any], table: Table, store: RowStore, operation: str, *, strict: bool) -> CheckedBody:
    """Check a body against a table; unknown fields are ignored.

    Raises:
        RefusedRequest: A value is a text or a list instead of an object.
    """
    annotations = table.body_fields[operation]
    sent = {name: value for name, value in body.items() if name in annotations}
    values: dict[str, Any] = {}
    errors: Errors = {}
    for name, value in sent.items():
        try:
            given = value if strict else _with_zone(table, name, value)
            is_legacy = not strict and name in _LEGACY_CODES and _LEGACY_CODES[name] == value
            values[name] = _LEGACY_CODES[name] if is_legacy else _check(annotations[name])(given)
        except NotAnObject:
            raise RefusedRequest(NOT_AN_OBJECT) from None
        except InvalidValue as error:
            errors[name] = str(error)
    return CheckedBody(values, {**errors, **record_errors(sent, values, table, store, operation)})


def _with_zone(table: Table, name: str, value: Any) -> Any:
    """Return a date and time without a zone as one in UTC, which is what the API takes it for."""
    is_without_zone = isinstance(value, str) and table.columns[name] is MOMENT and _WITHOUT_ZONE.fullmatch(value)
    return f"{value}Z" if is_without_zone else value


@cache
def _check(annotation: Any) -> Check:
    parsed = FieldAnnotation.of(annotation)
    check_type = _type_check(parsed)

    def check(value: Any) -> Any:
        if value is None and parsed.nullable:
            return None
        if value is None:
            raise InvalidValue(BLANK)
        checked = check_type(value)
        for rule in parsed.metadata:
            check_rule(rule, checked)
        return checked

    return check


def _type_check(annotation: FieldAnnotation) -> Check:
    if get_origin(annotation.type) is Literal:
        return one_of(get_args(annotation.type))
    if get_origin(annotation.type) in (Sequence, tuple):
        return list_of(_check(get_args(annotation.type)[0]))
    if is_typeddict(annotation.type):
        return _part_check(annotation.type)
    if annotation.alternatives and annotation.column_type in (OBJECT, TEXT):
        # A program may send a mapping or a part of a record; on the wire both are the same.
        sent = [each for each in annotation.alternatives if not attrs.has(FieldAnnotation.of(each).type)]
        return any_of([_check(each) for each in sent])
    return CHECKS.get(annotation.column_type.name, check_object)


def _part_check(fields_type: type) -> Check:
    hints = get_type_hints(fields_type, include_extras=True)
    checks = {wire_name(name): _check(hint) for name, hint in hints.items()}

    def check(value: Any) -> dict[str, Any]:
        part = check_object(value)
        for name in part.keys() & checks.keys():
            try:
                checks[name](part[name])
            except InvalidValue:
                # Whatever is wrong inside, the error is that of the whole field.
                raise InvalidValue(INVALID) from None
        return part

    return check
