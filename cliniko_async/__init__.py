"""An async client for the Cliniko API, with typed records, complete lists and a rate limiter.

```python
async with Cliniko(api_key, app_name="Rosters", contact_email="it@example.com") as cliniko:
    async for appointment_type in cliniko.appointment_types.list():
        print(appointment_type.name)
```

Names are loaded on first use, so that importing the package stays fast: it does not even load aiohttp.
"""

import importlib
from typing import TYPE_CHECKING

from ._spelling import did_you_mean as _did_you_mean
from .resources._names import NAMES as _RESOURCE_NAMES

__version__ = "0.1.0"

_MODULES = (
    "bulk",
    "changes",
    "client",
    "cursors",
    "errors",
    "export",
    "fields",
    "filters",
    "limits",
    "links",
    "observers",
    "pagination",
    "pool",
    "rows",
    "watch",
)
"""The public modules that are attributes of the package."""

_NAMES: dict[str, tuple[str, ...]] = {
    "_files.download": ("Download",),
    "_files.source": ("FileSource",),
    "_http.retry": ("RetryPolicy",),
    "_messages": ("Request", "Response"),
    "_records.converter": ("configure_converter", "from_dict", "to_dict", "to_json"),
    "_reveal": ("reveal",),
    "bulk": ("BulkOutcome", "bulk_create"),
    "changes": ("Change", "Changes"),
    "client": ("Cliniko",),
    "errors": (
        "BadRequestError",
        "ClinikoError",
        "ConfigurationError",
        "DeadlineExceededError",
        "DecodingError",
        "ForbiddenError",
        "InvalidFieldsError",
        "InvalidRequestError",
        "InvalidRowsError",
        "JournalError",
        "LimiterUnavailableError",
        "NotFoundError",
        "OutcomeUnknownError",
        "PaginationDriftError",
        "PaginationError",
        "RateLimitedError",
        "ResponseError",
        "ServerError",
        "TransportError",
        "TransportTimeoutError",
        "UnauthorizedError",
        "UnprocessableError",
        "UsageError",
    ),
    "filters": ("Filter", "Sort"),
    "limits": ("Limits", "Permit", "RateLimiter", "RedisLimiter", "SlidingWindowLimiter", "SqliteLimiter"),
    "links": ("Link", "ListLink"),
    "pagination": ("Page", "Paginator"),
    "pool": ("AccountPool", "AccountResult"),
    "rows": ("columns", "row"),
    "watch": ("Watch",),
}
"""The public names that no resource file defines, by module. `make docs` also writes `__init__.pyi` from them."""

if not TYPE_CHECKING:
    _NAMES_OF = {**_NAMES, **{f"resources.{module}": names for module, names in _RESOURCE_NAMES.items()}}
    _MODULE_OF = dict(sorted((name, module) for module, names in _NAMES_OF.items() for name in names))
    __all__ = list(_MODULE_OF)

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return importlib.import_module(f".{name}", __name__)
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_did_you_mean(name, __all__)}")
        value = globals()[name] = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
        return value

    def __dir__() -> list[str]:
        return __all__
