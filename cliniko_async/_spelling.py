"""Suggestions for misspelt names: an error names the closest valid one."""

from collections.abc import Iterable

_LONGEST = 64
"""Longer texts are unlikely to be names, and slow to compare."""


def did_you_mean(name: object, known: Iterable[str], otherwise: str = "") -> str:
    """Return the end of a message about a misspelt name.

    Args:
        name: The name that was given. The message does not repeat it.
        known: The valid names.
        otherwise: The text to return if no valid name is close.
    """
    # Tools look up private names, and do not read the message.
    if not isinstance(name, str) or len(name) > _LONGEST or name.startswith("_"):
        return otherwise
    import difflib  # noqa: PLC0415  (only errors need it)

    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else otherwise
