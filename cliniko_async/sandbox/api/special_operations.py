"""The operations of the sandbox that are no list, and no record of a table under its own path."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from ..db.filtering import Conditions, hide
from ..protocol import NOT_FOUND, Refused, Reply, json_reply, text_reply
from .available_times import available_times, next_available_time
from .operations import Api, Call
from .services import services
from .settings import public_settings, settings

Key = tuple[str, ...]
Operation = Callable[[Call], Reply]

_ID = "{id}"
_BOOKED = ("group_appointments", "individual_appointments", "unavailable_blocks")
_TIMES = ("GET", "businesses", _ID, "practitioners", _ID, "appointment_types", _ID)


def odd_operations(api: Api) -> dict[Key, Operation]:
    """Give each under its method and path."""
    conflicting: dict[Key, Operation] = {
        ("GET", name, _ID, "conflicts"): partial(_conflicts, api, name) for name in _BOOKED
    }
    others: dict[Key, Operation] = {
        ("GET", "services"): partial(services, api),
        ("GET", "businesses", _ID, "services"): partial(services, api),
        ("GET", "settings"): _settings,
        ("GET", "settings", "public"): _public_settings,
        ("GET", "user"): partial(_user, api),
        ("GET", "patients", _ID, "referral_source"): partial(_referral_source, api),
        ("PATCH", "patients", _ID, "referral_source"): partial(_refer, api),
        ("GET", "patient_forms", _ID, "signatures", _ID): partial(_signature, api),
        (*_TIMES, "available_times"): partial(available_times, api),
        (*_TIMES, "next_available_time"): partial(next_available_time, api),
    }
    return {**conflicting, **others}


def _settings(_: Call) -> Reply:
    return json_reply(200, settings())


def _public_settings(_: Call) -> Reply:
    return json_reply(200, public_settings())


def _conflicts(api: Api, name: str, call: Call) -> Reply:
    """Whether another booking of the practitioner begins before this one ends, and ends after it begins."""
    row = api.store.rows.row(api.store.tables[name], call.ids[0])
    if row is None:
        raise Refused(NOT_FOUND)
    bookings, others = api.store.tables["bookings"], Conditions()
    others.add(f"practitioner_id = {others.bind(row['practitioner_id'])} AND id != {others.bind(call.ids[0])}")
    others.add(f"starts_at < {others.bind(row['ends_at'])} AND ends_at > {others.bind(row['starts_at'])}")
    hide(others, bookings, set())
    return json_reply(200, {"conflicts": {"exist": api.store.rows.count(bookings, others) > 0}})


def _user(api: Api, _: Call) -> Reply:
    """The key belongs to the first user."""
    users = api.store.tables["users"]
    first = min(api.store.rows.column(users, "id"), default=None)
    if first is None:
        raise Refused(NOT_FOUND)
    return text_reply(200, api.store.texts(users, [first])[0])


def _referral_source(api: Api, call: Call) -> Reply:
    return api.get(_of_patient(api, call), api.store.tables["referral_sources"])


def _refer(api: Api, call: Call) -> Reply:
    return api.update(_of_patient(api, call), api.store.tables["referral_sources"])


def _of_patient(api: Api, call: Call) -> Call:
    """The same call with the id of the patient's referral source."""
    patients = api.store.rows.column(api.store.tables["referral_sources"], "patient_id")
    found = next((one for one, patient in patients.items() if patient == call.ids[0]), None)
    if found is None:
        raise Refused(NOT_FOUND)
    return Call(call.path, call.pairs, call.body, (found,))


def _signature(api: Api, call: Call) -> Reply:
    """Any signature of a form that is there: two strokes, as old as the form."""
    form: dict[str, Any] = json.loads(
        api.get(Call(call.path, (), None, call.ids[:1]), api.store.tables["patient_forms"]).body
    )
    body = {
        "id": str(call.ids[1]),
        "image": "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=",
        "created_at": form["created_at"],
        "updated_at": form["updated_at"],
        "links": {"self": f"{api.store.base_url}/signatures/{call.ids[1]}"},
    }
    return json_reply(200, body)
