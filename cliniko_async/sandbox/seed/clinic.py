"""Plants the rows of the invented clinic: the same for the same seed, over some years, each referring to others."""

import atexit
import itertools
import random
from collections.abc import Iterator
from typing import Any

import attrs

from ..db.columns import decimal_text
from ..db.database import Database
from ..db.derived import ZONES
from ..db.rows import Position, Store
from .calendar import draft_diary
from .catalogue import (
    COLORS,
    GOODS,
    NOTES,
    PAIN,
    PEOPLE,
    PLACES,
    QUESTIONS,
    SCHEMES,
    SERVICES,
    SUPPLIER,
    Person,
    Place,
    Service,
)
from .documents import draft_papers
from .drafts import Drafts, monday
from .invoices import draft_ledger
from .patients import draft_patients
from .timeline import Plot

_ARCHIVED_EVERY = 23
"""One appointment type in this many is archived."""
_LEAD_TIMES = (None, 0, 1, 2, 4, 12, 24, 48)


_MOST_KEPT = 4
_LARGEST_KEPT = 1000


@attrs.frozen
class _Planted:
    """A clinic as it was planted once, to be copied when the same is asked for."""

    database: Database
    position: Position
    files: dict[int, int]


_kept: dict[tuple[Any, ...], _Planted] = {}


def plant(store: Store, seed: int, appointment_types: int) -> dict[int, int]:
    """Fill the tables that are there, and give the numbers of the files of attachments."""
    key = (seed, appointment_types, monday(store.now()), store.position)
    kept = _kept.get(key)
    if kept is not None:
        kept.database.copy_to(store.rows)
        store.position = kept.position
        return kept.files
    files = _plant(store, seed, appointment_types)
    if appointment_types <= _LARGEST_KEPT:
        _keep(key, store, files)
    return files


def _keep(key: tuple[Any, ...], store: Store, files: dict[int, int]) -> None:
    database = Database({})
    store.rows.copy_to(database)
    if len(_kept) >= _MOST_KEPT:
        _forget()
    _kept[key] = _Planted(database, store.position, files)


@atexit.register
def _forget() -> None:
    while _kept:
        _, planted = _kept.popitem()
        planted.database.close()


def _plant(store: Store, seed: int, appointment_types: int) -> dict[int, int]:
    garden = _Garden(store, random.Random(f"clinic {seed}"))
    garden.taxes_and_suppliers()
    garden.templates()
    garden.billable_items()
    garden.products()
    garden.practitioners()
    garden.appointment_types(appointment_types)
    garden.appointment_type_parts()
    garden.businesses()
    return _practice(garden, seed)


def _practice(garden: "_Garden", seed: int) -> dict[int, int]:
    """What went on there over past weeks and what is to come; gives the numbers of the files of attachments."""
    drafts = Drafts(garden, random.Random(f"practice {seed}"), monday(garden.store.now()))
    draft_patients(drafts)
    draft_diary(drafts)
    draft_ledger(drafts)
    attachments = draft_papers(drafts)
    drafts.plant()
    return {attachment["id"]: number for number, attachment in attachments.items()}


@attrs.define
class _Garden(Plot):
    taught: dict[int, str] = attrs.field(factory=dict[int, str])
    """The category of each appointment type."""

    def taxes_and_suppliers(self) -> None:
        """What prices are made of, and where the goods come from."""
        self.plant("taxes", [{"name": "GST", "rate": "10.0"}, {"name": "GST free", "rate": "0.0"}])
        self.plant("product_suppliers", [{"name": SUPPLIER}])

    def templates(self) -> None:
        """Treatment note templates, with their questions."""
        rows: list[dict[str, Any]] = [
            {"name": name, "content": _content(sections), "print_settings": _print_settings(name)}
            for name, sections in NOTES
        ]
        rows[-1]["archived"] = True
        self.plant("treatment_note_templates", rows)

    def billable_items(self) -> None:
        """What is on an invoice: one item for each price of a service."""
        tax, _ = self.planted["taxes"]
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
        self.plant("billable_items", rows)

    def products(self) -> None:
        """What stands on the shelf."""
        (tax, _), (supplier,) = self.planted["taxes"], self.planted["product_suppliers"]
        rows: list[dict[str, Any]] = [
            {
                "name": name,
                "item_code": code,
                "price": price,
                "cost_price": cost,
                "notes": "",
                "serial_number": f"{code}-{self.rng.randint(1000, 9999)}",
                "stock_level": decimal_text(self.rng.randint(0, 40)),
                "tax_id": tax,
                "product_supplier_id": supplier,
                "product_supplier_name": SUPPLIER,
                "archived": code == "SOCK-M",
            }
            for name, code, price, cost in GOODS
        ]
        self.plant("products", rows)

    def practitioners(self) -> None:
        """Who works there, and who did."""
        users = self.plant("users", [_user(person) for person in PEOPLE])
        self.plant("practitioners", [_practitioner(*both) for both in zip(PEOPLE, users, strict=True)])

    def appointment_types(self, count: int) -> None:
        """What can be booked; and each practitioner's own first one."""
        offers = list(itertools.islice(_offers(), count))
        rows = [self._appointment_type(service, scheme) for service, scheme in offers]
        for row in rows[_ARCHIVED_EVERY - 1 :: _ARCHIVED_EVERY]:
            row["archived"] = True
        ids = self.plant("appointment_types", rows)
        self.taught = {one: service.category for one, (service, _) in zip(ids, offers, strict=True)}
        table = self.table("practitioners")
        for practitioner, person in zip(self.planted["practitioners"], PEOPLE, strict=True):
            first = next((one for one in ids if self.taught[one] in person.categories), None)
            self.store.change(table, practitioner, {"default_appointment_type_id": first}, touch=False)

    def _appointment_type(self, service: Service, scheme: str) -> dict[str, Any]:
        mode = self.rng.choice((None, None, "optional", "required", "deposit_required"))
        people = zip(self.planted["practitioners"], PEOPLE, strict=True)
        items = zip(self.planted["billable_items"], SERVICES, strict=True)
        return {
            "name": f"{service.name} ({scheme})" if scheme else service.name,
            "category": service.category,
            "color": COLORS[service.category],
            "description": self.rng.choice(("", None, f"{service.minutes} minutes with one of our team.")),
            "duration_in_minutes": service.minutes,
            "max_attendees": service.attendees,
            "billable_item_id": next(item for item, sold in items if sold is service),
            "deposit_price": decimal_text(service.price // 2) if mode == "deposit_required" else None,
            "product_id": self.rng.choice([*[None] * 5, self.planted["products"][0]]),
            "online_bookings_lead_time_hours": self.rng.choice(_LEAD_TIMES),
            "online_payments_mode": mode,
            "practitioner_ids": [one for one, person in people if service.category in person.categories],
            "show_in_online_bookings": service.online and self.rng.random() < 0.9,
            "telehealth_enabled": scheme == "Telehealth",
            "treatment_note_template_id": self._template(service),
            "appointment_confirmation_template_ids": [self.foreign_id()] if self.rng.random() < 0.3 else [],
        }

    def _template(self, service: Service) -> int | None:
        templates = self.planted["treatment_note_templates"]
        if service.attendees > 1:
            return None
        fitting = {"Physiotherapy": templates[:2], "Osteopathy": templates[2:3], "Podiatry": templates[3:4]}
        return self.rng.choice(fitting.get(service.category, [None, *templates[:1]]))

    def appointment_type_parts(self) -> None:
        """What an appointment type puts on an invoice."""
        items = [self._billed(one) for one in self.planted["appointment_types"]]
        self.plant("appointment_type_billable_items", items)
        sold = [one for one in self.planted["appointment_types"] if self.rng.random() < 0.2]
        self.plant("appointment_type_products", [self._sold(one) for one in sold])

    def _billed(self, appointment_type: int) -> dict[str, Any]:
        row = self.row("appointment_types", appointment_type)
        return {
            "appointment_type_id": appointment_type,
            "billable_item_id": row["billable_item_id"],
            "quantity": "1.0",
            "discount_percentage": self.rng.choice((None, None, None, "10.0", "25.0")),
        }

    def _sold(self, appointment_type: int) -> dict[str, Any]:
        return {
            "appointment_type_id": appointment_type,
            "product_id": self.rng.choice(self.planted["products"]),
            "quantity": self.rng.choice(("1.0", "2.0")),
            "discounted_amount": self.rng.choice((None, "2.5")),
        }

    def businesses(self) -> None:
        """Where it all takes place."""
        self.plant("businesses", [self._business(number, place) for number, place in enumerate(PLACES)])

    def _business(self, number: int, place: Place) -> dict[str, Any]:
        staff = [
            one
            for index, one in enumerate(self.planted["practitioners"])
            if index % len(PLACES) == number or number == 0
        ]
        at_hand = {
            category
            for one, person in zip(self.planted["practitioners"], PEOPLE, strict=True)
            if one in staff
            for category in person.categories
        }
        return {
            "business_name": place.name,
            "display_name": place.name.removeprefix("Bluegum Health "),
            "business_registration_name": "ABN",
            "business_registration_value": "00 000 000 000",
            "address_1": place.street,
            "address_2": "",
            "city": place.city,
            "state": place.state,
            "post_code": place.post_code,
            "country_code": "AU",
            "contact_information": f"Phone: {place.phone}",
            "email_reply_to": f"{place.city.lower()}@bluegum.example",
            "website_address": "https://bluegum.example",
            "additional_invoice_information": "",
            "time_zone": place.zone,
            "time_zone_identifier": ZONES[place.zone],
            "practitioner_ids": staff,
            "appointment_type_ids": [one for one, category in self.taught.items() if category in at_hand],
        }


def _user(person: Person) -> dict[str, Any]:
    return {
        "title": person.title,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": f"{person.last_name.lower()}@bluegum.example",
        "role": "practitioner",
        "active": person.active,
        "user_active": person.active,
        "phone_numbers": [],
        "time_zone": PLACES[0].zone,
        "time_zone_identifier": ZONES[PLACES[0].zone],
    }


def _practitioner(person: Person, user: int) -> dict[str, Any]:
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


def _offers() -> Iterator[tuple[Service, str]]:
    """Services without end: first the plain ones, then each in the other ways."""
    rounds = itertools.chain([""], map(" {}".format, itertools.count(2)))
    return ((service, f"{scheme}{one}".strip()) for one in rounds for scheme in SCHEMES for service in SERVICES)


def _content(sections: tuple[str, ...]) -> dict[str, Any]:
    return {"sections": [{"name": name, "questions": _questions(name, sections[0])} for name in sections]}


def _questions(section: str, first: str) -> list[dict[str, Any]]:
    questions = list(QUESTIONS.get(section, QUESTIONS[""]))
    return [*questions, PAIN] if section == first else questions


def _print_settings(title: str) -> dict[str, Any]:
    return {
        "include_patient_address": False,
        "include_patient_dob": True,
        "include_patient_medicare": False,
        "include_patient_occupation": False,
        "include_patient_reference_number": True,
        "title": title,
    }
