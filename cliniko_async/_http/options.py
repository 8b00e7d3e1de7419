"""The options of calls, checked."""

import attrs

from ..errors import ConfigurationError
from ..limits import Priority
from ..limits.base import PRIORITIES, PRIORITY_RULE
from ..observers import Observer
from .reporter import checked_observers
from .retry import RetryPolicy, check_seconds


def _retry_policy(_: object, __: object, value: RetryPolicy) -> None:
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError("retry must be a RetryPolicy")


def _known_priority(_: object, __: object, value: object) -> None:
    if value not in PRIORITIES:
        raise ConfigurationError(PRIORITY_RULE)


@attrs.frozen
class CallOptions:
    """The options of the calls of a client or of a view; times in seconds."""

    timeout: float = attrs.field(validator=check_seconds)
    deadline: float | None = attrs.field(validator=attrs.validators.optional(check_seconds))
    retry: RetryPolicy = attrs.field(validator=_retry_policy)
    priority: Priority = attrs.field(validator=_known_priority)
    observers: tuple[Observer, ...] = attrs.field(converter=checked_observers)
