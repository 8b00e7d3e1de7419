"""Users: the people who can log in to an account."""

from zoneinfo import ZoneInfo

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..filters import DateTimeField, Filters, IntField
from ..links import SelfLink
from ._changes import ChangesMixin
from ._mixins import GetMixin, ListMixin
from ._zones import zone_of


@record
class UserPhoneNumber(Part):
    """A phone number and its type."""

    normalized_number: str | None = None
    number: str | None = None
    phone_type: str | None = None


@record
class User(Record):
    """A person who can log in to an account."""

    id: str
    links: SelfLink
    created_at: DateTime
    email: str
    first_name: str
    last_name: str
    time_zone: str
    updated_at: DateTime
    active: bool | None = None
    phone_numbers: tuple[UserPhoneNumber, ...] | None = None
    role: str | None = None
    time_zone_identifier: str | None = None
    title: str | None = None
    user_active: bool | None = None

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone with the record's IANA name, or None if it has none.

        Raises:
            zoneinfo.ZoneInfoNotFoundError: The time zone data of this Python does not contain it.
        """
        return zone_of(self.time_zone_identifier)


class UserFilters(Filters):
    """The columns that users can be filtered and sorted by."""

    created_at = DateTimeField()
    id = IntField()
    updated_at = DateTimeField()


class Users(ChangesMixin[User], ListMixin[User], GetMixin[User]):
    """The users of an account."""

    name = "users"
    record = User
    where = UserFilters()

    async def get_authenticated(self) -> User:
        """Return the user to whom the API key belongs.

        Returns:
            The user.

        Raises:
            UnauthorizedError: The API key was rejected.
            ResponseError: The API refused the request for another reason.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response does not have the documented form.
        """
        return await self._get("/user")
