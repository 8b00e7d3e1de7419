"""What newer Pythons have and 3.11 has not."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

__all__ = ["deprecated"]

if TYPE_CHECKING:
    from typing_extensions import deprecated
else:
    F = TypeVar("F", bound=Callable[..., object])

    def deprecated(_: str) -> Callable[[F], F]:
        """Mark an operation as deprecated, for the type checkers."""
        return lambda function: function
