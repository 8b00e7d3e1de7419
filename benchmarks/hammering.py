"""Processes that hammer sandboxes until their windows are full, and what those counted meanwhile."""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

import attrs
import msgspec

from cliniko_async.limits import Priority
from cliniko_async.sandbox.server.rate_limit import WindowType
from tests.support.redis_server import RedisServer

from .hammer import Job, Kind, Wait
from .sandboxes import Counted, Options, Place

T = TypeVar("T")

Load = Literal["full load", "mixed load"]
"""Callers at both priorities who ask without pause; or bulk without pause beside calls at random moments."""

_CALLERS = 32
_CALLS_A_MINUTE = 30
_BULK_SHARE = 0.8
_LATENCY, _JITTER = 0.15, 0.2
_MINUTE = 60.0
_LONGER = 1.1
"""Each run is longer than the ideal by this, so that what is slower by less is measured to its end."""
_ROOT = Path(__file__).parent.parent


@attrs.frozen
class Case:
    """So many processes with one kind of limiter, before a server that counts in one way."""

    processes: int
    kind: Kind
    window: WindowType
    load: Load


@attrs.frozen(kw_only=True)
class Scale:
    """How large all is; a shorter period shortens the latency with it."""

    limit: int = 200
    period: float = _MINUTE
    periods: int = 2
    """How many are measured."""

    @property
    def latency(self) -> float:
        """The least that an answer takes, in seconds."""
        return _LATENCY * self.period / _MINUTE

    @property
    def jitter(self) -> float:
        """What each way takes on top at the most, in seconds."""
        return _JITTER * self.period / _MINUTE

    @property
    def ceiling(self) -> float:
        """What the rule allows of the limit: each permit is held for a period, its pad and the answer's time."""
        return 1 / (1.002 + (_LATENCY + _JITTER) / _MINUTE)

    @property
    def ideal(self) -> float:
        """Seconds for what is measured, at the limit."""
        return self.periods * self.period

    def lasts(self, load: Load) -> float:
        """How long a run takes, in seconds; bulk is as it remains only after a first period."""
        return _LONGER * (self.ideal if load == "full load" else self.ideal + self.period)


@attrs.frozen
class Outcome:
    """What came of one case."""

    case: Case
    scale: Scale
    counted: Counted
    waits: Sequence[Wait]
    """Of the interactive calls of the periods that are measured."""

    @property
    def taken(self) -> float:
        """Seconds for as many requests as the measured periods hold at the most: of all, or of bulk beside calls."""
        limit, moments = self.scale.limit, sorted(moment for moment, _, _ in self.requests())
        first = limit // 2  # In the middle of a burst, as its first request is that of the fastest answer before.
        if self.case.load == "mixed load":
            first = limit = round(_BULK_SHARE * limit)
            moments = sorted(moment for moment, _, priority in self.requests() if priority == "bulk")
        wanted = self.scale.periods * limit
        # A run that was too slow for all of them is judged by the whole windows that it did.
        done = min(wanted, (len(moments) - 1 - first) // limit * limit)
        assert done > 0, f"{self.case}: {len(moments)} requests in all"
        return (moments[first + done] - moments[first]) * wanted / done

    @property
    def share(self) -> float:
        """What was reached of the limit, or of what bulk may have of it."""
        return self.scale.ideal / self.taken

    def requests(self) -> Iterator[tuple[float, int, Priority]]:
        """Return the moment at which each request counted, its process and its priority."""
        for moment, agent in self.counted.arrivals:
            process, _, priority = agent.partition(" ")
            yield moment, int(process), "bulk" if priority == "bulk" else "interactive"

    def waits_in_a_minute(self) -> list[float]:
        """Return the waits in seconds, shortest first, as they would be if the period were a minute."""
        return sorted(seconds * _MINUTE / self.scale.period for _, seconds in self.waits)


def hammered(cases: Sequence[Case], scale: Scale) -> list[Outcome]:
    """Run all cases at once, each with a sandbox of its own; process 3 has a client and a limiter for each."""
    with ExitStack() as stack:
        shared = any(case.kind == "RedisLimiter" for case in cases)
        redis = stack.enter_context(RedisServer()).url if shared else ""
        folder = stack.enter_context(TemporaryDirectory())
        servers = stack.enter_context(_process("sandboxes"))
        _tell(servers, [_options(case, scale, seed) for seed, case in enumerate(cases)])
        places = _heard(servers, list[Place])
        jobs = list(_jobs(cases, places, scale, redis or folder, folder))
        numbers = range(max(case.processes for case in cases))
        workers = [stack.enter_context(_process("hammer")) for _ in numbers]
        for number, worker in enumerate(workers):
            _tell(worker, [job for _, job in jobs if job.process == number])
        start = _start(workers)
        waits = [list[Wait]() for _ in cases]
        for number, worker in enumerate(workers):
            own = [index for index, job in jobs if job.process == number]
            for index, found in zip(own, _heard(worker, list[list[Wait]]), strict=True):
                waits[index] += found
        _tell(servers, None)
        counted = _heard(servers, list[Counted])
    measured = start + scale.period
    return [
        Outcome(case, scale, each, [wait for wait in waited if wait[0] >= measured])
        for case, each, waited in zip(cases, counted, waits, strict=True)
    ]


def _options(case: Case, scale: Scale, seed: int) -> Options:
    return Options(case.window, scale.limit, scale.period, scale.latency, scale.jitter, seed)


def _jobs(
    cases: Sequence[Case], places: Sequence[Place], scale: Scale, redis: str, folder: str
) -> Iterator[tuple[int, Job]]:
    """Return the jobs of all processes, each with the index of its case."""
    steam = itertools.count()
    at_full_steam = sum(case.load == "full load" for case in cases)
    for index, (case, place) in enumerate(zip(cases, places, strict=True)):
        full = case.load == "full load"
        # Their bursts come once a period: one after the other, none waits for the processor that another needs.
        begins = next(steam) * scale.period / at_full_steam if full else 0.0
        for process in range(case.processes):
            yield (
                index,
                Job(
                    base_url=place.base_url,
                    api_key=place.api_key,
                    process=process,
                    kind=case.kind,
                    where=redis if case.kind == "RedisLimiter" else f"{folder}/{index}.sqlite",
                    name=f"window {index}",
                    limit=scale.limit,
                    period=scale.period,
                    bulk=max(1, 8 // case.processes),
                    urgent=_CALLERS // case.processes if full else 0,
                    rate=0.0 if full else _CALLS_A_MINUTE / scale.period / case.processes,
                    begins=begins,
                    lasts=scale.lasts(case.load),
                ),
            )


def _start(workers: Sequence[subprocess.Popen[str]]) -> float:
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    start = time.monotonic() + 0.1
    for worker in workers:
        assert worker.stdin
        print(start, file=worker.stdin, flush=True)
    return start


@contextmanager
def _process(module: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"benchmarks.{module}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=_ROOT) as process:  # noqa: S603
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _tell(process: subprocess.Popen[str], value: object) -> None:
    assert process.stdin
    print(msgspec.json.encode(value).decode(), file=process.stdin, flush=True)


def _heard(process: subprocess.Popen[str], kind: type[T]) -> T:
    assert process.stdout
    line = process.stdout.readline()
    assert line, "a process ended before its time"
    return msgspec.json.decode(line, type=kind)
