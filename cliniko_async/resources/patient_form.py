"""Patient forms: the forms that patients were asked to fill in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Required, Unpack

from .._compat import deprecated
from .._dates import Date, DateTime
from .._records.record import Part, Record, record
from ..fields import AsRead, Fields, Id, MaxLength
from ..filters import Column, DateTimeField, Filterable, Filters, IntField
from ..links import Link, SelfLink
from ..pagination import Paginator
from ._changes import ChangesMixin
from ._enums import FormQuestionType, PatientFieldConnection
from ._list_options import ArchivedListOptions
from ._mixins import ArchivedGetMixin, ArchivedListMixin, ArchiveMixin

if TYPE_CHECKING:
    from ._bookings import Booking
    from .attendee import Attendee
    from .business import Business
    from .patient import Patient
    from .signature import Signature


@record
class PatientFormReply(Part):
    """The answer to a question about the patient. The question decides which of these fields are set."""

    accusative: str | None = None
    address_1: str | None = None
    address_2: str | None = None
    address_3: str | None = None
    city: str | None = None
    country_code: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    nominative: str | None = None
    post_code: str | None = None
    predicative_possessive: str | None = None
    preferred_first_name: str | None = None
    pronominal_possessive: str | None = None
    reflexive: str | None = None
    state: str | None = None
    title: str | None = None


@record
class PatientFormReplyPhone(Part):
    """A phone number given as an answer."""

    number: str | None = None
    phone_type: str | None = None


@record
class PatientFormAnswer(Part):
    """One of the answers that can be chosen."""

    selected: bool | None = None
    value: str | None = None


@record
class PatientFormOptions(Part):
    """Which parts of a name the question asks for."""

    preferred_first_name_enabled: bool | None = None
    title_enabled: bool | None = None


@record
class PatientFormOther(Part):
    """The choice "other" of a question."""

    enabled: bool | None = None
    label: str | None = None
    selected: bool | None = None
    value: str | None = None


@record
class PatientFormQuestion(Part):
    """A question and its answer. Its type decides which of these fields are set."""

    answer: str | PatientFormReply | tuple[PatientFormReplyPhone, ...] | None = None
    answers: tuple[PatientFormAnswer, ...] | None = None
    name: str | None = None
    options: PatientFormOptions | tuple[str, ...] | None = None
    other: PatientFormOther | None = None
    patient_field_connection: str | None = None
    required: bool | None = None
    signature_id: str | None = None
    type: str | None = None


@record
class PatientFormSection(Part):
    """A group of questions under one heading."""

    description: str | None = None
    name: str | None = None
    questions: tuple[PatientFormQuestion, ...] | None = None


@record
class PatientFormContent(Part):
    """The questions and their answers."""

    sections: tuple[PatientFormSection, ...] | None = None


@record
class PatientForm(Record):
    """A form for a patient, with the answers given so far."""

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    attendee: Link["Attendee"] | None = None
    booking: Link["Booking"] | None = None
    business: Link["Business"] | None = None
    completed_at: DateTime | None = None
    content: PatientFormContent | None = None
    edited_at: DateTime | None = None
    email_to_patient_on_completion: bool | None = None
    patient: Link["Patient"] | None = None
    restricted_to_practitioner: bool | None = None
    signatures: Link["Signature"] | None = None
    url: str | None = None


class PatientFormReplyFields(Fields, total=False):
    """The fields of a reply that can be sent."""

    accusative: Annotated[str, MaxLength(50)]
    address_1: Annotated[str, MaxLength(255)]
    address_2: Annotated[str, MaxLength(255)]
    address_3: Annotated[str, MaxLength(255)]
    city: Annotated[str, MaxLength(255)]
    country_code: Annotated[str, MaxLength(2)]
    first_name: Annotated[str, MaxLength(255)]
    last_name: Annotated[str, MaxLength(255)]
    nominative: Annotated[str, MaxLength(50)]
    post_code: Annotated[str, MaxLength(255)]
    predicative_possessive: Annotated[str, MaxLength(50)]
    preferred_first_name: Annotated[str, MaxLength(255)]
    pronominal_possessive: Annotated[str, MaxLength(50)]
    reflexive: Annotated[str, MaxLength(50)]
    state: Annotated[str, MaxLength(255)]
    title: Annotated[str, MaxLength(255)]


class PatientFormReplyPhoneFields(Fields, total=False):
    """The fields of a reply phone that can be sent."""

    number: Required[Annotated[str, MaxLength(100)]]
    phone_type: Required[Literal["Fax", "Home", "Mobile", "Other", "Work"]]


class PatientFormAnswerFields(Fields, total=False):
    """The fields of an answer that can be sent."""

    selected: bool | None
    value: Annotated[str, MaxLength(255)] | None


class PatientFormOptionsFields(Fields, total=False):
    """The fields of the options that can be sent."""

    preferred_first_name_enabled: bool
    title_enabled: bool


class PatientFormOtherFields(Fields, total=False):
    """The fields of the other answer that can be sent."""

    enabled: bool
    label: Annotated[str, MaxLength(50)]
    selected: bool
    value: Annotated[str, MaxLength(255)]


class PatientFormQuestionFields(Fields, total=False):
    """The fields of a question that can be sent."""

    answer: (
        Date
        | Annotated[str, MaxLength(10_000)]
        | PatientFormReplyFields
        | AsRead[PatientFormReply]
        | Sequence[PatientFormReplyPhoneFields | AsRead[PatientFormReplyPhone]]
    )
    answers: Sequence[PatientFormAnswerFields | AsRead[PatientFormAnswer]]
    name: Required[Annotated[str, MaxLength(255)]]
    options: PatientFormOptionsFields | AsRead[PatientFormOptions] | Sequence[Annotated[str, MaxLength(255)]]
    other: PatientFormOtherFields | AsRead[PatientFormOther]
    patient_field_connection: PatientFieldConnection
    required: bool
    signature_id: Id
    type: Required[FormQuestionType | None]


class PatientFormSectionFields(Fields, total=False):
    """The fields of a section that can be sent."""

    description: str | None
    name: Annotated[str, MaxLength(255)] | None
    questions: Sequence[PatientFormQuestionFields | AsRead[PatientFormQuestion]]


class PatientFormContentFields(Fields, total=False):
    """The fields of the content that can be sent."""

    sections: Sequence[PatientFormSectionFields | AsRead[PatientFormSection]]


class PatientFormFields(Fields, total=False):
    """The fields of a patient form that can be sent."""

    attendee_id: Id
    business_id: Id
    completed: bool
    content: PatientFormContentFields | AsRead[PatientFormContent] | None
    email_to_patient_on_completion: bool | None
    name: Annotated[str, MaxLength(255)]
    patient_form_template_id: Id
    patient_id: Id
    restricted_to_practitioner: bool | None


class PatientFormFilters(Filters):
    """The columns that patient forms can be filtered and sorted by."""

    archived_at = DateTimeField()
    attendee_id = IntField()
    completed_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    name = Column()
    patient_id = IntField()
    updated_at = DateTimeField()


class PatientForms(
    ChangesMixin[PatientForm], ArchivedListMixin[PatientForm], ArchivedGetMixin[PatientForm], ArchiveMixin[PatientForm]
):
    """The patient forms of an account."""

    name = "patient_forms"
    record = PatientForm
    where = PatientFormFilters()

    @deprecated("the API has deprecated this path; use list with a filter on attendee_id")
    def list_for_attendee(
        self, attendee_id: Id, /, *filters: Filterable, **options: Unpack[ArchivedListOptions]
    ) -> Paginator[PatientForm]:
        """Return a paginator over the patient forms of an attendee."""
        return self._list(f"/attendees/{self._id(attendee_id, 'attendee_id')}/patient_forms", filters, options)

    async def create(self, **fields: Unpack[PatientFormFields]) -> PatientForm:
        """Create a patient form."""
        return await self._create(fields)

    async def update(self, id: Id, /, **fields: Unpack[PatientFormFields]) -> PatientForm:
        """Update a patient form. Omitted fields stay unchanged; None clears a field."""
        return await self._update(id, fields)
