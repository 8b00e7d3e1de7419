"""Descriptions of fields for people who do not know Python."""

import datetime as dt
import re

DAY = dt.date(2026, 1, 31)
"""The day in examples."""
_WORDS = (
    (r"a str or an int, 1 to 19 digits", "an id"),
    (r"a list( or None)?, each an id", r"ids with commas between them\1"),
    (r"\ba str\b", "text"),
    (r"\ba Decimal or an int\b", "a number"),
    (r"\ba Decimal\b", "a number"),
    (r"\ban int\b", "a whole number"),
    (r"\bTrue or False\b", "true or false"),
    (r"\ba datetime(( or None)?, with a time zone)?", r"a time such as 2026-01-31T09:00:00+10:00\2"),
    (r"\ba date\b", f"a day such as {DAY}"),
    (r"a mapping of fields or \w+( or None)?(, see `\w+`)?", r"a JSON object\1"),
    (r"\ba mapping of fields\b", "a JSON object"),
    (r"matching `\(\?i\)\^\[A-Z0-9!.*\$`", "an e-mail address"),
    (r"does not match \(\?i\)\^\[A-Z0-9!.*\$", "is not an e-mail address"),
    # In quotes it is a value, such as a type of reminder.
    (r"(?<!')\bNone\b", "nothing"),
)
_TYPES = (
    (r"(?:datetime\.)?datetime", "time"),
    (r"(?:datetime\.)?date", "day"),
    (r"(?:decimal\.)?Decimal", "number"),
    (r"tuple\[str(?: \| None)?, \.\.\.\]", "list of texts"),
    (r"tuple\[.*\]", "list of objects"),
    (r"str", "text"),
    (r"int", "whole number"),
    (r"bool", "true or false"),
)


def plain(text: str) -> str:
    """Return the description of a field, or what is wrong with it, without the words of Python.

    Args:
        text: What `describe_fields` or an `InvalidFieldsError` says.
    """
    for pattern, words in _WORDS:
        text = re.sub(pattern, words, text)
    return text


def type_in_words(of: object) -> str:
    """Return the type of a column in words.

    Args:
        of: The type, as `columns` has it.
    """
    text = (of.__name__ if isinstance(of, type) else str(of)).removesuffix(" | None")
    return next((words for pattern, words in _TYPES if re.fullmatch(pattern, text)), "object")
