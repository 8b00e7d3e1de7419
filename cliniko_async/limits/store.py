"""The interface of a store, in which a shared limiter keeps its window.

A store keeps one value of bytes and need not understand it: `change` takes the value, does a step, and returns the next
value. `tests/limits/conformance.py` tests everything that a limiter must do over a store.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from .._backoff import retry_delays
from ..errors import LimiterUnavailableError
from .base import Priority
from .window import Backoff, Grant, Rules, StepRequest, WindowState, step

logger = logging.getLogger("cliniko_async")

LONGEST_RETRY = 1.0
"""The longest wait, in seconds, between two retries of a step over a store."""


class StoreLostError(LimiterUnavailableError):
    """The store cannot be used, or it is unknown whether it stored the change."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        """Create the error.

        Args:
            reason: The reason, without an address or a secret.
            lasting: Whether waiting cannot help.
        """
        super().__init__(reason)
        self.lasting = lasting

    def __str__(self) -> str:
        return f"the limiter cannot be used: {self.args[0]}"


class StepReply(NamedTuple):
    """The grants of a step, the window after it, and the pause on the clock of the process."""

    grants: dict[Priority, Grant]
    state: WindowState
    backoff: Backoff


class ChangedState(NamedTuple):
    """The value to store, the seconds for which it is useful, and the reply of the step."""

    value: bytes
    useful_for: float
    reply: StepReply


StateChange: TypeAlias = Callable[[bytes | None, float], ChangedState]
"""Takes the stored value, or None, and the time of the store in seconds. It may be called again after a conflict."""


class Store(Protocol):
    """Keeps one value for all processes that share a window, and provides their common clock.

    A database with row locks does an update in one transaction: it inserts the row if it is missing, as a row that does
    not exist cannot be locked; locks the row and selects its value; then reads the clock; calls `change`; and writes
    the new value. In PostgreSQL that clock is `clock_timestamp()`, as `now()` is when the transaction began. A database
    with compare-and-set calls `change` again after each conflict, with what is there now.
    """

    async def update(self, change: StateChange) -> StepReply:
        """Replace the value with the result of `change`, atomically.

        - No other process may replace the value between its reading and its writing.
        - The time is that of one clock for all processes, read after the value is locked, or together with it.
        - End in bounded time, with an error if need be, as all callers of the event loop wait for it.
        - If it is cancelled, which happens when the event loop ends, either all of the update is done or nothing.
        - It may be called in several event loops at once, unless the limiter has `one_loop=True`.

        Args:
            change: Takes the stored value, or nothing (None or empty bytes), and the time of the store in seconds. Its
                result has the `value` to store, the `reply`, and `useful_for`: the seconds for which to keep the value.

        Returns:
            The reply of the change that was stored.

        Raises:
            StoreLostError: The change could not be stored, or it is unknown whether it was. With `lasting=True`, and
                for any other exception, callers do not wait for the store, but fail.
        """
        ...

    async def close(self) -> None:
        """Close whatever the store has opened. Called once at a time, and again if it failed or was cancelled."""


class WindowStore:
    """The steps over a store, and a log of when the store is lost and when it is back."""

    def __init__(self, store: Store, rules: Rules, clock: Callable[[], float], *, waits: bool) -> None:
        self.waits = waits
        """Whether a caller waits for a store that is lost."""
        self._store = store
        self._rules = rules
        self._clock = clock
        self._is_lost = False
        self.is_closed = False
        self._closing = threading.Lock()

    async def step(self, request: StepRequest) -> StepReply:
        """Do a step on the stored value; an unreadable value counts as missing.

        Raises:
            StoreLostError: The store cannot be used.
        """
        try:
            reply = await self._store.update(partial(self._change, request, self._clock()))
        except Exception as error:  # noqa: BLE001  (whatever it is, the store cannot be used)
            lost = lost_error(error)
            if not self._is_lost:
                logger.warning("%s", lost)
            self._is_lost = True
            raise lost from lost.__cause__
        if self._is_lost:
            logger.info("the limiter can be used again")
        self._is_lost = False
        return reply

    async def close(self) -> None:
        """Close the store, unless that was done or another event loop is doing it."""
        if not self._closing.acquire(blocking=False):
            return
        try:
            if not self.is_closed:
                await self._store.close()
                self.is_closed = True
        finally:
            self._closing.release()

    def _change(self, request: StepRequest, asked_at: float, value: bytes | None, now: float) -> ChangedState:
        """Do the step at the store's time `now`, which was read between `asked_at` and now on the process's clock.

        As either may be long ago in a busy process, each conversion between the clocks assumes the later end.
        """
        rules = self._rules
        try:
            state = _decode(value) if value else WindowState()
        except msgspec.MsgspecError:
            state = WindowState()
        grants = step(state, rules, request, now, offset=now - asked_at)
        backoff = Backoff()
        backoff.merge(state.backoff, offset=self._clock() - now)
        useful_for = max(rules.lease_hold, state.backoff.paused_until - now) + 2 * rules.hold + rules.place_timeout
        return ChangedState(_encode(state), useful_for, StepReply(grants, state, backoff))


def lost_error(error: Exception) -> StoreLostError:
    """Return a new error for each caller, as callers may change it. An error of another class counts as lasting."""
    if isinstance(error, StoreLostError):
        lost, cause = StoreLostError(*error.args, lasting=error.lasting), error.__cause__
    else:
        lost, cause = StoreLostError(f"{type(error).__name__}: {error}", lasting=True), error
    lost.__cause__ = cause
    return lost


def store_retries() -> Iterator[float]:
    """Yield the seconds to wait before each retry of a step over a store."""
    return retry_delays(0.05, LONGEST_RETRY)


def digest(name: str) -> str:
    """Return the digest that replaces the name of a window in a store, as the name may be an API key."""
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(WindowState).decode
