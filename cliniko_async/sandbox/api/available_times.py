"""The available times of the sandbox: on the hour, from Monday to Saturday, whatever else is booked."""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import attrs

from ..db.paging import Page
from ..protocol import NOT_FOUND, Refused, Reply, json_reply, refusal
from .operations import Api, Call

_ZONE = ZoneInfo("Australia/Melbourne")
_HOURS = range(9, 17)
_SUNDAY = 6
_MOST_DAYS_APART = 7
_BAD_RANGE = refusal(400, "Invalid time frame definition. Please check from/to param limitations.")
_WHERE = ("businesses", "practitioners", "appointment_types")


def available_times(api: Api, call: Call) -> Reply:
    """A page of the times in a span of days."""
    times = list(_times(api, call))
    page = Page.of(call.pairs)
    links = page.links(api.store.base_url + call.path, call.pairs, len(times))
    shown = [{"appointment_start": time} for time in times[page.offset : page.offset + page.per_page]]
    return json_reply(200, {"available_times": shown, "total_entries": len(times), "links": links})


def next_available_time(api: Api, call: Call) -> Reply:
    """The first of them; where there is none, an answer without a time."""
    if not api.strict and not {"from", "to"} & dict(call.pairs).keys():
        # Older documentation has neither.
        today = _today(api)
        last = today + dt.timedelta(days=_MOST_DAYS_APART)
        call = attrs.evolve(call, pairs=[*call.pairs, ("from", today.isoformat()), ("to", last.isoformat())])
    times = list(_times(api, call))
    body: dict[str, object] = {"appointment_start": times[0]} if times else {}
    return json_reply(200, body | {"total_entries": len(times[:1]), "links": {"self": api.store.base_url + call.path}})


def _times(api: Api, call: Call) -> Iterator[str]:
    for resource, record_id in zip(_WHERE, call.ids, strict=True):
        row = api.store.rows.row(api.store.tables[resource], record_id)
        if row is None or not row["show_in_online_bookings"]:
            raise Refused(NOT_FOUND)
    first, last = _span(api, call)
    for days in range((last - first).days + 1):
        day = first + dt.timedelta(days=days)
        if day.weekday() != _SUNDAY:
            yield from (_stamp(dt.datetime.combine(day, dt.time(hour), _ZONE)) for hour in _HOURS)


def _span(api: Api, call: Call) -> tuple[dt.date, dt.date]:
    given = dict(call.pairs)
    try:
        first, last = (dt.date.fromisoformat(given[name]) for name in ("from", "to"))
    except (KeyError, ValueError):
        raise Refused(_BAD_RANGE) from None
    if first < _today(api) or not 0 <= (last - first).days <= _MOST_DAYS_APART:
        raise Refused(_BAD_RANGE)
    return first, last


def _today(api: Api) -> dt.date:
    return dt.datetime.fromtimestamp(api.store.now(), _ZONE).date()


def _stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
