"""Inserts the configuration of the clinic: what exists before the first patient comes, from taxes to businesses."""

import itertools
from collections.abc import Iterator
from typing import Any

import attrs

from ..db.columns import decimal_text
from ..db.labels import TIME_ZONES
from .configuration_data import (
    COLORS,
    LOCATIONS,
    NOTE_TEMPLATES,
    OFFER_SUFFIXES,
    PAIN_QUESTION,
    PRODUCTS,
    QUESTIONS,
    SERVICES,
    STAFF,
    SUPPLIER,
    Location,
    OfferedService,
    StaffMember,
)
from .timeline import Timeline

_ARCHIVED_EVERY = 23
"""One in this many appointment types is archived."""
_LEAD_TIMES = (None, 0, 1, 2, 4, 12, 24, 48)


def configure(timeline: Timeline, appointment_types: int) -> None:
    """Insert the configuration of the clinic, with a number of appointment types."""
    configuration = _Configuration(timeline)
    configuration.insert_taxes_and_suppliers()
    configuration.insert_note_templates()
    configuration.insert_billable_items()
    configuration.insert_products()
    configuration.insert_practitioners()
    configuration.insert_appointment_types(appointment_types)
    configuration.insert_appointment_type_items()
    configuration.insert_businesses()


@attrs.define
class _Configuration:
    timeline: Timeline
    categories: dict[int, str] = attrs.field(factory=dict[int, str])
    """The category of each appointment type."""

    def insert_taxes_and_suppliers(self) -> None:
        self.timeline.insert("taxes", [{"name": "GST", "rate": "10.0"}, {"name": "GST free", "rate": "0.0"}])
        self.timeline.insert("product_suppliers", [{"name": SUPPLIER}])

    def insert_note_templates(self) -> None:
        rows: list[dict[str, Any]] = [
            {"name": name, "content": _content(sections), "print_settings": _print_settings(name)}
            for name, sections in NOTE_TEMPLATES
        ]
        rows[-1]["archived"] = True
        self.timeline.insert("treatment_note_templates", rows)

    def insert_billable_items(self) -> None:
        """Insert one billable item for each service."""
        tax, _ = self.timeline.inserted["taxes"]
        rows: list[dict[str, Any]] = [
            {
                "name": service.name,
                "item_code": str(500 + index),
                "item_type": "Service",
                "price": decimal_text(service.price),
                "tax_id": tax if service.attendees > 1 else None,
                "archived": index in (13, 29),
            }
            for index, service in enumerate(SERVICES)
        ]
        self.timeline.insert("billable_items", rows)

    def insert_products(self) -> None:
        (tax, _), (supplier,) = self.timeline.inserted["taxes"], self.timeline.inserted["product_suppliers"]
        rows: list[dict[str, Any]] = [
            {
                "name": name,
                "item_code": code,
                "price": price,
                "cost_price": cost,
                "notes": "",
                "serial_number": f"{code}-{self.timeline.rng.randint(1000, 9999)}",
                "stock_level": decimal_text(self.timeline.rng.randint(0, 40)),
                "tax_id": tax,
                "product_supplier_id": supplier,
                "product_supplier_name": SUPPLIER,
                "archived": code == "SOCK-M",
            }
            for name, code, price, cost in PRODUCTS
        ]
        self.timeline.insert("products", rows)

    def insert_practitioners(self) -> None:
        """Insert the practitioners, current and former, and their users."""
        users = self.timeline.insert("users", [_user(person) for person in STAFF])
        self.timeline.insert("practitioners", [_practitioner(*both) for both in zip(STAFF, users, strict=True)])

    def insert_appointment_types(self, count: int) -> None:
        """Insert the appointment types, and set the default one of each practitioner."""
        offers = list(itertools.islice(_offers(), count))
        rows = [self._appointment_type(service, suffix) for service, suffix in offers]
        for row in rows[_ARCHIVED_EVERY - 1 :: _ARCHIVED_EVERY]:
            row["archived"] = True
        ids = self.timeline.insert("appointment_types", rows)
        self.categories = {each: service.category for each, (service, _) in zip(ids, offers, strict=True)}
        for practitioner, person in zip(self.timeline.inserted["practitioners"], STAFF, strict=True):
            first = next((each for each in ids if self.categories[each] in person.categories), None)
            values = {"default_appointment_type_id": first}
            self.timeline.store.change("practitioners", practitioner, values, touch=False)

    def _appointment_type(self, service: OfferedService, suffix: str) -> dict[str, Any]:
        mode = self.timeline.rng.choice((None, None, "optional", "required", "deposit_required"))
        people = zip(self.timeline.inserted["practitioners"], STAFF, strict=True)
        items = zip(self.timeline.inserted["billable_items"], SERVICES, strict=True)
        return {
            "name": f"{service.name} ({suffix})" if suffix else service.name,
            "category": service.category,
            "color": COLORS[service.category],
            "description": self.timeline.rng.choice(("", None, f"{service.minutes} minutes with one of our team.")),
            "duration_in_minutes": service.minutes,
            "max_attendees": service.attendees,
            "billable_item_id": next(item for item, sold in items if sold is service),
            "deposit_price": decimal_text(service.price // 2) if mode == "deposit_required" else None,
            "product_id": self.timeline.rng.choice([*[None] * 5, self.timeline.inserted["products"][0]]),
            "online_bookings_lead_time_hours": self.timeline.rng.choice(_LEAD_TIMES),
            "online_payments_mode": mode,
            "practitioner_ids": [each for each, person in people if service.category in person.categories],
            "show_in_online_bookings": service.online and self.timeline.rng.random() < 0.9,
            "telehealth_enabled": suffix == "Telehealth",
            "treatment_note_template_id": self._template(service),
            "appointment_confirmation_template_ids": [self.timeline.unserved_id()]
            if self.timeline.rng.random() < 0.3
            else [],
        }

    def _template(self, service: OfferedService) -> int | None:
        templates = self.timeline.inserted["treatment_note_templates"]
        if service.attendees > 1:
            return None
        fitting = {"Physiotherapy": templates[:2], "Osteopathy": templates[2:3], "Podiatry": templates[3:4]}
        return self.timeline.rng.choice(fitting.get(service.category, [None, *templates[:1]]))

    def insert_appointment_type_items(self) -> None:
        """Insert the billable items and products that an appointment type adds to an invoice."""
        items = [self._billed_item(each) for each in self.timeline.inserted["appointment_types"]]
        self.timeline.insert("appointment_type_billable_items", items)
        sold = [each for each in self.timeline.inserted["appointment_types"] if self.timeline.rng.random() < 0.2]
        self.timeline.insert("appointment_type_products", [self._sold_product(each) for each in sold])

    def _billed_item(self, appointment_type: int) -> dict[str, Any]:
        row = self.timeline.row("appointment_types", appointment_type)
        return {
            "appointment_type_id": appointment_type,
            "billable_item_id": row["billable_item_id"],
            "quantity": "1.0",
            "discount_percentage": self.timeline.rng.choice((None, None, None, "10.0", "25.0")),
        }

    def _sold_product(self, appointment_type: int) -> dict[str, Any]:
        return {
            "appointment_type_id": appointment_type,
            "product_id": self.timeline.rng.choice(self.timeline.inserted["products"]),
            "quantity": self.timeline.rng.choice(("1.0", "2.0")),
            "discounted_amount": self.timeline.rng.choice((None, "2.5")),
        }

    def insert_businesses(self) -> None:
        self.timeline.insert(
            "businesses", [self._business(number, location) for number, location in enumerate(LOCATIONS)]
        )

    def _business(self, number: int, location: Location) -> dict[str, Any]:
        staff = [
            each
            for index, each in enumerate(self.timeline.inserted["practitioners"])
            if index % len(LOCATIONS) == number or number == 0
        ]
        offered = {
            category
            for each, person in zip(self.timeline.inserted["practitioners"], STAFF, strict=True)
            if each in staff
            for category in person.categories
        }
        return {
            "business_name": location.name,
            "display_name": location.name.removeprefix("Bluegum Health "),
            "business_registration_name": "ABN",
            "business_registration_value": "00 000 000 000",
            "address_1": location.street,
            "address_2": "",
            "city": location.city,
            "state": location.state,
            "post_code": location.post_code,
            "country_code": "AU",
            "contact_information": f"Phone: {location.phone}",
            "email_reply_to": f"{location.city.lower()}@bluegum.example",
            "website_address": "https://bluegum.example",
            "additional_invoice_information": "",
            "time_zone": location.zone,
            "time_zone_identifier": TIME_ZONES[location.zone],
            "practitioner_ids": staff,
            "appointment_type_ids": [each for each, category in self.categories.items() if category in offered],
        }


def _user(person: StaffMember) -> dict[str, Any]:
    return {
        "title": person.title,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": f"{person.last_name.lower()}@bluegum.example",
        "role": "practitioner",
        "active": person.active,
        "user_active": person.active,
        "phone_numbers": [],
        "time_zone": LOCATIONS[0].zone,
        "time_zone_identifier": TIME_ZONES[LOCATIONS[0].zone],
    }


def _practitioner(person: StaffMember, user: int) -> dict[str, Any]:
    return {
        "title": person.title,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "designation": person.designation,
        "description": person.description,
        "active": person.active,
        "show_in_online_bookings": person.active and person.designation != "Psychologist",
        "user_id": user,
    }


def _offers() -> Iterator[tuple[OfferedService, str]]:
    """Yield services endlessly: first the plain ones, then each with every suffix, then all of them numbered."""
    numbers = itertools.chain([""], map(" {}".format, itertools.count(2)))
    return (
        (service, f"{suffix}{number}".strip())
        for number in numbers
        for suffix in OFFER_SUFFIXES
        for service in SERVICES
    )


def _content(sections: tuple[str, ...]) -> dict[str, Any]:
    return {"sections": [{"name": name, "questions": _questions(name, sections[0])} for name in sections]}


def _questions(section: str, first: str) -> list[dict[str, Any]]:
    questions = list(QUESTIONS.get(section, QUESTIONS[""]))
    return [*questions, PAIN_QUESTION] if section == first else questions


def _print_settings(title: str) -> dict[str, Any]:
    return {
        "include_patient_address": False,
        "include_patient_dob": True,
        "include_patient_medicare": False,
        "include_patient_occupation": False,
        "include_patient_reference_number": True,
        "title": title,
    }
