"""The pytest fixtures `cliniko_sandbox` and `cliniko`, for the tests of programs that use the client.

They are asynchronous fixtures of pytest-asyncio where that is installed, else of anyio's plugin. Nothing is imported
before a test asks for them.
"""

import importlib.util
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cliniko_async import Cliniko

    from ._sandbox import Sandbox


def _fixture(name: str) -> Callable[[Any], Any]:
    if importlib.util.find_spec("pytest_asyncio") is None:
        return pytest.fixture(name=name)
    import pytest_asyncio  # noqa: PLC0415  (the extra is not there for everybody)

    return pytest_asyncio.fixture(name=name)


async def _sandbox() -> "AsyncIterator[Sandbox]":
    """Give a sandbox of one's own, with the rows of seed 1."""
    from . import Sandbox  # noqa: PLC0415  (as above)

    async with Sandbox() as sandbox:
        yield sandbox


async def _client(cliniko_sandbox: "Sandbox") -> "AsyncIterator[Cliniko]":
    """Give a client of the sandbox in `cliniko_sandbox`."""
    from cliniko_async import Cliniko  # noqa: PLC0415  (as above)

    key, url = cliniko_sandbox.api_key, cliniko_sandbox.base_url
    async with Cliniko(key, app_name="Tests", contact_email="tests@example.com", base_url=url) as client:
        yield client


cliniko_sandbox = _fixture("cliniko_sandbox")(_sandbox)
cliniko = _fixture("cliniko")(_client)
