"""The rules that annotations of fields hold: which values a field accepts beyond its type, and how they are sent."""

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import msgspec

from ._dates import format_utc
from ._messages import ID_DIGITS, is_id

_MOST_ZEROS = 30


class Rule(msgspec.Struct, frozen=True):
    """A restriction of the values of a field beyond their type, as metadata of its annotation."""

    @property
    def text(self) -> str:
        """The rule in words, such as "at most 255 characters"; empty if there is nothing to add to the type."""
        return ""

    def fault(self, value: Any) -> str | None:  # noqa: ARG002
        """Check a value that has the right type.

        Args:
            value: The value.

        Returns:
            What is wrong with the value, or None if it is allowed.
        """
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from ._records.pydantic import ruled_schema  # noqa: PLC0415  (only pydantic calls this)

        return ruled_schema(self, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        from ._records.pydantic import json_schema_of_rule  # noqa: PLC0415  (as above)

        described: dict[str, Any] = handler(schema)
        return described | json_schema_of_rule(self)


class MaxLength(Rule, frozen=True):
    """A text with a maximum length.

    Args:
        most: The maximum number of characters.
    """

    most: int

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"at most {self.most} characters"

    def fault(self, value: str) -> str | None:
        return f"is longer than {self.most} characters" if len(value) > self.most else None


class MinLength(Rule, frozen=True):
    """A text with a minimum length.

    Args:
        least: The minimum number of characters.
    """

    least: int

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"at least {self.least} characters"

    def fault(self, value: str) -> str | None:
        return f"is shorter than {self.least} characters" if len(value) < self.least else None


class Range(Rule, frozen=True):
    """A number within bounds.

    Args:
        low: The lower bound.
        high: The upper bound, or None if there is none.
        low_excluded: Whether the number must be more than `low`; otherwise it can equal `low`.
        high_excluded: Whether the number must be less than `high`; otherwise it can equal `high`.
    """

    low: int
    high: int | None
    low_excluded: bool = False
    high_excluded: bool = False

    @property
    def text(self) -> str:
        """The rule in words."""
        low = f"more than {self.low}" if self.low_excluded else f"at least {self.low}"
        high = f"less than {self.high}" if self.high_excluded else f"at most {self.high}"
        return low if self.high is None else f"{low} and {high}"

    def fault(self, value: int | Decimal) -> str | None:
        too_low = value <= self.low if self.low_excluded else value < self.low
        too_high = self.high is not None and (value >= self.high if self.high_excluded else value > self.high)
        return f"must be {self.text}" if too_low or too_high else None


class Pattern(Rule, frozen=True):
    """A text that matches a regular expression.

    Args:
        regex: The expression, which must match the whole text.
    """

    regex: str

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"matching `{self.regex}`"

    def fault(self, value: str) -> str | None:
        return None if re.fullmatch(self.regex, value) else f"does not match {self.regex}"


class Digits(Rule, frozen=True):
    """An id: 1 to 19 digits, as a str or an int; sent as a string."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"1 to {ID_DIGITS} digits"

    def fault(self, value: str | int) -> str | None:
        return f"must be an id of {self.text}" if id_text(value) is None else None

    def write(self, value: str | int) -> str | None:
        """Return the id as the API writes it.

        Args:
            value: The id.

        Returns:
            The value to encode as JSON.
        """
        return id_text(value)


class DecimalText(Rule, frozen=True):
    """A finite decimal number, sent as a string."""

    def fault(self, value: Decimal | int) -> str | None:
        exponent = Decimal(value).as_tuple().exponent
        if not isinstance(exponent, int):
            return "must be finite"
        return None if abs(exponent) <= _MOST_ZEROS else f"has an exponent beyond {_MOST_ZEROS}"

    def write(self, value: Decimal | int) -> Any:
        """Return the number in full, without an exponent.

        Args:
            value: The number.

        Returns:
            The value to encode as JSON.
        """
        return format(Decimal(value), "f")


class DecimalNumber(DecimalText, frozen=True):
    """A finite decimal number, sent as a JSON number."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return "sent as a number"

    def write(self, value: Decimal | int) -> Any:
        return msgspec.Raw(super().write(value).encode())


class Zoned(Rule, frozen=True):
    """A datetime with a time zone that lies between the years 1 and 9999 in UTC."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return "with a time zone"

    def fault(self, value: dt.datetime) -> str | None:
        try:
            format_utc(value)
        except ValueError as error:
            return str(error)
        return None


class AsItWasRead(Rule, frozen=True):
    """A part of a record that was read and can be sent back.

    Pydantic does not accept JSON for it, because a part made from it would lose unknown keys.
    """

    def __get_pydantic_core_schema__(self, source: Any, _: Any) -> Any:
        from ._records.pydantic import instance_schema  # noqa: PLC0415  (as above)

        return instance_schema(source)


class Deprecated(Rule, frozen=True):
    """A field that the API has deprecated."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return "deprecated"


def id_text(value: object) -> str | None:
    """Return an id as the API writes it.

    Args:
        value: The id, as a str or an int.

    Returns:
        The digits, or None if the value is not an id.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value)) if 0 <= value < 10**ID_DIGITS else None
    return str.__str__(value) if isinstance(value, str) and is_id(value) else None
