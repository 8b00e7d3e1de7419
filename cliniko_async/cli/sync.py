"""`cliniko sync`: load clinics into a database, and bring the database up to date."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from .. import Cliniko, ClinikoError, ConfigurationError, UsageError
from .account import open_pool, read_accounts
from .context import CommandContext, Context, Flag
from .errors import CommandError, ExitCode, describe, write_failure
from .library_errors import AGAIN
from .names import AT_LEAST_1, ResourceName
from .output import write_lines

if TYPE_CHECKING:
    from ..integrations.dlt import SyncResult


async def sync(
    *resources: ResourceName,
    to: str,
    dataset: str = "cliniko",
    accounts: Path | None = None,
    jobs: Annotated[int, AT_LEAST_1] = 4,
    reconcile: Flag = False,
    context: Context,
) -> None:
    """Load a clinic into a database. Run it again, as often as you like, to bring the database up to date.

    Each resource becomes a table of its name. The first run reads everything, later runs read what changed. A run that
    was interrupted leaves nothing to repair: the next run recovers. It writes a line for each table that received rows.

    Args:
        resources: What to load, such as patients; without any, everything.
        to: The database: duckdb:///clinic.duckdb, or postgresql://user@host/database. A password is taken from the
            environment variable PGPASSWORD, never from here.
        dataset: The schema of the database that holds the tables of the clinic.
        accounts: A file with a line for each of several clinics, such as north = "CLINIKO_KEY_NORTH": the schema, and
            the environment variable that holds the key.
        jobs: How many clinics to load at once.
        reconcile: Read everything again, and delete the rows of records that were deleted in Cliniko without a trace.
        context: The options of the command line.
    """
    keys = None if accounts is None else read_accounts(accounts)
    _check([dataset] if keys is None else keys, to, resources)

    async def load(name: str, cliniko: Cliniko) -> "SyncResult":
        return await _sync(cliniko, to, dataset=name, resources=resources or None, reconcile=reconcile)

    context.interrupt_message = f"interrupted; {AGAIN}"
    if keys is None:
        async with context.client(priority="bulk") as cliniko:
            _write(await load(dataset, cliniko))
        return
    failed: dict[str, ExitCode] = {}
    async with open_pool() as pool:
        async for done in pool.run(load, keys, concurrency=jobs):
            if done.result is not None:
                _write(done.result)
            else:
                failed[done.account] = _complain(done.account, done.error or ClinikoError(), context)
    if failed:
        raise _summary(failed, len(keys))


def _check(datasets: Iterable[str], to: str, resources: Sequence[str]) -> None:
    """Refuse what cannot work for one of the clinics, before anything is sent."""
    try:
        from ..integrations._dlt_source import selected  # noqa: PLC0415  (it needs an extra)
        from ..integrations._dlt_target import target_of  # noqa: PLC0415
    except ImportError:
        raise CommandError('this command needs dlt: pip install "cliniko-async[dlt]"') from None
    selected(resources or None)
    for dataset in datasets:
        try:
            target_of(to, dataset)
        except ConfigurationError as error:
            raise CommandError(str(error)) from None


async def _sync(cliniko: Cliniko, to: str, **options: Any) -> "SyncResult":
    from ..integrations.dlt import SyncError, sync  # noqa: PLC0415  (dlt takes a second)

    try:
        return await sync(cliniko, to, **options)
    except (SyncError, UsageError) as error:
        raise CommandError(str(error), ExitCode.UNAVAILABLE) from None


def _write(result: "SyncResult") -> None:
    write_lines(f"{result.dataset}.{table}\t{rows}" for table, rows in result.rows.items())


def _complain(account: str, error: BaseException, context: CommandContext) -> ExitCode:
    """Write the line for a clinic that failed, and return its exit code."""
    # The advice is for the account in CLINIKO_API_KEY, and that to run the command again comes once, at the end.
    line, code = describe(error, advice=False)
    write_failure(f"{account}: {line}", error, context)
    return code


def _summary(failed: Mapping[str, ExitCode], total: int) -> CommandError:
    """Return the error for clinics that failed, with their exit code if they have the same one."""
    codes = set(failed.values())
    names = ", ".join(failed)
    text = f"{len(failed)} of {total} clinics {'was' if len(failed) == 1 else 'were'} not loaded to the end: {names}"
    return CommandError(f"{text}; {AGAIN}", codes.pop() if len(codes) == 1 else ExitCode.UNAVAILABLE)
