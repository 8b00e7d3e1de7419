"""The limiter of one machine: processes that share a file keep one window, whoever of them dies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cliniko_async.limits import SqliteLimiter, Store
from cliniko_async.limits.sqlite import SqliteStore
from tests.limits.conformance import StoreConformance
from tests.limits.event_loops import EventLoopConformance
from tests.support import workers


class TestSqliteStore(StoreConformance, EventLoopConformance):
    @contextlib.asynccontextmanager
    async def connect(self, where: str) -> AsyncIterator[Store]:
        yield SqliteStore(self.folder / "limits.sqlite", where, 5.0, asyncio.get_running_loop().time)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits.sqlite"


def test_closing_what_was_never_used_opens_nothing(path):
    asyncio.run(SqliteLimiter(path).aclose())
    assert not path.exists()


def test_processes_that_hammer_one_file_keep_the_window(path):
    jobs = [workers.Job(str(path), 50), workers.Job(str(path), 50, "bulk"), workers.Job(str(path), 20)]
    served = workers.run_workers(*jobs)
    assert [len(counted) for counted in served] == [50, 50, 20]
    workers.assert_kept([moment for counted in served for moment in counted], workers.LIMIT, workers.PERIOD)


def test_a_process_killed_with_all_permits_costs_no_more_than_its_lease(path):
    job = workers.Job(str(path), 3, limit=3, period=0.2)
    workers.run_and_kill(job)
    counted = workers.hammer(job._replace(requests=5))
    assert len(counted) == 5


def test_closing_again_does_nothing(path):
    async def main() -> int:
        async with SqliteLimiter(path, 2) as limiter:
            (await limiter.acquire("interactive")).complete()
            await asyncio.gather(limiter.aclose(), limiter.aclose())
        async with SqliteLimiter(path, 2) as other:
            return (await other.limits()).used

    assert asyncio.run(main()) == 1
