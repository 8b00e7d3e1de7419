"""The client of the pytest fixture, which can be closed even after its event loop has been closed."""

from .. import Cliniko, SlidingWindowLimiter
from ._sandbox import Sandbox
from .server.server_thread import ServerThread


class FixtureClient(Cliniko):
    """A client of a sandbox that knows the request budget of the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(
            sandbox.api_key,
            app_name="Tests",
            contact_email="tests@example.com",
            base_url=sandbox.base_url,
            rate_limiter=SlidingWindowLimiter(sandbox.budget.limit, sandbox.budget.period),
        )

    def finish(self) -> None:
        """Close the client from synchronous code: on its own event loop, or on another one if that is closed."""
        loop = self._manager.calls.loop
        if loop is not None and not loop.is_closed():
            loop.run_until_complete(self.aclose())
            return
        thread = ServerThread()
        try:
            thread.run(self.aclose())
        finally:
            thread.stop()
