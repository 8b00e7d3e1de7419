"""Patient form templates: the forms from which those for patients are made."""

from collections.abc import Sequence
from typing import Annotated, Literal, Required, Unpack

from .._dates import DateTime
from .._records.record import Part, Record, record
from ..fields import AsRead, Fields, Id, MaxLength
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import SelfLink
from ._base import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin
from ._changes import ChangesMixin


@record
class PatientFormTemplateAnswer(Part):
    """One of the answers to choose from."""

    value: str | None = None


@record
class PatientFormTemplateOptions(Part):
    """Which parts of a name are asked for."""

    preferred_first_name_enabled: bool | None = None
    title_enabled: bool | None = None


@record
class PatientFormTemplateOther(Part):
    """The answer that is none of those to choose from."""

    enabled: bool | None = None


@record
class PatientFormTemplateQuestion(Part):
    """A question of any kind, and its answer; each kind fills in some of the fields."""

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
    """Questions that belong together, under one heading."""

    description: str | None = None
    name: str | None = None
    questions: tuple[PatientFormTemplateQuestion, ...] | None = None


@record
class PatientFormTemplateContent(Part):
    """What is asked, and what was answered."""

    sections: tuple[PatientFormTemplateSection, ...] | None = None


@record
class PatientFormTemplate(Record):
    """A form from which those for patients are made."""

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
    """What may be sent of an answer."""

    value: Annotated[str, MaxLength(255)] | None


class PatientFormTemplateOptionsFields(Fields, total=False):
    """What may be sent of the options."""

    preferred_first_name_enabled: bool
    title_enabled: bool


class PatientFormTemplateOtherFields(Fields, total=False):
    """What may be sent of the other answer."""

    enabled: bool


class PatientFormTemplateQuestionFields(Fields, total=False):
    """What may be sent of a question."""

    answer: str
    answers: Sequence[PatientFormTemplateAnswerFields | AsRead[PatientFormTemplateAnswer]]
    name: Required[Annotated[str, MaxLength(255)]]
    options: PatientFormTemplateOptionsFields | AsRead[PatientFormTemplateOptions]
    other: PatientFormTemplateOtherFields | AsRead[PatientFormTemplateOther]
    patient_field_connection: Literal["address", "full_name", "phone", "pronouns", "gender_identity", "sex"]
    required: bool
    type: Required[
        Literal[
            "address",
            "checkboxes",
            "date",
            "full_name",
            "paragraph",
            "phone",
            "pronouns",
            "radiobuttons",
            "select",
            "signature",
            "text",
        ]
        | None
    ]


class PatientFormTemplateSectionFields(Fields, total=False):
    """What may be sent of a section."""

    description: str | None
    name: Annotated[str, MaxLength(255)] | None
    questions: Sequence[PatientFormTemplateQuestionFields | AsRead[PatientFormTemplateQuestion]]


class PatientFormTemplateContentFields(Fields, total=False):
    """What may be sent of the content."""

    sections: Sequence[PatientFormTemplateSectionFields | AsRead[PatientFormTemplateSection]]


class PatientFormTemplateFields(Fields, total=False):
    """What may be sent of a patient form template."""

    content: PatientFormTemplateContentFields | AsRead[PatientFormTemplateContent] | None
    email_to_patient_on_completion: bool | None
    name: Annotated[str, MaxLength(255)]
    restricted_to_practitioner: bool | None


class PatientFormTemplateFilters(Filters):
    """What patient form templates can be searched by."""

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
        """Change a patient form template: a field left out stays as it is, None clears one."""
        return await self._update(id, fields)
