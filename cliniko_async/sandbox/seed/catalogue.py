"""The invented clinic: its people, places, services and goods."""

from typing import Any

import attrs


@attrs.frozen
class Service:
    """Something that can be booked."""

    name: str
    category: str
    minutes: int
    price: int
    attendees: int = 1
    online: bool = True


@attrs.frozen
class Person:
    """Somebody who works there."""

    title: str
    first_name: str
    last_name: str
    designation: str
    categories: tuple[str, ...]
    description: str
    active: bool = True


@attrs.frozen
class Place:
    """Where the clinic is."""

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
    Service("Initial Physiotherapy Consultation", "Physiotherapy", 45, 118),
    Service("Standard Physiotherapy Consultation", "Physiotherapy", 30, 92),
    Service("Initial Osteopathic Consultation", "Osteopathy", 50, 125),
    Service("Standard Osteopathic Treatment", "Osteopathy", 30, 98),
    Service("Remedial Massage 60 min", "Remedial Massage", 60, 105),
    Service("Clinical Pilates Assessment", "Clinical Pilates", 60, 135),
    Service("Pilates Mat Class", "Clinical Pilates", 45, 28, attendees=10),
    Service("Initial Podiatry Assessment", "Podiatry", 40, 99),
    Service("Exercise Physiology Assessment", "Exercise Physiology", 60, 140),
    Service("Long Physiotherapy Consultation", "Physiotherapy", 60, 155),
    Service("Remedial Massage 30 min", "Remedial Massage", 30, 65),
    Service("Nutrition Consultation", "Dietetics", 50, 130),
    Service("Psychology Session", "Psychology", 50, 210, online=False),
    Service("Cranial Osteopathy", "Osteopathy", 40, 110),
    Service("Nail and Skin Care", "Podiatry", 30, 79),
    Service("Pilates Reformer Class", "Clinical Pilates", 45, 38, attendees=6),
    Service("Strength for Runners Group", "Exercise Physiology", 60, 32, attendees=12),
    Service("Post-operative Knee Review", "Physiotherapy", 30, 96),
    Service("Orthotics Fitting", "Podiatry", 30, 85, online=False),
    Service("Paediatric Osteopathy", "Osteopathy", 30, 102),
    Service("Pregnancy Massage", "Remedial Massage", 60, 112),
    Service("Nutrition Follow-up", "Dietetics", 25, 78),
    Service("Falls Prevention Class", "Exercise Physiology", 45, 25, attendees=8),
    Service("Vestibular Physiotherapy", "Physiotherapy", 45, 128),
    Service("Hand Therapy", "Physiotherapy", 30, 99),
    Service("Sports Osteopathy Review", "Osteopathy", 30, 98),
    Service("Lymphatic Drainage", "Remedial Massage", 45, 95),
    Service("Pilates Private Session", "Clinical Pilates", 50, 115),
    Service("Diabetic Foot Check", "Podiatry", 30, 88),
    Service("Hydrotherapy Group", "Exercise Physiology", 45, 30, attendees=8),
    Service("Initial Psychology Assessment", "Psychology", 80, 290, online=False),
    Service("Sports Nutrition Plan", "Dietetics", 60, 160),
)

SCHEMES = (
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
"""How a service may be offered besides the plain way."""

PEOPLE = (
    Person("Ms", "Hannah", "Walsh", "Physiotherapist", ("Physiotherapy", "Clinical Pilates"), "Works with runners."),
    Person("Dr", "Daniel", "Okafor", "Osteopath", ("Osteopathy",), "Headache and neck pain."),
    Person("Mr", "Liam", "Nguyen", "Physiotherapist", ("Physiotherapy",), "Knees, before and after an operation."),
    Person("Mrs", "Priya", "Raman", "Remedial Massage Therapist", ("Remedial Massage",), ""),
    Person("Ms", "Sophie", "Lindqvist", "Podiatrist", ("Podiatry",), "Feet that walk a lot."),
    Person("Mr", "Tom", "Gallagher", "Exercise Physiologist", ("Exercise Physiology", "Clinical Pilates"), ""),
    Person("Ms", "Mei", "Chen", "Dietitian", ("Dietetics",), "Eating for long races and for long lives."),
    Person("Dr", "Ruth", "Abrahams", "Psychologist", ("Psychology",), ""),
    Person("Mr", "Jack", "Morrison", "Osteopath", ("Osteopathy",), "Left the clinic.", active=False),
    Person("Mrs", "Élise", "Dubois", "Physiotherapist", ("Physiotherapy",), "On leave.", active=False),
)

PLACES = (
    Place("Bluegum Health Fitzroy", "118 Gertrude Lane", "Melbourne", "Victoria", "3065", "Melbourne", "03 5550 0118"),
    Place(
        "Bluegum Health New Farm", "42 Jacaranda Parade", "Brisbane", "Queensland", "4005", "Brisbane", "07 5550 0142"
    ),
    Place("Bluegum Health Cottesloe", "7 Norfolk Rise", "Perth", "Western Australia", "6011", "Perth", "08 5550 0107"),
)

GOODS = (
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

NOTES = (
    ("Physiotherapy Initial Assessment", ("Subjective", "Objective", "Treatment", "Plan")),
    ("Physiotherapy Review", ("Progress", "Objective", "Treatment")),
    ("Osteopathic Consultation", ("History", "Examination", "Treatment", "Advice")),
    ("Podiatry Assessment", ("History", "Gait", "Treatment")),
    ("Class Attendance", ("Exercises", "Remarks")),
)

PAIN: dict[str, Any] = {
    "name": "Pain now",
    "type": "radiobuttons",
    "answers": [{"value": "None"}, {"value": "Mild"}, {"value": "Severe"}],
    "other": {"enabled": True},
}
"""The question that the first section of a template ends with."""

QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "": [{"name": "Notes", "type": "paragraph"}],
    "Exercises": [{"name": "Done", "type": "checkboxes", "answers": [{"value": "Warm-up"}, {"value": "Main set"}]}],
    "Objective": [{"name": "Body chart", "type": "bodycharts"}, {"name": "Range of motion", "type": "text"}],
    "Plan": [{"name": "Review on", "type": "date"}],
}
"""The questions of a section, by its name; those without a name are for all the others."""
