"""What a body may hold as a whole: what it needs, what it may refer to, and which fields agree with one another."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, cast

from ..db.relations import REQUIRED
from ..db.rows import Store
from ..db.schema import Table

Errors = dict[str, str | None]

BLANK = "can’t be blank"  # noqa: RUF001
MISSING = "must exist"
NO_NUMBER = "is not a number"
ARCHIVED_CASE = "Case has been archived."

_INTERNAL = {"booking_id": "appointment_id", "upload_url": "temp_attachment_url"}
"""Fields whose errors come under another name than that of what they refer to."""
_FROM_TEMPLATE = {"patient_forms": ("patient_form_template_id", {"name", "content"})}
"""By resource: a field that names a template, and what need not be sent then."""
_NO_TEXT = {("patient_forms", "content")}
"""Fields whose error is null when they are blank."""
_WITH_A_PLACE = ("group_appointments", "individual_appointments")
_INCREASING = {"Other", "Returned", "Stock Purchase"}
_DECREASING = {"Correction", "Damaged", "Item Sold", "Other", "Out of Date"}


def faults_of_record(
    sent: Mapping[str, Any], values: Mapping[str, Any], table: Table, store: Store, operation: str
) -> Errors:
    """Return the errors of a body whose fields were checked one by one.

    Args:
        sent: the fields as they were sent.
        values: those of them that are valid.
        table: what they are sent to.
        store: where to look up what they refer to.
        operation: `"create"`, `"update"` or `"cancel"`.
    """
    errors: Errors = {}
    for name, value in values.items():
        errors |= _stray(name, value, sent, table, store)
    if table.name == "stock_adjustments":
        errors |= _unlike_its_type(values)
    return errors | {
        _internal(name): None if (table.name, name) in _NO_TEXT else BLANK
        for name in _needed(sent, table, operation)
        if _is_blank(sent.get(name))
    }


def _needed(sent: Mapping[str, Any], table: Table, operation: str) -> Iterable[str]:
    """Fields that must be there and not blank; an update may leave them out."""
    if operation == "cancel":
        return ("cancellation_reason",)
    names = REQUIRED.get(table.name, ())
    if operation == "update":
        return [name for name in names if name in sent]
    template, copied = _FROM_TEMPLATE.get(table.name, ("", set[str]()))
    return [name for name in names if not (name in copied and sent.get(template))]


def _is_blank(value: Any) -> bool:
    return value in (None, []) or (isinstance(value, str) and not value.strip())


def _stray(name: str, value: Any, sent: Mapping[str, Any], table: Table, store: Store) -> Errors:
    """The error of a reference to what is not there, where the sandbox has such records."""
    target = table.targets.get(name, "")
    if target not in store.tables or value is None:
        return {}
    ids = [int(one) for one in cast("list[str]", value if isinstance(value, list) else [value])]
    if name == "patient_case_id":
        case = store.rows.row(store.tables[target], ids[0])
        return {} if case is not None and case["archived_at"] is None else {"base": ARCHIVED_CASE}
    if all(store.rows.has(target, one) for one in ids):
        return {}
    if name == "appointment_type_id" and table.name in _WITH_A_PLACE and "max_attendees" not in sent:
        # The number of places is taken from the type, and that is where its absence shows.
        return {"max_attendees": NO_NUMBER}
    return {_internal(name): MISSING}


def _internal(name: str) -> str:
    """The name an error goes under: of a reference, that of what it refers to."""
    return _INTERNAL.get(name, name.removesuffix("_id"))


def _unlike_its_type(values: Mapping[str, Any]) -> Errors:
    """The error of a stock adjustment that increases what its type decreases, or the other way round."""
    quantity, kind = values.get("quantity"), values.get("adjustment_type")
    if quantity is None or kind is None:
        return {}
    number = Decimal(quantity)
    if not number:
        return {"quantity": "must be other than 0"}
    if number > 0 and kind not in _INCREASING:
        return {"quantity": "must be less than 0"}
    if number < 0 and kind not in _DECREASING:
        return {"quantity": "must be greater than 0"}
    return {}
