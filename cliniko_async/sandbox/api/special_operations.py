"""The operations that are not those of a table: settings, conflicts, the current user, and records below a parent."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import attrs

from ..db.filtering import Conditions, hide_records
from ..protocol import NOT_FOUND, RefusedRequest, Reply, json_reply
from .available_times import available_times, next_available_time
from .operations import OperationCall, Operations
from .services import services
from .settings import public_settings, settings

RouteKey: TypeAlias = tuple[str, ...]
"""A method, and the parts of a path in which `{id}` is any id."""
Operation: TypeAlias = Callable[[OperationCall], Reply]

_ID = "{id}"
_WITH_CONFLICTS = ("group_appointments", "individual_appointments", "unavailable_blocks")
_TIMES_OF = ("GET", "businesses", _ID, "practitioners", _ID, "appointment_types", _ID)


def special_operations(operations: Operations) -> dict[RouteKey, Operation]:
    """Return these operations by method and path."""
    conflicts: dict[RouteKey, Operation] = {
        ("GET", name, _ID, "conflicts"): partial(_conflicts, operations, name) for name in _WITH_CONFLICTS
    }
    others: dict[RouteKey, Operation] = {
        ("GET", "services"): partial(services, operations),
        ("GET", "businesses", _ID, "services"): partial(services, operations),
        ("GET", "settings"): lambda _: json_reply(200, settings()),
        ("GET", "settings", "public"): lambda _: json_reply(200, public_settings()),
        ("GET", "user"): partial(_user, operations),
        ("GET", "patients", _ID, "referral_source"): partial(_get_referral_source, operations),
        ("PATCH", "patients", _ID, "referral_source"): partial(_update_referral_source, operations),
        ("GET", "patient_forms", _ID, "signatures", _ID): partial(_signature, operations),
        (*_TIMES_OF, "available_times"): partial(available_times, operations),
        (*_TIMES_OF, "next_available_time"): partial(next_available_time, operations),
    }
    return {**conflicts, **others}


def _conflicts(operations: Operations, resource: str, call: OperationCall) -> Reply:
    """Return whether the booking overlaps with another one of its practitioner."""
    row = operations.required_row(resource, call.ids[0])
    bookings, others = operations.store.tables["bookings"], Conditions()
    others.add(f"practitioner_id = {others.bind(row['practitioner_id'])} AND id != {others.bind(call.ids[0])}")
    others.add(f"starts_at < {others.bind(row['ends_at'])} AND ends_at > {others.bind(row['starts_at'])}")
    hide_records(others, bookings, set())
    return json_reply(200, {"conflicts": {"exist": operations.store.database.count(bookings, others) > 0}})


def _user(operations: Operations, _: OperationCall) -> Reply:
    """Return the user of the API key, who is the first user."""
    first = min(operations.store.column("users", "id"), default=None)
    if first is None:
        raise RefusedRequest(NOT_FOUND)
    return operations.record_reply(200, "users", first)


def _get_referral_source(operations: Operations, call: OperationCall) -> Reply:
    return operations.get(_of_referral_source(operations, call), operations.store.tables["referral_sources"])


def _update_referral_source(operations: Operations, call: OperationCall) -> Reply:
    return operations.update(_of_referral_source(operations, call), operations.store.tables["referral_sources"])


def _of_referral_source(operations: Operations, call: OperationCall) -> OperationCall:
    """Return the call with the id of the patient's referral source in place of the patient's."""
    patients = operations.store.column("referral_sources", "patient_id")
    found = next((source for source, patient in patients.items() if patient == call.ids[0]), None)
    if found is None:
        raise RefusedRequest(NOT_FOUND)
    return attrs.evolve(call, ids=(found,))


def _signature(operations: Operations, call: OperationCall) -> Reply:
    """Return the same picture for every signature of an existing form, with the stamps of the form."""
    form_call = OperationCall(call.path, (), None, call.ids[:1])
    form: dict[str, Any] = json.loads(operations.get(form_call, operations.store.tables["patient_forms"]).body)
    body = {
        "id": str(call.ids[1]),
        "image": "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=",
        "created_at": form["created_at"],
        "updated_at": form["updated_at"],
        "links": {"self": f"{operations.store.base_url}/signatures/{call.ids[1]}"},
    }
    return json_reply(200, body)
