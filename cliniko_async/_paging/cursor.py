"""Cursors: the position of an iteration as a short opaque string, valid only for the query it came from."""

import base64
import hashlib
from typing import Annotated, Any, TypeAlias, TypeVar, cast

import msgspec

from ..errors import InvalidRequestError

VERSION = 1
_SEAL = 12


class _PositionBase(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    source: int = 0
    """Index of the list among those of the query."""


class Start(_PositionBase, frozen=True, tag="s"):
    """Before the first record."""


class CreatedAtPosition(_PositionBase, frozen=True, tag="a"):
    """After the records of a second that have one of these ids, or an id up to `low`."""

    second: int
    ids: tuple[int, ...] = ()
    later: tuple[tuple[int, int], ...] = ()
    """Ids yielded from later seconds, each with its second."""
    low: int | None = None
    skipped: int = 0
    """Number of rows without an id or `created_at` that were passed from `second` on."""


class OffsetPosition(_PositionBase, frozen=True, tag="p"):
    """After a record at an offset in the whole list, counted from 1."""

    offset: int
    total: int | None
    last: str | None
    """The id of that record."""
    check: int
    """The sum of the ids on its page, up to it."""
    per_page: int
    yielded: int
    drifted: bool = False
    """Whether the list was found to have changed before."""
    repeats: int = 0
    """Number of repeated rows on the pages before it."""


class IdPosition(_PositionBase, frozen=True, tag="i"):
    """After a record in the order of ids."""

    last: int
    skipped: int = 0
    """Number of rows without an id that were passed after it."""


FIRST_SECOND = -62_135_596_800
LAST_SECOND = 253_402_300_799
Second = Annotated[int, msgspec.Meta(ge=FIRST_SECOND, le=LAST_SECOND)]
"""A second of the years 1 to 9999 in UTC, which a filter can express."""


class UpdatedAtPosition(_PositionBase, frozen=True, tag="c"):
    """The position of a run over changes: its second, its low watermark, and the versions yielded since."""

    second: Second | None
    low: int | None = None
    """In a divided second, the id up to which it was read."""
    low_watermark: Second | None = None
    digests: bytes = b""
    steps: tuple[int, ...] = ()
    """The second of the oldest version, then the seconds between each version and the next."""


ListPosition: TypeAlias = Start | CreatedAtPosition | OffsetPosition | IdPosition
Position: TypeAlias = ListPosition | UpdatedAtPosition
list_positions: "msgspec.msgpack.Decoder[ListPosition]" = msgspec.msgpack.Decoder(cast("Any", ListPosition))
changes_positions = msgspec.msgpack.Decoder(UpdatedAtPosition)
P = TypeVar("P")


def fingerprint(*parts: object) -> bytes:
    """Return a digest of the account and query that a cursor belongs to."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).digest()


def write_cursor(belongs_to: bytes, position: Position) -> str:
    """Return the cursor for a position."""
    raw = msgspec.msgpack.encode(position)
    return base64.urlsafe_b64encode(bytes([VERSION]) + _seal(belongs_to, raw) + raw).decode().rstrip("=")


def read_cursor(text: str, belongs_to: bytes, positions: "msgspec.msgpack.Decoder[P]", argument: str = "cursor") -> P:
    """Return the position of a cursor.

    Args:
        text: The cursor.
        belongs_to: The fingerprint that it must match.
        positions: Decodes the positions that are allowed.
        argument: The name of the caller's argument, for errors.

    Raises:
        InvalidRequestError: It is not a cursor, was modified, or belongs to another account or query.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (ValueError, AttributeError, TypeError):
        raise InvalidRequestError(f"{argument} is not a valid cursor", argument=argument) from None
    if data[:1] != bytes([VERSION]):
        raise InvalidRequestError(
            f"{argument} is not a valid cursor, or was written by another version of the library", argument=argument
        )
    seal, raw = data[1 : _SEAL + 1], data[_SEAL + 1 :]
    if seal != _seal(belongs_to, raw):
        raise InvalidRequestError(
            f"{argument} is a cursor that belongs to another account, list or query, or was changed", argument=argument
        )
    try:
        return positions.decode(raw)
    except msgspec.MsgspecError:
        pass
    raise InvalidRequestError(f"{argument} is not a cursor that can be resumed", argument=argument)


def _seal(belongs_to: bytes, raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=_SEAL, key=belongs_to).digest()
