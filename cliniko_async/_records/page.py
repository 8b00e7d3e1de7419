"""Decodes responses into records or pages; pages are also types of the converter."""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec

from .._compat import typed_cache
from .._dates import DateTime
from .._frames import hides_locals
from .._messages import RedactedRepr, Request, Response, as_object
from ..errors import DecodingError
from ..fields import id_text
from .converter import CONVERTER, try_structure
from .from_json import (
    MOST_VALUES,
    TOO_MANY,
    Hook,
    RefusedError,
    bytes_first,
    count_values,
    decoder_of,
    json_decoder,
    refuse,
)
from .record import is_renamed, is_union

T = TypeVar("T")

_LARGEST_TOTAL = 2**63 - 1
"""Larger integers do not fit in a cursor, and cannot be real totals."""
_Total: Any = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST_TOTAL)]
_MOST_FAULTS = 100
"""Maximum number of invalid records to report: the size of the largest page."""
_COST_OF_FAULTS = 10
"""How many times longer it takes to find the faults of a record than to read a valid one."""


class InvalidRow(RedactedRepr, msgspec.Struct, frozen=True):
    """What paging needs to know about an invalid record."""

    id: str | None
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    content: bytes

    def __repr__(self) -> str:
        """Return the id, but not the content, which may be about a patient."""
        return f"InvalidRow(id={self.id!r})"


class PageContent(RedactedRepr, msgspec.Struct, Generic[T], frozen=True):
    """The content of a page. The converter structures the subclasses that `page_type` creates."""

    record: ClassVar[type[Any]]
    envelope: ClassVar[str]

    items: tuple[T, ...]
    rows: Sequence[Any]
    total_entries: int | None
    next: str | None
    faults: tuple[str, ...] = ()


class PageData(RedactedRepr, msgspec.Struct, Generic[T], frozen=True):
    """A page as received: the valid records, and a row for each record, valid or not."""

    items: tuple[T, ...]
    rows: Sequence[Any]
    total_entries: int | None
    next: str | None
    request: Request
    response: Response
    faults: tuple[str, ...] = ()
    repeats: int = 0
    """Number of rows dropped because they repeat a record among the rows."""

    def __repr__(self) -> str:
        """Return the sizes, but not the link, which may contain search terms."""
        return f"PageData({len(self.items)} of {self.total_entries})"


class _PageLinks(msgspec.Struct, frozen=True, gc=False):
    """The only link of a page that is used."""

    next: str | None = None


def decode_record(cls: type[T], request: Request, response: Response) -> T:
    """Decode the record in a response.

    Raises:
        DecodingError: It is invalid.
    """
    return _decode(cls, request, response)


def decode_page(cls: type[T], envelope: str, request: Request, response: Response) -> PageData[T]:
    """Decode the page in a response.

    Up to 100 invalid records are reported as faults of the page. The whole page is rejected if there are more, or if it
    has more values than can be read one by one without blocking the event loop.

    Raises:
        DecodingError: It is not a page, or was rejected as a whole.
    """
    page = _decode(page_type(cls, envelope), request, response)
    return PageData(page.items, page.rows, page.total_entries, page.next, request, response, page.faults)


@hides_locals
def _decode(kind: type[T], request: Request, response: Response) -> T:
    found, faults = try_structure(kind, response.body)
    if found is None:
        raise DecodingError(faults, request=request, status=response.status, written=request.method != "GET")
    return found


def valid_records(rows: Sequence[Any]) -> tuple[Any, ...]:
    """Return the rows that are valid records."""
    return tuple(row for row in rows if not isinstance(row, InvalidRow))


# The hook


@typed_cache
def page_type(record: type[T], envelope: str) -> type[PageContent[T]]:
    """Return the type of a page for the converter.

    Args:
        record: The class of its records.
        envelope: The key of the page that holds its records.
    """
    return type(f"{record.__name__}Page", (PageContent,), {"record": record, "envelope": envelope})


def _page_hook(page: type[PageContent[Any]]) -> Hook:
    return bytes_first(_page_decoder(page), lambda data: _read_rows(page, as_object(data) or {}))


def _is_page(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, PageContent)


CONVERTER.register_structure_hook_factory(_is_page, _page_hook)


def _page_decoder(page: type[PageContent[Any]]) -> Callable[[bytes], Any]:
    cls: Any = page.record
    if is_renamed(cls):
        return refuse
    item: Any = msgspec.Raw if is_union(cls) else cls
    fields: list[Any] = [
        ("items", tuple[item, ...], msgspec.field(name=page.envelope)),
        ("total_entries", _Total | None, None),
        ("links", _PageLinks | None, None),
    ]
    decode = json_decoder(msgspec.defstruct(page.__name__, fields))
    decode_item = decoder_of(cls) if item is msgspec.Raw else None

    def decode_whole(body: bytes) -> Any:
        found: Any = decode(body)
        items = tuple(map(decode_item, found.items)) if decode_item else found.items
        return page(items, items, found.total_entries, (found.links and found.links.next) or None)

    return decode_whole


def _read_rows(page: type[PageContent[T]], data: dict[str, Any]) -> PageContent[T]:
    """Read a page record by record; each invalid one becomes a row and a fault."""
    if problems := _page_faults(data, page.envelope):
        raise RefusedError(*problems)
    rows: list[Any] = []
    faults: list[str] = []
    left = MOST_VALUES
    for index, raw in enumerate(data[page.envelope]):
        record, found = try_structure(page.record, raw, f"record #{index}")
        if record is not None:
            rows.append(record)
            continue
        if len(faults) == _MOST_FAULTS:
            raise RefusedError(*faults)
        if left < 0:
            raise RefusedError(*faults, TOO_MANY)
        left -= _COST_OF_FAULTS * count_values(raw)
        faults += found
        rows.append(_invalid_row(raw))
    following = (as_object(data.get("links")) or {}).get("next") or None
    return page(valid_records(rows), tuple(rows), data.get("total_entries"), following, tuple(faults))


def _page_faults(data: dict[str, Any], envelope: str) -> list[str]:
    faults: list[str] = []
    if not isinstance(data.get(envelope), list):
        faults.append(f"{envelope} expected a list" if envelope in data else f"{envelope} is missing")
    total = data.get("total_entries")
    if total is not None and (type(total) is not int or not 0 <= total <= _LARGEST_TOTAL):
        faults.append("total_entries expected a non-negative 64-bit integer")
    links = data.get("links", {})
    found = as_object({} if links is None else links)
    if found is None or not isinstance(found.get("next"), str | None):
        faults.append("links expected an object of URLs")
    return faults


def _invalid_row(raw: Any) -> InvalidRow:
    """Return the values of an invalid record that paging needs, if they can be read."""
    found = as_object(raw) or {}
    return InvalidRow(
        id=id_text(found.get("id")),
        created_at=_moment(found.get("created_at")),
        updated_at=_moment(found.get("updated_at")),
        content=json.dumps(raw, sort_keys=True, default=str).encode(),
    )


def _moment(value: Any) -> dt.datetime | None:
    try:
        return msgspec.convert(value, DateTime)
    except (msgspec.ValidationError, ValueError):
        return None
