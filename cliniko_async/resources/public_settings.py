"""Public settings: what every user may know of an account's settings."""

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
class PublicSettings(Value):
    """The part of an account's settings that is open to every user."""

    account: PublicSettingsAccount | None = None
    calendar: SettingsCalendar | None = None
    documents_and_printing: SettingsDocumentsAndPrinting | None = None
    integrations: PublicSettingsIntegrations | None = None
    online_bookings: PublicSettingsOnlineBookings | None = None
    online_payments: SettingsOnlinePayments | None = None
    patient_custom_fields_definition: SettingsCustomFieldsDefinition | None = None
    patient_privacy: PublicSettingsPatientPrivacy | None = None
    reminders: SettingsReminders | None = None
    sms: SettingsSms | None = None
    terminology: SettingsTerminology | None = None
    wait_list: SettingsWaitList | None = None


class PublicAccountSettings(Resource[PublicSettings]):
    """The settings of an account that every user may read."""

    name = "public_settings"
    record = PublicSettings
    where = Filters()

    async def get(self) -> PublicSettings:
        """Give the settings that every user may read."""
        return await self._get("/settings/public")
