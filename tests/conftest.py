"""Settings for every test."""

import gc
import signal

import pytest
from hypothesis import settings

# The background job of a shell ignores Ctrl-C, and so would each program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is not a failure, and the same commit has the same result on every machine.
settings.register_profile("suite", deadline=None, print_blob=True, derandomize=True)
# For a long run with examples that are new each time: pytest --hypothesis-profile soak.
settings.register_profile("soak", settings.get_profile("suite"), max_examples=20_000, derandomize=False)
settings.load_profile("suite")


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the test itself logs: asyncio also logs an error of an earlier test's task, once the task is collected."""
    gc.collect()
    caplog.clear()
    return caplog
