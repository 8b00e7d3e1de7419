"""The client of the pytest fixture, which can be closed after its event loop has gone."""

from cliniko_async import Cliniko, SlidingWindowLimiter

from ._sandbox import Sandbox
from .server.thread import LoopThread


class TestClient(Cliniko):
    """A client of a sandbox with a budget of the sandbox's size."""

    __test__ = False

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(
            sandbox.api_key,
            app_name="Tests",
            contact_email="tests@example.com",
            base_url=sandbox.base_url,
            rate_limiter=SlidingWindowLimiter(sandbox.budget.limit, sandbox.budget.period),
        )

    def finish(self) -> None:
        """Close the client from outside of an event loop: on its own loop, or on another if that is closed."""
        loop = self._manager.loop
        if loop is not None and not loop.is_closed():
            loop.run_until_complete(self.aclose())
            return
        thread = LoopThread()
        try:
            thread.run(self.aclose())
        finally:
            thread.stop()
