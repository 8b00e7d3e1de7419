"""Runs the programs of the cookbook against a sandbox, at a chosen date and on virtual time."""

import asyncio
import contextlib
import importlib.util
import io
import re
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from cliniko_async import Cliniko, SlidingWindowLimiter
from cliniko_async.sandbox import Sandbox

from .paths import ROOT

FOLDER = ROOT / "examples" / "cookbook"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py"))
MELBOURNE, PERTH = ZoneInfo("Australia/Melbourne"), ZoneInfo("Australia/Perth")


@attrs.frozen
class Printed:
    """What a program printed, and the requests it sent."""

    report: str
    cost: str
    requests: int
    priorities: set[str]
    result: Any

    @property
    def lines(self) -> list[str]:
        return self.report.splitlines()


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.asynccontextmanager
async def clinic(now: Any, **options: Any) -> AsyncIterator[Sandbox]:
    """Open a sandbox whose date is `now`, on the clock of the running loop."""
    clock = asyncio.get_running_loop().time
    begun = now.timestamp() - clock()
    async with Sandbox(clock=clock, wall=lambda: begun + clock(), **options) as sandbox:
        yield sandbox


def without(sandbox: Sandbox, *resources: str) -> None:
    """Remove the records of a clinic, so that a test knows all of them."""
    for resource in resources:
        for each in sandbox.all(resource):
            sandbox.remove(resource, each["id"])


def id_of(link: Any) -> str:
    """Return the id at the end of a record's link."""
    return str(link["links"]["self"]).rpartition("/")[2]


async def run(name: str, sandbox: Sandbox, *args: Any, **options: Any) -> Printed:
    """Run a program, which must state the exact number of its requests."""
    priorities: set[str] = set()

    class OnVirtualTime(Cliniko):
        def __init__(self, api_key: str, **options: Any) -> None:
            priorities.add(options.get("priority", "interactive"))
            limiter = SlidingWindowLimiter(clock=asyncio.get_running_loop().time)
            super().__init__(api_key, rate_limiter=limiter, **options)

    program, out, err = load(name), io.StringIO(), io.StringIO()
    before = len(sandbox.requests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "Cliniko", OnVirtualTime)
        environment = {"API_KEY": sandbox.api_key, "BASE_URL": sandbox.base_url}
        for variable, value in {**environment, "APP_NAME": "Tests", "CONTACT_EMAIL": "it@example.com"}.items():
            patch.setenv(f"CLINIKO_{variable}", value)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            result = await program.main(*args, **options)
    requests = len(sandbox.requests) - before
    said = re.match(r"(\d+) requests", err.getvalue())
    assert said is not None
    assert int(said[1]) == requests
    return Printed(out.getvalue(), err.getvalue(), requests, priorities, result)
