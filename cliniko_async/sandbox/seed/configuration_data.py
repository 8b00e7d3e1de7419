"""The data of the clinic's configuration: its services, staff, locations, products and templates."""

from typing import Any

import attrs


@attrs.frozen
class OfferedService:
    """Something that patients can book."""

    name: str
    category: str
    minutes: int
    price: int
    attendees: int = 1
    online: bool = True


@attrs.frozen
class StaffMember:
    """Somebody who works at the clinic."""

    title: str
    first_name: str
    last_name: str
    designation: str
    categories: tuple[str, ...]
    description: str
    active: bool = True


@attrs.frozen
class Location:
    """Where a business of the clinic is."""

    name: str
    street: str
    city: str
    state: str
    post_code: str
    zone: str
    phone: str


COLORS = {
    "Physiotherapy": "#2F80ED",
    "Osteopathy": "#27AE60",
    "Remedial Massage": "#9B51E0",
    "Clinical Pilates": "#F2994A",
    "Podiatry": "#EB5757",
    "Exercise Physiology": "#219653",
    "Dietetics": "#56CCF2",
    "Psychology": "#F2C94C",
}

SERVICES = (
    OfferedService("Initial Physiotherapy Consultation", "Physiotherapy", 45, 118),
    OfferedService("Standard Physiotherapy Consultation", "Physiotherapy", 30, 92),
    OfferedService("Initial Osteopathic Consultation", "Osteopathy", 50, 125),
    OfferedService("Standard Osteopathic Treatment", "Osteopathy", 30, 98),
    OfferedService("Remedial Massage 60 min", "Remedial Massage", 60, 105),
    OfferedService("Clinical Pilates Assessment", "Clinical Pilates", 60, 135),
    OfferedService("Pilates Mat Class", "Clinical Pilates", 45, 28, attendees=10),
    OfferedService("Initial Podiatry Assessment", "Podiatry", 40, 99),
    OfferedService("Exercise Physiology Assessment", "Exercise Physiology", 60, 140),
    OfferedService("Long Physiotherapy Consultation", "Physiotherapy", 60, 155),
    OfferedService("Remedial Massage 30 min", "Remedial Massage", 30, 65),
    OfferedService("Nutrition Consultation", "Dietetics", 50, 130),
    OfferedService("Psychology Session", "Psychology", 50, 210, online=False),
    OfferedService("Cranial Osteopathy", "Osteopathy", 40, 110),
    OfferedService("Nail and Skin Care", "Podiatry", 30, 79),
    OfferedService("Pilates Reformer Class", "Clinical Pilates", 45, 38, attendees=6),
    OfferedService("Strength for Runners Group", "Exercise Physiology", 60, 32, attendees=12),
    OfferedService("Post-operative Knee Review", "Physiotherapy", 30, 96),
    OfferedService("Orthotics Fitting", "Podiatry", 30, 85, online=False),
    OfferedService("Paediatric Osteopathy", "Osteopathy", 30, 102),
    OfferedService("Pregnancy Massage", "Remedial Massage", 60, 112),
    OfferedService("Nutrition Follow-up", "Dietetics", 25, 78),
    OfferedService("Falls Prevention Class", "Exercise Physiology", 45, 25, attendees=8),
    OfferedService("Vestibular Physiotherapy", "Physiotherapy", 45, 128),
    OfferedService("Hand Therapy", "Physiotherapy", 30, 99),
    OfferedService("Sports Osteopathy Review", "Osteopathy", 30, 98),
    OfferedService("Lymphatic Drainage", "Remedial Massage", 45, 95),
    OfferedService("Pilates Private Session", "Clinical Pilates", 50, 115),
    OfferedService("Diabetic Foot Check", "Podiatry", 30, 88),
    OfferedService("Hydrotherapy Group", "Exercise Physiology", 45, 30, attendees=8),
    OfferedService("Initial Psychology Assessment", "Psychology", 80, 290, online=False),
    OfferedService("Sports Nutrition Plan", "Dietetics", 60, 160),
)

OFFER_SUFFIXES = (
    "",
    "Telehealth",
    "Home Visit",
    "NDIS",
    "WorkCover",
    "DVA",
    "Medicare CDM",
    "Concession",
    "After Hours",
    "Student",
)
"""The forms in which a service is offered; the first is the plain one."""

STAFF = (
    StaffMember(
        "Ms", "Hannah", "Walsh", "Physiotherapist", ("Physiotherapy", "Clinical Pilates"), "Works with runners."
    ),
    StaffMember("Dr", "Daniel", "Okafor", "Osteopath", ("Osteopathy",), "Headache and neck pain."),
    StaffMember("Mr", "Liam", "Nguyen", "Physiotherapist", ("Physiotherapy",), "Knees, before and after an operation."),
    StaffMember("Mrs", "Priya", "Raman", "Remedial Massage Therapist", ("Remedial Massage",), ""),
    StaffMember("Ms", "Sophie", "Lindqvist", "Podiatrist", ("Podiatry",), "Feet that walk a lot."),
    StaffMember("Mr", "Tom", "Gallagher", "Exercise Physiologist", ("Exercise Physiology", "Clinical Pilates"), ""),
    StaffMember("Ms", "Mei", "Chen", "Dietitian", ("Dietetics",), "Eating for long races and for long lives."),
    StaffMember("Dr", "Ruth", "Abrahams", "Psychologist", ("Psychology",), ""),
    StaffMember("Mr", "Jack", "Morrison", "Osteopath", ("Osteopathy",), "Left the clinic.", active=False),
    StaffMember("Mrs", "Élise", "Dubois", "Physiotherapist", ("Physiotherapy",), "On leave.", active=False),
)

LOCATIONS = (
    Location(
        "Bluegum Health Fitzroy", "118 Gertrude Lane", "Melbourne", "Victoria", "3065", "Melbourne", "03 5550 0118"
    ),
    Location(
        "Bluegum Health New Farm", "42 Jacaranda Parade", "Brisbane", "Queensland", "4005", "Brisbane", "07 5550 0142"
    ),
    Location(
        "Bluegum Health Cottesloe", "7 Norfolk Rise", "Perth", "Western Australia", "6011", "Perth", "08 5550 0107"
    ),
)

PRODUCTS = (
    ("Resistance band, light", "BAND-L", "12.5", "6.2"),
    ("Resistance band, medium", "BAND-M", "16.5", "8.0"),
    ("Resistance band, heavy", "BAND-H", "18.0", "9.1"),
    ("Foam roller 90 cm", "ROLL-90", "49.95", "21.4"),
    ("Massage ball", "BALL-1", "14.0", "4.75"),
    ("Wheat heat pack", "HEAT-1", "32.0", "13.5"),
    ("Rigid strapping tape 38 mm", "TAPE-38", "15.95", "6.9"),
    ("Wrist brace, adjustable", "BRACE-W", "64.0", "31.25"),
    ("Orthotic insoles", "SOLE-1", "89.0", "40.0"),
    ("Pilates grip socks", "SOCK-M", "22.0", "9.3"),
)

SUPPLIER = "Wattle Rehab Supplies"

NOTE_TEMPLATES = (
    ("Physiotherapy Initial Assessment", ("Subjective", "Objective", "Treatment", "Plan")),
    ("Physiotherapy Review", ("Progress", "Objective", "Treatment")),
    ("Osteopathic Consultation", ("History", "Examination", "Treatment", "Advice")),
    ("Podiatry Assessment", ("History", "Gait", "Treatment")),
    ("Class Attendance", ("Exercises", "Remarks")),
)

PAIN_QUESTION: dict[str, Any] = {
    "name": "Pain now",
    "type": "radiobuttons",
    "answers": [{"value": "None"}, {"value": "Mild"}, {"value": "Severe"}],
    "other": {"enabled": True},
}
"""The last question in the first section of every template."""

QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "": [{"name": "Notes", "type": "paragraph"}],
    "Exercises": [{"name": "Done", "type": "checkboxes", "answers": [{"value": "Warm-up"}, {"value": "Main set"}]}],
    "Objective": [{"name": "Body chart", "type": "bodycharts"}, {"name": "Range of motion", "type": "text"}],
    "Plan": [{"name": "Review on", "type": "date"}],
}
"""The questions of a section by its name; the empty name applies to all other sections."""
