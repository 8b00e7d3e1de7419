"""Answers to records: the fast way by msgspec, and where it refuses, the exact way by cattrs over the same bytes.

msgspec fills frozen attrs classes without calling their `__init__`, but its errors say little; cattrs reads record by
record and names each field that does not fit. cattrs is imported when it is first needed.
"""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Generic, NoReturn, TypeVar

import msgspec

from .._dates import DateTime
from .._frames import HiddenLocals
from .._messages import RedactedRepr, Request, Response, as_object
from ..errors import DecodingError
from ..fields import id_text
from .record import has_variants, is_renamed, variant_of

T = TypeVar("T")

_REFUSED = (msgspec.MsgspecError, ValueError, RecursionError)
_LARGEST_TOTAL = 2**63 - 1
"""Larger integers fit neither a cursor nor a number of records."""
_Total: Any = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST_TOTAL)]
_MOST_FAULTS = 100
"""How many records that do not fit are reported: as many as fit the largest page."""
_MOST_VALUES = 100_000
"""How many values are read one by one, which takes a few microseconds each and blocks the event loop."""
_MOST_SIGNS = 1_000_000
"""How many commas and opening brackets a body may hold to be parsed at all: there are about as many values, and reading
so many at once takes about half a second, which nothing interrupts."""
_COST_OF_FAULTS = 10
"""How many times longer it takes to name the faults of a record than to read one that fits."""
_TOO_MANY = "holds too many values to be read"


class Row(RedactedRepr, msgspec.Struct, frozen=True):
    """What a walk has to know of a record that does not fit."""

    id: str | None
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    content: bytes

    def __repr__(self) -> str:
        """The id; the content may be about a patient."""
        return f"Row(id={self.id!r})"


class PageData(RedactedRepr, msgspec.Struct, Generic[T], frozen=True):
    """A page as it came: the records that fit, and a row for each that was there."""

    items: tuple[T, ...]
    rows: Sequence[Any]
    total_entries: int | None
    next: str | None
    request: Request
    response: Response
    faults: tuple[str, ...] = ()
    repeats: int = 0
    """How many rows more the server sent, each a record that is among the rows already."""

    def __repr__(self) -> str:
        """Sizes; a link may name what was searched for."""
        return f"PageData({len(self.items)} of {self.total_entries})"


class PageLinks(msgspec.Struct, frozen=True, gc=False):
    """The link of a page that is of use."""

    next: str | None = None


def decode_record(cls: type[T], request: Request, response: Response) -> T:
    """Read an answer of one record.

    Raises:
        DecodingError: it does not fit.
    """
    with HiddenLocals():
        return _decoded(cls, request, response)


def _decoded(cls: type[T], request: Request, response: Response) -> T:
    _check_size(request, response)
    try:
        found: T = _fast_record(cls)(response.body)  # type: ignore[arg-type]  # to mypy, classes are not hashable
    except _REFUSED:
        pass  # Go on outside of the handler, so that no traceback shows a value.
    else:
        return found
    data = _loads(request, response)
    if _count(data) > _MOST_VALUES:
        raise _error([_TOO_MANY], request, response)
    record, fault = _structure(cls, data)
    if record is None:
        raise _error([fault], request, response)
    return record


def decode_page(cls: type[T], envelope: str, request: Request, response: Response) -> PageData[T]:
    """Read an answer of one page.

    Up to 100 records that do not fit are among the page's faults. With more of them, or with more values than can be
    read one by one without blocking the event loop, the page as a whole is refused.

    Raises:
        DecodingError: it is not a page, or was refused as a whole.
    """
    _check_size(request, response)
    try:
        page = _fast_page(cls, envelope)(response.body)  # type: ignore[arg-type]
    except _REFUSED:
        pass
    else:
        following = page.links.next if page.links else None
        return PageData(page.items, page.items, page.total_entries, following or None, request, response)
    return _exact_page(cls, envelope, request, response)


def _exact_page(cls: type[T], envelope: str, request: Request, response: Response) -> PageData[T]:
    data = as_object(_loads(request, response)) or {}
    faults = _page_faults(data, envelope)
    if faults:
        raise _error(faults, request, response)
    items: list[T] = []
    rows: list[Any] = []
    left = _MOST_VALUES
    for index, raw in enumerate(data[envelope]):
        values = _count(raw)
        if values > left:
            raise _error([*faults, _TOO_MANY][:_MOST_FAULTS], request, response)
        record, fault = _structure(cls, raw, f"record #{index}")
        if record is not None:
            left -= values
            items.append(record)
            rows.append(record)
            continue
        if len(faults) == _MOST_FAULTS:
            raise _error(faults, request, response)
        left -= values * _COST_OF_FAULTS
        faults.append(fault)
        rows.append(_row(raw))
    following = (as_object(data.get("links")) or {}).get("next") or None
    return PageData(tuple(items), rows, data.get("total_entries"), following, request, response, tuple(faults))


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


def _row(raw: Any) -> Row:
    """Read of a record that does not fit what can be read of its place in a list."""
    found = as_object(raw) or {}
    return Row(
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


def _structure(cls: type[T], data: Any, place: str = "the record") -> tuple[T | None, str]:
    from .converter import structure  # noqa: PLC0415  (cattrs takes a tenth of the whole import)

    return structure(cls, data, place)


def _loads(request: Request, response: Response) -> Any:
    try:
        # As floats, decimals would lose digits and be reported beside the real fault.
        return json.loads(response.body, parse_float=Decimal, parse_constant=_refuse)
    except (*_REFUSED, ArithmeticError):
        pass
    raise _error(["is not JSON"], request, response)


def _check_size(request: Request, response: Response) -> None:
    body = response.body
    if len(body) > _MOST_SIGNS and sum(map(body.count, (b",", b"[", b"{"))) > _MOST_SIGNS:
        raise _error([_TOO_MANY], request, response)


def _count(data: Any) -> int:
    """Count the values in JSON, at any depth."""
    count, left = 0, [data]
    while left:
        value = left.pop()
        count += 1
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return count


def _error(faults: Sequence[str], request: Request, response: Response) -> DecodingError:
    return DecodingError(faults, request=request, status=response.status, written=request.method != "GET")


@cache
def _fast_record(cls: Any) -> Callable[[Any], Any]:
    if is_renamed(cls):
        return _refuse
    return _fast_variant(cls) if has_variants(cls) else msgspec.json.Decoder(cls).decode


def _fast_variant(cls: type) -> Callable[[Any], Any]:
    """Read the keys, which tell the variants apart, then the record as the one it is."""
    keys = msgspec.json.Decoder(dict[str, Any])

    def decode(body: Any) -> Any:
        return _fast_record(variant_of(cls, keys.decode(body)))(body)

    return decode


@cache
def _fast_page(cls: Any, envelope: str) -> Callable[[bytes], Any]:
    if is_renamed(cls):
        return _refuse
    several = has_variants(cls)
    item: Any = msgspec.Raw if several else cls
    fields: list[Any] = [
        ("items", tuple[item, ...], msgspec.field(name=envelope)),
        ("total_entries", _Total | None, None),
        ("links", PageLinks | None, None),
    ]
    page_type: Any = msgspec.defstruct(f"{cls.__name__}Page", fields)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(page_type).decode
    if not several:
        return decode
    one = _fast_record(cls)

    def each(body: bytes) -> Any:
        page = decode(body)
        return msgspec.structs.replace(page, items=tuple(map(one, page.items)))

    return each


def _refuse(_: Any) -> NoReturn:
    """Refuse what is no JSON; and a class with renamed fields, which msgspec would read without them."""
    raise msgspec.DecodeError
