"""The budget: who may send when, so that no window of the server ever holds more than its limit.

A permit is held from before its request is sent until one period after the answer arrived. The server counted the
request between the two, so a fixed window, a sliding window and a token bucket of that size are all kept.
"""

from ._interface import Limits, Permit, Priority, RateLimiter
from ._shared import shared_limiter
from ._sliding import SlidingWindowLimiter

__all__ = ["Limits", "Permit", "Priority", "RateLimiter", "SlidingWindowLimiter", "shared_limiter"]
