"""Checks the rows of a bulk create, and names each by its content, so that the journal knows it in a changed file."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

import msgspec

from .._messages import RedactedRepr
from .._records.converter import to_json
from ..errors import InvalidFieldsError, InvalidRequestError, InvalidRowsError
from ..fields import check_fields

RowKey: TypeAlias = tuple[bytes, int]
"""A digest of the fields of a row, and how many rows before it have the same digest."""

RowStatus: TypeAlias = Literal["created", "adopted", "refused", "ambiguous", "open", "skipped", "pending"]
"""What became of a row.

"created": its record was created. "adopted": no response arrived, and its record was found later. "refused": the API
refused it, so that nothing was created. "ambiguous": a person must decide whether its record exists. "open": whether it
was created is not yet known; the next run looks again. "skipped": a person decided not to create it. "pending": it was
not sent yet; only in a plan and in a journal.
"""

_ROWS_PER_TURN = 100
_NO_FIELDS = {"": "has no fields"}


class PreparedRow(RedactedRepr, msgspec.Struct, frozen=True):
    """A row that can be sent."""

    number: int
    key: RowKey
    fields: Mapping[str, Any]


async def prepare_rows(fields_type: type, rows: Iterable[object], numbers: Sequence[int] | None) -> list[PreparedRow]:
    """Check all rows.

    Args:
        fields_type: The TypedDict of the fields that can be sent.
        rows: Mappings of fields.
        numbers: The number of each row; None numbers them from 1.

    Returns:
        The rows, in their order.

    Raises:
        InvalidRequestError: `numbers` has another length, or repeats a number.
        InvalidRowsError: Some rows are invalid; its `faults` has all of them.
    """
    prepared: list[PreparedRow] = []
    faults: dict[int, Mapping[str, str]] = {}
    seen = Counter[bytes]()
    for number, fields in _numbered(list(rows), numbers):
        if (len(prepared) + len(faults)) % _ROWS_PER_TURN == 0:
            await asyncio.sleep(0)  # So that a long file does not block the event loop.
        try:
            digest = _digest(body_of(fields_type, fields))
        except InvalidFieldsError as error:
            faults[number] = error.faults
            continue
        prepared.append(PreparedRow(number, (digest, seen[digest]), cast("Mapping[str, Any]", fields)))
        seen[digest] += 1
    if faults:
        raise InvalidRowsError(faults)
    return prepared


def body_of(fields_type: type, fields: object) -> dict[str, Any]:
    """Return the JSON that is sent for a row, with decimal numbers as texts.

    Raises:
        InvalidFieldsError: The row is invalid.
    """
    if not isinstance(fields, Mapping):
        raise InvalidFieldsError({"": "must be a mapping of fields"})
    body = check_fields(fields_type, cast("Mapping[str, Any]", fields))
    if not body:
        raise InvalidFieldsError(_NO_FIELDS)
    written: dict[str, Any] = json.loads(to_json(body), parse_float=str)
    return written


def _numbered(rows: list[object], numbers: Sequence[int] | None) -> Iterable[tuple[int, object]]:
    numbers = range(1, len(rows) + 1) if numbers is None else numbers
    if len(numbers) != len(rows) or len(set(numbers)) != len(rows):
        raise InvalidRequestError("numbers must have a different number for each row", argument="numbers")
    return zip(numbers, rows, strict=True)


def _digest(body: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16).digest()
