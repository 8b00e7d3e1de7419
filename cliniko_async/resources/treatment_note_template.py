"""Treatment note templates: the questions from which treatment notes are made."""

from collections.abc import Sequence
from typing import Annotated, Literal, Required, Unpack

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..fields import AsRead, Fields, Id, MaxLength
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._base import ArchivedDeletedGetMixin, ArchivedDeletedListMixin, ArchiveMixin, DeprecatedDeleteMixin
from ._changes import ChangesMixin


@record
class TreatmentNoteTemplateAnswer(Part):
    """One of the answers to choose from."""

    value: str | None = None


@record
class TreatmentNoteTemplateOther(Part):
    """The answer that is none of those to choose from."""

    enabled: bool | None = None


@record
class TreatmentNoteTemplateQuestion(Part):
    """A question of any kind, and its answer; each kind fills in some of the fields."""

    answer: str | None = None
    answers: tuple[TreatmentNoteTemplateAnswer, ...] | None = None
    name: str | None = None
    other: TreatmentNoteTemplateOther | None = None
    type: str | None = None


@record
class TreatmentNoteTemplateSection(Part):
    """Questions that belong together, under one heading."""

    description: str | None = None
    name: str | None = None
    questions: tuple[TreatmentNoteTemplateQuestion, ...] | None = None


@record
class TreatmentNoteTemplateContent(Part):
    """What is asked, and what was answered."""

    sections: tuple[TreatmentNoteTemplateSection, ...] | None = None


@record
class TreatmentNoteTemplatePrintSettings(Part):
    """What is printed along with a note."""

    include_patient_address: bool | None = None
    include_patient_dob: bool | None = None
    include_patient_medicare: bool | None = None
    include_patient_occupation: bool | None = None
    include_patient_reference_number: bool | None = None
    title: str | None = None


@record
class TreatmentNoteTemplate(Record):
    """Questions from which treatment notes are made."""

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
    """What may be sent of an answer."""

    value: Annotated[str, MaxLength(255)] | None


class TreatmentNoteTemplateOtherFields(Fields, total=False):
    """What may be sent of the other answer."""

    enabled: bool


class TreatmentNoteTemplateQuestionFields(Fields, total=False):
    """What may be sent of a question."""

    answer: str
    answers: Sequence[TreatmentNoteTemplateAnswerFields | AsRead[TreatmentNoteTemplateAnswer]]
    name: Required[Annotated[str, MaxLength(255)]]
    other: TreatmentNoteTemplateOtherFields | AsRead[TreatmentNoteTemplateOther]
    type: Required[Literal["bodycharts", "checkboxes", "date", "paragraph", "radiobuttons", "text"] | None]


class TreatmentNoteTemplateSectionFields(Fields, total=False):
    """What may be sent of a section."""

    description: str | None
    name: Annotated[str, MaxLength(255)] | None
    questions: Sequence[TreatmentNoteTemplateQuestionFields | AsRead[TreatmentNoteTemplateQuestion]]


class TreatmentNoteTemplateContentFields(Fields, total=False):
    """What may be sent of the content."""

    sections: Sequence[TreatmentNoteTemplateSectionFields | AsRead[TreatmentNoteTemplateSection]]


class TreatmentNoteTemplatePrintSettingsFields(Fields, total=False):
    """What may be sent of the print settings."""

    include_patient_address: bool
    include_patient_dob: bool
    include_patient_medicare: bool
    include_patient_occupation: bool
    include_patient_reference_number: bool
    title: str


class TreatmentNoteTemplateFields(Fields, total=False):
    """What may be sent of a treatment note template."""

    content: TreatmentNoteTemplateContentFields | AsRead[TreatmentNoteTemplateContent]
    name: Annotated[str, MaxLength(255)]
    print_settings: TreatmentNoteTemplatePrintSettingsFields | AsRead[TreatmentNoteTemplatePrintSettings]


class TreatmentNoteTemplateFilters(Filters):
    """What treatment note templates can be searched by."""

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
        """Change a treatment note template: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
