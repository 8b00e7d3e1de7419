"""Records are read and written by several threads at once, from the first one on."""

import subprocess
import sys

import pytest

from tests.support.paths import EXAMPLES

PROGRAM = """
import json, pathlib, sys, threading
import cattrs
import cliniko_async

sys.setswitchinterval(1e-6)
bodies = {path.stem: path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).iterdir())}
classes = {name: getattr(cliniko_async, "".join(word.title() for word in name.split("_"))) for name in bodies}
converter = cattrs.Converter()
cliniko_async.configure_converter(converter)
together = threading.Barrier(8)
done = []

def work():
    together.wait()
    for name, cls in classes.items():
        read = cliniko_async.from_dict(cls, bodies[name])
        assert read == cliniko_async.from_dict(cls, json.loads(bodies[name])) == converter.structure(bodies[name], cls)
        assert cliniko_async.to_dict(read) == converter.unstructure(read) == json.loads(bodies[name])
    done.append(True)

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(done))
"""


@pytest.mark.parametrize("attempt", range(3))
def test_threads_may_be_the_first_to_read_and_write_a_class_at_the_same_time(attempt: int):
    """Each in a new process, because msgspec caches what it knows of a class, and an error ends the process."""
    command = [sys.executable, "-c", PROGRAM, str(EXAMPLES)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stdout.strip()) == (0, "8"), ended.stderr
