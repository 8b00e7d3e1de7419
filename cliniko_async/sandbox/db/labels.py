"""The labels of the codes that records have: countries, time zones, types and reasons."""

from .columns import Stored

COUNTRIES = {"AU": "Australia", "CA": "Canada", "GB": "United Kingdom", "IE": "Ireland", "NZ": "New Zealand"}
TIME_ZONES = {
    "Adelaide": "Australia/Adelaide",
    "Auckland": "Pacific/Auckland",
    "Brisbane": "Australia/Brisbane",
    "Canberra": "Australia/Melbourne",
    "Darwin": "Australia/Darwin",
    "Dublin": "Europe/Dublin",
    "Hobart": "Australia/Hobart",
    "London": "Europe/London",
    "Melbourne": "Australia/Melbourne",
    "Perth": "Australia/Perth",
    "Sydney": "Australia/Sydney",
    "Wellington": "Pacific/Auckland",
}
"""The identifiers of the time zones whose labels the sandbox knows."""

MEMO = 12
COMMUNICATION_CATEGORIES = {
    1: "Appointment Reminder",
    3: "Invoice",
    4: "Appointment Confirmation",
    5: "Letter",
    7: "SMS Message",
    8: "Reply from Patient",
    MEMO: "Memo",
}
COMMUNICATION_TYPES = {1: "SMS", 2: "Email", 3: "Phone call", 4: "Other"}
COMMUNICATION_DIRECTIONS = {1: "Sent", 2: "Received"}
CONTACT_TYPES = {0: "Standard", 1: "Doctor", 2: "3rd Party Payer"}
RELATIONS = {10: "Parent", 20: "Child", 30: "Sibling", 40: "Spouse", 50: "Partner", 60: "Relative", 70: "Other"}
INVOICE_STATUSES = {10: "Open", 20: "Paid", 30: "Closed", 40: "Open credit"}
CALCULATION_METHODS = {1: "Legacy", 2: "Tax exclusive", 3: "Tax inclusive"}
CURRENT_CANCELLATION_REASONS = {
    10: "Feeling Better",
    20: "Condition Worse",
    30: "Sick",
    40: "Away",
    50: "Other",
    60: "Work",
}
CANCELLATION_REASONS = {**CURRENT_CANCELLATION_REASONS, 31: "COVID-19 related"}


def label(labels: dict[int, str], code: Stored) -> str | None:
    """Return the label of a code, or None if it is null or unknown."""
    return labels.get(int(code)) if code is not None else None
