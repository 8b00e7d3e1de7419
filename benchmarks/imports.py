"""The cost of an import, in separate processes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from .measure import Measurement

_ROUNDS = 15
_CODE = "import time; begun = time.process_time(); {0}; print(time.process_time() - begun)"
_AIOHTTP = "import aiohttp"
_BUDGETS = {"import cliniko_async": 1.15, "from cliniko_async import AppointmentType, Cliniko": 1.25}


def measure_imports() -> Sequence[Measurement]:
    """Measure the CPU time of importing the library against that of aiohttp alone."""
    taken: dict[str, list[float]] = {statement: [] for statement in (_AIOHTTP, *_BUDGETS)}
    with TemporaryDirectory() as compiled:
        for _ in range(_ROUNDS + 1):
            for statement, seconds in taken.items():
                seconds.append(_imported(statement, compiled))
    theirs = taken[_AIOHTTP][1:]
    return [
        Measurement(
            what=statement, against=_AIOHTTP, ours=taken[statement][1:], theirs=theirs, unit="ms", budget=budget
        )
        for statement, budget in _BUDGETS.items()
    ]


def _imported(statement: str, compiled: str) -> float:
    # All but the first import find the bytecode, whatever the environment says about it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", _CODE.format(statement)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603
    return float(done.stdout)
