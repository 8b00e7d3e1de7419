"""Signatures: the signatures on patient forms."""

from typing import TYPE_CHECKING

from .._dates import DateTime
from .._records.record import Record, record
from ..fields import Id
from ..filters import Filters
from ..links import Link, SelfLink
from ._base import Resource

if TYPE_CHECKING:
    from .user import User


@record
class Signature(Record):
    """A signature on a patient form."""

    id: str
    links: SelfLink
    created_at: DateTime
    image: str
    updated_at: DateTime
    user: Link["User"] | None = None


class Signatures(Resource[Signature]):
    """The signatures of an account."""

    name = "signatures"
    record = Signature
    where = Filters()

    async def get(self, patient_form_id: Id, id: Id, /) -> Signature:
        """Return a signature of a patient form."""
        return await self._get(
            f"/patient_forms/{self._id(patient_form_id, 'patient_form_id')}/signatures/{self._id(id)}"
        )
