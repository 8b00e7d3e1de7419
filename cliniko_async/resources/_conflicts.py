"""The operation that checks a booking for conflicts."""

from typing import TypeVar

from ..fields import Id
from ._base import Resource
from ._bookings import Conflicts

T = TypeVar("T")


class ConflictsMixin(Resource[T]):
    """A resource whose records can overlap other bookings."""

    async def conflicts(self, id: Id, /) -> Conflicts:
        """Return whether a booking overlaps another booking of the same practitioner.

        Args:
            id: The id of the booking.

        Returns:
            A `Conflicts`. Its `conflicts.exist` is True if the booking overlaps another one.

        Raises:
            InvalidRequestError: The id is invalid; nothing was sent.
            NotFoundError: The booking does not exist, or is archived or deleted.
            ResponseError: The API refused the request for another reason.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response does not have the documented form.
        """
        return await self._read(Conflicts, self._member(id, "/conflicts"))
