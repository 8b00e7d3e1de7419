"""Drafts the patients of the clinic, with their contacts, concessions, cases and referrals."""

import datetime as dt
import itertools
from typing import Any

from ..db.columns import decimal_text
from ..db.labels import TIME_ZONES
from .configuration_data import LOCATIONS
from .drafts import DAY, Draft, Drafts
from .patient_data import (
    ALERTS,
    CASES,
    CONCESSIONS,
    CONTACTS,
    FIRST_NAMES,
    MOBILES,
    OCCUPATIONS,
    PRONOUN_CASES,
    PRONOUNS,
    REFERRALS,
    STREETS,
    SURNAMES,
    TITLES,
)

MIN_PATIENTS = 42
"""The patients who take part in the life of the clinic."""
_PARENT, _CHILD, _SPOUSE = 10, 20, 40
_MEDICARE_SESSIONS = 5


def draft_patients(drafts: Drafts) -> None:
    """Draft the patients and everything about them that does not depend on their appointments."""
    concessions = _concessions(drafts)
    contacts = [_contact(drafts, each) for each in CONTACTS]
    doctors = [one for one in contacts if one["type_code"] == 1]
    names = _names(drafts)
    moments = sorted(drafts.past_moment() for _ in names)
    for (given, sex, surname), created in zip(names, moments, strict=True):
        concession = drafts.rng.choice([None, None, None, *concessions])
        doctor = drafts.rng.choice([None, *doctors])
        drafts.add(
            "patients",
            created,
            **_person(drafts, given, sex, surname),
            concession_type_id=concession,
            referring_doctor_id=doctor,
        )
    _archive_some(drafts)
    _alerts_cases_and_relationships(drafts)
    _referrals(drafts, doctors)


def draft_more_patients(drafts: Drafts, count: int) -> None:
    """Draft patients of whom nothing else is known."""
    for _ in range(count):
        given, sex = drafts.rng.choice(FIRST_NAMES)
        drafts.add("patients", drafts.past_moment(), **_person(drafts, given, sex, drafts.rng.choice(SURNAMES)))


def _names(drafts: Drafts) -> list[tuple[str, str, str]]:
    surnames = itertools.cycle(drafts.rng.sample(SURNAMES, len(SURNAMES)))
    people = [(given, sex, next(surnames)) for given, sex in FIRST_NAMES * (MIN_PATIENTS // len(FIRST_NAMES))]
    return drafts.rng.sample(people, len(people))


def _concessions(drafts: Drafts) -> list[Draft]:
    types = [drafts.add("concession_types", drafts.past_moment(900, 2000), name=name) for name, _ in CONCESSIONS]
    for concession, (_, percent) in zip(types, CONCESSIONS, strict=True):
        for item in drafts.inserted("billable_items")[:12]:
            price = decimal_text(float(str(item["price"])) * (100 - percent) / 100)
            fields = {"billable_item_id": item["id"], "concession_type_id": concession, "price": price}
            drafts.add("concession_prices", concession["created_at"], **fields)
    return types


def _contact(drafts: Drafts, contact: tuple[str, str, str, str, int, str | None]) -> Draft:
    title, first, last, company, code, doctor_type = contact
    number = {"number": "03 5550 0161", "normalized_number": "61355500161", "phone_type": "Work"}
    return drafts.add(
        "contacts",
        drafts.past_moment(900, 2000),
        **_address(drafts),
        title=title,
        first_name=first,
        last_name=last,
        preferred_name="",
        company_name=company,
        doctor_type=doctor_type,
        email=f"{last.lower()}@example.org",
        notes="",
        occupation="",
        phone_numbers=[number],
        provider_number="000000AA" if code == 1 else "",
        type_code=code,
    )


def _address(drafts: Drafts) -> dict[str, Any]:
    location = drafts.rng.choice(LOCATIONS)
    return {
        "address_1": f"{drafts.rng.randrange(1, 140)} {drafts.rng.choice(STREETS)}",
        "address_2": "",
        "address_3": "",
        "city": location.city,
        "state": location.state,
        "post_code": location.post_code,
        "country": "Australia",
        "country_code": "AU",
    }


def _person(drafts: Drafts, given: str, sex: str, surname: str) -> dict[str, Any]:
    rng = drafts.rng
    mobile = rng.choice(MOBILES)
    address = _address(drafts)
    zone = next(location.zone for location in LOCATIONS if location.city == address["city"])
    return {
        **address,
        "title": rng.choice(TITLES[sex]),
        "first_name": given,
        "last_name": surname,
        "preferred_first_name": rng.choice(("", "", given[:3])),
        "date_of_birth": dt.date(rng.randrange(1938, 2012), rng.randrange(1, 13), rng.randrange(1, 29)),
        "sex": sex,
        "gender_identity": sex,
        "pronouns": dict(zip(PRONOUN_CASES, PRONOUNS[sex], strict=True)),
        "email": f"{_ascii(given)}.{_ascii(surname)}@example.com",
        "patient_phone_numbers": [
            {"number": mobile, "normalized_number": f"61{mobile[1:].replace(' ', '')}", "phone_type": "Mobile"}
        ],
        "custom_fields": _custom_fields(rng.randrange(1000, 9999)),
        "occupation": rng.choice(OCCUPATIONS),
        "emergency_contact": "",
        "reminder_type": rng.choice(("SMS", "Email", "SMS & Email", "SMS & Email", "None")),
        "accepted_privacy_policy": rng.choice((True, True, None)),
        "accepted_email_marketing": rng.random() < 0.4,
        "accepted_sms_marketing": rng.random() < 0.4,
        "receives_cancellation_emails": True,
        "receives_confirmation_emails": True,
        "time_zone": TIME_ZONES[zone],
        **dict.fromkeys(("notes", "appointment_notes", "invoice_default_to", "invoice_email", "medicare"), ""),
        **dict.fromkeys(("invoice_extra_information", "medicare_reference_number", "dva_card_number"), ""),
        "referral_source": "",
    }


def _ascii(name: str) -> str:
    plain = name.replace("ë", "e").lower()
    return "".join(letter for letter in plain if letter.isalpha())


def _custom_fields(number: int) -> dict[str, Any]:
    """Return answers to the questions that the settings of the clinic define."""
    member = {
        "name": "Member number",
        "type": "text",
        "token": "c20ad4d7-6fe9-4775-9aa2-7d9f2b3c4d5e",
        "value": f"BG-{number}",
    }
    return {
        "sections": [{"name": "Insurance", "token": "8f14e45f-ceea-467f-a8ed-09b8a1b0c0de", "fields": [member]}],
    }


def _archive_some(drafts: Drafts) -> None:
    """Archive two patients, one of them because it duplicates another."""
    patients = drafts.of("patients")
    for patient in patients[3:9:5]:
        patient["archived_at"] = patient["updated_at"]
    twin, kept = patients[3], patients[4]
    twin |= {name: kept[name] for name in ("first_name", "last_name", "date_of_birth", "email")}
    twin |= {"merged_at": twin["archived_at"], "merged_with_patient_id": kept}


def _alerts_cases_and_relationships(drafts: Drafts) -> None:
    patients = drafts.of("patients")
    for patient in drafts.sample(patients, 0.3):
        drafts.add("medical_alerts", patient["created_at"], patient_id=patient, name=drafts.rng.choice(ALERTS))
    for patient in drafts.sample(patients, 0.4):
        _case(drafts, patient)
    for one, other, relation, back in (
        (patients[0], patients[1], _PARENT, _CHILD),
        (patients[5], patients[6], _SPOUSE, _SPOUSE),
        (patients[10], patients[11], _PARENT, _CHILD),
    ):
        created = max(one["created_at"], other["created_at"]) + DAY
        drafts.add("relationships", created, patient_id=one, related_patient_id=other, relation=relation)
        drafts.add("relationships", created, patient_id=other, related_patient_id=one, relation=back)


def _case(drafts: Drafts, patient: Draft) -> None:
    name, referral = drafts.rng.choice(CASES)
    issued = patient["created_at"].date()
    closed = patient["created_at"] + 300 * DAY < drafts.today and drafts.rng.random() < 0.4
    drafts.add(
        "patient_cases",
        patient["created_at"],
        name=name,
        patient_id=patient,
        notes="",
        referral=referral is not None,
        referral_type=referral,
        contact_id=patient["referring_doctor_id"],
        issue_date=issued,
        expiry_date=issued + 365 * DAY,
        max_sessions=_MEDICARE_SESSIONS if referral == "medicare" else None,
        closed=closed,
        closed_at=patient["created_at"] + 300 * DAY if closed else None,
        include_cancelled_attendees=False,
        include_dna_attendees=False,
        attendee_ids=[],
        patient_attachment_ids=[],
    )


def _referrals(drafts: Drafts, doctors: list[Draft]) -> None:
    types = [
        drafts.add(
            "referral_source_types", drafts.past_moment(900, 2000), name=name, referrer_type=by, subcategories=parts
        )
        for name, by, parts in REFERRALS
    ]
    types[-1]["archived_at"] = types[-1]["updated_at"]
    patients = drafts.of("patients")
    for before, patient in itertools.pairwise(patients):
        source_type = drafts.rng.choice([None, *types])
        if source_type is None:
            continue
        drafts.add(
            "referral_sources",
            patient["created_at"],
            patient_id=patient,
            referral_source_type_id=source_type,
            referrer_type=source_type["referrer_type"],
            referrer_id={"Patient": before, "Contact": drafts.rng.choice(doctors)}.get(
                source_type["referrer_type"] or ""
            ),
            subcategory=drafts.rng.choice([None, *source_type["subcategories"]]),
            notes=drafts.rng.choice((None, "Said so at the desk")),
        )
