"""Communications: messages to and from patients, and notes about conversations."""

import builtins
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Never, Unpack

import attrs

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Fields, Id
from ..filters import DateTimeField, Filters, IntField
from ..links import Link, SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin

if TYPE_CHECKING:
    from ._bookings import Booking
    from .attendee import Attendee
    from .invoice import Invoice
    from .patient import Patient

_MEMO = 12


@record
class Communication(Record):
    """A message to or from a patient. Every record is one of the three variants."""

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
    def variant(found: Mapping[str, Any]) -> builtins.type["Communication"]:
        """Return the variant of a communication. A memo can have any type, so its category identifies it.

        Args:
            found: The communication as the API sent it.

        Returns:
            The class of the variant.
        """
        if found.get("category_code") == _MEMO or found.get("category") == "Memo":
            return MemoCommunication
        if found.get("confidential") is not None:
            return MemoCommunication
        code, text = found.get("type_code"), found.get("type")
        for kind, number, word in ((SmsCommunication, 1, "SMS"), (EmailCommunication, 2, "Email")):
            if code == number or (code is None and text == word):
                return kind
        return MemoCommunication if (code, text) != (None, None) else _kind_without_type(found)


@record
class MemoCommunication(Communication):
    """A note about a conversation or a letter, written by a user."""

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


def _kind_without_type(found: Mapping[str, Any]) -> type[Communication]:
    if "content_subject" in found:
        return EmailCommunication
    is_message = any(found.get(key) is not None for key in _OF_MESSAGES)
    return SmsCommunication if is_message else MemoCommunication


_OF_MESSAGES = ("attendee", "booking", "invoice", "letter", "payment")
"""The links that e-mails and text messages have, but memos do not."""


class CommunicationFields(Fields, total=False):
    """The fields of a communication that can be sent."""

    category_code: Literal[12] | None
    confidential: bool | None
    content: str | None
    direction_code: Literal[1, 2] | None
    from_: str | None
    patient_id: Id
    to: str | None
    type_code: Literal[1, 2, 3, 4] | None


class CommunicationFilters(Filters):
    """The columns that communications can be filtered and sorted by."""

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
        """Update a memo. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
