"""Finds the records of rows whose outcome is unknown, without guessing.

A row and a record agree if every field that was sent, and that the record shows, has the same value. They may be alike
if at least half of these fields agree, as the server may have changed what it was sent.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Any, Literal, TypeAlias, cast

import msgspec

from .._messages import RedactedRepr
from ._rows import RowKey

Agreement: TypeAlias = Literal["same", "alike", "different"]

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
_NOTHING = object()
_EMPTY: tuple[Any, ...] = (None, "", [], {})


class OpenRow(RedactedRepr, msgspec.Struct, frozen=True, eq=False):
    """A row whose outcome is unknown."""

    key: RowKey
    body: Mapping[str, Any]
    since: float
    """The server's time from which its record may have been created, in seconds since 1970."""


class Matches(msgspec.Struct):
    """The records that match rows, and those that may; a row that is in neither has no record."""

    adopted: dict[RowKey, str] = {}
    ambiguous: dict[RowKey, tuple[str, ...]] = {}
    """The ids of the records that may be the row's, none of which certainly is."""


def match(rows: Sequence[OpenRow], records: Mapping[str, Mapping[str, Any]]) -> Matches:
    """Decide which record belongs to which row.

    Args:
        rows: The rows, in order of preference: if there are too few records, the last rows get none.
        records: The records that may belong to them, by id, and none that belongs to another row.

    Returns:
        What is certain, and what is not.
    """
    agreements = {row.key: {id: _agreement_of(row, record) for id, record in records.items()} for row in rows}
    same = {key: frozenset(id for id, found in each.items() if found == "same") for key, each in agreements.items()}
    matches = Matches()
    for key in [key for key, ids in same.items() if ids]:
        rivals = [other for other, ids in same.items() if ids & same[key]]
        if _is_unambiguous(rivals, same):
            # Identical rows: whichever gets which record, each record has one row.
            index = rivals.index(key)
            if index < len(same[key]):
                matches.adopted[key] = sorted(same[key])[index]
        else:
            matches.ambiguous[key] = tuple(sorted(same[key]))
    taken = set(matches.adopted.values())
    for key, each in agreements.items():
        alike = tuple(sorted(id for id, found in each.items() if found != "different" and id not in taken))
        if alike and key not in matches.adopted and key not in matches.ambiguous:
            matches.ambiguous[key] = alike
    return matches


def _is_unambiguous(rivals: Sequence[RowKey], same: Mapping[RowKey, frozenset[str]]) -> bool:
    """Return whether rows that agree with the same records are identical, and not fewer than the records."""
    first = rivals[0]
    return all(key[0] == first[0] and same[key] == same[first] for key in rivals) and len(same[first]) <= len(rivals)


def _agreement_of(row: OpenRow, record: Mapping[str, Any]) -> Agreement:
    created_at = _moment(record.get("created_at"))
    if created_at is not None and created_at < row.since:
        return "different"
    return agreement(row.body, record)


def agreement(body: Mapping[str, Any], record: Mapping[str, Any]) -> Agreement:
    """Compare what was sent with a record.

    Args:
        body: The JSON that was sent.
        record: The JSON of the record.

    Returns:
        "same", "different", or "alike", which a person must decide.
    """
    found = [_agrees(value, shown[0]) for name, value in body.items() if (shown := _shown(name, record))]
    if found and all(found):
        return "same"
    return "alike" if 2 * sum(found) >= len(found) else "different"


def _shown(name: str, record: Mapping[str, Any]) -> tuple[Any] | None:
    """Return the value of a field in a record, or None if the record does not show it."""
    if name in record:
        return (record[name],)
    link: Any = record.get(name.removesuffix("_id")) if name.endswith("_id") else None
    try:
        return (link["links"]["self"].partition("?")[0].rpartition("/")[2],)
    except (TypeError, KeyError, AttributeError):
        return None


def _agrees(sent: Any, found: Any) -> bool:
    if sent in _EMPTY or found in _EMPTY:
        return sent in _EMPTY and found in _EMPTY
    if isinstance(sent, bool) or isinstance(found, bool):
        return sent is found
    if isinstance(sent, dict) and isinstance(found, dict):
        shown = cast("dict[str, Any]", found)
        return all(_agrees(value, shown.get(name)) for name, value in cast("dict[str, Any]", sent).items())
    if isinstance(sent, list) and isinstance(found, list):
        pairs = list(zip_longest(cast("Iterable[Any]", sent), cast("Iterable[Any]", found), fillvalue=_NOTHING))
        return all(_NOTHING not in pair and _agrees(*pair) for pair in pairs)
    return _scalars_agree(sent, found)


def _scalars_agree(sent: Any, found: Any) -> bool:
    one, other = str(sent).strip(), str(found).strip()
    numbers = _number(one), _number(other)
    if None not in numbers:
        # "0412" and "412" are different texts, but 45 and "45.0" are the same number.
        texts = isinstance(sent, str) and isinstance(found, str) and "." not in one + other
        return one == other if texts else numbers[0] == numbers[1]
    moments = _moment(one), _moment(other)
    if None not in moments:
        return int(moments[0] or 0) == int(moments[1] or 0)
    return one == other or _plain(one) == _plain(other) != ""


def _plain(text: str) -> str:
    """Return the letters and digits of a text: a server may change case, spaces and punctuation."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text).casefold()))


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _moment(value: Any) -> float | None:
    """Return a date with a time as seconds since 1970, or None for any other value."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
