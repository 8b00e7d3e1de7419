"""Public settings: the settings of an account that every user may read."""

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
    """The settings of an account that every user may read."""

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
        """Return the settings that every user may read.

        Returns:
            The settings.

        Raises:
            UnauthorizedError: The API key was rejected.
            ResponseError: The API refused the request for another reason.
            TransportError: No usable response arrived within `timeout`, `deadline` and the retries. It is safe to try
                again.
            DecodingError: The response does not have the documented form.
        """
        return await self._get("/settings/public")
