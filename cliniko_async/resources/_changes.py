"""What resources have that can be asked for by `updated_at`: a stream of changes."""

import datetime as dt
from typing import TypeVar

from .._checks import is_seconds
from ..changes import Changes
from ..errors import InvalidRequestError
from ..filters import Filterable
from ._base import Resource
from ._list_options import VISIBILITIES

T = TypeVar("T")


class ChangesMixin(Resource[T]):
    """Can be asked for what changed."""

    def changes(
        self, since: dt.datetime | str | None = None, *filters: Filterable, overlap: float = 60.0
    ) -> Changes[T]:
        """Stream what changed since a moment, or since the cursor of an earlier run; archived and deleted ones too.

        A version that becomes visible up to `overlap` seconds after its stamp comes in the next run.

        Raises:
            InvalidRequestError: `since` is naive or is not a cursor of this query, or `overlap` is not a number of
                seconds.
        """
        fields = self.searchable()
        if not is_seconds(overlap, zero=True):
            raise InvalidRequestError("overlap must be a number of seconds, at least 0", argument="overlap")
        options = dict.fromkeys((name for name in VISIBILITIES if f"{name}_at" in fields), "include")
        return Changes(self.list_spec((self._url(f"/{self.name}"),), filters, options), since, float(overlap))
