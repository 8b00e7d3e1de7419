"""An async client of the Cliniko API: typed records, lists that lose nothing, and the rate limit kept.

```python
async with Cliniko(api_key, app_name="Rosters", contact_email="it@example.com") as cliniko:
    async for kind in cliniko.appointment_types.list():
        print(kind.name)
```

Every name is loaded when it is first used: the import by itself loads nothing else, not even aiohttp.
"""

import importlib
from typing import TYPE_CHECKING

from ._spelling import did_you_mean as _did_you_mean
from .resources._names import NAMES as _NAMES

if TYPE_CHECKING:
    from ._files.download import Download
    from ._files.source import FileSource
    from ._http.retry import RetryPolicy
    from ._messages import Request, Response
    from ._pool.runner import Outcome
    from ._records.converter import configure_converter, from_dict, to_dict, to_json
    from .changes import Change, Changes
    from .client import Cliniko
    from .errors import (
        BadRequestError,
        ClinikoError,
        ConfigurationError,
        DeadlineExceededError,
        DecodingError,
        ForbiddenError,
        InvalidFieldsError,
        InvalidRequestError,
        LimiterUnavailableError,
        NotFoundError,
        OutcomeUnknownError,
        PaginationDriftError,
        PaginationError,
        RateLimitedError,
        ResponseError,
        ServerError,
        TransportError,
        TransportTimeoutError,
        UnauthorizedError,
        UnprocessableError,
        UsageError,
    )
    from .filters import Filter, Sort
    from .limits import Limits, Permit, RateLimiter, RedisLimiter, SlidingWindowLimiter, SqliteLimiter
    from .links import Link, ListLink
    from .pagination import Page, Paginator
    from .pool import AccountPool
    from .resources._bookings import (
        Booking,
        BookingRepeatRule,
        CancelFields,
        Conflicts,
        ConflictsFound,
        GroupAppointment,
        IndividualAppointment,
        UnavailableBlock,
    )
    from .resources._settings import (
        PublicSettingsAccount,
        PublicSettingsIntegrations,
        PublicSettingsOnlineBookings,
        PublicSettingsPatientPrivacy,
        SettingsCalendar,
        SettingsCustomField,
        SettingsCustomFieldOption,
        SettingsCustomFieldOther,
        SettingsCustomFieldsDefinition,
        SettingsCustomFieldSection,
        SettingsDocumentsAndPrinting,
        SettingsMailChimp,
        SettingsOnlinePayments,
        SettingsReminders,
        SettingsSms,
        SettingsTerminology,
        SettingsWaitList,
        SettingsXero,
    )
    from .resources.appointment_type import AppointmentType, AppointmentTypeFields, AppointmentTypes
    from .resources.appointment_type_billable_item import (
        AppointmentTypeBillableItem,
        AppointmentTypeBillableItemCreateFields,
        AppointmentTypeBillableItems,
        AppointmentTypeBillableItemUpdateFields,
    )
    from .resources.appointment_type_product import (
        AppointmentTypeProduct,
        AppointmentTypeProductCreateFields,
        AppointmentTypeProducts,
        AppointmentTypeProductUpdateFields,
    )
    from .resources.attendee import Attendee, AttendeeCreateFields, Attendees, AttendeeUpdateFields
    from .resources.availability_block import (
        AvailabilityBlock,
        AvailabilityBlockFields,
        AvailabilityBlockRepeatRule,
        AvailabilityBlockRepeatRuleFields,
        AvailabilityBlocks,
    )
    from .resources.available_time import AvailableTime, AvailableTimes, AvailableTimesOptions, NextAvailableTime
    from .resources.billable_item import BillableItem, BillableItemFields, BillableItems
    from .resources.booking import Bookings
    from .resources.business import Business, Businesses, BusinessFields
    from .resources.communication import (
        Communication,
        CommunicationFields,
        Communications,
        EmailCommunication,
        MemoCommunication,
        SmsCommunication,
    )
    from .resources.concession_price import ConcessionPrice, ConcessionPrices
    from .resources.concession_type import ConcessionType, ConcessionTypeFields, ConcessionTypes
    from .resources.contact import Contact, ContactFields, ContactPhoneNumber, ContactPhoneNumberFields, Contacts
    from .resources.daily_availability import DailyAvailabilities, DailyAvailability, DailyAvailabilityHours
    from .resources.group_appointment import (
        GroupAppointmentCreateFields,
        GroupAppointmentFields,
        GroupAppointmentRepeatRuleFields,
        GroupAppointments,
        GroupAppointmentUpdateFields,
    )
    from .resources.individual_appointment import (
        IndividualAppointmentCreateFields,
        IndividualAppointmentFields,
        IndividualAppointmentRepeatRuleFields,
        IndividualAppointments,
        IndividualAppointmentUpdateFields,
    )
    from .resources.invoice import Invoice, Invoices
    from .resources.invoice_item import InvoiceItem, InvoiceItems
    from .resources.medical_alert import MedicalAlert, MedicalAlertFields, MedicalAlerts
    from .resources.patient import (
        Patient,
        PatientCustomField,
        PatientCustomFieldFields,
        PatientCustomFieldOption,
        PatientCustomFieldOptionFields,
        PatientCustomFieldOther,
        PatientCustomFieldOtherFields,
        PatientCustomFields,
        PatientCustomFieldSection,
        PatientCustomFieldSectionFields,
        PatientCustomFieldsFields,
        PatientFields,
        PatientPhoneNumber,
        PatientPhoneNumberFields,
        PatientPronouns,
        PatientPronounsFields,
        Patients,
    )
    from .resources.patient_attachment import (
        AttachmentPresignedPost,
        FullPatientExport,
        PatientAttachment,
        PatientAttachmentCreateFields,
        PatientAttachments,
        PatientAttachmentUpdateFields,
        UploadedPatientAttachment,
    )
    from .resources.patient_case import PatientCase, PatientCaseFields, PatientCases
    from .resources.patient_form import (
        PatientForm,
        PatientFormAnswer,
        PatientFormAnswerFields,
        PatientFormContent,
        PatientFormContentFields,
        PatientFormFields,
        PatientFormOptions,
        PatientFormOptionsFields,
        PatientFormOther,
        PatientFormOtherFields,
        PatientFormQuestion,
        PatientFormQuestionFields,
        PatientFormReply,
        PatientFormReplyFields,
        PatientFormReplyPhone,
        PatientFormReplyPhoneFields,
        PatientForms,
        PatientFormSection,
        PatientFormSectionFields,
    )
    from .resources.patient_form_template import (
        PatientFormTemplate,
        PatientFormTemplateAnswer,
        PatientFormTemplateAnswerFields,
        PatientFormTemplateContent,
        PatientFormTemplateContentFields,
        PatientFormTemplateFields,
        PatientFormTemplateOptions,
        PatientFormTemplateOptionsFields,
        PatientFormTemplateOther,
        PatientFormTemplateOtherFields,
        PatientFormTemplateQuestion,
        PatientFormTemplateQuestionFields,
        PatientFormTemplates,
        PatientFormTemplateSection,
        PatientFormTemplateSectionFields,
    )
    from .resources.practitioner import Practitioner, Practitioners
    from .resources.practitioner_reference_number import (
        PractitionerReferenceNumber,
        PractitionerReferenceNumberFields,
        PractitionerReferenceNumbers,
    )
    from .resources.product import Product, ProductFields, Products
    from .resources.product_supplier import ProductSupplier, ProductSupplierFields, ProductSuppliers
    from .resources.public_settings import PublicAccountSettings, PublicSettings
    from .resources.referral_source import ReferralSource, ReferralSourceFields, ReferralSources
    from .resources.referral_source_type import ReferralSourceType, ReferralSourceTypes
    from .resources.relationship import Relationship, RelationshipFields, Relationships
    from .resources.service import Service, Services
    from .resources.settings import (
        AccountSettings,
        Settings,
        SettingsAccount,
        SettingsAdroll,
        SettingsCompliance,
        SettingsGoogleAnalytics,
        SettingsGoogleTagManager,
        SettingsIntegrations,
        SettingsMedipass,
        SettingsOnlineBookings,
        SettingsPatientPrivacy,
    )
    from .resources.signature import Signature, Signatures
    from .resources.stock_adjustment import StockAdjustment, StockAdjustmentFields, StockAdjustments
    from .resources.tax import Tax, Taxes, TaxFields
    from .resources.treatment_note import (
        TreatmentNote,
        TreatmentNoteAnswer,
        TreatmentNoteAnswerFields,
        TreatmentNoteContent,
        TreatmentNoteContentFields,
        TreatmentNoteFields,
        TreatmentNoteOther,
        TreatmentNoteOtherFields,
        TreatmentNoteQuestion,
        TreatmentNoteQuestionFields,
        TreatmentNotes,
        TreatmentNoteSection,
        TreatmentNoteSectionFields,
    )
    from .resources.treatment_note_template import (
        TreatmentNoteTemplate,
        TreatmentNoteTemplateAnswer,
        TreatmentNoteTemplateAnswerFields,
        TreatmentNoteTemplateContent,
        TreatmentNoteTemplateContentFields,
        TreatmentNoteTemplateFields,
        TreatmentNoteTemplateOther,
        TreatmentNoteTemplateOtherFields,
        TreatmentNoteTemplatePrintSettings,
        TreatmentNoteTemplatePrintSettingsFields,
        TreatmentNoteTemplateQuestion,
        TreatmentNoteTemplateQuestionFields,
        TreatmentNoteTemplates,
        TreatmentNoteTemplateSection,
        TreatmentNoteTemplateSectionFields,
    )
    from .resources.unavailable_block import UnavailableBlockFields, UnavailableBlockRepeatRuleFields, UnavailableBlocks
    from .resources.unavailable_block_type import (
        UnavailableBlockType,
        UnavailableBlockTypeFields,
        UnavailableBlockTypes,
    )
    from .resources.user import User, UserPhoneNumber, Users

# fmt: off
__all__ = [
    "AccountPool", "AccountSettings",
    "AppointmentType", "AppointmentTypeBillableItem", "AppointmentTypeBillableItemCreateFields",
    "AppointmentTypeBillableItemUpdateFields", "AppointmentTypeBillableItems", "AppointmentTypeFields",
    "AppointmentTypeProduct", "AppointmentTypeProductCreateFields", "AppointmentTypeProductUpdateFields",
    "AppointmentTypeProducts", "AppointmentTypes", "AttachmentPresignedPost", "Attendee", "AttendeeCreateFields",
    "AttendeeUpdateFields", "Attendees", "AvailabilityBlock", "AvailabilityBlockFields", "AvailabilityBlockRepeatRule",
    "AvailabilityBlockRepeatRuleFields", "AvailabilityBlocks", "AvailableTime", "AvailableTimes",
    "AvailableTimesOptions", "BadRequestError", "BillableItem", "BillableItemFields", "BillableItems", "Booking",
    "BookingRepeatRule", "Bookings", "Business", "BusinessFields", "Businesses", "CancelFields", "Change", "Changes",
    "Cliniko", "ClinikoError", "Communication", "CommunicationFields", "Communications", "ConcessionPrice",
    "ConcessionPrices", "ConcessionType", "ConcessionTypeFields", "ConcessionTypes", "ConfigurationError", "Conflicts",
    "ConflictsFound", "Contact", "ContactFields", "ContactPhoneNumber", "ContactPhoneNumberFields", "Contacts",
    "DailyAvailabilities", "DailyAvailability", "DailyAvailabilityHours", "DeadlineExceededError", "DecodingError",
    "Download", "EmailCommunication", "FileSource", "Filter", "ForbiddenError", "FullPatientExport", "GroupAppointment",
    "GroupAppointmentCreateFields", "GroupAppointmentFields", "GroupAppointmentRepeatRuleFields",
    "GroupAppointmentUpdateFields", "GroupAppointments", "IndividualAppointment", "IndividualAppointmentCreateFields",
    "IndividualAppointmentFields", "IndividualAppointmentRepeatRuleFields", "IndividualAppointmentUpdateFields",
    "IndividualAppointments", "InvalidFieldsError", "InvalidRequestError",
    "Invoice", "InvoiceItem", "InvoiceItems", "Invoices",
    "LimiterUnavailableError", "Limits", "Link", "ListLink", "MedicalAlert", "MedicalAlertFields", "MedicalAlerts",
    "MemoCommunication", "NextAvailableTime", "NotFoundError", "Outcome", "OutcomeUnknownError", "Page",
    "PaginationDriftError",
    "PaginationError", "Paginator", "Patient", "PatientAttachment", "PatientAttachmentCreateFields",
    "PatientAttachmentUpdateFields", "PatientAttachments", "PatientCase", "PatientCaseFields", "PatientCases",
    "PatientCustomField", "PatientCustomFieldFields", "PatientCustomFieldOption", "PatientCustomFieldOptionFields",
    "PatientCustomFieldOther", "PatientCustomFieldOtherFields", "PatientCustomFieldSection",
    "PatientCustomFieldSectionFields", "PatientCustomFields", "PatientCustomFieldsFields", "PatientFields",
    "PatientForm", "PatientFormAnswer", "PatientFormAnswerFields", "PatientFormContent", "PatientFormContentFields",
    "PatientFormFields", "PatientFormOptions", "PatientFormOptionsFields", "PatientFormOther", "PatientFormOtherFields",
    "PatientFormQuestion", "PatientFormQuestionFields", "PatientFormReply", "PatientFormReplyFields",
    "PatientFormReplyPhone", "PatientFormReplyPhoneFields", "PatientFormSection", "PatientFormSectionFields",
    "PatientFormTemplate", "PatientFormTemplateAnswer", "PatientFormTemplateAnswerFields", "PatientFormTemplateContent",
    "PatientFormTemplateContentFields", "PatientFormTemplateFields", "PatientFormTemplateOptions",
    "PatientFormTemplateOptionsFields", "PatientFormTemplateOther", "PatientFormTemplateOtherFields",
    "PatientFormTemplateQuestion", "PatientFormTemplateQuestionFields", "PatientFormTemplateSection",
    "PatientFormTemplateSectionFields", "PatientFormTemplates", "PatientForms", "PatientPhoneNumber",
    "PatientPhoneNumberFields", "PatientPronouns", "PatientPronounsFields", "Patients", "Permit", "Practitioner",
    "PractitionerReferenceNumber", "PractitionerReferenceNumberFields", "PractitionerReferenceNumbers", "Practitioners",
    "Product", "ProductFields", "ProductSupplier", "ProductSupplierFields", "ProductSuppliers", "Products",
    "PublicAccountSettings", "PublicSettings", "PublicSettingsAccount", "PublicSettingsIntegrations",
    "PublicSettingsOnlineBookings", "PublicSettingsPatientPrivacy", "RateLimitedError", "RateLimiter", "RedisLimiter",
    "ReferralSource", "ReferralSourceFields", "ReferralSourceType", "ReferralSourceTypes", "ReferralSources",
    "Relationship", "RelationshipFields", "Relationships", "Request", "Response", "ResponseError", "RetryPolicy",
    "ServerError", "Service", "Services", "Settings", "SettingsAccount", "SettingsAdroll", "SettingsCalendar",
    "SettingsCompliance", "SettingsCustomField", "SettingsCustomFieldOption", "SettingsCustomFieldOther",
    "SettingsCustomFieldSection", "SettingsCustomFieldsDefinition", "SettingsDocumentsAndPrinting",
    "SettingsGoogleAnalytics", "SettingsGoogleTagManager", "SettingsIntegrations", "SettingsMailChimp",
    "SettingsMedipass", "SettingsOnlineBookings", "SettingsOnlinePayments", "SettingsPatientPrivacy",
    "SettingsReminders", "SettingsSms", "SettingsTerminology", "SettingsWaitList", "SettingsXero", "Signature",
    "Signatures", "SlidingWindowLimiter", "SmsCommunication", "Sort", "SqliteLimiter", "StockAdjustment",
    "StockAdjustmentFields", "StockAdjustments", "Tax", "TaxFields", "Taxes", "TransportError", "TransportTimeoutError",
    "TreatmentNote", "TreatmentNoteAnswer", "TreatmentNoteAnswerFields", "TreatmentNoteContent",
    "TreatmentNoteContentFields", "TreatmentNoteFields", "TreatmentNoteOther", "TreatmentNoteOtherFields",
    "TreatmentNoteQuestion", "TreatmentNoteQuestionFields", "TreatmentNoteSection", "TreatmentNoteSectionFields",
    "TreatmentNoteTemplate", "TreatmentNoteTemplateAnswer", "TreatmentNoteTemplateAnswerFields",
    "TreatmentNoteTemplateContent", "TreatmentNoteTemplateContentFields", "TreatmentNoteTemplateFields",
    "TreatmentNoteTemplateOther", "TreatmentNoteTemplateOtherFields", "TreatmentNoteTemplatePrintSettings",
    "TreatmentNoteTemplatePrintSettingsFields", "TreatmentNoteTemplateQuestion", "TreatmentNoteTemplateQuestionFields",
    "TreatmentNoteTemplateSection", "TreatmentNoteTemplateSectionFields", "TreatmentNoteTemplates", "TreatmentNotes",
    "UnauthorizedError", "UnavailableBlock", "UnavailableBlockFields", "UnavailableBlockRepeatRuleFields",
    "UnavailableBlockType", "UnavailableBlockTypeFields", "UnavailableBlockTypes", "UnavailableBlocks",
    "UnprocessableError", "UploadedPatientAttachment", "UsageError", "User", "UserPhoneNumber", "Users",
    "configure_converter", "from_dict", "to_dict", "to_json"]

_PLACES = {
    "_records.converter": ("configure_converter", "from_dict", "to_dict", "to_json"),
    "_files.download": ("Download",),
    "_files.source": ("FileSource",),
    "_messages": ("Request", "Response"),
    "_http.retry": ("RetryPolicy",),
    "_pool.runner": ("Outcome",),
    "changes": ("Change", "Changes"),
    "client": ("Cliniko",),
    "errors": tuple(name for name in __all__ if name.endswith("Error")),
    "filters": ("Filter", "Sort"),
    "limits": ("Limits", "Permit", "RateLimiter", "RedisLimiter", "SlidingWindowLimiter", "SqliteLimiter"),
    "links": ("Link", "ListLink"),
    "pagination": ("Page", "Paginator"),
    "pool": ("AccountPool",),
    **{f"resources.{module}": names for module, names in _NAMES.items()},
}
_MODULE_OF = {name: f".{module}" for module, names in _PLACES.items() for name in names}
_MODULES = {"changes", "client", "cursors", "errors", "fields", "filters", "limits", "links", "pagination", "pool"}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return importlib.import_module(f".{name}", __name__)
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_did_you_mean(name, __all__)}")
        value = globals()[name] = getattr(importlib.import_module(_MODULE_OF[name], __name__), name)
        return value

    def __dir__() -> list[str]:
        return sorted(__all__)
