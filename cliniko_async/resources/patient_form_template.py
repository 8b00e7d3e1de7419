"""Patient form templates: the templates from which patient forms are made."""

from collections.abc import Sequence
from typing import Annotated, Required, Unpack

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..fields import AsRead, Fields, Id, MaxLength
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._changes import ChangesMixin
from ._enums import FormQuestionType, PatientFieldConnection
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin


@record
class PatientFormTemplateAnswer(Part):
    """One of the answers that can be chosen."""

    value: str | None = None


@record
class PatientFormTemplateOptions(Part):
    """Which parts of a name the question asks for."""

    preferred_first_name_enabled: bool | None = None
    title_enabled: bool | None = None


@record
class PatientFormTemplateOther(Part):
    """The choice "other" of a question."""

    enabled: bool | None = None


@record
class PatientFormTemplateQuestion(Part):
    """A question of the template. Its type decides which of these fields are set."""

    answer: str | None = None
    answers: tuple[PatientFormTemplateAnswer, ...] | None = None
    name: str | None = None
    options: PatientFormTemplateOptions | None = None
    other: PatientFormTemplateOther | None = None
    patient_field_connection: str | None = None
    required: bool | None = None
    type: str | None = None


@record
class PatientFormTemplateSection(Part):
    """A group of questions under one heading."""

    description: str | None = None
    name: str | None = None
    questions: tuple[PatientFormTemplateQuestion, ...] | None = None


@record
class PatientFormTemplateContent(Part):
    """The questions of the template."""

    sections: tuple[PatientFormTemplateSection, ...] | None = None


@record
class PatientFormTemplate(Record):
    """A template from which patient forms are made."""

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    content: PatientFormTemplateContent | None = None
    email_to_patient_on_completion: bool | None = None
    restricted_to_practitioner: bool | None = None


class PatientFormTemplateAnswerFields(Fields, total=False):
    """The fields of an answer that can be sent."""

    value: Annotated[str, MaxLength(255)] | None


class PatientFormTemplateOptionsFields(Fields, total=False):
    """The fields of the options that can be sent."""

    preferred_first_name_enabled: bool
    title_enabled: bool


class PatientFormTemplateOtherFields(Fields, total=False):
    """The fields of the other answer that can be sent."""

    enabled: bool


class PatientFormTemplateQuestionFields(Fields, total=False):
    """The fields of a question that can be sent."""

    answer: str
    answers: Sequence[PatientFormTemplateAnswerFields | AsRead[PatientFormTemplateAnswer]]
    name: Required[Annotated[str, MaxLength(255)]]
    options: PatientFormTemplateOptionsFields | AsRead[PatientFormTemplateOptions]
    other: PatientFormTemplateOtherFields | AsRead[PatientFormTemplateOther]
    patient_field_connection: PatientFieldConnection
    required: bool
    type: Required[FormQuestionType | None]


class PatientFormTemplateSectionFields(Fields, total=False):
    """The fields of a section that can be sent."""

    description: str | None
    name: Annotated[str, MaxLength(255)] | None
    questions: Sequence[PatientFormTemplateQuestionFields | AsRead[PatientFormTemplateQuestion]]


class PatientFormTemplateContentFields(Fields, total=False):
    """The fields of the content that can be sent."""

    sections: Sequence[PatientFormTemplateSectionFields | AsRead[PatientFormTemplateSection]]


class PatientFormTemplateFields(Fields, total=False):
    """The fields of a patient form template that can be sent."""

    content: PatientFormTemplateContentFields | AsRead[PatientFormTemplateContent] | None
    email_to_patient_on_completion: bool | None
    name: Annotated[str, MaxLength(255)]
    restricted_to_practitioner: bool | None


class PatientFormTemplateFilters(Filters):
    """The columns that patient form templates can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    name = Column()
    updated_at = DateTimeField()


class PatientFormTemplates(
    ChangesMixin[PatientFormTemplate],
    ArchivedListMixin[PatientFormTemplate],
    ArchivedGetMixin[PatientFormTemplate],
    ArchiveMixin[PatientFormTemplate],
):
    """The patient form templates of an account."""

    name = "patient_form_templates"
    record = PatientFormTemplate
    where = PatientFormTemplateFilters()

    async def create(self, **fields: Unpack[PatientFormTemplateFields]) -> PatientFormTemplate:
        """Create a patient form template."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[PatientFormTemplateFields]) -> PatientFormTemplate:
        """Update a patient form template. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
