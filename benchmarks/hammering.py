"""Processes that load sandboxes until their windows are full, and the requests that the sandboxes counted."""

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
from .sandboxes import Counted, SandboxAddress, SandboxOptions

T = TypeVar("T")

Load = Literal["full load", "mixed load"]
"""Callers of both priorities without pause; or bulk without pause, with interactive calls at random times."""

_CALLERS = 32
_CALLS_A_MINUTE = 30
_BULK_SHARE = 0.8
_LATENCY, _JITTER = 0.15, 0.2
_MINUTE = 60.0
_LONGER = 1.1
"""Each run is longer than the ideal by this factor, so that a slightly slower one is measured to its end."""
_ROOT = Path(__file__).parent.parent


@attrs.frozen
class Case:
    """A number of processes with one kind of limiter, and a server with one kind of window."""

    processes: int
    kind: Kind
    window: WindowType
    load: Load


@attrs.frozen(kw_only=True)
class Scale:
    """The scale of a run; a shorter period shortens the latency too."""

    limit: int = 200
    period: float = _MINUTE
    periods: int = 2
    """The number of measured periods."""

    @property
    def latency(self) -> float:
        """The shortest response time, in seconds."""
        return _LATENCY * self.period / _MINUTE

    @property
    def jitter(self) -> float:
        """The largest additional delay of the request and of the response, in seconds each."""
        return _JITTER * self.period / _MINUTE

    @property
    def ceiling(self) -> float:
        """The share of the limit that the rule allows: a permit is held for a period, its pad and the response time."""
        return 1 / (1.002 + (_LATENCY + _JITTER) / _MINUTE)

    @property
    def ideal(self) -> float:
        """The duration of the measured requests at the limit, in seconds."""
        return self.periods * self.period

    def lasts(self, load: Load) -> float:
        """The duration of a run, in seconds; the rate of bulk is steady only after a first period."""
        return _LONGER * (self.ideal if load == "full load" else self.ideal + self.period)


@attrs.frozen
class Outcome:
    """The result of one case."""

    case: Case
    scale: Scale
    counted: Counted
    waits: Sequence[Wait]
    """Those of the interactive calls in the measured periods."""

    @property
    def taken(self) -> float:
        """Seconds for as many requests as fit the measured periods: of all, or of bulk beside interactive calls."""
        limit, moments = self.scale.limit, sorted(moment for moment, _, _ in self.requests())
        # In the middle of a burst, because its first request follows the fastest response of the previous one.
        first = limit // 2
        if self.case.load == "mixed load":
            first = limit = round(_BULK_SHARE * limit)
            moments = sorted(moment for moment, _, priority in self.requests() if priority == "bulk")
        wanted = self.scale.periods * limit
        # A run that was too slow for all of them is judged by the complete windows that it reached.
        done = min(wanted, (len(moments) - 1 - first) // limit * limit)
        assert done > 0, f"{self.case}: {len(moments)} requests in all"
        return (moments[first + done] - moments[first]) * wanted / done

    @property
    def share(self) -> float:
        """The share reached of the limit, or of the share of bulk."""
        return self.scale.ideal / self.taken

    def requests(self) -> Iterator[tuple[float, int, Priority]]:
        """Return the time at which each request was counted, its process and its priority."""
        for moment, agent in self.counted.arrivals:
            process, _, priority = agent.partition(" ")
            yield moment, int(process), "bulk" if priority == "bulk" else "interactive"

    def waits_in_a_minute(self) -> list[float]:
        """Return the waits in seconds, shortest first, scaled to a period of a minute."""
        return sorted(seconds * _MINUTE / self.scale.period for _, seconds in self.waits)


def hammered(cases: Sequence[Case], scale: Scale) -> list[Outcome]:
    """Run all cases at once, each with its own sandbox; each process has a client and a limiter for each case."""
    with ExitStack() as stack:
        shared = any(case.kind == "RedisLimiter" for case in cases)
        redis = stack.enter_context(RedisServer()).url if shared else ""
        folder = stack.enter_context(TemporaryDirectory())
        servers = stack.enter_context(_process("sandboxes"))
        _write(servers, [_options(case, scale, seed) for seed, case in enumerate(cases)])
        places = _read(servers, list[SandboxAddress])
        jobs = list(_jobs(cases, places, scale, redis or folder, folder))
        numbers = range(max(case.processes for case in cases))
        workers = [stack.enter_context(_process("hammer")) for _ in numbers]
        for number, worker in enumerate(workers):
            _write(worker, [job for _, job in jobs if job.process == number])
        start = _start(workers)
        waits = [list[Wait]() for _ in cases]
        for number, worker in enumerate(workers):
            own = [index for index, job in jobs if job.process == number]
            for index, found in zip(own, _read(worker, list[list[Wait]]), strict=True):
                waits[index] += found
        _write(servers, None)
        counted = _read(servers, list[Counted])
    measured = start + scale.period
    return [
        Outcome(case, scale, each, [wait for wait in waited if wait[0] >= measured])
        for case, each, waited in zip(cases, counted, waits, strict=True)
    ]


def _options(case: Case, scale: Scale, seed: int) -> SandboxOptions:
    return SandboxOptions(case.window, scale.limit, scale.period, scale.latency, scale.jitter, seed)


def _jobs(
    cases: Sequence[Case], places: Sequence[SandboxAddress], scale: Scale, redis: str, folder: str
) -> Iterator[tuple[int, Job]]:
    """Return the jobs of all processes, each with the index of its case."""
    steam = itertools.count()
    at_full_steam = sum(case.load == "full load" for case in cases)
    for index, (case, place) in enumerate(zip(cases, places, strict=True)):
        full = case.load == "full load"
        # Their bursts come once a period; started one after the other, they do not compete for the processor.
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


def _write(process: subprocess.Popen[str], value: object) -> None:
    assert process.stdin
    print(msgspec.json.encode(value).decode(), file=process.stdin, flush=True)


def _read(process: subprocess.Popen[str], kind: type[T]) -> T:
    assert process.stdout
    line = process.stdout.readline()
    assert line, "a process ended before its time"
    return msgspec.json.decode(line, type=kind)
