"""Every resource returns records of its own type."""

import datetime as dt
from typing import assert_type

from cliniko_async import (
    AppointmentType,
    AppointmentTypeBillableItem,
    AppointmentTypeProduct,
    Attendee,
    AvailabilityBlock,
    AvailableTime,
    BillableItem,
    Booking,
    Business,
    Changes,
    Cliniko,
    Communication,
    ConcessionPrice,
    ConcessionType,
    Contact,
    DailyAvailability,
    GroupAppointment,
    IndividualAppointment,
    Invoice,
    InvoiceItem,
    MedicalAlert,
    Paginator,
    Patient,
    PatientAttachment,
    PatientCase,
    PatientForm,
    PatientFormTemplate,
    Practitioner,
    PractitionerReferenceNumber,
    Product,
    ProductSupplier,
    PublicSettings,
    ReferralSource,
    ReferralSourceType,
    Relationship,
    Service,
    Settings,
    Signature,
    StockAdjustment,
    Tax,
    Taxes,
    TreatmentNote,
    TreatmentNoteTemplate,
    UnavailableBlock,
    UnavailableBlockType,
    User,
)
from cliniko_async.filters import Column

DAY = dt.date(2025, 7, 21)


async def ways_to_a_resource(cliniko: Cliniko) -> None:
    """On a client it is the resource, on the class `Cliniko` its class; `resources` has what all of them share."""
    assert_type(cliniko.taxes, Taxes)
    assert_type(Cliniko.taxes, type[Taxes])
    assert_type(cliniko.taxes.changes(), Changes[Tax])
    assert_type(cliniko.taxes.operations, frozenset[str])
    for name, resource in cliniko.resources.items():
        assert_type(name, str)
        assert_type(resource.where.fields(), dict[str, Column])
        assert_type(resource.operations, frozenset[str])


async def every_resource(cliniko: Cliniko) -> None:
    assert_type(cliniko.appointment_type_billable_items.list(), Paginator[AppointmentTypeBillableItem])
    assert_type(cliniko.appointment_type_products.list(), Paginator[AppointmentTypeProduct])
    assert_type(cliniko.appointment_types.list(), Paginator[AppointmentType])
    assert_type(cliniko.attendees.list(), Paginator[Attendee])
    assert_type(cliniko.availability_blocks.list(), Paginator[AvailabilityBlock])
    assert_type(cliniko.available_times.list(1, 2, 3, from_=DAY, to=DAY), Paginator[AvailableTime])
    assert_type(cliniko.billable_items.list(), Paginator[BillableItem])
    assert_type(cliniko.bookings.list(), Paginator[Booking])
    assert_type(cliniko.businesses.list(), Paginator[Business])
    assert_type(cliniko.communications.list(), Paginator[Communication])
    assert_type(cliniko.concession_prices.list(), Paginator[ConcessionPrice])
    assert_type(cliniko.concession_types.list(), Paginator[ConcessionType])
    assert_type(cliniko.contacts.list(), Paginator[Contact])
    assert_type(cliniko.daily_availabilities.list(), Paginator[DailyAvailability])
    assert_type(cliniko.group_appointments.list(), Paginator[GroupAppointment])
    assert_type(cliniko.individual_appointments.list(), Paginator[IndividualAppointment])
    assert_type(cliniko.invoice_items.list(), Paginator[InvoiceItem])
    assert_type(cliniko.invoices.list(), Paginator[Invoice])
    assert_type(cliniko.medical_alerts.list(), Paginator[MedicalAlert])
    assert_type(cliniko.patient_attachments.list(), Paginator[PatientAttachment])
    assert_type(cliniko.patient_cases.list(), Paginator[PatientCase])
    assert_type(cliniko.patient_form_templates.list(), Paginator[PatientFormTemplate])
    assert_type(cliniko.patient_forms.list(), Paginator[PatientForm])
    assert_type(cliniko.patients.list(), Paginator[Patient])
    assert_type(cliniko.practitioner_reference_numbers.list(), Paginator[PractitionerReferenceNumber])
    assert_type(cliniko.practitioners.list(), Paginator[Practitioner])
    assert_type(cliniko.product_suppliers.list(), Paginator[ProductSupplier])
    assert_type(cliniko.products.list(), Paginator[Product])
    assert_type(await cliniko.public_settings.get(), PublicSettings)
    assert_type(cliniko.referral_source_types.list(), Paginator[ReferralSourceType])
    assert_type(cliniko.referral_sources.list(), Paginator[ReferralSource])
    assert_type(cliniko.relationships.list(), Paginator[Relationship])
    assert_type(cliniko.services.list(), Paginator[Service])
    assert_type(await cliniko.settings.get(), Settings)
    assert_type(await cliniko.signatures.get("1", "2"), Signature)
    assert_type(cliniko.stock_adjustments.list(), Paginator[StockAdjustment])
    assert_type(cliniko.taxes.list(), Paginator[Tax])
    assert_type(cliniko.treatment_note_templates.list(), Paginator[TreatmentNoteTemplate])
    assert_type(cliniko.treatment_notes.list(), Paginator[TreatmentNote])
    assert_type(cliniko.unavailable_block_types.list(), Paginator[UnavailableBlockType])
    assert_type(cliniko.unavailable_blocks.list(), Paginator[UnavailableBlock])
    assert_type(cliniko.users.list(), Paginator[User])


async def every_record(cliniko: Cliniko) -> None:
    assert_type(await cliniko.appointment_type_billable_items.get("1"), AppointmentTypeBillableItem)
    assert_type(await cliniko.appointment_type_products.get("1"), AppointmentTypeProduct)
    assert_type(await cliniko.appointment_types.get("1"), AppointmentType)
    assert_type(await cliniko.attendees.get("1"), Attendee)
    assert_type(await cliniko.availability_blocks.get("1"), AvailabilityBlock)
    assert_type(await cliniko.billable_items.get("1"), BillableItem)
    assert_type(await cliniko.bookings.get("1"), Booking)
    assert_type(await cliniko.businesses.get("1"), Business)
    assert_type(await cliniko.communications.get("1"), Communication)
    assert_type(await cliniko.concession_prices.get("1"), ConcessionPrice)
    assert_type(await cliniko.concession_types.get("1"), ConcessionType)
    assert_type(await cliniko.contacts.get("1"), Contact)
    assert_type(await cliniko.daily_availabilities.get("1"), DailyAvailability)
    assert_type(await cliniko.group_appointments.get("1"), GroupAppointment)
    assert_type(await cliniko.individual_appointments.get("1"), IndividualAppointment)
    assert_type(await cliniko.invoice_items.get("1"), InvoiceItem)
    assert_type(await cliniko.invoices.get("1"), Invoice)
    assert_type(await cliniko.medical_alerts.get("1"), MedicalAlert)
    assert_type(await cliniko.patient_attachments.get("1"), PatientAttachment)
    assert_type(await cliniko.patient_cases.get("1"), PatientCase)
    assert_type(await cliniko.patient_form_templates.get("1"), PatientFormTemplate)
    assert_type(await cliniko.patient_forms.get("1"), PatientForm)
    assert_type(await cliniko.patients.get("1"), Patient)
    assert_type(await cliniko.practitioner_reference_numbers.get("1"), PractitionerReferenceNumber)
    assert_type(await cliniko.practitioners.get("1"), Practitioner)
    assert_type(await cliniko.product_suppliers.get("1"), ProductSupplier)
    assert_type(await cliniko.products.get("1"), Product)
    assert_type(await cliniko.referral_source_types.get("1"), ReferralSourceType)
    assert_type(await cliniko.relationships.get("1"), Relationship)
    assert_type(await cliniko.stock_adjustments.get("1"), StockAdjustment)
    assert_type(await cliniko.taxes.get("1"), Tax)
    assert_type(await cliniko.treatment_note_templates.get("1"), TreatmentNoteTemplate)
    assert_type(await cliniko.treatment_notes.get("1"), TreatmentNote)
    assert_type(await cliniko.unavailable_block_types.get("1"), UnavailableBlockType)
    assert_type(await cliniko.unavailable_blocks.get("1"), UnavailableBlock)
    assert_type(await cliniko.users.get("1"), User)
