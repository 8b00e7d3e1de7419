"""One attempt to send a request and its possible outcomes, as values shared by every HTTP layer."""

from typing import Protocol, TypeAlias

import msgspec

from .._messages import RedactedRepr, Request, Response
from ..errors import TransportError
from .deadline import Deadline

Outcome: TypeAlias = Response | TransportError
"""How an attempt ended: with a response of any status, or without a complete response."""


class Attempt(RedactedRepr, msgspec.Struct):
    """An attempt and its progress, which stays available if the call is interrupted."""

    request: Request
    number: int = 1
    deadline: Deadline | None = None
    may_be_done: bool = False
    """Whether the server may have carried out the request in an earlier attempt."""
    started: bool = False
    """Whether it has its permit and is being sent."""
    sent: bool = False
    """Whether the server may have received it."""
    status: int | None = None
    """The status of the response, once its headers have arrived."""
    hopeless: bool = False
    """Whether every further attempt would fail too, because the server's certificate was rejected."""

    @property
    def count(self) -> int:
        """The number of attempts started so far."""
        return self.number if self.started else self.number - 1

    def next(self, outcome: Outcome) -> "Attempt":
        """Return the next attempt, given the outcome of this one."""
        acted = outcome.sent if isinstance(outcome, TransportError) else outcome.status != 429
        return Attempt(self.request, self.number + 1, self.deadline, may_be_done=self.may_be_done or acted)


class Transport(Protocol):
    """Sends attempts."""

    async def send(self, attempt: Attempt) -> Outcome:
        """Send the attempt once, and return the response or the error that explains why there is none."""
        ...
