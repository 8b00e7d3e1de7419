"""Available times: when an appointment could start."""

from .._record import DateTime, Record, record
from .._resource import Resource
from ..filters import Filters
from ..links import SelfLink


@record
class AvailableTime(Record):
    """A moment at which an appointment could start."""

    appointment_start: DateTime


@record
class NextAvailableTime(Record):
    """The first moment at which an appointment could start."""

    links: SelfLink
    appointment_start: DateTime
    total_entries: int | None = None


class AvailableTimes(Resource[AvailableTime]):
    """The available times of an account."""

    name = "available_times"
    record = AvailableTime
    where = Filters()
