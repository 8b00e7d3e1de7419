"""Decimals in columns with a fixed number of decimal places."""

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, InvalidOperation

PRECISION = 38
"""The digits of a column."""


def fixed_decimals(values: Iterable[Decimal | None], places: int) -> list[Decimal | None]:
    """Return decimals with `places` decimal places.

    pyarrow would do it, but stores some numbers with more than 56 decimal places as another number, without an error.

    Raises:
        ArithmeticError: A value has more digits than fit.
        TypeError: A value is not a number.
    """
    quantize = Context(prec=PRECISION, traps=[Inexact, InvalidOperation]).quantize
    unit = Decimal(1).scaleb(-places)
    return [None if value is None else quantize(value, unit) for value in values]
