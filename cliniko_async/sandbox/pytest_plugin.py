"""The pytest fixtures `cliniko_sandbox` and `cliniko`, for the tests of programs that use the client.

Both are synchronous fixtures: the sandbox serves from a thread of its own, and the client belongs to the event loop
that uses it first. So they work in synchronous tests, and in asynchronous tests of any plugin and any loop scope. A
mark such as `@pytest.mark.cliniko(seed=2, appointment_types=300)` passes options of `Sandbox`. The client and the
server are imported only when a test requests a fixture.
"""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_async import Cliniko

    from ._sandbox import Sandbox

_NO_LIMIT = 1_000_000


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", "cliniko(**options): options of the Sandbox in the fixture cliniko_sandbox.")


@pytest.fixture
def cliniko_sandbox(request: pytest.FixtureRequest) -> "Iterator[Sandbox]":
    """Serve a sandbox for one test, with the options of its mark `cliniko`.

    Neither the sandbox nor the client enforces a request budget unless the mark has `limit=`.
    """
    from ._sandbox import Sandbox  # noqa: PLC0415  (every run of pytest imports this module)

    with Sandbox(**_options(request)) as sandbox:
        yield sandbox


@pytest.fixture
def cliniko(cliniko_sandbox: "Sandbox") -> "Iterator[Cliniko]":
    """Return a client of `cliniko_sandbox`, for the event loop that uses it first."""
    from ._fixture_client import FixtureClient  # noqa: PLC0415  (as above)

    client = FixtureClient(cliniko_sandbox)
    try:
        yield client
    finally:
        client.finish()


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    options: dict[str, Any] = {"limit": _NO_LIMIT, "keep_alive": False}
    for mark in reversed(list(request.node.iter_markers("cliniko"))):
        if mark.args:
            raise pytest.UsageError("the mark cliniko accepts only keyword arguments, such as cliniko(seed=2)")
        options |= mark.kwargs
    return options
