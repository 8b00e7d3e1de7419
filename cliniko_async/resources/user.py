"""Users: those who can log in to an account."""

from zoneinfo import ZoneInfo

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..filters import DateTimeField, Filters, IntField
from ..links import SelfLink
from ._base import GetMixin, ListMixin
from ._changes import ChangesMixin
from ._zones import zone_of


@record
class UserPhoneNumber(Part):
    """A phone number and what kind it is."""

    normalized_number: str | None = None
    number: str | None = None
    phone_type: str | None = None


@record
class User(Record):
    """Somebody who can log in to an account."""

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
        """The time zone, by its IANA name.

        Raises:
            zoneinfo.ZoneInfoNotFoundError: the time zone data of this Python do not have it.
        """
        return zone_of(self.time_zone_identifier)


class UserFilters(Filters):
    """What users can be searched by."""

    created_at = DateTimeField()
    id = IntField()
    updated_at = DateTimeField()


class Users(ChangesMixin[User], ListMixin[User], GetMixin[User]):
    """The users of an account."""

    name = "users"
    record = User
    where = UserFilters()

    async def get_authenticated(self) -> User:
        """Give the user whom the key belongs to."""
        return await self._get("/user")
