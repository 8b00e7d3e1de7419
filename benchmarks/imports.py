"""What an import costs, in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from .measure import Line

_ROUNDS = 15
_CODE = "import time; begun = time.process_time(); import {0}; print(time.process_time() - begun)"


def measure_imports() -> Sequence[Line]:
    """Measure the CPU time of importing the library beside that of aiohttp alone."""
    taken: dict[str, list[float]] = {"cliniko_async": [], "aiohttp": []}
    with TemporaryDirectory() as compiled:
        for _ in range(_ROUNDS + 1):
            for name, seconds in taken.items():
                seconds.append(_imported(name, compiled))
    common = {"what": "import cliniko_async", "against": "import aiohttp", "unit": "ms"}
    return [Line(**common, ours=taken["cliniko_async"][1:], theirs=taken["aiohttp"][1:], budget=1.15)]


def _imported(name: str, compiled: str) -> float:
    # Whatever the environment says about bytecode, all but the first import find it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", _CODE.format(name)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603
    return float(done.stdout)
