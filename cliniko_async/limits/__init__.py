"""The budget: who may send when, so that no window of the server ever holds more than its limit.

A permit is held from before its request is sent until one period after the answer arrived. The server counted the
request between the two, so a fixed window, a sliding window and a token bucket of that size are all kept.
"""

import importlib
from typing import TYPE_CHECKING

from ._interface import Limits, Permit, Priority, RateLimiter, Wait
from ._shared import shared_limiter
from ._sliding import SlidingWindowLimiter

if TYPE_CHECKING:
    from ._redis import RedisLimiter
    from ._sqlite import SqliteLimiter

__all__ = [
    "Limits",
    "Permit",
    "Priority",
    "RateLimiter",
    "RedisLimiter",
    "SlidingWindowLimiter",
    "SqliteLimiter",
    "Wait",
    "shared_limiter",
]

_late = {"RedisLimiter": "._redis", "SqliteLimiter": "._sqlite"}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _late:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_late[name], __name__), name)
        return value
