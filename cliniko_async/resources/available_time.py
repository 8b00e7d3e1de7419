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
    """A time at which an appointment could start."""

    appointment_start: DateTime


@record
class NextAvailableTime(Value):
    """The first time at which an appointment could start."""

    links: SelfLink
    appointment_start: DateTime
    total_entries: int | None = None


class AvailableTimesOptions(TypedDict, total=False):
    """The options of a list of available times, which can be neither sorted nor filtered."""

    per_page: int
    limit: int | None
    prefetch: int
    cursor: str | None


class AvailableTimes(Resource[AvailableTime]):
    """The times at which an appointment of a type could start, with a practitioner at a business."""

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
        """Return a paginator over the available times from one day to another.

        Args:
            business_id: The id of the business.
            practitioner_id: The id of the practitioner.
            appointment_type_id: The id of the appointment type.
            from_: The first day, in the account's time zone.
            to: The last day, which is included. A span longer than the API accepts is divided into several requests.
            per_page: Times in one response, 1 to 100; 100 by default.
            limit: The number of times to stop after; None, the default, for all.
            prefetch: Pages to request before they are needed; 0 by default.
            cursor: The `cursor` of an iterator, a page or an error, to continue after it with the same arguments. None,
                the default, starts at the beginning.

        Returns:
            A `Paginator`. Use `async for` to read the times. No request is sent before that.

        Raises:
            InvalidRequestError: An id is invalid, a day is not a date, or the last day is before the first; nothing was
                sent. The errors below are raised while iterating.
            TypeError: An option does not exist.
            BadRequestError: The first day has passed.
            NotFoundError: The business, practitioner or appointment type is not open to online bookings.
            ResponseError: The API refused the request for another reason.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response does not have the documented form.
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
        """Return the first available time from one day to another.

        Args:
            business_id: The id of the business.
            practitioner_id: The id of the practitioner.
            appointment_type_id: The id of the appointment type.
            from_: The first day, in the account's time zone.
            to: The last day, which is included. A span longer than the API accepts is divided into several requests.

        Returns:
            The time, or None if no time is available.

        Raises:
            InvalidRequestError: An id is invalid, a day is not a date, or the last day is before the first; nothing was
                sent.
            NotFoundError: The business, practitioner or appointment type is not open to online bookings.
            ResponseError: The API refused the request for another reason.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response does not have the documented form.
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
    """Return the queries for a span of days, each as long as the API accepts, the earliest first."""
    for argument, day in (("from_", first), ("to", last)):
        if not is_date(day):
            raise InvalidRequestError(f"{argument} must be a date without a time", argument=argument)
    if last < first:
        raise InvalidRequestError("to must not be before from_", argument="to")
    return _cut(plain_date(first), plain_date(last))


def _cut(first: dt.date, last: dt.date) -> Iterator[str]:
    while (last - first) > _LONGEST_SPAN:
        yield f"from={first}&to={first + _LONGEST_SPAN}"
        first += _LONGEST_SPAN + _DAY
    yield f"from={first}&to={last}"


def _is_empty(response: Response) -> bool:
    """Return whether the response means that no time is available."""
    try:
        found = as_object(response.json())
    except ValueError:
        return False
    known = {"appointment_start", "links", "total_entries"}
    return found is not None and found.keys() <= known and found.get("appointment_start") is None
