"""What is sent again and when: a pure policy, and the transports that act on it."""

import asyncio
import datetime as dt
import email.utils
import logging
import math
import random
import time
from collections.abc import Callable
from typing import Literal

import attrs

from .._messages import Request, Response
from ..errors import (
    ClinikoError,
    ConfigurationError,
    DeadlineExceededError,
    DecodingError,
    OutcomeUnknownError,
    TransportError,
    UsageError,
    error_for,
)
from ..limits import Priority, RateLimiter
from .deadline import UnmeetableDeadlineError
from .session import SessionManager
from .transport import Call, Transport

logger = logging.getLogger("cliniko_async")

Verdict = Literal["done", "again", "refused", "unknown", "unread"]
_RESET_SLACK = 1.0


def check_seconds(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    """Refuse what is no length of time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigurationError(f"{attribute.name} is a number of seconds above 0")


def _positive_int(_: object, attribute: "attrs.Attribute[int]", value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{attribute.name} is an int of at least 1")


@attrs.frozen
class RetryPolicy:
    """How often a request is sent at the most, and how long is waited between two attempts, in seconds.

    The wait is drawn at random between 0 and a bound that starts at `wait_initial` and doubles up to `wait_max`.
    """

    attempts: int = attrs.field(default=5, validator=_positive_int)
    wait_initial: float = attrs.field(default=0.5, validator=check_seconds)
    wait_max: float = attrs.field(default=30.0, validator=check_seconds)

    def bound(self, attempt: int) -> float:
        """Give the longest wait in seconds behind an attempt, the first of which is 1."""
        return float(min(self.wait_max, self.wait_initial * 2.0 ** min(attempt - 1, 64)))

    def wait(
        self,
        attempt: int,
        outcome: Response | TransportError,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> float:
        """Return the seconds to wait after an attempt: drawn at random, but never less than a 503 asks for.

        Args:
            attempt: the number of the attempt, from 1.
            outcome: what it ended with; its `Retry-After` counts up to `wait_max`.
            uniform: draws a number between two.
        """
        asked = retry_after(outcome) if isinstance(outcome, Response) and outcome.status == 503 else 0.0
        return max(uniform(0, self.bound(attempt)), min(asked, float(self.wait_max)))


def judge(request: Request, outcome: Response | TransportError) -> Verdict:
    """Say what an outcome means, by what the server may have done.

    "again": it did nothing, or sending it once more does no harm. "unknown": a write that may have been done.
    "unread": a write that was done, without its answer. "refused": nothing was done, and nothing will be.
    """
    if isinstance(outcome, TransportError):
        return _judge_failure(request, outcome)
    status = outcome.status
    if 200 <= status < 300:
        return "done"
    if status == 429:
        return "again"
    if status >= 500 or status == 408:
        return "again" if request.repeatable else "unknown"
    # A redirect that follows a success; the others stand for a request that was not carried out.
    return "unknown" if status in (302, 303) and not request.repeatable else "refused"


def _judge_failure(request: Request, failure: TransportError) -> Verdict:
    if request.method != "GET" and failure.status is not None and 200 <= failure.status < 300:
        return "unread"
    return "again" if request.repeatable or not failure.sent else "unknown"


class RateLimited:
    """Takes a permit for each attempt, and tells the limiter of a 429."""

    def __init__(
        self, inner: Transport, limiter: RateLimiter, priority: Priority, *, wall: Callable[[], float] = time.time
    ) -> None:
        """Take what sends, who permits it and at which priority."""
        self._inner = inner
        self._limiter = limiter
        self._priority: Priority = priority
        self._wall = wall

    async def send(self, call: Call) -> Response:
        """Wait for a permit, send, and hold the permit as long as the server may count it."""
        permit = await (call.deadline or self._limiter).acquire(self._priority)
        try:
            response = await self._inner.send(call)
        except BaseException:
            if call.sent:
                permit.abandon()
            else:
                permit.cancel()
            raise
        permit.complete()
        if response.status == 429:
            paused = self._limiter.pause(self._until_reset(response))
            logger.info("%r answered 429: every request waits for %.1f s", call.request, paused)
        return response

    def _until_reset(self, response: Response) -> float | None:
        """Give the seconds until the server's reset, by the server's own clock where it tells it."""
        try:
            reset = float(int(response.headers["X-RateLimit-Reset"]))
        except (KeyError, ValueError, OverflowError):
            return None
        now = _date(response)
        seconds = reset - (self._wall() if now is None else now)
        # Both are whole seconds, so the true moment may lie a second later.
        return min(max(seconds, 1.0), 2 * self._limiter.period) + _RESET_SLACK + random.random()


def retry_after(response: Response, wall: Callable[[], float] = time.time) -> float:
    """Return the seconds that an answer asks to wait, as a number or a date by the server's own clock; else 0."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    until, now = _date(response, "Retry-After"), _date(response)
    return 0.0 if until is None else until - (wall() if now is None else now)


def _date(response: Response, name: str = "Date") -> float | None:
    try:
        date = email.utils.parsedate_to_datetime(response.headers[name])
        return (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp()
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return None


class Retrying:
    """Sends until it is done, as often as the policy and the request allow, within the deadline."""

    def __init__(
        self,
        inner: Transport,
        policy: RetryPolicy,
        manager: SessionManager,
        deadline: float | None,
        *,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Take what sends, whose calls these are, and their deadline in seconds."""
        self._inner = inner
        self._policy = policy
        self._manager = manager
        self._deadline = deadline
        self._uniform = uniform

    async def send(self, request: Request) -> Response:
        """Give the answer to a request that was done."""
        call = Call(request)
        scope: asyncio.Timeout | None = None
        try:
            async with self._manager.call(self._deadline) as scope:
                call.deadline = self._manager.deadline(scope)
                return await self._attempts(call)
        except UnmeetableDeadlineError:
            pass
        except TimeoutError:
            if scope is None or not scope.expired():
                raise
        finally:
            # It refers to the task, which may keep the error, whose traceback has this frame.
            del scope
        raise self._cut_short(call)

    def _cut_short(self, call: Call) -> ClinikoError:
        closed = self._manager.closed
        when = "before the client was closed" if closed else "before the deadline"
        if call.sent and not call.request.repeatable:
            reason = _UNKNOWN.format(f"had no answer {when}")
            return OutcomeUnknownError(reason, request=call.request, attempts=call.attempts)
        if closed:
            return UsageError(f"{call.request!r} was not done {when}")
        wait = call.deadline.retry_after(asyncio.get_running_loop().time()) if call.deadline else None
        reason = f"was not done {when}"
        if wait is not None:
            reason = f"has to wait {wait:.1f} s for the budget, so it {reason}"
        error = DeadlineExceededError(reason, request=call.request, attempts=call.attempts, sent=call.sent)
        error.retry_after = wait
        return error

    async def _attempts(self, call: Call) -> Response:
        acted = False
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._attempt(call)
            if acted and call.request.removes and _is_gone(outcome):
                return Response(204, {}, b"")  # An attempt before this one removed it.
            verdict = judge(call.request, outcome)
            if verdict == "done" and isinstance(outcome, Response):
                return outcome
            if verdict != "again" or call.hopeless or attempt == self._policy.attempts:
                try:
                    raise _error(call.request, outcome, verdict, attempt)
                finally:
                    # Where the error is the outcome, its traceback would keep it, and every frame above, in a cycle.
                    del outcome
            acted = acted or _may_have_acted(outcome)
            await self._wait(call.request, attempt, outcome)

    async def _attempt(self, call: Call) -> Response | TransportError:
        call.sent = False
        try:
            return await self._inner.send(call)
        except TransportError as failure:
            return failure.with_traceback(None)  # Frames below may refer to it, too.

    async def _wait(self, request: Request, attempt: int, outcome: Response | TransportError) -> None:
        """Wait before the next attempt; behind a 429 the limiter does it, for everybody."""
        if isinstance(outcome, Response) and outcome.status == 429:
            return
        seconds = self._policy.wait(attempt, outcome, self._uniform)
        why = outcome.status if isinstance(outcome, Response) else type(outcome).__name__
        logger.info("%r: attempt %d ended with %s, the next one in %.2f s", request, attempt, why, seconds)
        await asyncio.sleep(seconds)


_UNKNOWN = "{}: it may have been done, so look before you send it again"


def _is_gone(outcome: Response | TransportError) -> bool:
    return isinstance(outcome, Response) and outcome.status == 404


def _may_have_acted(outcome: Response | TransportError) -> bool:
    return outcome.sent if isinstance(outcome, TransportError) else outcome.status != 429


def _error(request: Request, outcome: Response | TransportError, verdict: Verdict, attempts: int) -> ClinikoError:
    if verdict == "unread":
        status = outcome.status if isinstance(outcome, TransportError) else None
        return DecodingError(["the answer was cut off"], request=request, status=status, written=True)
    if verdict == "unknown":
        what = f"answered {outcome.status}" if isinstance(outcome, Response) else outcome.args[0]
        return OutcomeUnknownError(_UNKNOWN.format(what), request=request, attempts=attempts, status=outcome.status)
    if isinstance(outcome, TransportError):
        outcome.attempts = attempts
        return outcome
    return error_for(request, outcome, attempts)
