"""Accounts on a Dask cluster of this machine: the cost of one against a bare task, and the gain of a second worker."""

import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from distributed import Client, LocalCluster

from cliniko_async.integrations.dask import AccountRun, WorkerContext, run_accounts

from .data import PAGE_SIZE
from .measure import Measurement
from .serving import client, serving

_ACCOUNTS, _ROUNDS = 400, 3
_STREAMS, _PAGES, _STREAM_ROUNDS = 40, 25, 3


async def measure_cluster() -> Sequence[Measurement]:
    """Measure wall time, because the work is done in other processes."""
    with serving(pages=_PAGES) as base_url:
        context = functools.partial(opened, base_url)
        async with _workers(1) as one:
            alone = [await _streamed(one, context) for _ in range(_STREAM_ROUNDS)]
        async with _workers(2) as two:
            both = [await _streamed(two, context) for _ in range(_STREAM_ROUNDS)]
            ours = [await _timed(lambda: _nothing_done(two, context)) for _ in range(_ROUNDS + 1)]
            bare = [await _timed(lambda: _bare(two)) for _ in range(_ROUNDS + 1)]
    streams = f"{_STREAMS} accounts of {_PAGES} pages each, on 2 workers"
    return [
        Measurement(what="an account on a cluster", against="a bare task", ours=ours[1:], theirs=bare[1:], unit="µs"),
        Measurement(what=streams, against="on 1 worker", ours=both, theirs=alone, unit="s"),
    ]


@asynccontextmanager
async def _workers(count: int) -> AsyncIterator[Client]:
    async with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            asynchronous=True,
        ) as cluster,
        Client(cluster, asynchronous=True) as found,
    ):
        yield found


class Forgetful:
    """A store that keeps no cursor."""

    async def load(self, account: str, stream: str) -> str | None:  # noqa: ARG002  (the signature of a store)
        """Return no cursor."""
        return None

    async def begin(self, account: str, stream: str) -> tuple[int, str | None]:  # noqa: ARG002
        """Begin a run from the start."""
        return 1, None

    async def save(self, account: str, stream: str, cursor: str, *, token: int | None = None) -> None:
        """Save nothing."""


@asynccontextmanager
async def opened(base_url: str) -> AsyncIterator[WorkerContext]:
    """Yield the clients of a worker for the canned server."""
    yield WorkerContext(client=lambda _: client(base_url), cursors=Forgetful(), streams=["nothing"])


async def stream(run: AccountRun) -> int:
    """Read every record of an account."""
    count = 0
    async for _ in run.cliniko.appointment_types.list():
        count += 1
    return count


async def nothing(run: AccountRun) -> None:
    """Do nothing for an account."""


async def _streamed(cluster: Client, context: Any) -> float:  # noqa: ANN401
    await _all(run_accounts(cluster, nothing, ["to warm up"], context=context))
    begun = time.monotonic()
    outcomes = await _all(run_accounts(cluster, stream, map(str, range(_STREAMS)), context=context))
    seconds = time.monotonic() - begun
    assert [each.result for each in outcomes] == [_PAGES * PAGE_SIZE] * _STREAMS
    return seconds


async def _nothing_done(cluster: Client, context: Any) -> None:  # noqa: ANN401
    outcomes = await _all(run_accounts(cluster, nothing, map(str, range(_ACCOUNTS)), context=context))
    assert [each for each in outcomes if each.error] == []


async def _bare(cluster: Any) -> None:  # noqa: ANN401
    futures = [cluster.submit(int, number, pure=False) for number in range(_ACCOUNTS)]
    assert len(await cluster.gather(futures)) == _ACCOUNTS


async def _all(runs: Any) -> list[Any]:  # noqa: ANN401
    return [each async for each in runs]


async def _timed(use: Callable[[], Awaitable[None]]) -> float:
    begun = time.monotonic()
    await use()
    return (time.monotonic() - begun) / _ACCOUNTS
