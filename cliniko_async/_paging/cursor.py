"""Where a walk stands, as a short opaque text that fits only the list it came from."""

import base64
import hashlib
from typing import Annotated, Any, TypeAlias, TypeVar, cast

import msgspec

from ..errors import InvalidRequestError

VERSION = 1
_SEAL = 12


class _Mark(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    source: int = 0


class StartMark(_Mark, frozen=True, tag="s"):
    """Before the first record."""


class AnchorMark(_Mark, frozen=True, tag="a"):
    """Behind the records of a second that have these ids, or that have ids up to `low`."""

    second: int
    ids: tuple[int, ...] = ()
    later: tuple[tuple[int, int], ...] = ()
    """Ids handed out in later seconds, each with its second."""
    low: int | None = None
    passed: int = 0
    """How many rows without an id or a time of creation were passed from that second on."""


class PlaceMark(_Mark, frozen=True, tag="p"):
    """Behind a record at a place in the whole list, the first of which is 1."""

    place: int
    total: int | None
    last: str | None
    check: int
    """The sum of the ids on its page, up to it."""
    per_page: int
    handed: int
    drifted: bool = False
    """Whether the list was seen to move before that."""
    repeats: int = 0
    """How many rows the pages before it repeated."""


class IdMark(_Mark, frozen=True, tag="i"):
    """Behind a record in the order of ids."""

    last: int
    passed: int = 0
    """How many rows without an id were passed behind it."""


Second = Annotated[int, msgspec.Meta(ge=-62_135_596_800, le=253_402_300_799)]
"""A second between the years 1 and 9999."""


class ChangesMark(_Mark, frozen=True, tag="c"):
    """Where a run over changes stands: its position, its low water, and the versions handed out behind that."""

    second: Second | None
    low: int | None
    water: Second | None
    digests: bytes
    steps: tuple[int, ...]
    """The second of the oldest version, then for each how much newer it is than the one before."""


Mark: TypeAlias = StartMark | AnchorMark | PlaceMark | IdMark
list_marks: "msgspec.msgpack.Decoder[Mark]" = msgspec.msgpack.Decoder(cast("Any", Mark))
changes_marks = msgspec.msgpack.Decoder(ChangesMark)
M = TypeVar("M")


def fingerprint(*parts: object) -> bytes:
    """Give a digest of what a cursor belongs to."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).digest()


def write_cursor(belongs_to: bytes, mark: object) -> str:
    """Give a mark as a text."""
    raw = msgspec.msgpack.encode(mark)
    return base64.urlsafe_b64encode(bytes([VERSION]) + _seal(belongs_to, raw) + raw).decode().rstrip("=")


def read_cursor(text: str, belongs_to: bytes, marks: "msgspec.msgpack.Decoder[M]", argument: str = "cursor") -> M:
    """Return the mark of a text, which was given as an argument of this name.

    Raises:
        InvalidRequestError: it is not a cursor, was changed, or is one of another account or query.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (ValueError, AttributeError, TypeError):
        raise InvalidRequestError(f"{argument} is not a valid cursor", argument=argument) from None
    if data[:1] != bytes([VERSION]):
        raise InvalidRequestError(
            f"{argument} is not a valid cursor, or is one of another version of the library", argument=argument
        )
    seal, raw = data[1 : _SEAL + 1], data[_SEAL + 1 :]
    if seal != _seal(belongs_to, raw):
        raise InvalidRequestError(
            f"{argument} is a cursor that belongs to another account, list or query, or was changed", argument=argument
        )
    try:
        return marks.decode(raw)
    except msgspec.MsgspecError:
        pass
    raise InvalidRequestError(f"{argument} is not a cursor that can be resumed", argument=argument)


def _seal(belongs_to: bytes, raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=_SEAL, key=belongs_to).digest()
