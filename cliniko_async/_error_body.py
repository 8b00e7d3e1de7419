"""Reads the message and the faults in the body of an error response."""

import json
from typing import cast

from ._messages import as_object

_LONGEST_DETAIL = 500
_NOT_TEXT = '<{["'
"""The first characters of HTML, XML and JSON."""


def errors_by_field(body: bytes) -> dict[str, str | None]:
    """Return what is wrong with each field; empty if the body does not say."""
    try:
        data = as_object(json.loads(body)) or {}
    except (ValueError, RecursionError):
        return {}
    errors = as_object(data.get("errors")) or {}
    return {name: text if text is None else str(text) for name, text in errors.items()}


def detail_of(body: bytes) -> str | None:
    """Return the message in a JSON body, or the whole body if it is short plain text."""
    try:
        data = as_object(json.loads(body)) or {}
    except (ValueError, RecursionError):
        text = body[: _LONGEST_DETAIL + 1].decode(errors="replace").strip()
        return text if 0 < len(text) <= _LONGEST_DETAIL and text[0] not in _NOT_TEXT and text.isprintable() else None
    return "; ".join(text for key in ("message", "error", "errors") for text in _sentences(data.get(key))) or None


def _sentences(found: object, depth: int = 3) -> list[str]:
    """Return the strings in a part of a message; those of a field begin with its name."""
    fields = as_object(found)
    if depth and fields:
        by_name = {name: ", ".join(_sentences(text, depth - 1)) for name, text in fields.items()}
        return [f"{name}: {text}" if text else name for name, text in by_name.items()]
    if depth and isinstance(found, list):
        return [text for each in cast("list[object]", found) for text in _sentences(each, depth - 1)]
    return [str(found)] if found and isinstance(found, str | int) else []
