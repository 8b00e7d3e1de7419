"""The events that a client emits: plain values, which never contain a query, a body, a key or a patient.

```python
from cliniko_async.observers import AttemptEnded, Event

def print_attempts(event: Event) -> None:
    if isinstance(event, AttemptEnded):
        print(event.method, event.route, event.status, f"{event.seconds:.3f} s")

cliniko = Cliniko(api_key, app_name="Rosters", contact_email="it@example.com", observers=[print_attempts])
```
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from .limits.base import Priority


class CallStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A call has begun: one request to the API, with all its attempts. Each page of an iteration is a call.

    Attributes:
        call: The number of the call, unique in this process.
        method: The HTTP method.
        server: The base URL of the API, or the origin of the file store.
        route: The path below it, with `{id}` in the place of each id; empty for a request to the file store.
        priority: `"interactive"` or `"bulk"`.
    """

    call: int
    method: str
    server: str
    route: str
    priority: Priority


class PermitGranted(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt of a call has received its permit from the rate limiter, and is about to be sent.

    Attributes:
        call: The number of the call.
        attempt: The number of the attempt, from 1.
        priority: `"interactive"` or `"bulk"`.
        seconds: How long the attempt waited for the permit.
    """

    call: int
    attempt: int
    priority: Priority
    seconds: float


class AttemptEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt has ended, with a response or without.

    Attributes:
        call: The number of the call.
        attempt: The number of the attempt, from 1.
        method: The HTTP method.
        server: As in `CallStarted`.
        route: As in `CallStarted`.
        status: The status of the response, or None if no complete response arrived.
        error: The name of the error's class, or None if a response arrived. `"CancelledError"` if the call was
            cancelled or its deadline passed meanwhile.
        seconds: From the start of the attempt to its end.
        waited: Seconds for which the attempt waited for its permit.
    """

    call: int
    attempt: int
    method: str
    server: str
    route: str
    status: int | None
    error: str | None
    seconds: float
    waited: float


class RetryScheduled(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt has failed, and another one will follow.

    Attributes:
        call: The number of the call.
        attempt: The number of the attempt that failed.
        reason: The status of the response, as text, or the name of the error's class.
        seconds: The wait before the next attempt; 0 after a 429, when the rate limiter makes every request wait.
    """

    call: int
    attempt: int
    reason: str
    seconds: float


class RequestsPaused(msgspec.Struct, frozen=True, kw_only=True):
    """The server answered 429, so every request that shares the rate limiter waits.

    Attributes:
        call: The number of the call.
        seconds: How long they wait.
    """

    call: int
    seconds: float


class CallEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A call has ended.

    Attributes:
        call: The number of the call.
        method: The HTTP method.
        server: As in `CallStarted`.
        route: As in `CallStarted`.
        attempts: How many attempts were sent.
        status: The status of the last response, or None if the last attempt had none.
        error: The name of the class of the error that the call raised, or None if it succeeded.
        seconds: From the start of the call to its end, including all waits.
    """

    call: int
    method: str
    server: str
    route: str
    attempts: int
    status: int | None
    error: str | None
    seconds: float


class WatchInterrupted(msgspec.Struct, frozen=True, kw_only=True):
    """A watch has met an error and continues, either with another request or without some invalid records.

    Attributes:
        resource: The name of the resource that is watched.
        error: The name of the error's class.
        faults: What is invalid in the records that are left out, each with the id of a record and the path of a field;
            empty if the same page is requested again.
        seconds: The wait before the next request; 0 if records are left out.
    """

    resource: str
    error: str
    faults: tuple[str, ...]
    seconds: float


Event: TypeAlias = (
    CallStarted | PermitGranted | AttemptEnded | RetryScheduled | RequestsPaused | CallEnded | WatchInterrupted
)

Observer: TypeAlias = Callable[[Event], object]
"""A function that a client calls with each event, in the event loop. It must not block. What it raises is logged."""
