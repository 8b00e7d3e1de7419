"""Communications: what was written to patients, or noted about talking to them."""

import builtins
from typing import TYPE_CHECKING, Literal, Never, Unpack

import attrs

from .._dates import DateTime
from .._fields import Fields, Id
from .._record import Record, record
from .._resource import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin

if TYPE_CHECKING:
    from ._bookings import Booking
    from .attendee import Attendee
    from .invoice import Invoice
    from .patient import Patient

_SMS, _EMAIL, _MEMO = 1, 2, 12


@record
class Communication(Record):
    """A message to or from a patient; it is one of the three kinds below it."""

    id: str
    links: SelfLink
    created_at: DateTime
    updated_at: DateTime
    archived_at: DateTime | None = None
    category: str | None = None
    category_code: int | None = None
    content: str | None = None
    direction_code: int | None = None
    direction_description: str | None = None
    from_: str | None = attrs.field(default=None, metadata={"wire": "from"})
    patient: Link["Patient"] | None = None
    to: str | None = None
    type: str | None = None
    type_code: int | None = None

    @staticmethod
    def variant(*, type_code: object = None, category_code: object = None) -> builtins.type["Communication"]:
        """Tell which kind it is: a memo may be of any type, and says so in its category."""
        if category_code == _MEMO or type_code not in (_SMS, _EMAIL):
            return MemoCommunication
        return SmsCommunication if type_code == _SMS else EmailCommunication


@record
class MemoCommunication(Communication):
    """A note about a talk or a letter, written by a user."""

    confidential: bool | None = None


@record
class EmailCommunication(Communication):
    """An e-mail that was sent or received."""

    attendee: Link["Attendee"] | None = None
    booking: Link["Booking"] | None = None
    content_subject: str | None = None
    invoice: Link["Invoice"] | None = None
    letter: Link[Never] | None = None
    payment: Link[Never] | None = None


@record
class SmsCommunication(Communication):
    """A text message that was sent or received."""

    attendee: Link["Attendee"] | None = None
    booking: Link["Booking"] | None = None
    invoice: Link["Invoice"] | None = None
    letter: Link[Never] | None = None
    payment: Link[Never] | None = None


class CommunicationFields(Fields, total=False):
    """What may be sent of a communication."""

    category_code: Literal[12] | None
    confidential: bool | None
    content: str | None
    direction_code: Literal[1, 2] | None
    from_: str | None
    patient_id: Id
    to: str | None
    type_code: Literal[1, 2, 3, 4] | None


class CommunicationFilters(Filters):
    """What communications can be searched by."""

    archived_at = DateTimeField()
    category_code = IntField()
    created_at = DateTimeField()
    id = IntField()
    letter_id = IntField()
    patient_id = IntField()
    type_code = IntField()
    updated_at = DateTimeField()


class Communications(
    ChangesMixin[Communication],
    ArchivedListMixin[Communication],
    ArchivedGetMixin[Communication],
    ArchiveMixin[Communication],
):
    """The communications of an account."""

    name = "communications"
    record = Communication
    where = CommunicationFilters()

    async def create(self, **fields: Unpack[CommunicationFields]) -> Communication:
        """Create a memo."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[CommunicationFields]) -> Communication:
        """Change a memo: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
