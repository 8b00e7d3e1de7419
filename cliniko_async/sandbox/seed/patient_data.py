"""The data of the invented patients: names, contacts, conditions, and the texts of notes and messages."""

FIRST_NAMES = (
    ("Amelia", "Female"),
    ("Marcus", "Male"),
    ("Chloe", "Female"),
    ("Rajesh", "Male"),
    ("Ingrid", "Female"),
    ("Peter", "Male"),
    ("Yasmin", "Female"),
    ("George", "Male"),
    ("Linh", "Female"),
    ("Matteo", "Male"),
    ("Zoë", "Female"),
    ("Callum", "Male"),
    ("Margaret", "Female"),
    ("Kenji", "Male"),
    ("Fatima", "Female"),
    ("Owen", "Male"),
    ("Nadia", "Female"),
    ("Theo", "Male"),
    ("Beatrice", "Female"),
    ("Samir", "Male"),
    ("Joanne", "Female"),
)
SURNAMES = (
    "Harrington",
    "Petrov",
    "Kowalski",
    "Iyer",
    "Bennett",
    "Tran",
    "Fitzgerald",
    "Rossi",
    "Mackenzie",
    "Haddad",
    "O’Connor",  # noqa: RUF001
    "Yamamoto",
    "Sutherland",
    "Van Dyk",
    "Castellano",
    "Whitlam",
    "Papadopoulos",
    "Ahmed",
    "Lawson",
)
TITLES = {"Female": ("Ms", "Mrs", "Miss"), "Male": ("Mr",)}
PRONOUNS = {
    "Female": ("she", "her", "her", "hers", "herself"),
    "Male": ("he", "him", "his", "his", "himself"),
}
PRONOUN_CASES = ("nominative", "accusative", "pronominal_possessive", "predicative_possessive", "reflexive")
OCCUPATIONS = ("Teacher", "Electrician", "Nurse", "Retired", "Student", "Accountant", "Chef", "Bus driver", "")
STREETS = ("Wattle Street", "Station Road", "Kookaburra Court", "Elm Avenue", "Harbour View", "Mill Lane")
MOBILES = ("0491 570 006", "0491 570 156", "0491 570 157", "0491 570 158", "0491 570 159", "0491 570 110")
"""Numbers that are reserved for use in fiction."""

CONCESSIONS = (("Pensioner", 20), ("Student", 10), ("Veteran", 25))
"""The names of concessions and their discounts in percent."""

CONTACTS = (
    ("Dr", "Helen", "Strand", "Lygon Street Medical Centre", 1, "general_practitioner"),
    ("Dr", "Arjun", "Mehta", "Yarra Family Practice", 1, "general_practitioner"),
    ("Dr", "Sofia", "Marino", "Victoria Parade Orthopaedics", 1, "specialist"),
    ("Mr", "Colin", "Barker", "Southern Cross Workers Insurance", 2, None),
    ("Ms", "Ruby", "Taylor", "Northside Netball Club", 0, None),
)
REFERRALS: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("Search engine", None, ("Maps", "Web search")),
    ("Word of mouth", "Patient", ("Friend", "Family")),
    ("Doctor", "Contact", ()),
    ("Walked past", None, ()),
)
ALERTS = ("Allergic to latex", "Pacemaker", "Takes blood thinners", "Pregnant", "Epilepsy", "Low vision")
CASES = (
    ("Left knee, after surgery", "medicare"),
    ("Lower back pain", None),
    ("Shoulder, workplace injury", None),
    ("Chronic disease plan", "medicare"),
    ("Ankle sprain", None),
    ("Veterans’ care, hip", "dva"),  # noqa: RUF001
)
ANSWERS = (
    "Sore for about two weeks, worse in the morning.",
    "Better than last time; walks the stairs without a rail.",
    "Full range, slight pain at the end of it.",
    "Soft tissue work, then three sets of ten.",
    "Exercises at home twice a day, review in a fortnight.",
    "Slept well, stiff after long drives.",
)
MEMOS = (
    "Asked to move to later in the day from next month.",
    "Will bring the scans along next time.",
    "Called about the rebate; explained how to claim.",
)
ATTACHMENTS = (
    ("referral.txt", "Referral letter", "Please see this patient for assessment and treatment.\n"),
    ("mri-report.txt", "MRI report", "No tear. Mild effusion.\n"),
    ("care-plan.txt", "Care plan", "Five sessions within the calendar year.\n"),
)
BLOCK_TYPES = (("Meeting", "#BDBDBD", 60), ("Annual leave", "#828282", 480), ("Training", "#4F4F4F", 120))
