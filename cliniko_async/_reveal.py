"""Shows the values of records in their reprs, inside a block that a program marks."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Final, overload

import attrs
import msgspec

from ._messages import RedactedRepr


class _Block(msgspec.Struct, eq=False):
    """A `with reveal():` block, and the one around it."""

    outer: "_Block | None"
    active: bool = True


# A context variable, as nothing else separates threads and tasks, and `repr` takes no argument. It holds the block
# itself and not a flag: tasks that begin in a block keep a copy of the context, and are silent as soon as it ends.
_BLOCK: Final = ContextVar[_Block | None]("cliniko_async.reveal", default=None)


def _innermost() -> _Block | None:
    block = _BLOCK.get()
    while block is not None and not block.active:
        block = block.outer
    return block


class RevealableRepr(RedactedRepr):
    """Shows only its class name in `repr` and rich, but inside `with reveal():` all its fields. For attrs classes."""

    __slots__ = ()

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the fields to show, if any."""
        if _innermost() is None:
            return []
        cls: Any = type(self)
        names = (field.name for field in attrs.fields(cls) if not field.name.startswith("_"))
        return [(name, getattr(self, name, None)) for name in names]

    def __repr__(self) -> str:
        """Return the class name with the fields to show."""
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown or '…'})"


class _NothingGiven:
    """The absence of an argument, as None can be one."""


@overload
def reveal() -> AbstractContextManager[None]: ...


@overload
def reveal(value: object, /) -> str: ...


def reveal(value: object = _NothingGiven, /) -> AbstractContextManager[None] | str:
    """Show all fields in the reprs of records, which otherwise show only class and id.

    For notebooks and debuggers: what is shown may be about patients. `with reveal():` applies to records, their parts,
    pages and changes, also within lists and dicts. It applies to the thread or task that enters the block, and to the
    tasks that it starts there, until the block ends. Requests, responses, keys, and the errors and logs of the library
    never show values.

    Args:
        value: A record, or anything that holds records. Left out, the result is a context manager.

    Returns:
        The repr of the value with all fields, or a context manager for a block in which all reprs show them.
    """
    if value is _NothingGiven:
        return _revealing()
    with _revealing():
        return repr(value)


@contextmanager
def _revealing() -> Generator[None]:
    block = _Block(_innermost())
    _BLOCK.set(block)
    try:
        yield
    finally:
        # Not `reset`, which fails if the block ends in another context, as that of a fixture may.
        block.active = False
