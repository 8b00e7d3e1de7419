"""Treatment notes: the notes of practitioners about a treatment."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Required, Unpack

from .._dates import Date, DateTime
from .._records.record import Part, Record, record
from ..fields import AsRead, Fields, Id, MaxLength
from ..filters import BooleanField, DateTimeField, Filterable, Filters, IntField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._list_options import ArchivedDeletedListOptions
from ._mixins import (
    ArchivedDeletedGetMixin,
    ArchivedDeletedListMixin,
    ArchiveMixin,
    DeprecatedDeleteMixin,
    UnarchiveMixin,
)

if TYPE_CHECKING:
    from ._bookings import Booking
    from .attendee import Attendee
    from .patient import Patient
    from .practitioner import Practitioner
    from .treatment_note_template import TreatmentNoteTemplate


@record
class TreatmentNoteAnswer(Part):
    """One of the answers that can be chosen."""

    selected: bool | None = None
    value: str | None = None


@record
class TreatmentNoteOther(Part):
    """The choice "other" of a question."""

    enabled: bool | None = None
    selected: bool | None = None
    value: str | None = None


@record
class TreatmentNoteQuestion(Part):
    """A question and its answer. Its type decides which of these fields are set."""

    answer: str | None = None
    answers: tuple[TreatmentNoteAnswer, ...] | None = None
    body_chart_ids: tuple[str, ...] | None = None
    name: str | None = None
    other: TreatmentNoteOther | None = None
    type: str | None = None


@record
class TreatmentNoteSection(Part):
    """A group of questions under one heading."""

    description: str | None = None
    name: str | None = None
    questions: tuple[TreatmentNoteQuestion, ...] | None = None


@record
class TreatmentNoteContent(Part):
    """The questions and their answers."""

    sections: tuple[TreatmentNoteSection, ...] | None = None


@record
class TreatmentNote(Record):
    """A practitioner's note about the treatment of a patient."""

    id: str
    links: SelfLink
    created_at: DateTime
    title: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    attendee: Link["Attendee"] | None = None
    author_name: str | None = None
    booking: Link["Booking"] | None = None
    content: TreatmentNoteContent | None = None
    deleted_at: DateTime | None = None
    draft: bool | None = None
    finalized_at: DateTime | None = None
    patient: Link["Patient"] | None = None
    pinned_at: DateTime | None = None
    practitioner: Link["Practitioner"] | None = None
    treatment_note_template: Link["TreatmentNoteTemplate"] | None = None


class TreatmentNoteAnswerFields(Fields, total=False):
    """The fields of an answer that can be sent."""

    selected: bool | None
    value: Annotated[str, MaxLength(255)] | None


class TreatmentNoteOtherFields(Fields, total=False):
    """The fields of the other answer that can be sent."""

    enabled: bool
    selected: bool
    value: Annotated[str, MaxLength(255)]


class TreatmentNoteQuestionFields(Fields, total=False):
    """The fields of a question that can be sent."""

    answer: Date | str
    answers: Sequence[TreatmentNoteAnswerFields | AsRead[TreatmentNoteAnswer]]
    body_chart_ids: Sequence[Id]
    name: Required[Annotated[str, MaxLength(255)]]
    other: TreatmentNoteOtherFields | AsRead[TreatmentNoteOther]
    type: Required[Literal["bodycharts", "checkboxes", "date", "paragraph", "radiobuttons", "text"] | None]


class TreatmentNoteSectionFields(Fields, total=False):
    """The fields of a section that can be sent."""

    description: str | None
    name: Annotated[str, MaxLength(255)] | None
    questions: Sequence[TreatmentNoteQuestionFields | AsRead[TreatmentNoteQuestion]]


class TreatmentNoteContentFields(Fields, total=False):
    """The fields of the content that can be sent."""

    sections: Sequence[TreatmentNoteSectionFields | AsRead[TreatmentNoteSection]]


class TreatmentNoteFields(Fields, total=False):
    """The fields of a treatment note that can be sent."""

    attendee_id: Id
    booking_id: Id
    content: TreatmentNoteContentFields | AsRead[TreatmentNoteContent] | None
    draft: bool | None
    patient_id: Id
    title: str
    treatment_note_template_id: Id


class TreatmentNoteFilters(Filters):
    """The columns that treatment notes can be filtered and sorted by."""

    archived_at = DateTimeField()
    attendee_id = IntField()
    booking_id = IntField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    draft = BooleanField()
    id = IntField()
    patient_id = IntField()
    practitioner_id = IntField()
    treatment_note_template_id = IntField()
    updated_at = DateTimeField()


class TreatmentNotes(
    ChangesMixin[TreatmentNote],
    ArchivedDeletedListMixin[TreatmentNote],
    ArchivedDeletedGetMixin[TreatmentNote],
    ArchiveMixin[TreatmentNote],
    UnarchiveMixin[TreatmentNote],
    DeprecatedDeleteMixin[TreatmentNote],
):
    """The treatment notes of an account."""

    name = "treatment_notes"
    record = TreatmentNote
    where = TreatmentNoteFilters()

    def list_for_patient(
        self, patient_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedDeletedListOptions]
    ) -> Paginator[TreatmentNote]:
        """Return a paginator over the treatment notes of a patient."""
        return self._list(f"/patients/{self._id(patient_id, 'patient_id')}/treatment_notes", filters, options)

    async def create(self, **fields: Unpack[TreatmentNoteFields]) -> TreatmentNote:
        """Create a treatment note."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[TreatmentNoteFields]) -> TreatmentNote:
        """Update a treatment note. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
