"""What all clients of a server and a key share, for as long as it matters."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

Shared = TypeVar("Shared")
State = TypeVar("State")


class Registry(Generic[Shared, State]):
    """One object for each server and key: the same while it is in use, and its state until it no longer matters."""

    def __init__(
        self, make: Callable[[str, str], State], share: Callable[[State], Shared], is_over: Callable[[State], bool]
    ) -> None:
        """Create an empty registry.

        Args:
            make: Returns a new state for a server's address and a key.
            share: Returns a new object over a state.
            is_over: Returns whether a state is equivalent to a new one.
        """
        self._make = make
        self._share = share
        self._is_over = is_over
        self.forget()

    def forget(self) -> None:
        """Forget everything that was shared."""
        self._lock = threading.Lock()
        self._shared: WeakValueDictionary[bytes, Shared] = WeakValueDictionary()
        self._states: OrderedDict[bytes, State] = OrderedDict()

    def get(self, base_url: str, api_key: str) -> Shared:
        """Return the object of a server and a key, of which only a digest is kept."""
        digest = hashlib.blake2b(f"{base_url.rstrip('/')} {api_key}".encode(), digest_size=16).digest()
        with self._lock:
            shared = self._shared.get(digest)
            if shared is None:
                if digest not in self._states:
                    self._states[digest] = self._make(base_url, api_key)
                shared = self._shared[digest] = self._share(self._states[digest])
            # Check two for each call, so that the registry can shrink and no call checks many.
            for _ in range(2):
                oldest, state = self._states.popitem(last=False)
                if oldest in self._shared or not self._is_over(state):
                    self._states[oldest] = state
        return shared

    def __len__(self) -> int:
        """Return the number of states that are kept."""
        return len(self._states)
