"""One attempt to send a request, its progress and its possible outcomes, which every HTTP layer shares."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

from .._messages import RedactedRepr, Request, Response
from ..errors import TransportError
from .deadline import CallDeadline

Outcome: TypeAlias = Response | TransportError
"""How an attempt ended: with a response of any status, or without a complete response."""


_call_numbers = itertools.count(1)


class Call(msgspec.Struct, frozen=True):
    """The call that an attempt belongs to: its number in this process, and when it began, by the event loop's time."""

    number: int = 0
    began: float = 0.0

    @classmethod
    def begin(cls) -> "Call":
        """Return a call that begins now, with the next number."""
        return cls(next(_call_numbers), asyncio.get_running_loop().time())


class Attempt(RedactedRepr, msgspec.Struct):
    """An attempt and its progress, which stays available if the call is interrupted."""

    request: Request
    number: int = 1
    deadline: CallDeadline | None = None
    may_be_done: bool = False
    """Whether the server may have carried out the request in an earlier attempt."""
    started: bool = False
    """Whether it has its permit and is being sent."""
    sent: bool = False
    """Whether the server may have received it."""
    status: int | None = None
    """The status of the response, once its headers have arrived."""
    certificate_rejected: bool = False
    """Whether the server's certificate was rejected, as it would be in every further attempt."""
    call: Call = Call()
    waited: float = 0.0
    """Seconds for which it waited for its permit."""
    began: float = 0.0
    """When nothing was left to wait for, such as its permit, by the event loop's time."""

    @property
    def count(self) -> int:
        """The number of attempts started so far."""
        return self.number if self.started else self.number - 1

    def next(self, outcome: Outcome) -> "Attempt":
        """Return the next attempt, given the outcome of this one."""
        acted = outcome.sent if isinstance(outcome, TransportError) else outcome.status != 429
        may_be_done = self.may_be_done or acted
        return Attempt(self.request, self.number + 1, self.deadline, may_be_done=may_be_done, call=self.call)


class Transport(Protocol):
    """A layer that sends attempts, itself or through the next one."""

    async def send(self, attempt: Attempt) -> Outcome:
        """Send the attempt once, and return the response or the error that explains why there is none."""
        ...


TransportWrapper: TypeAlias = Callable[[Transport], Transport]
"""Returns a transport that does more, around one that sends."""
