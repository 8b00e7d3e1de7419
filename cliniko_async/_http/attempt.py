"""One attempt to send a request, and what may come of it: values that every layer of a call knows."""

from typing import Protocol, TypeAlias

import msgspec

from .._messages import RedactedRepr, Request, Response
from ..errors import TransportError
from .deadline import Deadline

Outcome: TypeAlias = Response | TransportError
"""How an attempt ended: with an answer, whatever its status, or without a complete one."""


class Attempt(RedactedRepr, msgspec.Struct):
    """An attempt and its progress, which is recorded here so that it is known if the call is cut short."""

    request: Request
    number: int = 1
    deadline: Deadline | None = None
    may_be_done: bool = False
    """Whether the server may have carried out the request in an earlier attempt."""
    started: bool = False
    """Whether it has its permit and is being given to a connection."""
    sent: bool = False
    """Whether the server may have seen it."""
    status: int | None = None
    """The status of the answer, once its headers have arrived."""
    hopeless: bool = False
    """Whether every further attempt would fail, too, as the certificate is not the server's."""

    @property
    def count(self) -> int:
        """How many attempts have been started."""
        return self.number if self.started else self.number - 1

    def next(self, outcome: Outcome) -> "Attempt":
        """Return the attempt that follows this one, given how this one ended."""
        acted = outcome.sent if isinstance(outcome, TransportError) else outcome.status != 429
        return Attempt(self.request, self.number + 1, self.deadline, may_be_done=self.may_be_done or acted)


class Transport(Protocol):
    """Sends an attempt."""

    async def send(self, attempt: Attempt) -> Outcome:
        """Send it once; return the answer, or the error that says why there is none."""
        ...
