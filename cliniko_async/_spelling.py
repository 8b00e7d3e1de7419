"""The one rule for misspelt names: an error suggests the nearest valid one."""

from collections.abc import Iterable

_LONGEST = 64
"""Longer texts are not names that somebody typed, and comparing them takes long."""


def did_you_mean(name: object, known: Iterable[str], otherwise: str = "") -> str:
    """Return the end of a message about a misspelt name.

    Args:
        name: What was given. It is not repeated in the message.
        known: The valid names.
        otherwise: What to say if no valid name is near.
    """
    # Private names are looked for by tools, which do not read the message.
    if not isinstance(name, str) or len(name) > _LONGEST or name.startswith("_"):
        return otherwise
    import difflib  # noqa: PLC0415  (only errors need it)

    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else otherwise
