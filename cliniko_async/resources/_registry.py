"""Which resources there are and where each stands, so that each is loaded when it is first used."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Generic, Protocol, TypeVar, overload

from .._paging.api import Api
from .._spelling import did_you_mean
from ._base import AnyResource, Resource

R = TypeVar("R", bound=Resource[Any])

RESOURCES = {
    "appointment_type_billable_items": ("appointment_type_billable_item", "AppointmentTypeBillableItems"),
    "appointment_type_products": ("appointment_type_product", "AppointmentTypeProducts"),
    "appointment_types": ("appointment_type", "AppointmentTypes"),
    "attendees": ("attendee", "Attendees"),
    "availability_blocks": ("availability_block", "AvailabilityBlocks"),
    "available_times": ("available_time", "AvailableTimes"),
    "billable_items": ("billable_item", "BillableItems"),
    "bookings": ("booking", "Bookings"),
    "businesses": ("business", "Businesses"),
    "communications": ("communication", "Communications"),
    "concession_prices": ("concession_price", "ConcessionPrices"),
    "concession_types": ("concession_type", "ConcessionTypes"),
    "contacts": ("contact", "Contacts"),
    "daily_availabilities": ("daily_availability", "DailyAvailabilities"),
    "group_appointments": ("group_appointment", "GroupAppointments"),
    "individual_appointments": ("individual_appointment", "IndividualAppointments"),
    "invoice_items": ("invoice_item", "InvoiceItems"),
    "invoices": ("invoice", "Invoices"),
    "medical_alerts": ("medical_alert", "MedicalAlerts"),
    "patient_attachments": ("patient_attachment", "PatientAttachments"),
    "patient_cases": ("patient_case", "PatientCases"),
    "patient_form_templates": ("patient_form_template", "PatientFormTemplates"),
    "patient_forms": ("patient_form", "PatientForms"),
    "patients": ("patient", "Patients"),
    "practitioner_reference_numbers": ("practitioner_reference_number", "PractitionerReferenceNumbers"),
    "practitioners": ("practitioner", "Practitioners"),
    "product_suppliers": ("product_supplier", "ProductSuppliers"),
    "products": ("product", "Products"),
    "public_settings": ("public_settings", "PublicAccountSettings"),
    "referral_source_types": ("referral_source_type", "ReferralSourceTypes"),
    "referral_sources": ("referral_source", "ReferralSources"),
    "relationships": ("relationship", "Relationships"),
    "services": ("service", "Services"),
    "settings": ("settings", "AccountSettings"),
    "signatures": ("signature", "Signatures"),
    "stock_adjustments": ("stock_adjustment", "StockAdjustments"),
    "taxes": ("tax", "Taxes"),
    "treatment_note_templates": ("treatment_note_template", "TreatmentNoteTemplates"),
    "treatment_notes": ("treatment_note", "TreatmentNotes"),
    "unavailable_block_types": ("unavailable_block_type", "UnavailableBlockTypes"),
    "unavailable_blocks": ("unavailable_block", "UnavailableBlocks"),
    "users": ("user", "Users"),
}
"""Each resource: the module of its table, and its class there."""

NAMES = {
    "_bookings": (
        "Booking",
        "BookingRepeatRule",
        "CancelFields",
        "Conflicts",
        "ConflictsFound",
        "GroupAppointment",
        "IndividualAppointment",
        "UnavailableBlock",
    ),
    "_settings": (
        "PublicSettingsAccount",
        "PublicSettingsIntegrations",
        "PublicSettingsOnlineBookings",
        "PublicSettingsPatientPrivacy",
        "SettingsCalendar",
        "SettingsCustomField",
        "SettingsCustomFieldOption",
        "SettingsCustomFieldOther",
        "SettingsCustomFieldSection",
        "SettingsCustomFieldsDefinition",
        "SettingsDocumentsAndPrinting",
        "SettingsMailChimp",
        "SettingsOnlinePayments",
        "SettingsReminders",
        "SettingsSms",
        "SettingsTerminology",
        "SettingsWaitList",
        "SettingsXero",
    ),
    "appointment_type": (
        "AppointmentType",
        "AppointmentTypeFields",
        "AppointmentTypes",
    ),
    "appointment_type_billable_item": (
        "AppointmentTypeBillableItem",
        "AppointmentTypeBillableItemCreateFields",
        "AppointmentTypeBillableItemUpdateFields",
        "AppointmentTypeBillableItems",
    ),
    "appointment_type_product": (
        "AppointmentTypeProduct",
        "AppointmentTypeProductCreateFields",
        "AppointmentTypeProductUpdateFields",
        "AppointmentTypeProducts",
    ),
    "attendee": (
        "Attendee",
        "AttendeeCreateFields",
        "AttendeeUpdateFields",
        "Attendees",
    ),
    "availability_block": (
        "AvailabilityBlock",
        "AvailabilityBlockFields",
        "AvailabilityBlockRepeatRule",
        "AvailabilityBlockRepeatRuleFields",
        "AvailabilityBlocks",
    ),
    "available_time": (
        "AvailableTime",
        "AvailableTimes",
        "AvailableTimesOptions",
        "NextAvailableTime",
    ),
    "billable_item": (
        "BillableItem",
        "BillableItemFields",
        "BillableItems",
    ),
    "booking": ("Bookings",),
    "business": (
        "Business",
        "BusinessFields",
        "Businesses",
    ),
    "communication": (
        "Communication",
        "CommunicationFields",
        "Communications",
        "EmailCommunication",
        "MemoCommunication",
        "SmsCommunication",
    ),
    "concession_price": (
        "ConcessionPrice",
        "ConcessionPrices",
    ),
    "concession_type": (
        "ConcessionType",
        "ConcessionTypeFields",
        "ConcessionTypes",
    ),
    "contact": (
        "Contact",
        "ContactFields",
        "ContactPhoneNumber",
        "ContactPhoneNumberFields",
        "Contacts",
    ),
    "daily_availability": (
        "DailyAvailabilities",
        "DailyAvailability",
        "DailyAvailabilityHours",
    ),
    "group_appointment": (
        "GroupAppointmentCreateFields",
        "GroupAppointmentFields",
        "GroupAppointmentRepeatRuleFields",
        "GroupAppointmentUpdateFields",
        "GroupAppointments",
    ),
    "individual_appointment": (
        "IndividualAppointmentCreateFields",
        "IndividualAppointmentFields",
        "IndividualAppointmentRepeatRuleFields",
        "IndividualAppointmentUpdateFields",
        "IndividualAppointments",
    ),
    "invoice": (
        "Invoice",
        "Invoices",
    ),
    "invoice_item": (
        "InvoiceItem",
        "InvoiceItems",
    ),
    "medical_alert": (
        "MedicalAlert",
        "MedicalAlertFields",
        "MedicalAlerts",
    ),
    "patient": (
        "Patient",
        "PatientCustomField",
        "PatientCustomFieldFields",
        "PatientCustomFieldOption",
        "PatientCustomFieldOptionFields",
        "PatientCustomFieldOther",
        "PatientCustomFieldOtherFields",
        "PatientCustomFieldSection",
        "PatientCustomFieldSectionFields",
        "PatientCustomFields",
        "PatientCustomFieldsFields",
        "PatientFields",
        "PatientPhoneNumber",
        "PatientPhoneNumberFields",
        "PatientPronouns",
        "PatientPronounsFields",
        "Patients",
    ),
    "patient_attachment": (
        "AttachmentPresignedPost",
        "FullPatientExport",
        "PatientAttachment",
        "PatientAttachmentCreateFields",
        "PatientAttachmentUpdateFields",
        "PatientAttachments",
        "UploadedPatientAttachment",
    ),
    "patient_case": (
        "PatientCase",
        "PatientCaseFields",
        "PatientCases",
    ),
    "patient_form": (
        "PatientForm",
        "PatientFormAnswer",
        "PatientFormAnswerFields",
        "PatientFormContent",
        "PatientFormContentFields",
        "PatientFormFields",
        "PatientFormOptions",
        "PatientFormOptionsFields",
        "PatientFormOther",
        "PatientFormOtherFields",
        "PatientFormQuestion",
        "PatientFormQuestionFields",
        "PatientFormReply",
        "PatientFormReplyFields",
        "PatientFormReplyPhone",
        "PatientFormReplyPhoneFields",
        "PatientFormSection",
        "PatientFormSectionFields",
        "PatientForms",
    ),
    "patient_form_template": (
        "PatientFormTemplate",
        "PatientFormTemplateAnswer",
        "PatientFormTemplateAnswerFields",
        "PatientFormTemplateContent",
        "PatientFormTemplateContentFields",
        "PatientFormTemplateFields",
        "PatientFormTemplateOptions",
        "PatientFormTemplateOptionsFields",
        "PatientFormTemplateOther",
        "PatientFormTemplateOtherFields",
        "PatientFormTemplateQuestion",
        "PatientFormTemplateQuestionFields",
        "PatientFormTemplateSection",
        "PatientFormTemplateSectionFields",
        "PatientFormTemplates",
    ),
    "practitioner": (
        "Practitioner",
        "Practitioners",
    ),
    "practitioner_reference_number": (
        "PractitionerReferenceNumber",
        "PractitionerReferenceNumberFields",
        "PractitionerReferenceNumbers",
    ),
    "product": (
        "Product",
        "ProductFields",
        "Products",
    ),
    "product_supplier": (
        "ProductSupplier",
        "ProductSupplierFields",
        "ProductSuppliers",
    ),
    "public_settings": (
        "PublicAccountSettings",
        "PublicSettings",
    ),
    "referral_source": (
        "ReferralSource",
        "ReferralSourceFields",
        "ReferralSources",
    ),
    "referral_source_type": (
        "ReferralSourceType",
        "ReferralSourceTypes",
    ),
    "relationship": (
        "Relationship",
        "RelationshipFields",
        "Relationships",
    ),
    "service": (
        "Service",
        "Services",
    ),
    "settings": (
        "AccountSettings",
        "Settings",
        "SettingsAccount",
        "SettingsAdroll",
        "SettingsCompliance",
        "SettingsGoogleAnalytics",
        "SettingsGoogleTagManager",
        "SettingsIntegrations",
        "SettingsMedipass",
        "SettingsOnlineBookings",
        "SettingsPatientPrivacy",
    ),
    "signature": (
        "Signature",
        "Signatures",
    ),
    "stock_adjustment": (
        "StockAdjustment",
        "StockAdjustmentFields",
        "StockAdjustments",
    ),
    "tax": (
        "Tax",
        "TaxFields",
        "Taxes",
    ),
    "treatment_note": (
        "TreatmentNote",
        "TreatmentNoteAnswer",
        "TreatmentNoteAnswerFields",
        "TreatmentNoteContent",
        "TreatmentNoteContentFields",
        "TreatmentNoteFields",
        "TreatmentNoteOther",
        "TreatmentNoteOtherFields",
        "TreatmentNoteQuestion",
        "TreatmentNoteQuestionFields",
        "TreatmentNoteSection",
        "TreatmentNoteSectionFields",
        "TreatmentNotes",
    ),
    "treatment_note_template": (
        "TreatmentNoteTemplate",
        "TreatmentNoteTemplateAnswer",
        "TreatmentNoteTemplateAnswerFields",
        "TreatmentNoteTemplateContent",
        "TreatmentNoteTemplateContentFields",
        "TreatmentNoteTemplateFields",
        "TreatmentNoteTemplateOther",
        "TreatmentNoteTemplateOtherFields",
        "TreatmentNoteTemplatePrintSettings",
        "TreatmentNoteTemplatePrintSettingsFields",
        "TreatmentNoteTemplateQuestion",
        "TreatmentNoteTemplateQuestionFields",
        "TreatmentNoteTemplateSection",
        "TreatmentNoteTemplateSectionFields",
        "TreatmentNoteTemplates",
    ),
    "unavailable_block": (
        "UnavailableBlockFields",
        "UnavailableBlockRepeatRuleFields",
        "UnavailableBlocks",
    ),
    "unavailable_block_type": (
        "UnavailableBlockType",
        "UnavailableBlockTypeFields",
        "UnavailableBlockTypes",
    ),
    "user": (
        "User",
        "UserPhoneNumber",
        "Users",
    ),
}
"""The public names of each module of tables."""


@cache
def resource_class(name: str) -> "type[Resource[Any]]":
    """Give the class of a resource.

    Raises:
        KeyError: there is no such resource.
    """
    module, attribute = RESOURCES[name]
    found: type[Resource[Any]] = getattr(importlib.import_module(f".{module}", __package__), attribute)
    return found


class _Client(Protocol):
    @property
    def _view(self) -> Api: ...


class ResourceAttribute(Generic[R]):
    """A resource as an attribute of the client, loaded when it is first used.

    Of a client it is the resource, and of the class of clients the class of the resource, so that `dir`, `help`, mocks
    made by specification and editors find what there is.
    """

    def __init__(self, name: str) -> None:
        """Take the name of the resource, which is that of the attribute."""
        self._name = name
        self.__doc__ = f"The {name.replace('_', ' ')} of the account."

    @overload
    def __get__(self, client: None, owner: type) -> type[R]: ...

    @overload
    def __get__(self, client: _Client, owner: type) -> R: ...

    def __get__(self, client: Any, owner: type) -> Any:
        """Return the class of the resource, or the resource of a client, which keeps it."""
        found = resource_class(self._name)
        if client is None:
            return found
        resource = vars(client)[self._name] = found(client._view)  # noqa: SLF001  (it is a part of the client)
        return resource


class Resources(Mapping[str, AnyResource]):
    """The resources of a client by their names; each is loaded when it is asked for."""

    def __init__(self, client: object) -> None:
        """Take the client whose resources they are."""
        self._client = client

    def __getitem__(self, name: str) -> AnyResource:
        """Return a resource.

        Raises:
            KeyError: there is no such resource.
        """
        if name not in RESOURCES:
            raise KeyError(f"no resource {name!r}{did_you_mean(name, RESOURCES)}")
        found: AnyResource = getattr(self._client, name)
        return found

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(RESOURCES)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(RESOURCES)
