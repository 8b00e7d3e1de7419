"""Exports in a separate process, which can be killed, and the expected contents of their files.

`python -m tests.support.exporting DIRECTORY FORMAT SETTINGS RESOURCE…` exports from the account in the environment. The
settings are JSON: with `{"die_at": 5}` it kills itself at its fifth operation on a file of the directory, and with
`{"largest_file": 1000}` it cannot write larger files, as on a full disk.
"""

import asyncio
import csv
import datetime as dt
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

from cliniko_async import Cliniko, RetryPolicy, SlidingWindowLimiter, columns, from_dict, row, to_dict
from cliniko_async.export import export
from cliniko_async.export._formats import encoder_for
from cliniko_async.resources._registry import RESOURCES, resource_class
from cliniko_async.sandbox import Sandbox

from .clients import WHO
from .paths import ROOT

_HIDDEN = ("archived_at", "cancelled_at", "deleted_at")
IDENTIFIED = frozenset(name for name in RESOURCES if "id" in resource_class(name).searchable())
_EVENTS = {"open", "os.rename", "os.remove", "os.truncate"}


def exporter_of(sandbox: Any) -> Cliniko:
    """Return a client that does not wait for the budget, and only briefly between attempts."""
    retry = RetryPolicy(attempts=8, wait_initial=0.001, wait_max=0.01)
    limiter = SlidingWindowLimiter(limit=1_000_000)
    return Cliniko(sandbox.api_key, base_url=sandbox.base_url, rate_limiter=limiter, retry=retry, **WHO)


def expected(sandbox: Sandbox, name: str, archived: str = "exclude") -> list[dict[str, Any]]:
    """Return the records that an export should contain, as the API sends them, in the order of their ids."""
    searchable = resource_class(name).searchable()
    hidden = [column for column in _HIDDEN if column in searchable]
    return [
        each
        for each in sandbox.all(name)
        if archived == "include"
        or (all(each.get(column) is None for column in hidden) and (name != "practitioners" or each["active"]))
    ]


def records_of(sandbox: Sandbox, name: str, archived: str = "exclude") -> list[Any]:
    """Return the same records, decoded."""
    return [from_dict(resource_class(name).record, each) for each in expected(sandbox, name, archived)]


def ndjson_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def csv_rows(file: Path, cls: type) -> list[dict[str, Any]]:
    """Return the rows of a CSV file with the types of their columns; an empty text and None are the same in CSV."""
    types = columns(cls)
    with file.open(newline="", encoding="utf-8") as lines:
        return [{name: parsed(text, types[name]) for name, text in each.items()} for each in csv.DictReader(lines)]


def parsed(text: str, of: Any) -> Any:
    kinds = [kind for kind in get_args(of) if kind is not type(None)] if type(None) in get_args(of) else [of]
    if not text:
        return None
    read = {
        bool: {"true": True, "false": False}.__getitem__,
        dt.datetime: dt.datetime.fromisoformat,
        dt.date: dt.date.fromisoformat,
        Decimal: Decimal,
        int: int,
        str: str,
    }
    return read.get(kinds[0], json.loads)(text)


def as_csv(records: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the rows that a CSV file should have, as `csv_rows` reads them."""
    return [{name: plain(value) for name, value in row(each).items()} for each in records]


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: jsonable(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [jsonable(part) for part in value]
    return value if value != "" else None


def jsonable(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date | Decimal):
        return str(value)
    if isinstance(value, Mapping | tuple):
        return json.loads(json.dumps(value, default=jsonable))
    return value


def differences(sandbox: Sandbox, directory: Path, export_format: str, names: Sequence[str]) -> set[str]:
    """Return the resources whose file does not have exactly the rows of the account, except services and settings."""
    return {name for name in names if name in IDENTIFIED and not is_exact(sandbox, directory, export_format, name)}


def is_exact(sandbox: Sandbox, directory: Path, export_format: str, name: str) -> bool:
    file, cls = directory / f"{name}.{export_format}", resource_class(name).record
    records = records_of(sandbox, name, "include")
    if export_format == "ndjson":
        return sorted(ndjson_rows(file), key=_id) == [to_dict(each) for each in records]
    if export_format == "csv":
        return sorted(csv_rows(file, cls), key=_id) == as_csv(records)
    return is_same_table(file, records, cls)


def is_same_table(file: Path, records: Sequence[Any], cls: type) -> bool:
    """Return whether a Parquet file has the Arrow table of the records, in any order."""
    import pyarrow.parquet

    from cliniko_async.integrations.arrow import table

    found = pyarrow.parquet.read_table(file)
    order = sorted(range(found.num_rows), key=lambda place: int(found["id"][place].as_py()))
    return found.take(order).equals(table(records, cls))


def _id(row: Mapping[str, Any]) -> int:
    return int(row["id"])


# In a separate process


def child(
    sandbox: Sandbox, directory: Path, export_format: str, names: Sequence[str], **settings: int
) -> "subprocess.Popen[str]":
    """Start an export, and return when it has loaded everything. The settings are those of `Settings`."""
    environment = {"CLINIKO_API_KEY": sandbox.api_key, "CLINIKO_BASE_URL": sandbox.base_url}
    command = [sys.executable, "-m", __name__, str(directory), export_format, json.dumps(settings), *names]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "begun\n", process.stderr and process.stderr.read()
    return process


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return the exit code of a process, and the last line of its stderr."""
    with process:
        assert process.stderr
        *_, line = ["", *process.stderr.read().splitlines()]
        return process.wait(120), line


def fail_now_and_then(sandbox: Sandbox, times: int) -> None:
    """Script faults for the next requests: error statuses, and lost and truncated responses."""
    for place in range(times):
        after = 9 * place
        sandbox.faults.status(503, after=after)
        sandbox.faults.drop("body", after=after + 3)
        sandbox.faults.cut(after=after + 6)


def killed_exports(
    sandbox: Sandbox, directory: Path, export_format: str, names: Sequence[str], *, kills: int, seed: int
) -> Iterator[int]:
    """Kill exports, at an operation on a file or at any time, and start each again until it ends.

    The next one is a new export in the same directory.

    Yields: each time that an export has ended, how often it was killed before.
    """
    rng = random.Random(seed)
    count, of_this = 0, 0
    while True:
        at_operation = rng.randrange(1, 60) if rng.random() < 0.5 and count < kills else 0
        process = child(sandbox, directory, export_format, names, die_at=at_operation)
        if not at_operation and count < kills:
            time.sleep(rng.uniform(0, 0.5))
            process.kill()
        code, line = ended(process)
        if code == -signal.SIGKILL:
            count, of_this = count + 1, of_this + 1
            continue
        assert code == 0, line
        yield of_this
        of_this = 0
        if count >= kills:
            return


def _die_at(directory: str, count: int) -> None:
    """Kill this process at a given operation on a file in a directory."""
    left = count

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _EVENTS and str(args[0]).startswith(directory):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    if count:
        sys.addaudithook(hook)


async def _main(directory: str, export_format: Any, names: Sequence[str]) -> None:
    served: Any = SimpleNamespace(api_key=os.environ["CLINIKO_API_KEY"], base_url=os.environ["CLINIKO_BASE_URL"])
    async with exporter_of(served) as cliniko:
        await export(cliniko, names, to=directory, format=export_format, archived="include")


if __name__ == "__main__":
    where, wanted, settings, *listed = sys.argv[1:]
    options = json.loads(settings)
    encoder_for(wanted, resource_class("taxes").record)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most := options.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    _die_at(where, options.get("die_at", 0))
    try:
        asyncio.run(_main(where, wanted, listed))
    finally:
        # Coverage also writes a file, at the end.
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
