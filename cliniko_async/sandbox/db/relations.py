"""What the tables of the library do not say, by resource: URLs of list links, hidden columns, needs, stand-ins."""

import re
from typing import Any

import attrs

from .columns import ID, IDS, Kind

FIXED_LINKS = {
    ("appointment_types", "appointment_type_billable_items"): "/appointment_type_billable_items?appointment_type_id",
    ("appointment_types", "appointment_type_products"): "/appointment_type_products?appointment_type_id",
    ("bookings", "conflicts"): "/bookings/{id}/conflicts",
    ("group_appointments", "conflicts"): "/group_appointments/{id}/conflicts",
    ("group_appointments", "repeats"): "/group_appointments?repeated_from_id",
    ("individual_appointments", "conflicts"): "/individual_appointments/{id}/conflicts",
    ("individual_appointments", "repeats"): "/individual_appointments?repeated_from_id",
    ("invoices", "reversed_invoices"): "/invoices?invoice_id",
    ("patient_attachments", "content"): "/patient_attachments/{id}/content",
    ("patients", "attendees"): "/attendees?patient_id",
    ("patients", "relationships"): "/relationships?patient_id",
    ("products", "stock_adjustments"): "/stock_adjustments?product_id",
    ("unavailable_blocks", "conflicts"): "/unavailable_blocks/{id}/conflicts",
    ("unavailable_blocks", "repeats"): "/unavailable_blocks?repeated_from_id",
}
"""Links whose URL follows from the record's own id, where it is not `/{resource}/{id}/{field}`.

A field behind a `?` stands for a filter on it.
"""

OWN_PATHS = {
    ("patient_forms", "signatures"): "'/patient_forms/' || id || '/signatures/' || signatures_id",
    (
        "referral_source_types",
        "referrers",
    ): "CASE referrer_type WHEN 'Patient' THEN '/patients' WHEN 'Contact' THEN '/contacts' END",
    (
        "referral_sources",
        "links",
    ): "ifnull('/patients/' || patient_id || '/referral_source', '/referral_sources/' || id)",
    (
        "referral_sources",
        "referrer",
    ): "CASE referrer_type WHEN 'Contact' THEN '/contacts/' ELSE '/patients/' END || referrer_id",
}
"""Links whose URL follows from several columns: the SQL of their path; those for which it is null are left out."""

VARIANTS = {
    "communications": {
        "MemoCommunication": "ifnull(category_code, 0) = 12 OR ifnull(type_code, 0) NOT IN (1, 2)",
        "EmailCommunication": "ifnull(category_code, 0) <> 12 AND type_code = 2",
        "SmsCommunication": "ifnull(category_code, 0) <> 12 AND type_code = 1",
    }
}
"""Records of several kinds in one table: by the class of the kind, the SQL that says whether a row is of it."""

PARENTS = {"appointment": "bookings"}
"""Where a parent in a path is found, if its name is not that of a resource."""

PARENT_COLUMNS = {
    ("attendees", "group_appointment"): "booking_id",
    ("attendees", "individual_appointment"): "booking_id",
}
"""The column that names a parent, if that is not its own name."""

ALSO_SEARCHED = {"invoices": {"invoice_id": ID}}
"""Filters that no table names, and that the API itself uses in a link."""

ELSEWHERE = {"referral_sources": {"get", "update"}}
"""Operations whose path is not that of their resource."""

MEMBERS = {"bookings": ("individual_appointments", "group_appointments", "unavailable_blocks")}
"""Resources whose records are those of others."""

SUBSTITUTES = {"individual_appointments": {"patient_ids": "json_array(CAST(patient_id AS TEXT))"}}
"""What stands in such a list for a column that one of them lacks."""

HIDDEN: dict[str, dict[str, Kind]] = {
    "bookings": {"patient_case_id": ID},
    "businesses": {"practitioner_ids": IDS},
    "invoices": {"patient_case_id": ID},
    "patient_attachments": {"patient_case_id": ID},
}
"""Columns that no table names and a list of a parent needs."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "appointment_type_billable_items": ("appointment_type_id", "billable_item_id"),
    "appointment_type_products": ("appointment_type_id", "product_id"),
    "appointment_types": ("name",),
    "attendees": ("booking_id", "patient_id"),
    "availability_blocks": ("starts_at", "ends_at", "practitioner_id", "business_id"),
    "billable_items": ("name",),
    "businesses": ("business_name",),
    "communications": ("confidential", "content", "direction_code", "from", "patient_id", "to", "type_code"),
    "concession_types": ("name",),
    "contacts": ("first_name", "last_name"),
    "group_appointments": ("starts_at", "practitioner_id", "appointment_type_id", "business_id"),
    "individual_appointments": ("starts_at", "patient_id", "practitioner_id", "appointment_type_id", "business_id"),
    "medical_alerts": ("name", "patient_id"),
    "patient_attachments": ("patient_id", "upload_url"),
    "patient_cases": ("name", "patient_id"),
    "patient_form_templates": ("name",),
    "patient_forms": ("patient_id", "name", "content"),
    "patients": ("first_name", "last_name"),
    "practitioner_reference_numbers": ("name", "reference_number", "practitioner_id", "business_id"),
    "product_suppliers": ("name",),
    "products": ("name",),
    "relationships": ("patient_id", "related_patient_id"),
    "stock_adjustments": ("product_id", "quantity", "adjustment_type"),
    "taxes": ("name",),
    "treatment_note_templates": ("name",),
    "treatment_notes": ("title",),
    "unavailable_block_types": ("name",),
    "unavailable_blocks": ("starts_at", "practitioner_id", "business_id"),
}
"""What a create refuses to be without: as on record where it is, else the least that makes sense."""

STAND_INS: dict[str, dict[str, Any]] = {
    "appointment_type_billable_items": {"quantity": "1.0"},
    "appointment_type_products": {"quantity": "1.0"},
    "appointment_types": {
        "add_deposit_to_account_credit": False,
        "appointment_confirmation_template_ids": [],
        "appointment_follow_up_template_ids": [],
        "appointment_reminder_template_ids": [],
        "color": "#2F80ED",
        "duration_in_minutes": 30,
        "max_attendees": 1,
        "online_payments_enabled": False,
        "practitioner_ids": [],
        "show_in_online_bookings": True,
        "telehealth_enabled": False,
    },
    "billable_items": {"item_type": "Service"},
    "businesses": {
        "appointment_reminders_enabled": True,
        "appointment_type_ids": [],
        "country_code": "AU",
        "practitioner_ids": [],
        "show_in_online_bookings": True,
        "time_zone": "Melbourne",
        "time_zone_identifier": "Australia/Melbourne",
    },
    "practitioners": {"active": True, "show_in_online_bookings": True},
    "products": {"price": "0.0", "price_includes_tax": True, "stock_level": "0.0"},
    "stock_adjustments": {"adjustment_type": "Other"},
    "treatment_note_templates": {"content": {"sections": []}},
    "unavailable_block_types": {"color": "#9E9E9E", "duration_in_minutes": 30},
    "users": {"email": "nobody@bluegum.example", "time_zone": "Melbourne"},
}
"""What a record has where a create says nothing; whatever else may not be null is empty, 0 or false."""


@attrs.frozen
class Scope:
    """A column by which lists are divided, such as the active and the inactive practitioners."""

    column: str
    value: int | None
    """Of the plain lists, unless they are filtered by this column; None gives them all."""
    variants: dict[str, int]
    """Of the lists whose path ends in a word of their own."""


SCOPES = {
    "patient_cases": Scope("closed", None, {"active": 0}),
    "practitioners": Scope("active", 1, {"inactive": 0}),
}

OLDER_LISTS = {
    "archived": {"appointment_types", "patients"},
    "cancelled": {"attendees", "individual_appointments"},
    "deleted": {
        "attendees",
        "group_appointments",
        "individual_appointments",
        "invoice_items",
        "invoices",
        "medical_alerts",
        "treatment_note_templates",
        "treatment_notes",
        "unavailable_blocks",
    },
}
"""Lists of hidden records below a word of their own, which older documentation has: the resources that have them."""

BELOW_PARENTS = {"referral_sources"}
"""Resources of which one record is read and changed below the path of its parent."""

_ENDINGS = (("y", "ies"), ("x", "xes"), ("ss", "sses"))


def plural(name: str) -> str:
    """The name of the resource that a record of this name belongs to: `business` belongs to `businesses`."""
    for ending, ending_of_many in _ENDINGS:
        if name.endswith(ending):
            return name.removesuffix(ending) + ending_of_many
    return name if name.endswith("s") else name + "s"


def parent_of(name: str) -> str:
    """The name of the resource that a parent in a path belongs to."""
    return PARENTS.get(name, plural(name))


def snake(name: str) -> str:
    """The name of a class as a field is named: `AppointmentType` is `appointment_type`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
