"""Rules of a record as a whole: required fields, references, and fields that depend on each other."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias, cast

from ..db.defaults import REQUIRED_FIELDS
from ..db.row_store import RowStore
from ..db.schema import Table
from .value_checks import BLANK, NOT_A_NUMBER

Errors: TypeAlias = dict[str, str | None]

_MISSING = "must exist"
_ARCHIVED_CASE = "Case has been archived."
_ERROR_NAMES = {"booking_id": "appointment_id", "upload_url": "temp_attachment_url"}
"""Fields whose errors have another name than that of what they refer to."""
_COPIED_FROM_TEMPLATE = {"patient_forms": ("patient_form_template_id", {"name", "content"})}
"""A field that refers to a template, and the fields that need not be sent with it."""
_WITHOUT_ERROR_TEXT = {("patient_forms", "content")}
"""Fields whose error is null if they are blank."""
_WITH_PLACES = ("group_appointments", "individual_appointments")
_INCREASING = {"Other", "Returned", "Stock Purchase"}
_DECREASING = {"Correction", "Damaged", "Item Sold", "Other", "Out of Date"}


def record_errors(
    sent: Mapping[str, Any], values: Mapping[str, Any], table: Table, store: RowStore, operation: str
) -> Errors:
    """Return the errors of a body whose fields were checked one by one.

    Args:
        sent: The fields as they were sent.
        values: The valid ones among them.
        table: The resource they were sent to.
        store: The rows that they may refer to.
        operation: `"create"`, `"update"` or `"cancel"`.
    """
    errors: Errors = {}
    for name, value in values.items():
        errors |= _reference_errors(name, value, sent, table, store)
    if table.name == "stock_adjustments":
        errors |= _quantity_errors(values)
    return errors | {
        _error_name(name): None if (table.name, name) in _WITHOUT_ERROR_TEXT else BLANK
        for name in _required(sent, table, operation)
        if _is_blank(sent.get(name))
    }


def _required(sent: Mapping[str, Any], table: Table, operation: str) -> Iterable[str]:
    """Return the fields that must not be blank; an update may leave them out."""
    if operation == "cancel":
        return ("cancellation_reason",)
    names = REQUIRED_FIELDS.get(table.name, ())
    if operation == "update":
        return [name for name in names if name in sent]
    template, copied = _COPIED_FROM_TEMPLATE.get(table.name, ("", set[str]()))
    return [name for name in names if not (name in copied and sent.get(template))]


def _is_blank(value: Any) -> bool:
    return value in (None, []) or (isinstance(value, str) and not value.strip())


def _reference_errors(name: str, value: Any, sent: Mapping[str, Any], table: Table, store: RowStore) -> Errors:
    """Return the error of a reference to a record that is not there, if the sandbox has such records at all."""
    target = table.targets.get(name, "")
    if target not in store.tables or value is None:
        return {}
    ids = cast("list[str]", value if isinstance(value, list) else [value])
    rows = [store.row(target, each) for each in ids]
    if name == "patient_case_id":
        is_open = rows[0] is not None and rows[0]["archived_at"] is None
        return {} if is_open else {"base": _ARCHIVED_CASE}
    if None not in rows:
        return {}
    if name == "appointment_type_id" and table.name in _WITH_PLACES and "max_attendees" not in sent:
        # The number of places comes from the appointment type, so it is the number that is missing.
        return {"max_attendees": NOT_A_NUMBER}
    return {_error_name(name): _MISSING}


def _error_name(name: str) -> str:
    """Return the name of a field's error; that of a reference is the name of what it refers to."""
    return _ERROR_NAMES.get(name, name.removesuffix("_id"))


def _quantity_errors(values: Mapping[str, Any]) -> Errors:
    """Return the error of a stock adjustment whose quantity has the wrong sign for its type."""
    quantity, adjustment_type = values.get("quantity"), values.get("adjustment_type")
    if quantity is None or adjustment_type is None:
        return {}
    number = Decimal(quantity)
    if not number:
        return {"quantity": "must be other than 0"}
    if number > 0 and adjustment_type not in _INCREASING:
        return {"quantity": "must be less than 0"}
    if number < 0 and adjustment_type not in _DECREASING:
        return {"quantity": "must be greater than 0"}
    return {}
