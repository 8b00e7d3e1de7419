"""Retries: a pure policy, and the wrapper that applies it within a deadline."""

import asyncio
import random
from collections.abc import Callable
from types import TracebackType
from typing import Literal, TypeAlias, cast

import attrs
import msgspec

from .._checks import count_option, seconds_option
from .._messages import RedactedRepr, Request, Response, retry_after
from ..errors import (
    ClinikoError,
    DeadlineExceededError,
    DecodingError,
    OutcomeUnknownError,
    ResponseError,
    TransportError,
    UsageError,
    error_for,
)
from .attempt import Attempt, Call, Outcome, Transport
from .calls import CallScope
from .deadline import UnmeetableDeadlineError
from .reporter import Reporter
from .session import SessionManager

Verdict: TypeAlias = Literal["done", "retry", "refused", "outcome_unknown", "unreadable"]
_UNKNOWN = "{}: it may have been done, so look before you send it again"


def check_seconds(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    """Check that an attribute is a number of seconds above 0."""
    seconds_option(attribute.name, value)


def _check_count(_: object, attribute: "attrs.Attribute[int]", value: int) -> None:
    count_option(attribute.name, value)


@attrs.frozen
class RetryPolicy:
    """How often a request is sent, and how long to wait between two attempts.

    Each wait is drawn at random between 0 and a bound, which starts at `wait_initial` and doubles up to `wait_max`.

    Args:
        attempts: The largest number of attempts, at least 1.
        wait_initial: The bound of the first wait, in seconds.
        wait_max: The largest bound, in seconds; a longer `Retry-After` of a 503 is cut to it.

    Raises:
        ConfigurationError: A value is not a number in its range.
    """

    attempts: int = attrs.field(default=5, validator=_check_count)
    wait_initial: float = attrs.field(default=0.5, validator=check_seconds)
    wait_max: float = attrs.field(default=30.0, validator=check_seconds)

    def bound(self, attempt: int) -> float:
        """Return the longest wait after an attempt.

        Args:
            attempt: The number of the attempt, from 1.

        Returns:
            Seconds.
        """
        return float(min(self.wait_max, self.wait_initial * 2.0 ** min(attempt - 1, 64)))

    def wait(self, attempt: int, outcome: Outcome, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Return the wait after an attempt: random, but at least the `Retry-After` of a 503, up to `wait_max`.

        Args:
            attempt: The number of the attempt, from 1.
            outcome: How it ended.
            uniform: Returns a random number between two bounds.

        Returns:
            Seconds.
        """
        asked = retry_after(outcome.headers) if isinstance(outcome, Response) and outcome.status == 503 else 0.0
        return max(uniform(0, self.bound(attempt)), min(asked, float(self.wait_max)))


def classify(request: Request, outcome: Outcome) -> Verdict:
    """Classify an outcome by what the server may have done.

    Returns:
        "done": the request was carried out. "retry": it was not, or repeating it is harmless. "refused": it was not and
        will not be. "outcome_unknown": a write that may have been carried out. "unreadable": a write that was carried
        out, but whose response was cut off.
    """
    status = outcome.status
    if isinstance(outcome, TransportError):
        if request.method != "GET" and status is not None and 200 <= status < 300:
            return "unreadable"
        return "retry" if request.repeatable or not outcome.sent else "outcome_unknown"
    if 200 <= outcome.status < 300:
        return "done"
    if outcome.status == 429:
        return "retry"
    if outcome.status >= 500 or outcome.status == 408:
        return "retry" if request.repeatable else "outcome_unknown"
    # A server may send 302 or 303 after success; any other status here means that the request was not carried out.
    return "outcome_unknown" if outcome.status in (302, 303) and not request.repeatable else "refused"


class _OngoingCall(RedactedRepr, msgspec.Struct):
    """A call in progress: its current attempt, and its result once it has one."""

    attempt: Attempt
    result: Response | ClinikoError | None = None

    def take_result(self) -> Response:
        """Return the response or raise the error, without a reference to it: its traceback refers to the call."""
        result, self.result = self.result, None
        if isinstance(result, Response):
            return result
        try:
            raise cast("ClinikoError", result)  # A call that ends without an exception has a result.
        finally:
            del result


class _Bounded:
    """Bounds a call by its deadline and by the life of the client. If it is cut short, that error is its result."""

    __slots__ = ("_call", "_manager", "_scope", "_seconds")

    def __init__(self, call: _OngoingCall, manager: SessionManager, seconds: float | None) -> None:
        self._call = call
        self._manager = manager
        self._seconds = seconds
        self._scope = CallScope(manager.calls, seconds)

    async def __aenter__(self) -> None:
        timeout = await self._scope.__aenter__()
        if self._seconds is not None:
            self._call.attempt.deadline = self._manager.call_deadline(timeout)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            await self._scope.__aexit__(kind, error, traceback)
            is_cut_short = isinstance(error, UnmeetableDeadlineError) or (
                isinstance(error, TimeoutError) and self._scope.is_expired
            )
        except TimeoutError:
            is_cut_short = True
        if is_cut_short:
            self._call.result = cut_short(self._call.attempt, closed=self._manager.calls.closed)
        return is_cut_short


class Retrying:
    """Sends a request until it succeeds, as often as the policy and the request allow, within the deadline."""

    def __init__(
        self,
        inner: Transport,
        policy: RetryPolicy,
        manager: SessionManager,
        deadline: float | None,
        reporter: Reporter,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Create the wrapper.

        Args:
            inner: Sends one attempt.
            policy: The number of attempts and the waits between them.
            manager: Ends the call when the client is closed.
            deadline: Seconds for a whole call; None for no limit.
            reporter: Reports calls and retries.
            uniform: Returns a random number between two bounds.
        """
        self._inner = inner
        self._policy = policy
        self._manager = manager
        self._deadline = deadline
        self._reporter = reporter
        self._uniform = uniform

    async def send(self, request: Request) -> Response:
        """Return the response if the request succeeded, otherwise raise its error."""
        # A further coroutine around the attempts would be a further frame in every traceback.
        call = _OngoingCall(Attempt(request, call=Call.begin()))
        self._reporter.call_started(call.attempt)
        try:
            async with _Bounded(call, self._manager, self._deadline):
                while call.result is None:
                    outcome = await self._inner.send(call.attempt)
                    call.result = self._result(call.attempt, outcome)
                    if call.result is None:
                        await self._wait(call.attempt, outcome)
                        call.attempt = call.attempt.next(outcome)
                    del outcome  # It may be the error of the call, whose traceback keeps this frame.
        finally:
            self._reporter.call_ended(call.attempt, call.result)
        return call.take_result()

    def _result(self, attempt: Attempt, outcome: Outcome) -> Response | ClinikoError | None:
        """Return the final result of a call, or None if the request should be sent again."""
        if attempt.may_be_done and attempt.request.removes and _has_status(outcome, 404):
            return Response(204, {}, b"")  # An earlier attempt removed it.
        verdict = classify(attempt.request, outcome)
        if verdict == "done" and isinstance(outcome, Response):
            return outcome
        if verdict == "retry" and not attempt.certificate_rejected and attempt.number < self._policy.attempts:
            return None
        return _error(attempt, outcome, verdict)

    async def _wait(self, attempt: Attempt, outcome: Outcome) -> None:
        """Wait before the next attempt, except after a 429, when the limiter makes every caller wait."""
        if _has_status(outcome, 429):
            self._reporter.retry_scheduled(attempt, outcome, 0.0)
            return
        seconds = self._policy.wait(attempt.number, outcome, self._uniform)
        self._reporter.retry_scheduled(attempt, outcome, seconds)
        await asyncio.sleep(seconds)


def _has_status(outcome: Outcome, status: int) -> bool:
    """Return whether a complete response with this status arrived."""
    return isinstance(outcome, Response) and outcome.status == status


def cut_short(attempt: Attempt, *, closed: bool) -> ClinikoError:
    """Return the error for a call that ended at its deadline or because the client was closed."""
    request, count = attempt.request, attempt.count
    when = "before the client was closed" if closed else "before the deadline"
    if attempt.sent and not request.repeatable:
        return OutcomeUnknownError(_UNKNOWN.format(f"received no response {when}"), request=request, attempts=count)
    if closed:
        return UsageError(f"{request!r} was not done {when}")
    wait = attempt.deadline.retry_after(asyncio.get_running_loop().time()) if attempt.deadline else None
    reason = f"was not done {when}"
    if wait is not None:
        reason = f"has to wait {wait:.1f} s for the budget, so it {reason}"
    error = DeadlineExceededError(reason, request=request, attempts=count, sent=attempt.sent)
    error.retry_after = wait
    return error


def _error(attempt: Attempt, outcome: Outcome, verdict: Verdict) -> ClinikoError:
    request, attempts, status = attempt.request, attempt.number, outcome.status
    if verdict == "unreadable":
        return DecodingError(["the response was cut off"], request=request, status=status, written=True)
    if verdict == "outcome_unknown":
        what = f"answered {status}" if isinstance(outcome, Response) else outcome.args[0]
        return OutcomeUnknownError(_UNKNOWN.format(what), request=request, attempts=attempts, status=status)
    return error_of(attempt, outcome)


def error_of(attempt: Attempt, outcome: Outcome) -> ResponseError | TransportError:
    """Return the error for the last attempt, which failed and will not be retried."""
    if isinstance(outcome, TransportError):
        outcome.attempts = attempt.number
        return outcome
    return error_for(attempt.request, outcome, attempt.number)
