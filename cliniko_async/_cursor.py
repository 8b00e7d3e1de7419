"""Where a walk stands, as a short opaque text that fits only the list it came from."""

import base64
import hashlib
from typing import Any, TypeAlias

import msgspec

from .errors import ConfigurationError

VERSION = 1


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


class PlaceMark(_Mark, frozen=True, tag="p"):
    """Behind a record at an index of a page."""

    page: int
    index: int
    total: int | None
    last: str | None
    handed: int


class IdMark(_Mark, frozen=True, tag="i"):
    """Behind a record in the order of ids."""

    last: int


Mark: TypeAlias = StartMark | AnchorMark | PlaceMark | IdMark
_marks: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Mark)


def fingerprint(*parts: object) -> bytes:
    """Give a digest of what a cursor belongs to."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).digest()


def write_cursor(belongs_to: bytes, mark: object) -> str:
    """Give a mark as a text."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode((VERSION, belongs_to, mark))).decode().rstrip("=")


def read_cursor(text: str, belongs_to: bytes) -> Mark:
    """Give the mark of a text.

    Raises:
        ConfigurationError: it is no cursor, or one of another account or query.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        version, owner, raw = msgspec.msgpack.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True), type=tuple[int, bytes, msgspec.Raw]
        )
        mark: Mark = _marks.decode(raw)
    except (ValueError, AttributeError, TypeError, msgspec.MsgspecError, RecursionError):
        raise ConfigurationError("this is no cursor of a list") from None
    if version != VERSION:
        raise ConfigurationError(f"this cursor is of version {version}, not {VERSION}")
    if owner != belongs_to:
        raise ConfigurationError("this cursor belongs to another account, list or query")
    return mark
