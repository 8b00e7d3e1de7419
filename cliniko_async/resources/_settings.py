"""The settings that every user may read, and the parts that they share with the settings of an account."""

from .._records.record import Part, Value, record


@record
class PublicSettingsAccount(Value):
    """The account itself."""

    country: str | None = None
    country_code: str | None = None
    currency_symbol: str | None = None
    has_time_travelers: bool | None = None
    id: str | None = None
    name: str | None = None
    subdomain: str | None = None
    time_zone_support: bool | None = None


@record
class SettingsCalendar(Value):
    """How the calendar is shown."""

    end_hour: int | None = None
    multiple_appointments_gap: bool | None = None
    show_current_time_indicator: bool | None = None
    start_hour: int | None = None
    timeslot_height_in_pixels: int | None = None
    timeslot_size_in_minutes: int | None = None


@record
class SettingsDocumentsAndPrinting(Value):
    """How documents are laid out."""

    logo_height: int | None = None
    logo_url: str | None = None


@record
class SettingsMailChimp(Value):
    """Whether Mailchimp is connected."""

    enabled: bool | None = None


@record
class SettingsXero(Value):
    """Whether Xero is connected."""

    enabled: bool | None = None


@record
class PublicSettingsIntegrations(Value):
    """The programs that are connected to the account."""

    mail_chimp: SettingsMailChimp | None = None
    xero: SettingsXero | None = None


@record
class PublicSettingsOnlineBookings(Value):
    """How patients can book online."""

    allow_bookings_days_in_advance: int | None = None
    allow_online_bookings_time_zone_choice: bool | None = None
    booking_reservation_minutes: int | None = None
    calendar_info: str | None = None
    daily_bookings_limit: int | None = None
    disabled_text: str | None = None
    disabled_title: str | None = None
    enabled: bool | None = None
    logo_url: str | None = None
    max_appointments_per_day_segment: int | None = None
    min_hours_advance_required_to_book: int | None = None
    min_hours_notice_for_patient_cancellation: int | None = None
    notice_enabled: bool | None = None
    notice_text: str | None = None
    notice_title: str | None = None
    notify_practitioner_by_email: bool | None = None
    notify_practitioner_by_sms: bool | None = None
    policy: str | None = None
    practitioner_order: tuple[str, ...] | None = None
    privacy_policy_url: str | None = None
    require_patient_address: bool | None = None
    show_appointment_duration: bool | None = None
    show_prices: bool | None = None


@record
class SettingsOnlinePayments(Value):
    """Whether patients can pay online."""

    activated: bool | None = None


@record
class SettingsCustomFieldOption(Part):
    """A value that can be chosen for a custom field."""

    archived: bool | None = None
    name: str | None = None
    token: str | None = None


@record
class SettingsCustomFieldOther(Part):
    """The choice "other" of a custom field."""

    archived: bool | None = None
    enabled: bool | None = None


@record
class SettingsCustomField(Part):
    """A field that a clinic added. Its type decides which of these fields are set."""

    archived: bool | None = None
    name: str | None = None
    options: tuple[SettingsCustomFieldOption, ...] | None = None
    other: SettingsCustomFieldOther | None = None
    token: str | None = None
    type: str | None = None


@record
class SettingsCustomFieldSection(Part):
    """A group of custom fields under one heading."""

    archived: bool | None = None
    fields: tuple[SettingsCustomField, ...] | None = None
    name: str | None = None
    token: str | None = None


@record
class SettingsCustomFieldsDefinition(Part):
    """The fields that a clinic added to its patients."""

    sections: tuple[SettingsCustomFieldSection, ...] | None = None


@record
class PublicSettingsPatientPrivacy(Value):
    """How patients' names and data are protected."""

    browser_title_name_format: str | None = None
    ical_patient_name_option: str | None = None
    prevent_sending_financial_data_by_email: bool | None = None
    requires_hipaa_compliance: bool | None = None


@record
class SettingsReminders(Value):
    """How patients are reminded."""

    default_reminder_type: str | None = None


@record
class SettingsSms(Value):
    """What text messages can contain."""

    alphanumeric_source_number_required: bool | None = None
    default_alphanumeric_source_number: str | None = None
    max_message_length: int | None = None
    number_of_usable_characters_per_message: int | None = None
    replies_supported: bool | None = None


@record
class SettingsTerminology(Value):
    """The terms that a clinic uses."""

    patient: str | None = None
    titles: tuple[str, ...] | None = None


@record
class SettingsWaitList(Value):
    """How the wait list works."""

    default_wait_list_expiry_period: int | None = None
