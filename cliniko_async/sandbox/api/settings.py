"""The settings of the invented clinic."""

import copy
from typing import Any

_SETTINGS: dict[str, Any] = {
    "account": {
        "country": "Australia",
        "country_code": "AU",
        "currency_symbol": "$",
        "has_time_travelers": False,
        "id": "12345",
        "name": "Bluegum Health",
        "subdomain": "bluegum-health",
        "time_zone_support": True,
        "compliance": {"has_hipaa_compliance_conflicts": False, "hipaa_compliance-conflict_messages": []},
        "email_from": "desk@bluegum.example.com",
        "first_name": "Hannah",
        "last_name": "Walsh",
    },
    "calendar": {
        "end_hour": 20,
        "multiple_appointments_gap": False,
        "show_current_time_indicator": True,
        "start_hour": 7,
        "timeslot_height_in_pixels": 15,
        "timeslot_size_in_minutes": 15,
    },
    "documents_and_printing": {"logo_height": 80, "logo_url": None},
    "integrations": {"mail_chimp": {"enabled": False}, "xero": {"enabled": True}, "medipass": {"enabled": False}},
    "online_bookings": {
        "allow_bookings_days_in_advance": 84,
        "allow_online_bookings_time_zone_choice": False,
        "booking_reservation_minutes": 10,
        "calendar_info": None,
        "daily_bookings_limit": 0,
        "disabled_text": None,
        "disabled_title": None,
        "enabled": True,
        "logo_url": None,
        "max_appointments_per_day_segment": 5,
        "min_hours_advance_required_to_book": 2,
        "min_hours_notice_for_patient_cancellation": 24,
        "notice_enabled": False,
        "notice_text": None,
        "notice_title": None,
        "notify_practitioner_by_email": True,
        "notify_practitioner_by_sms": False,
        "policy": None,
        "practitioner_order": [],
        "privacy_policy_url": None,
        "require_patient_address": False,
        "show_appointment_duration": True,
        "show_prices": True,
        "adroll": {"advertiser_id": None, "pixel_id": None},
        "google_analytics": {"tracking_id": None},
        "google_tag_manager": {"container_id": None},
    },
    "online_payments": {"activated": True},
    "patient_custom_fields_definition": {
        "sections": [
            {
                "name": "Insurance",
                "token": "8f14e45f-ceea-467f-a8ed-09b8a1b0c0de",
                "archived": False,
                "fields": [
                    {
                        "name": "Provider",
                        "type": "radiobuttons",
                        "token": "45c48cce-2e2d-4fbd-9b1a-1f4c0a7c1d10",
                        "archived": False,
                        "options": [
                            {
                                "name": "Example Health",
                                "token": "d3d94468-02a4-4259-b55d-38e6d163e820",
                                "archived": False,
                            },
                            {
                                "name": "Other Health",
                                "token": "6512bd43-d9ca-46e0-8c9e-1a3b1c2d3e4f",
                                "archived": False,
                            },
                        ],
                        "other": {"enabled": True, "archived": False},
                    },
                    {
                        "name": "Member number",
                        "type": "text",
                        "token": "c20ad4d7-6fe9-4775-9aa2-7d9f2b3c4d5e",
                        "archived": False,
                    },
                ],
            }
        ]
    },
    "patient_privacy": {
        "browser_title_name_format": "initials",
        "ical_patient_name_option": "initials",
        "prevent_sending_financial_data_by_email": False,
        "requires_hipaa_compliance": False,
        "anonymise_appointments_on_deletion": False,
        "anonymise_booking_notifications": False,
        "anonymise_invoices_and_payments_on_deletion": False,
        "baa_requested": False,
    },
    "reminders": {"default_reminder_type": "SMS & Email"},
    "sms": {
        "alphanumeric_source_number_required": False,
        "default_alphanumeric_source_number": "Bluegum",
        "max_message_length": 612,
        "number_of_usable_characters_per_message": 153,
        "replies_supported": True,
    },
    "terminology": {"patient": "patient", "titles": ["Mr", "Ms", "Dr"]},
    "wait_list": {"default_wait_list_expiry_period": 14},
}
_PRIVATE: dict[str, tuple[str, ...]] = {
    "account": ("compliance", "email_from", "first_name", "last_name"),
    "integrations": ("medipass",),
    "online_bookings": ("adroll", "google_analytics", "google_tag_manager"),
    "patient_privacy": (
        "anonymise_appointments_on_deletion",
        "anonymise_booking_notifications",
        "anonymise_invoices_and_payments_on_deletion",
        "baa_requested",
    ),
}
"""The settings of each group that are not public."""


def settings() -> dict[str, Any]:
    """Return all settings."""
    return copy.deepcopy(_SETTINGS)


def public_settings() -> dict[str, Any]:
    """Return the settings that every user may see."""
    return {
        group: {name: value for name, value in values.items() if name not in _PRIVATE.get(group, ())}
        for group, values in settings().items()
    }
