# Generated from the resource files by `make docs`; do not edit.
# ruff: noqa: F401  (the linter does not read the types in quotes)
"""One attribute of the client for each resource."""

from typing import TYPE_CHECKING

from ._registry import ResourceAttribute

if TYPE_CHECKING:
    from .appointment_type import AppointmentTypes
    from .appointment_type_billable_item import AppointmentTypeBillableItems
    from .appointment_type_product import AppointmentTypeProducts
    from .attendee import Attendees
    from .availability_block import AvailabilityBlocks
    from .available_time import AvailableTimes
    from .billable_item import BillableItems
    from .booking import Bookings
    from .business import Businesses
    from .communication import Communications
    from .concession_price import ConcessionPrices
    from .concession_type import ConcessionTypes
    from .contact import Contacts
    from .daily_availability import DailyAvailabilities
    from .group_appointment import GroupAppointments
    from .individual_appointment import IndividualAppointments
    from .invoice import Invoices
    from .invoice_item import InvoiceItems
    from .medical_alert import MedicalAlerts
    from .patient import Patients
    from .patient_attachment import PatientAttachments
    from .patient_case import PatientCases
    from .patient_form import PatientForms
    from .patient_form_template import PatientFormTemplates
    from .practitioner import Practitioners
    from .practitioner_reference_number import PractitionerReferenceNumbers
    from .product import Products
    from .product_supplier import ProductSuppliers
    from .public_settings import PublicAccountSettings
    from .referral_source import ReferralSources
    from .referral_source_type import ReferralSourceTypes
    from .relationship import Relationships
    from .service import Services
    from .settings import AccountSettings
    from .signature import Signatures
    from .stock_adjustment import StockAdjustments
    from .tax import Taxes
    from .treatment_note import TreatmentNotes
    from .treatment_note_template import TreatmentNoteTemplates
    from .unavailable_block import UnavailableBlocks
    from .unavailable_block_type import UnavailableBlockTypes
    from .user import Users


class ResourceAttributes:
    """The resources of an account, each loaded when it is first used."""

    appointment_type_billable_items = ResourceAttribute["AppointmentTypeBillableItems"]()
    """The appointment type billable items of an account."""

    appointment_type_products = ResourceAttribute["AppointmentTypeProducts"]()
    """The appointment type products of an account."""

    appointment_types = ResourceAttribute["AppointmentTypes"]()
    """The appointment types of an account."""

    attendees = ResourceAttribute["Attendees"]()
    """The attendees of an account."""

    availability_blocks = ResourceAttribute["AvailabilityBlocks"]()
    """The availability blocks of an account."""

    available_times = ResourceAttribute["AvailableTimes"]()
    """The times at which an appointment of a type could start, with a practitioner at a business."""

    billable_items = ResourceAttribute["BillableItems"]()
    """The billable items of an account."""

    bookings = ResourceAttribute["Bookings"]()
    """The bookings of an account."""

    businesses = ResourceAttribute["Businesses"]()
    """The businesses of an account."""

    communications = ResourceAttribute["Communications"]()
    """The communications of an account."""

    concession_prices = ResourceAttribute["ConcessionPrices"]()
    """The concession prices of an account."""

    concession_types = ResourceAttribute["ConcessionTypes"]()
    """The concession types of an account."""

    contacts = ResourceAttribute["Contacts"]()
    """The contacts of an account."""

    daily_availabilities = ResourceAttribute["DailyAvailabilities"]()
    """The daily availabilities of an account."""

    group_appointments = ResourceAttribute["GroupAppointments"]()
    """The group appointments of an account."""

    individual_appointments = ResourceAttribute["IndividualAppointments"]()
    """The individual appointments of an account."""

    invoice_items = ResourceAttribute["InvoiceItems"]()
    """The invoice items of an account."""

    invoices = ResourceAttribute["Invoices"]()
    """The invoices of an account."""

    medical_alerts = ResourceAttribute["MedicalAlerts"]()
    """The medical alerts of an account."""

    patient_attachments = ResourceAttribute["PatientAttachments"]()
    """The patient attachments of an account."""

    patient_cases = ResourceAttribute["PatientCases"]()
    """The patient cases of an account."""

    patient_form_templates = ResourceAttribute["PatientFormTemplates"]()
    """The patient form templates of an account."""

    patient_forms = ResourceAttribute["PatientForms"]()
    """The patient forms of an account."""

    patients = ResourceAttribute["Patients"]()
    """The patients of an account."""

    practitioner_reference_numbers = ResourceAttribute["PractitionerReferenceNumbers"]()
    """The practitioner reference numbers of an account."""

    practitioners = ResourceAttribute["Practitioners"]()
    """The practitioners of an account."""

    product_suppliers = ResourceAttribute["ProductSuppliers"]()
    """The product suppliers of an account."""

    products = ResourceAttribute["Products"]()
    """The products of an account."""

    public_settings = ResourceAttribute["PublicAccountSettings"]()
    """The settings of an account that every user may read."""

    referral_source_types = ResourceAttribute["ReferralSourceTypes"]()
    """The referral source types of an account."""

    referral_sources = ResourceAttribute["ReferralSources"]()
    """The referral sources of an account."""

    relationships = ResourceAttribute["Relationships"]()
    """The relationships of an account."""

    services = ResourceAttribute["Services"]()
    """The services of an account."""

    settings = ResourceAttribute["AccountSettings"]()
    """The settings of an account."""

    signatures = ResourceAttribute["Signatures"]()
    """The signatures of an account."""

    stock_adjustments = ResourceAttribute["StockAdjustments"]()
    """The stock adjustments of an account."""

    taxes = ResourceAttribute["Taxes"]()
    """The taxes of an account."""

    treatment_note_templates = ResourceAttribute["TreatmentNoteTemplates"]()
    """The treatment note templates of an account."""

    treatment_notes = ResourceAttribute["TreatmentNotes"]()
    """The treatment notes of an account."""

    unavailable_block_types = ResourceAttribute["UnavailableBlockTypes"]()
    """The unavailable block types of an account."""

    unavailable_blocks = ResourceAttribute["UnavailableBlocks"]()
    """The unavailable blocks of an account."""

    users = ResourceAttribute["Users"]()
    """The users of an account."""
