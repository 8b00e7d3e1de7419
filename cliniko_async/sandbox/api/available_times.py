"""Available times: on the hour from Monday to Saturday, whatever is booked."""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import attrs

from ..protocol import NOT_FOUND, RefusedRequest, Reply, error_reply, json_reply
from .operations import OperationCall, Operations

_ZONE = ZoneInfo("Australia/Melbourne")
_HOURS = range(9, 17)
_SUNDAY = 6
_MAX_DAYS_APART = 7
_INVALID_RANGE = error_reply(400, "Invalid time frame definition. Please check from/to param limitations.")
_RESOURCES_IN_PATH = ("businesses", "practitioners", "appointment_types")


def available_times(operations: Operations, call: OperationCall) -> Reply:
    """Return a page of the times within a range of days."""
    times = [{"appointment_start": time} for time in _times(operations, call)]
    return operations.page_of(call, "available_times", times)


def next_available_time(operations: Operations, call: OperationCall) -> Reply:
    """Return the first time within a range of days; if there is none, the reply has no time."""
    if not operations.strict and not {"from", "to"} & dict(call.pairs).keys():
        # Older documentation has neither parameter.
        today = _today(operations)
        last = today + dt.timedelta(days=_MAX_DAYS_APART)
        call = attrs.evolve(call, pairs=[*call.pairs, ("from", today.isoformat()), ("to", last.isoformat())])
    first = next(_times(operations, call), None)
    body: dict[str, object] = {} if first is None else {"appointment_start": first}
    links = {"self": operations.store.base_url + call.path}
    return json_reply(200, body | {"total_entries": len(body), "links": links})


def _times(operations: Operations, call: OperationCall) -> Iterator[str]:
    for resource, record_id in zip(_RESOURCES_IN_PATH, call.ids, strict=True):
        if not operations.required_row(resource, record_id)["show_in_online_bookings"]:
            raise RefusedRequest(NOT_FOUND)
    first, last = _range(operations, call)
    for days in range((last - first).days + 1):
        day = first + dt.timedelta(days=days)
        if day.weekday() != _SUNDAY:
            yield from (_stamp(dt.datetime.combine(day, dt.time(hour), _ZONE)) for hour in _HOURS)


def _range(operations: Operations, call: OperationCall) -> tuple[dt.date, dt.date]:
    given = dict(call.pairs)
    try:
        first, last = (dt.date.fromisoformat(given[name]) for name in ("from", "to"))
    except (KeyError, ValueError):
        raise RefusedRequest(_INVALID_RANGE) from None
    if first < _today(operations) or not 0 <= (last - first).days <= _MAX_DAYS_APART:
        raise RefusedRequest(_INVALID_RANGE)
    return first, last


def _today(operations: Operations) -> dt.date:
    return dt.datetime.fromtimestamp(operations.store.now(), _ZONE).date()


def _stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
