"""Rate limiters, which decide when a request may be sent, so that no window of the server exceeds its limit.

A permit is held from before its request is sent until one period after the response arrived. The server counts the
request in between, so the limit is respected whether the server uses a fixed window, a sliding one or a token bucket.
"""

from typing import TYPE_CHECKING

from .._lazy import lazy_names
from .base import Limits, Permit, Priority, RateLimiter, Wait
from .local import SlidingWindowLimiter, process_limiter

if TYPE_CHECKING:
    from .redis import RedisLimiter
    from .shared import SharedLimiter
    from .sqlite import SqliteLimiter
    from .store import StateChange, StepReply, Store, StoreLostError
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "RedisLimiter": "redis",
            "SharedLimiter": "shared",
            "SqliteLimiter": "sqlite",
            "StateChange": "store",
            "StepReply": "store",
            "Store": "store",
            "StoreLostError": "store",
        },
    )

__all__ = [
    "Limits",
    "Permit",
    "Priority",
    "RateLimiter",
    "RedisLimiter",
    "SharedLimiter",
    "SlidingWindowLimiter",
    "SqliteLimiter",
    "StateChange",
    "StepReply",
    "Store",
    "StoreLostError",
    "Wait",
    "process_limiter",
]
