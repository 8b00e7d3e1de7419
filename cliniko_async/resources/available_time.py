"""Available times: when an appointment could start."""

import datetime as dt
from collections.abc import Iterator
from typing import Unpack

from .._compat import TypedDict
from .._dates import DateTime, is_date, plain_date
from .._messages import Request, Response, as_object
from .._records.page import decode_record
from .._records.record import Value, record
from .._spelling import did_you_mean
from ..errors import InvalidRequestError
from ..fields import Id
from ..filters import Filters
from ..links import SelfLink
from ..pagination import Paginator
from ._base import Resource

_LONGEST_SPAN = dt.timedelta(days=6)
_DAY = dt.timedelta(days=1)


@record
class AvailableTime(Value):
    """A moment at which an appointment could start."""

    appointment_start: DateTime


@record
class NextAvailableTime(Value):
    """The first moment at which an appointment could start."""

    links: SelfLink
    appointment_start: DateTime
    total_entries: int | None = None


class AvailableTimesOptions(TypedDict, total=False):
    """How a list of available times is walked: it can be neither sorted nor filtered."""

    per_page: int
    limit: int | None
    prefetch: int
    cursor: str | None


class AvailableTimes(Resource[AvailableTime]):
    """When an appointment could start: of one type, with one practitioner, at one business."""

    name = "available_times"
    record = AvailableTime
    where = Filters()

    def list(
        self,
        business_id: Id,
        practitioner_id: Id,
        appointment_type_id: Id,
        *,
        from_: dt.date,
        to: dt.date,
        **options: Unpack[AvailableTimesOptions],
    ) -> Paginator[AvailableTime]:
        """Stream the times from one day to another, both included, in the account's own zone.

        A longer span than the API takes at once is asked for in parts. All three must be open to online bookings,
        else the API answers 404, and 400 when the first day has passed.

        Raises:
            InvalidRequestError: a day is not a date, or the last one lies before the first.
        """
        known = AvailableTimesOptions.__annotations__
        for name in options.keys() - known.keys():
            near = did_you_mean(name, known, ": available times can be neither sorted nor filtered")
            raise TypeError(f"unknown option {name!r}{near}")
        url = self._url(self._path(business_id, practitioner_id, appointment_type_id, "available_times"))
        return self.paginate(tuple(f"{url}?{days}" for days in _spans(from_, to)), (), options)

    async def get_next(
        self, business_id: Id, practitioner_id: Id, appointment_type_id: Id, *, from_: dt.date, to: dt.date
    ) -> NextAvailableTime | None:
        """Give the first time from one day to another, both included, or None where all of them are taken.

        Raises:
            InvalidRequestError: a day is not a date, or the last one lies before the first.
            NotFoundError: it is not open to online bookings.
        """
        path = self._path(business_id, practitioner_id, appointment_type_id, "next_available_time")
        for days in _spans(from_, to):
            request = Request("GET", self._url(f"{path}?{days}"))
            response = await self._api.send(request)
            if not _is_empty(response):
                return decode_record(NextAvailableTime, request, response)
        return None

    def _path(self, business_id: Id, practitioner_id: Id, appointment_type_id: Id, last: str) -> str:
        business = self._id(business_id, "business_id")
        practitioner = self._id(practitioner_id, "practitioner_id")
        appointment_type = self._id(appointment_type_id, "appointment_type_id")
        return f"/businesses/{business}/practitioners/{practitioner}/appointment_types/{appointment_type}/{last}"


def _spans(first: dt.date, last: dt.date) -> Iterator[str]:
    """Give a span of days as queries that the API takes, the earliest first."""
    for argument, day in (("from_", first), ("to", last)):
        if not is_date(day):
            raise InvalidRequestError(f"{argument} must be a date without a time", argument=argument)
    if last < first:
        raise InvalidRequestError("to must not lie before from_", argument="to")
    return _cut(plain_date(first), plain_date(last))


def _cut(first: dt.date, last: dt.date) -> Iterator[str]:
    while (last - first) > _LONGEST_SPAN:
        yield f"from={first}&to={first + _LONGEST_SPAN}"
        first += _LONGEST_SPAN + _DAY
    yield f"from={first}&to={last}"


def _is_empty(response: Response) -> bool:
    """Whether an answer says that there is no such time."""
    try:
        found = as_object(response.json())
    except ValueError:
        return False
    known = {"appointment_start", "links", "total_entries"}
    return found is not None and found.keys() <= known and found.get("appointment_start") is None
