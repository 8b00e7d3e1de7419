"""A clinic for the command line, and a terminal that somebody types at."""

import io
from collections.abc import Callable, Iterator

import pytest

from cliniko_async.sandbox import Sandbox


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    """A sandbox for all tests of a module, which see the records that earlier ones wrote."""
    with Sandbox(seed=1, limit=10_000) as sandbox:
        yield sandbox


@pytest.fixture
def clinic(served: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox that the environment points to, without faults and without requests yet."""
    served.faults.clear()
    served.requests.clear()
    point_to(served, monkeypatch)
    return served


def point_to(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLINIKO_APP_NAME", "CLINIKO_BUDGET_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLINIKO_API_KEY", sandbox.api_key)
    monkeypatch.setenv("CLINIKO_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment whose server does not exist, for commands that must fail before they send anything."""
    monkeypatch.setenv("CLINIKO_API_KEY", "secret-key-au1")
    monkeypatch.setenv("CLINIKO_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, text: str = "") -> None:
        super().__init__(io.BytesIO(text.encode()), encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        """What was written to it."""
        self.flush()
        return self.buffer.getvalue().decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Terminal]]:
    r"""Make standard streams a terminal: `terminal("stdout", stdin="y\\n")`."""

    def make(*streams: str, stdin: str | None = None) -> dict[str, Terminal]:
        made = {name: Terminal() for name in streams}
        if stdin is not None:
            made["stdin"] = Terminal(stdin)
        for name, stream in made.items():
            monkeypatch.setattr(f"sys.{name}", stream)
        return made

    return make
