"""An event loop in a thread of its own, for a sandbox that is used from synchronous code."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class ServerThread:
    """Runs an event loop in a daemon thread until it is stopped."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="cliniko-sandbox", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function on the loop, from any thread, and return its result."""
        if threading.current_thread() is self._thread:
            return function(*args)
        future: Future[T] = Future()
        self._loop.call_soon_threadsafe(_settle, future, lambda: function(*args))
        return future.result()

    def stop(self) -> None:
        """Stop the loop and wait until the thread has ended."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()


def _settle(future: "Future[T]", function: Callable[[], T]) -> None:
    try:
        future.set_result(function())
    except Exception as error:  # noqa: BLE001  (it is raised to the caller, in another thread)
        future.set_exception(error)
