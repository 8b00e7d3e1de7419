"""How resources are related, beyond what the library describes: paths of links, lists of parents, and extra columns."""

import re

import attrs

from .columns import ID, IDS, ColumnType

LIST_LINK_PATHS = {
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
"""The paths of links to lists that differ from `/{resource}/{id}/{field}`.

A field after a `?` means a filter for the record's id.
"""

COMPUTED_PATHS = {
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
"""The paths of links that depend on several columns, as SQL; a link whose path is null is left out."""

VARIANTS = {
    "communications": {
        "MemoCommunication": "ifnull(category_code, 0) = 12 OR ifnull(type_code, 0) NOT IN (1, 2)",
        "EmailCommunication": "ifnull(category_code, 0) <> 12 AND type_code = 2",
        "SmsCommunication": "ifnull(category_code, 0) <> 12 AND type_code = 1",
    }
}
"""The variants of a record, by their class names: the SQL condition for a row to be of that variant."""

PARENTS = {"appointment": "bookings"}
"""The resources of parents in paths whose names are not those of resources."""

PARENT_COLUMNS = {
    ("attendees", "group_appointment"): "booking_id",
    ("attendees", "individual_appointment"): "booking_id",
}
"""The columns that refer to a parent under another name than its own."""

EXTRA_FILTERS = {"invoices": {"invoice_id": ID}}
"""Filters that the library does not have, and that the API itself uses in a link."""

OPERATIONS_ELSEWHERE = {"referral_sources": {"get", "update"}}
"""Operations whose path is not below that of their resource."""

UNION_MEMBERS = {"bookings": ("individual_appointments", "group_appointments", "unavailable_blocks")}
"""Resources that list the records of other resources."""

UNION_SUBSTITUTES = {"individual_appointments": {"patient_ids": "json_array(CAST(patient_id AS TEXT))"}}
"""The SQL of columns that a member lacks and the list has."""

EXTRA_COLUMNS: dict[str, dict[str, ColumnType]] = {
    "bookings": {"patient_case_id": ID},
    "businesses": {"practitioner_ids": IDS},
    "invoices": {"patient_case_id": ID},
    "patient_attachments": {"patient_case_id": ID},
}
"""Columns that records do not show and that the list of a parent needs."""


@attrs.frozen
class ListScope:
    """A column that divides a list, such as the active and the inactive practitioners."""

    column: str
    value: int | None
    """The value in the plain list, unless that is filtered by this column; None means every record."""
    variants: dict[str, int]
    """The values in the lists whose path ends in a word of their own."""


SCOPES = {
    "patient_cases": ListScope("closed", None, {"active": 0}),
    "practitioners": ListScope("active", 1, {"inactive": 0}),
}

LEGACY_LISTS = {
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
"""The lists of hidden records from older documentation: by the last word of the path, the resources that have one."""

_PLURAL_ENDINGS = (("y", "ies"), ("x", "xes"), ("ss", "sses"))


def plural(name: str) -> str:
    """Return the resource of a record: `business` belongs to `businesses`."""
    for singular_ending, plural_ending in _PLURAL_ENDINGS:
        if name.endswith(singular_ending):
            return name.removesuffix(singular_ending) + plural_ending
    return name if name.endswith("s") else name + "s"


def parent_of(name: str) -> str:
    """Return the resource of a parent that a path names."""
    return PARENTS.get(name, plural(name))


def snake_case(name: str) -> str:
    """Return the name of a class as a field is named: `AppointmentType` is `appointment_type`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
