"""Services: who offers which appointment type at which business."""

from typing import TYPE_CHECKING, Unpack

from .._records.record import Value, record
from ..fields import Id
from ..filters import Filterable, Filters
from ..links import Link
from ..pagination import Paginator
from ._list_options import ListOptions
from ._mixins import ListMixin

if TYPE_CHECKING:
    from .appointment_type import AppointmentType
    from .business import Business
    from .practitioner import Practitioner


@record
class Service(Value):
    """An appointment type at a business, and who offers it there."""

    appointment_type: Link["AppointmentType"] | None = None
    business: Link["Business"] | None = None
    practitioners: tuple[Link["Practitioner"], ...] | None = None


class Services(ListMixin[Service]):
    """The services of an account."""

    name = "services"
    record = Service
    where = Filters()

    def list_for_business(
        self, business_id: Id, /, *filters: Filterable, **options: Unpack[ListOptions]
    ) -> Paginator[Service]:
        """Return a paginator over the services offered at a business."""
        return self._list(f"/businesses/{self._id(business_id, 'business_id')}/services", filters, options)
