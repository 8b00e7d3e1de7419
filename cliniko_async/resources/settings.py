"""Settings: how an account is set up."""

import attrs

from .._records.record import Value, record
from ..filters import Filters
from ._base import Resource
from ._settings import (
    PublicSettingsAccount,
    PublicSettingsIntegrations,
    PublicSettingsOnlineBookings,
    PublicSettingsPatientPrivacy,
    SettingsCalendar,
    SettingsCustomFieldsDefinition,
    SettingsDocumentsAndPrinting,
    SettingsOnlinePayments,
    SettingsReminders,
    SettingsSms,
    SettingsTerminology,
    SettingsWaitList,
)


@record
class SettingsCompliance(Value):
    """Legal requirements that the account does not yet meet."""

    has_hipaa_compliance_conflicts: bool | None = None
    hipaa_compliance_conflict_messages: tuple[str, ...] | None = attrs.field(
        default=None, metadata={"wire": "hipaa_compliance-conflict_messages"}
    )


@record
class SettingsAccount(PublicSettingsAccount):
    """The account itself."""

    compliance: SettingsCompliance | None = None
    email_from: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@record
class SettingsMedipass(Value):
    """Whether Medipass is connected."""

    enabled: bool | None = None


@record
class SettingsIntegrations(PublicSettingsIntegrations):
    """The programs that are connected to the account."""

    medipass: SettingsMedipass | None = None


@record
class SettingsAdroll(Value):
    """The account's identifiers at AdRoll."""

    advertiser_id: str | None = None
    pixel_id: str | None = None


@record
class SettingsGoogleAnalytics(Value):
    """The account's identifier at Google Analytics."""

    tracking_id: str | None = None


@record
class SettingsGoogleTagManager(Value):
    """The account's identifier at Google Tag Manager."""

    container_id: str | None = None


@record
class SettingsOnlineBookings(PublicSettingsOnlineBookings):
    """How patients can book online."""

    adroll: SettingsAdroll | None = None
    google_analytics: SettingsGoogleAnalytics | None = None
    google_tag_manager: SettingsGoogleTagManager | None = None


@record
class SettingsPatientPrivacy(PublicSettingsPatientPrivacy):
    """How patients' names and data are protected."""

    anonymise_appointments_on_deletion: bool | None = None
    anonymise_booking_notifications: bool | None = None
    anonymise_invoices_and_payments_on_deletion: bool | None = None
    baa_requested: bool | None = None


@record
class Settings(Value):
    """How an account is set up."""

    account: SettingsAccount | None = None
    calendar: SettingsCalendar | None = None
    documents_and_printing: SettingsDocumentsAndPrinting | None = None
    integrations: SettingsIntegrations | None = None
    online_bookings: SettingsOnlineBookings | None = None
    online_payments: SettingsOnlinePayments | None = None
    patient_custom_fields_definition: SettingsCustomFieldsDefinition | None = None
    patient_privacy: SettingsPatientPrivacy | None = None
    reminders: SettingsReminders | None = None
    sms: SettingsSms | None = None
    terminology: SettingsTerminology | None = None
    wait_list: SettingsWaitList | None = None


class AccountSettings(Resource[Settings]):
    """The settings of an account."""

    name = "settings"
    record = Settings
    where = Filters()

    async def get(self) -> Settings:
        """Return the settings of the account.

        Returns:
            The settings.

        Raises:
            ForbiddenError: The role of the key's user does not allow it.
            ResponseError: The API refused the request for another reason.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response does not have the documented form.
        """
        return await self._get("/settings")
