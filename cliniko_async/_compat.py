"""What newer Pythons have and 3.11 has not."""

import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["deprecated"]

if TYPE_CHECKING:
    from typing_extensions import deprecated
else:
    F = TypeVar("F", bound=Callable[..., Any])

    def deprecated(message: str) -> Callable[[F], F]:
        """Mark an operation as deprecated, for the type checkers and with a warning at each call."""

        def mark(function: F) -> F:
            @functools.wraps(function)
            def warning(*args: Any, **kwargs: Any) -> Any:
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                return function(*args, **kwargs)

            warning.__deprecated__ = message
            return warning

        return mark
