"""The fields that a clinic added to its patients: as they are read, and as they can be sent."""

from collections.abc import Sequence
from typing import Annotated, Literal, Required

from .._dates import Date
from .._records.record import Part, record
from ..fields import AsRead, Fields, MaxLength


@record
class PatientCustomFieldOption(Part):
    """A value that can be chosen for a custom field."""

    archived: bool | None = None
    name: str | None = None
    selected: bool | None = None
    token: str | None = None


@record
class PatientCustomFieldOther(Part):
    """The choice "other" of a custom field."""

    archived: bool | None = None
    enabled: bool | None = None
    selected: bool | None = None
    value: str | None = None


@record
class PatientCustomField(Part):
    """A field that a clinic added. Its type decides which of these fields are set."""

    archived: bool | None = None
    name: str | None = None
    options: tuple[PatientCustomFieldOption, ...] | None = None
    other: PatientCustomFieldOther | None = None
    token: str | None = None
    type: str | None = None
    value: str | None = None


@record
class PatientCustomFieldSection(Part):
    """A group of custom fields under one heading."""

    archived: bool | None = None
    fields: tuple[PatientCustomField, ...] | None = None
    name: str | None = None
    token: str | None = None


@record
class PatientCustomFields(Part):
    """The fields that a clinic added to its patients."""

    sections: tuple[PatientCustomFieldSection, ...] | None = None


class PatientCustomFieldOptionFields(Fields, total=False):
    """The fields of a custom field option that can be sent."""

    archived: bool | None
    name: str | None
    selected: bool
    token: Required[str]


class PatientCustomFieldOtherFields(Fields, total=False):
    """The fields of the other value that can be sent."""

    archived: bool | None
    enabled: bool | None
    selected: bool
    value: Annotated[str, MaxLength(255)]


class PatientCustomFieldFields(Fields, total=False):
    """The fields of a custom field that can be sent."""

    archived: bool | None
    name: str | None
    options: Sequence[PatientCustomFieldOptionFields | AsRead[PatientCustomFieldOption]]
    other: PatientCustomFieldOtherFields | AsRead[PatientCustomFieldOther]
    token: Required[str]
    type: Literal["checkboxes", "date", "paragraph", "radiobuttons", "text"] | None
    value: Date | str


class PatientCustomFieldSectionFields(Fields, total=False):
    """The fields of a custom field section that can be sent."""

    archived: bool | None
    fields: Required[Sequence[PatientCustomFieldFields | AsRead[PatientCustomField]]]
    name: str | None
    token: Required[str]


class PatientCustomFieldsFields(Fields, total=False):
    """The fields of the custom fields that can be sent."""

    sections: Sequence[PatientCustomFieldSectionFields | AsRead[PatientCustomFieldSection]]
