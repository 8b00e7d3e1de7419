"""Logs each call and emits its events to the observers."""

import asyncio
import logging
import re
import sys
from collections.abc import Iterable
from inspect import iscoroutinefunction
from typing import Any, TypedDict

from yarl import URL

from .._messages import FileRequest, Request, Response, Server
from ..errors import ClinikoError, ConfigurationError
from ..limits import Priority
from ..observers import (
    AttemptEnded,
    CallEnded,
    CallStarted,
    Event,
    Observer,
    PermitGranted,
    RequestsPaused,
    RetryScheduled,
)
from .attempt import Attempt, Outcome, Transport

logger = logging.getLogger("cliniko_async")

_NUMBER = re.compile(r"\d+", re.ASCII)
_WORD = re.compile(r"[a-z_]{1,60}")


def checked_observers(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    """Return the observers of a client.

    Raises:
        ConfigurationError: They are not functions.
    """
    found: tuple[Any, ...] = tuple(observers) if isinstance(observers, Iterable) else (None,)
    # Nothing would await a coroutine.
    if not all(callable(each) and not iscoroutinefunction(each) for each in found):
        raise ConfigurationError("observers must be functions that take an event, not async ones, in a list or tuple")
    return found


class _RequestTarget(TypedDict):
    """What the events of a call and of its attempts say of its request."""

    method: str
    server: str
    route: str


def _target_of(request: Request, server: Server) -> _RequestTarget:
    if isinstance(request, FileRequest) or server.own_url(request.url) is None:
        return {"method": request.method, "server": str(URL(request.url, encoded=True).origin()), "route": ""}
    # Without ids and names.
    route = "/".join(map(_without_id, request.path.removeprefix(server.base_path).split("/")))
    return {"method": request.method, "server": server.base_url, "route": route}


def _without_id(segment: str) -> str:
    if not segment or _WORD.fullmatch(segment):
        return segment
    # Anything else in a path that a caller wrote could be a name.
    return "{id}" if _NUMBER.fullmatch(segment) else "{other}"


class Reporter:
    """Writes the log lines of calls and emits their events; costs next to nothing without observers."""

    def __init__(self, server: Server, priority: Priority, observers: tuple[Observer, ...]) -> None:
        """Create the reporter of one view of a client.

        Args:
            server: The server of the API.
            priority: The priority of the calls.
            observers: The functions that receive each event.
        """
        self._server = server
        self._priority: Priority = priority
        self._observers = observers

    def call_started(self, attempt: Attempt) -> None:
        """Report that a call begins, given its first attempt."""
        if self._observers:
            target = _target_of(attempt.request, self._server)
            self.emit(CallStarted(call=attempt.call.number, priority=self._priority, **target))

    def permit_granted(self, attempt: Attempt) -> None:
        """Report that an attempt has its permit, and is about to be sent."""
        if self._observers:
            self.emit(
                PermitGranted(
                    call=attempt.call.number, attempt=attempt.number, priority=self._priority, seconds=attempt.waited
                )
            )

    def attempt_ended(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Report how an attempt ended: None if it is ending with an exception."""
        logs = logger.isEnabledFor(logging.DEBUG)
        if not logs and not self._observers:
            return
        seconds = _now() - attempt.began
        status, error = _ending(outcome)
        if logs:
            self._log_attempt(attempt, status, error, seconds)
        if self._observers:
            self.emit(
                AttemptEnded(
                    **_target_of(attempt.request, self._server),
                    call=attempt.call.number,
                    attempt=attempt.number,
                    status=status,
                    error=error,
                    seconds=seconds,
                    waited=attempt.waited,
                )
            )

    def _log_attempt(self, attempt: Attempt, status: int | None, error: str | None, seconds: float) -> None:
        values = _values(attempt, status=status, ms=round(seconds * 1000, 1), waited_ms=round(attempt.waited * 1000, 1))
        logger.debug(
            "%r: %s in %.1f ms (attempt %d, waited %.1f ms for a permit)",
            attempt.request,
            status or error,
            values["ms"],
            attempt.number,
            values["waited_ms"],
            extra=values,
        )

    def retry_scheduled(self, attempt: Attempt, outcome: Outcome, seconds: float) -> None:
        """Report that another attempt follows after some seconds."""
        status, error = _ending(outcome)
        reason = str(status or error)
        if status != 429:  # The pause has its own line.
            logger.info(
                "%r: attempt %d ended with %s, the next one in %.2f s",
                attempt.request,
                attempt.number,
                reason,
                seconds,
                extra=_values(attempt, status=status, delay_ms=round(seconds * 1000, 1)),
            )
        if self._observers:
            self.emit(RetryScheduled(call=attempt.call.number, attempt=attempt.number, reason=reason, seconds=seconds))

    def requests_paused(self, attempt: Attempt, seconds: float) -> None:
        """Report that a 429 pauses every request for some seconds."""
        logger.info(
            "%r answered 429: every request waits for %.1f s",
            attempt.request,
            seconds,
            extra=_values(attempt, status=429, delay_ms=round(seconds * 1000, 1)),
        )
        if self._observers:
            self.emit(RequestsPaused(call=attempt.call.number, seconds=seconds))

    def call_ended(self, attempt: Attempt, result: Response | ClinikoError | None) -> None:
        """Report how a call ended: None if it is ending with an exception that is not among its results."""
        if not self._observers:
            return
        self.emit(
            CallEnded(
                **_target_of(attempt.request, self._server),
                call=attempt.call.number,
                attempts=attempt.count,
                status=getattr(result, "status", None),
                error=None if isinstance(result, Response) else _name_of(result or sys.exception()),
                seconds=_now() - attempt.call.began,
            )
        )

    def emit(self, event: Event) -> None:
        """Pass an event to the observers."""
        for observer in self._observers:
            try:
                observer(event)
            # An observer must not harm the call, nor seem to cancel it.
            except (Exception, asyncio.CancelledError):
                logger.warning("an observer failed", exc_info=True)


class Reported:
    """A transport without a rate limit, whose attempts are reported."""

    def __init__(self, inner: Transport, reporter: Reporter) -> None:
        """Create the wrapper."""
        self._inner = inner
        self._reporter = reporter

    async def send(self, attempt: Attempt) -> Outcome:
        """Send the attempt, and report how it ended."""
        outcome: Outcome | None = None
        attempt.began = _now()
        try:
            outcome = await self._inner.send(attempt)
            return outcome
        finally:
            self._reporter.attempt_ended(attempt, outcome)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _ending(outcome: Outcome | None) -> tuple[int | None, str | None]:
    """Return the status and the name of the error of an attempt that has ended, or is ending with an exception."""
    if isinstance(outcome, Response):
        return outcome.status, None
    return None, _name_of(outcome or sys.exception())


def _name_of(error: BaseException | None) -> str:
    return type(error).__name__


def _values(attempt: Attempt, **values: float | None) -> dict[str, Any]:
    """Return what a log record says as attributes, for formatters that write JSON."""
    request = attempt.request
    path = "" if isinstance(request, FileRequest) else request.path
    return {"method": request.method, "path": path, "attempt": attempt.number, **values}
