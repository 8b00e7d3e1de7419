"""One sync of one clinic: a pipeline of dlt that keeps nothing on this machine, run in a thread of its own."""

import asyncio
import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import attrs
import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime.anon_tracker import disable_anon_tracker
from dlt.destinations.exceptions import DestinationConnectionError
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from .. import Cliniko, ClinikoError
from .._frames import causes
from .._loops import to_its_end
from ._dlt_client import GivenClient
from ._dlt_source import build_source
from ._dlt_target import Target

T = TypeVar("T")

_REASONED = frozenset({"IOException", "OperationalError", "MissingDependencyException"})
"""The errors of databases and of dlt whose first line says what to do and shows no row."""
_BEGINNING = threading.Lock()


class SyncError(ClinikoError):
    """A sync failed in the database or in dlt, not in Cliniko. Running it again is safe.

    The message shows no row. It names the step and the kinds of the errors, or has the reason why the database could
    not be used.
    """


@attrs.frozen
class SyncResult:
    """What a sync did.

    Attributes:
        dataset: The schema of the database.
        rows: How many rows were loaded into each table, deletions included; tables without any are left out.
    """

    dataset: str
    rows: Mapping[str, int]


async def sync_target(cliniko: Cliniko, target: Target, resources: Sequence[str], *, reconcile: bool) -> SyncResult:
    """Load some resources into a target.

    Raises:
        ClinikoError: It failed.
    """
    connection = GivenClient(cliniko, asyncio.get_running_loop())
    source = build_source(connection, resources, reconcile=reconcile)
    return await _in_thread(lambda: _load(target, source), connection.cancel)


async def _in_thread(work: Callable[[], T], cancel: Callable[[], None]) -> T:
    """Run a function in a thread of its own; if this is cancelled, end the function first."""
    # dlt takes the executor's name for one of its own threads if it begins with "dlt-pool".
    executor = ThreadPoolExecutor(1, thread_name_prefix="cliniko_async-sync")
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    executor.shutdown(wait=False)
    return await to_its_end(running, cancel)


def _load(target: Target, source: DltSource) -> SyncResult:
    failure: ClinikoError
    try:
        with _unlogged(), target.reserved(), _pipeline(target) as pipeline, target.reserved_in_database(pipeline):
            return SyncResult(target.dataset, _run(pipeline, target, source))
    except ClinikoError:
        raise
    except Exception as error:  # noqa: BLE001  (dlt and its destinations raise many)
        failure = _failure(error)
    # Outside of the block above: the first error and its frames show rows.
    raise failure.with_traceback(None)


@contextlib.contextmanager
def _pipeline(target: Target) -> Generator[dlt.Pipeline]:
    """Open the pipeline of a target with an empty folder, and remove the folder at the end.

    So only the database has the state of the last sync. What a killed sync left is dropped and read again.
    """
    with _BEGINNING:
        # dlt starts its usage reports once for a process. Nobody may learn that there are health records here.
        _ = Container()[PluggableRunContext].context.runtime_config
        disable_anon_tracker()
    pipeline = dlt.pipeline(target.pipeline_name, destination=target.destination, dataset_name=target.dataset)
    pipeline = pipeline.drop()
    # It will have rows, and a sync that is killed leaves them there.
    Path(pipeline.working_dir).chmod(0o700)
    try:
        yield pipeline
    finally:
        pipeline.deactivate()
        shutil.rmtree(pipeline.working_dir, ignore_errors=True)


@contextlib.contextmanager
def _unlogged() -> Generator[None]:
    """Keep what dlt logs in this thread, and in those that it starts for it, out of logs: it shows rows."""
    here = threading.get_ident()

    def is_of_others(record: logging.LogRecord) -> bool:
        return record.thread != here and not str(record.threadName).startswith(f"dlt-pool-{here}-")

    logger = logging.getLogger("dlt")
    logger.addFilter(is_of_others)
    try:
        yield
    finally:
        logger.removeFilter(is_of_others)


def _run(pipeline: dlt.Pipeline, target: Target, source: DltSource) -> Mapping[str, int]:
    pipeline.sync_destination()
    pipeline.extract(source)
    counts = pipeline.normalize().row_counts
    with target.loading():
        pipeline.load()
        _drop_staging(pipeline)
    return {name: counts[name] for name in source.resources if counts.get(name)}


def _drop_staging(pipeline: dlt.Pipeline) -> None:
    """Drop the copies of the rows that dlt has merged."""
    with pipeline.destination_client() as client:
        staging: Any = client
        with staging.sql_client.with_staging_dataset():
            if staging.sql_client.has_dataset():
                staging.sql_client.drop_dataset()


def _failure(error: BaseException) -> ClinikoError:
    chain = list(causes(error))
    for each in chain:
        if isinstance(each, ClinikoError):
            each.__cause__ = each.__context__ = None
            return each
    step = next((each.step for each in chain if isinstance(each, PipelineStepFailed)), "sync")
    for each in chain:
        reason = each.inner_exc if isinstance(each, DestinationConnectionError) else each
        if type(reason).__name__ in _REASONED:
            # The other lines may show the statement and its values.
            return SyncError(f"the database cannot be used: {str(reason).partition(chr(10))[0]}")
    kinds = ", ".join(dict.fromkeys(type(each).__name__ for each in chain))
    return SyncError(f"the step {step!r} failed ({kinds})")
