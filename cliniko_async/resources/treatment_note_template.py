"""Treatment note templates: the questions from which treatment notes are made."""

from collections.abc import Sequence
from typing import Annotated, Literal, Required, Unpack

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..fields import AsRead, Fields, Id, MaxLength
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedDeletedGetMixin, ArchivedDeletedListMixin, ArchiveMixin, DeprecatedDeleteMixin


@record
class TreatmentNoteTemplateAnswer(Part):
    """One of the answers that can be chosen."""

    value: str | None = None


@record
class TreatmentNoteTemplateOther(Part):
    """The choice "other" of a question."""

    enabled: bool | None = None


@record
class TreatmentNoteTemplateQuestion(Part):
    """A question of the template. Its type decides which of these fields are set."""

    answer: str | None = None
    answers: tuple[TreatmentNoteTemplateAnswer, ...] | None = None
    name: str | None = None
    other: TreatmentNoteTemplateOther | None = None
    type: str | None = None


@record
class TreatmentNoteTemplateSection(Part):
    """A group of questions under one heading."""

    description: str | None = None
    name: str | None = None
    questions: tuple[TreatmentNoteTemplateQuestion, ...] | None = None


@record
class TreatmentNoteTemplateContent(Part):
    """The questions of the template."""

    sections: tuple[TreatmentNoteTemplateSection, ...] | None = None


@record
class TreatmentNoteTemplatePrintSettings(Part):
    """What is printed with a treatment note."""

    include_patient_address: bool | None = None
    include_patient_dob: bool | None = None
    include_patient_medicare: bool | None = None
    include_patient_occupation: bool | None = None
    include_patient_reference_number: bool | None = None
    title: str | None = None


@record
class TreatmentNoteTemplate(Record):
    """The questions from which treatment notes are made."""

    id: str
    links: SelfLink
    content: TreatmentNoteTemplateContent
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    deleted_at: DateTime | None = None
    print_settings: TreatmentNoteTemplatePrintSettings | None = None


class TreatmentNoteTemplateAnswerFields(Fields, total=False):
    """The fields of an answer that can be sent."""

    value: Annotated[str, MaxLength(255)] | None


class TreatmentNoteTemplateOtherFields(Fields, total=False):
    """The fields of the other answer that can be sent."""

    enabled: bool


class TreatmentNoteTemplateQuestionFields(Fields, total=False):
    """The fields of a question that can be sent."""

    answer: str
    answers: Sequence[TreatmentNoteTemplateAnswerFields | AsRead[TreatmentNoteTemplateAnswer]]
    name: Required[Annotated[str, MaxLength(255)]]
    other: TreatmentNoteTemplateOtherFields | AsRead[TreatmentNoteTemplateOther]
    type: Required[Literal["bodycharts", "checkboxes", "date", "paragraph", "radiobuttons", "text"] | None]


class TreatmentNoteTemplateSectionFields(Fields, total=False):
    """The fields of a section that can be sent."""

    description: str | None
    name: Annotated[str, MaxLength(255)] | None
    questions: Sequence[TreatmentNoteTemplateQuestionFields | AsRead[TreatmentNoteTemplateQuestion]]


class TreatmentNoteTemplateContentFields(Fields, total=False):
    """The fields of the content that can be sent."""

    sections: Sequence[TreatmentNoteTemplateSectionFields | AsRead[TreatmentNoteTemplateSection]]


class TreatmentNoteTemplatePrintSettingsFields(Fields, total=False):
    """The fields of the print settings that can be sent."""

    include_patient_address: bool
    include_patient_dob: bool
    include_patient_medicare: bool
    include_patient_occupation: bool
    include_patient_reference_number: bool
    title: str


class TreatmentNoteTemplateFields(Fields, total=False):
    """The fields of a treatment note template that can be sent."""

    content: TreatmentNoteTemplateContentFields | AsRead[TreatmentNoteTemplateContent]
    name: Annotated[str, MaxLength(255)]
    print_settings: TreatmentNoteTemplatePrintSettingsFields | AsRead[TreatmentNoteTemplatePrintSettings]


class TreatmentNoteTemplateFilters(Filters):
    """The columns that treatment note templates can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    deleted_at = DateTimeField()
    id = IntField()
    name = Column()
    updated_at = DateTimeField()


class TreatmentNoteTemplates(
    ChangesMixin[TreatmentNoteTemplate],
    ArchivedDeletedListMixin[TreatmentNoteTemplate],
    ArchivedDeletedGetMixin[TreatmentNoteTemplate],
    ArchiveMixin[TreatmentNoteTemplate],
    DeprecatedDeleteMixin[TreatmentNoteTemplate],
):
    """The treatment note templates of an account."""

    name = "treatment_note_templates"
    record = TreatmentNoteTemplate
    where = TreatmentNoteTemplateFilters()

    async def create(self, **fields: Unpack[TreatmentNoteTemplateFields]) -> TreatmentNoteTemplate:
        """Create a treatment note template."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[TreatmentNoteTemplateFields]) -> TreatmentNoteTemplate:
        """Update a treatment note template. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
