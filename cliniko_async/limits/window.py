"""The algorithm of all limiters: which callers get a permit now, and when the others should ask again.

This module has only values and functions over them, without a clock, a lock or I/O: the time is an argument, in seconds
of the clock of the limiter or store that keeps the state. `local.py` keeps the state in memory, `sqlite.py` in a file,
and `redis.py` in Redis.
"""

import math
from bisect import bisect_right, insort
from collections.abc import Sequence

import msgspec

from .._checks import count_option, seconds_option, share_option
from .base import BULK_SHARE, LIMIT, PERIOD, Limits, Priority, Wait

PAD = 0.002
"""Extra time for which each permit is held, as a share of the period, because clocks run at different rates."""
GRACE = 0.05
"""How long after it was abandoned a request may still be counted by the server, as a share of the period."""


class Rules:
    """The parameters of a window; times are in seconds."""

    def __init__(
        self, limit: int = LIMIT, period: float = PERIOD, bulk_share: float = BULK_SHARE, lease: float = math.inf
    ) -> None:
        """Create with the options of a limiter."""
        # These convert numpy scalars, which a store cannot encode.
        self.limit = limit = count_option("limit", limit)
        self.period = period = seconds_option("period", period)
        bulk_share = share_option("bulk_share", bulk_share)
        self.hold = period * (1 + PAD)
        self.long_hold = period * (1 + GRACE + PAD)
        # How long a permit that is never settled is held.
        self.lease_hold = float(lease) + self.long_hold
        self.bulk_limit = max(1, int(bulk_share * limit + 1e-9))
        # Bulk permits are evenly spaced, so that interactive callers get the permits that become free in between.
        self.bulk_interval = period / (bulk_share * limit)
        # How late a process may ask again before it loses its place in the queue.
        self.place_timeout = GRACE * period + 0.25
        # How long a process waits before a step that is not urgent, so that reports are combined and others are served.
        self.step_delay = period / 1000
        self.options = f"limit={limit}, period={period:g}, bulk_share={bulk_share:g}"


class Backoff(msgspec.Struct, array_like=True):
    """The pause after a 429, and the last guess for a pause whose length the server did not send."""

    paused_until: float = -math.inf
    guess: float = 0.0
    guess_until: float = -math.inf

    def pause(self, seconds: float | None, period: float, now: float) -> float:
        """Pause for some seconds, guessed if None, and return the seconds until the pause ends."""
        if seconds is None:
            # A 429 for a request that was under way when the pause began does not mean that the pause was too short.
            if now >= self.guess_until:
                in_a_row = now < self.guess_until + period
                self.guess = min(2 * self.guess if in_a_row else period / 4, period)
            seconds = self.guess
            self.guess_until = now + seconds
        self.paused_until = max(self.paused_until, now + max(0.0, seconds))
        return self.paused_until - now

    def merge(self, other: "Backoff", offset: float) -> None:
        """Adopt the newer values of another backoff; this clock is `offset` seconds ahead of the other one."""
        self.paused_until = max(self.paused_until, other.paused_until + offset)
        if other.guess_until + offset > self.guess_until:
            self.guess, self.guess_until = other.guess, other.guess_until + offset


class QueuedProcess(msgspec.Struct, array_like=True):
    """A waiting process, the number of permits it wants, and until when it keeps its place without asking again."""

    process: str
    want: int
    back_by: float


class PriorityClass(msgspec.Struct, array_like=True):
    """The permits held at one priority, and the processes that wait at it, first in the queue first."""

    leases: dict[str, float] = {}
    """When each lease ends if it is never settled; the oldest first."""
    settled: list[float] = []
    """When the permits whose requests have ended are free again, ascending."""
    queue: list[QueuedProcess] = []

    @property
    def wanted(self) -> int:
        """The number of permits that the processes in the queue want."""
        return sum(queued.want for queued in self.queue)


class Grant(msgspec.Struct, array_like=True):
    """The number of permits a process got at one priority, and the seconds after which to ask for the rest."""

    count: int
    delay: float = math.inf


class LastStep(msgspec.Struct, array_like=True):
    """The last grants of a process, in case the reply was lost."""

    number: int
    grants: dict[Priority, Grant]
    forget_at: float


class WindowState(msgspec.Struct, array_like=True):
    """The complete state of a window."""

    interactive: PriorityClass = msgspec.field(default_factory=PriorityClass)
    bulk: PriorityClass = msgspec.field(default_factory=PriorityClass)
    bulk_opens_at: float = -math.inf
    backoff: Backoff = msgspec.field(default_factory=Backoff)
    last_steps: dict[str, LastStep] = {}
    seen_at: float = -math.inf
    """When the last step was taken."""

    @property
    def held(self) -> int:
        """The number of permits that are in flight, or settled but not free yet."""
        interactive, bulk = self.interactive, self.bulk
        return len(interactive.leases) + len(interactive.settled) + len(bulk.leases) + len(bulk.settled)


class LeaseUpdate(msgspec.Struct):
    """The moment at which the permit of a lease is free again; one in the past means now. A new lease is created."""

    lease: str
    priority: Priority
    free_at: float
    in_flight: bool = False


class StepRequest(msgspec.Struct):
    """The reports and wishes of a process. Its leases have its name, and numbers from `first_lease` on."""

    process: str
    number: int
    """The number of the step: a step that arrives again, or after a later one, is not done. Number 0 always is."""
    first_lease: int
    interactive: int
    bulk: int
    updates: Sequence[LeaseUpdate] = ()
    backoff: Backoff | None = None


def step(
    state: WindowState, rules: Rules, request: StepRequest, now: float, offset: float = 0.0
) -> dict[Priority, Grant]:
    """Apply the reports of a process, grant it free permits, and return when it should ask again.

    Args:
        state: The window, which is changed.
        rules: The parameters of the window.
        request: What the process reports and wants.
        now: The moment, on the clock of the window.
        offset: Seconds by which that clock is ahead of the clock of the process.

    Returns:
        The grant at each priority at which there are waiting callers. Interactive comes first and gets the lower lease
        numbers.
    """
    if now < state.seen_at:
        _set_back(state, now - state.seen_at)
    state.seen_at = now
    if request.number and (last := state.last_steps.get(request.process)) is not None and last.number >= request.number:
        return {priority: Grant(grant.count, 0.0) for priority, grant in last.grants.items()}
    for update in request.updates:
        _settle(state, update, now, offset)
    if request.backoff is not None:
        state.backoff.merge(request.backoff, offset)
    _trim(state, request.process, now)
    grants: dict[Priority, Grant] = {}
    first = request.first_lease
    if request.interactive or state.interactive.queue:
        grants["interactive"] = grant = _grant(state, rules, state.interactive, request, first)
        first += grant.count
    if request.bulk or state.bulk.queue:
        grants["bulk"] = _grant(state, rules, state.bulk, request, first)
    if request.number:
        state.last_steps[request.process] = LastStep(request.number, grants, now + rules.lease_hold)
    return grants


def limits_of(state: WindowState, rules: Rules) -> Limits:
    """Return the state of the window as of the last step, without the number of waiting callers."""
    interactive, bulk = (_shortest_waits(state, rules, class_) for class_ in (state.interactive, state.bulk))
    paused = max(0.0, state.backoff.paused_until - state.seen_at)
    remaining = max(0, rules.limit - state.held)
    waits: dict[Priority, Wait] = {"interactive": interactive, "bulk": bulk}
    return Limits(rules.limit, state.held, remaining, {}, interactive.first, paused, waits)


def is_idle(state: WindowState, rules: Rules) -> bool:
    """Return whether the window was equivalent to a new one at the last step."""
    ends = state.backoff.paused_until, state.backoff.guess_until + rules.period, state.bulk_opens_at
    return not (state.held or state.interactive.queue or state.bulk.queue) and max(ends) <= state.seen_at


def lease_id(process: str, number: int) -> str:
    """Return the name of a lease."""
    return f"{process}:{number}"


def granted_leases(request: StepRequest, grants: dict[Priority, Grant]) -> list[tuple[Priority, str]]:
    """Return the names of the leases that a step granted, with their priorities."""
    priorities: list[Priority] = [priority for priority, grant in grants.items() for _ in range(grant.count)]
    return [(each, lease_id(request.process, number)) for number, each in enumerate(priorities, request.first_lease)]


def _shortest_waits(state: WindowState, rules: Rules, class_: PriorityClass) -> Wait:
    return Wait(*(max(0.0, _opens_at(state, rules, class_, ahead) - state.seen_at) for ahead in (0, class_.wanted)))


def _set_back(state: WindowState, seconds: float) -> None:
    """Shift all moments with a clock that was set back, as if no time had passed."""
    state.bulk_opens_at += seconds
    backoff, state.backoff = state.backoff, Backoff()
    state.backoff.merge(backoff, seconds)
    for class_ in (state.interactive, state.bulk):
        class_.leases = {lease: end + seconds for lease, end in class_.leases.items()}
        class_.settled = [free_at + seconds for free_at in class_.settled]
        for queued in class_.queue:
            queued.back_by += seconds
    for last in state.last_steps.values():
        last.forget_at += seconds


def _settle(state: WindowState, update: LeaseUpdate, now: float, offset: float) -> None:
    class_ = state.interactive if update.priority == "interactive" else state.bulk
    class_.leases.pop(update.lease, None)
    free_at = update.free_at + offset
    if update.in_flight:
        class_.leases[update.lease] = free_at
    elif free_at > now:
        insort(class_.settled, free_at)


def _trim(state: WindowState, process: str, now: float) -> None:
    """Remove permits that are free by now, and other processes that did not ask again in time."""
    for class_ in (state.interactive, state.bulk):
        if class_.settled and class_.settled[0] <= now:
            del class_.settled[: bisect_right(class_.settled, now)]
        while class_.leases and class_.leases[lease := next(iter(class_.leases))] <= now:
            del class_.leases[lease]
        if class_.queue:
            class_.queue = [queued for queued in class_.queue if queued.back_by >= now or queued.process == process]
    if state.last_steps:
        state.last_steps = {process: last for process, last in state.last_steps.items() if last.forget_at > now}


def _grant(state: WindowState, rules: Rules, class_: PriorityClass, request: StepRequest, first_lease: int) -> Grant:
    """Grant a process what it wants at one priority, or its part of it, and update its place in the queue."""
    process, want = request.process, request.interactive if class_ is state.interactive else request.bulk
    now, queue, position = state.seen_at, class_.queue, 0
    while position < len(queue) and queue[position].process != process:
        position += 1
    opens_at, count = _opens_at(state, rules, class_, position), 0
    if not want or opens_at <= now:
        del queue[position : position + 1]
    if want and opens_at <= now:
        count = 1
        if want > 1 and class_ is state.interactive:
            # All free permits if no other process waits, otherwise a part for each. Bulk is evenly spaced.
            count = min(want, max(1, (rules.limit - state.held) // (len(queue) + 1)))
        for number in range(first_lease, first_lease + count):
            class_.leases[lease_id(process, number)] = now + rules.lease_hold
        if class_ is state.bulk:
            state.bulk_opens_at = now + rules.bulk_interval
    if count == want:
        return Grant(count)
    if count:
        # It has left its place, and goes to the end of the queue for the rest.
        position = len(queue)
        opens_at = max(_opens_at(state, rules, class_, position), now + rules.step_delay if position else now)
    queue[position : position + 1] = [QueuedProcess(process, want - count, max(opens_at, now) + rules.place_timeout)]
    return Grant(count, max(0.0, opens_at - now))


def _opens_at(state: WindowState, rules: Rules, class_: PriorityClass, ahead: int) -> float:
    """Return the earliest moment at which a permit is free for a caller with `ahead` others ahead at its priority.

    Interactive callers go before bulk callers. A moment in the past means now.
    """
    paused_until, interactive, bulk = state.backoff.paused_until, state.interactive, state.bulk
    if class_ is interactive:
        return max(paused_until, _released_at(state.seen_at, rules, rules.limit, ahead, interactive, bulk))
    of_all = _released_at(state.seen_at, rules, rules.limit, ahead + interactive.wanted, interactive, bulk)
    of_share = _released_at(state.seen_at, rules, rules.bulk_limit, ahead, bulk)
    return max(paused_until, of_all, of_share, state.bulk_opens_at + ahead * rules.bulk_interval)


def _released_at(now: float, rules: Rules, size: int, ahead: int, *classes: PriorityClass) -> float:
    """Return the earliest moment at which one of `size` permits is free, if `ahead` others are granted first.

    For example, if both of two permits are held until t and u, the callers get theirs at t, u, t + hold, u + hold.
    """
    # Each round of `size` grants lasts a hold. In the last round, the caller waits for the permit at `index`, in the
    # order in which those that are held now become free.
    rounds, place = divmod(ahead, size)
    index, moment = place - size, now
    for class_ in classes:
        index += len(class_.leases) + len(class_.settled)
    if index >= 0:
        ends = sorted(end for class_ in classes for end in (*class_.settled, *class_.leases.values()))
        # A permit in flight is held until a period after its response, which arrives now at the earliest.
        moment = min(ends[index], now + rules.hold)
    return moment + rounds * rules.hold
