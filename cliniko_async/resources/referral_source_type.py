"""Referral source types: the ways in which patients come to the clinic."""

from typing import TYPE_CHECKING

from .._dates import DateTime
from .._records.record import Record, record
from ..filters import Column, DateTimeField, Filters, IntField
from ..links import ListLink, SelfLink
from ._changes import ChangesMixin
from ._mixins import ArchivedGetMixin, ArchivedListMixin

if TYPE_CHECKING:
    from .contact import Contact
    from .patient import Patient


@record
class ReferralSourceType(Record):
    """A way in which patients come to the clinic."""

    id: str
    links: SelfLink
    created_at: DateTime
    name: str
    updated_at: DateTime
    archived_at: DateTime | None = None
    referrer_type: str | None = None
    referrers: ListLink["Patient | Contact"] | None = None
    subcategories: tuple[str, ...] | None = None


class ReferralSourceTypeFilters(Filters):
    """The columns that referral source types can be filtered and sorted by."""

    archived_at = DateTimeField()
    created_at = DateTimeField()
    id = IntField()
    name = Column()
    updated_at = DateTimeField()


class ReferralSourceTypes(
    ChangesMixin[ReferralSourceType], ArchivedListMixin[ReferralSourceType], ArchivedGetMixin[ReferralSourceType]
):
    """The referral source types of an account."""

    name = "referral_source_types"
    record = ReferralSourceType
    where = ReferralSourceTypeFilters()
