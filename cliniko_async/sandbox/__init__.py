"""A whole Cliniko on loopback, for demos and for tests: it keeps state, and behaves as badly as it is told to.

```python
who = {"app_name": "Tests", "contact_email": "it@example.com"}
async with Sandbox(seed=1) as sandbox, Cliniko(sandbox.api_key, base_url=sandbox.base_url, **who) as cliniko:
    sandbox.faults.status(503, times=2)
    first = await cliniko.appointment_types.list().first()
```

`python -m cliniko_async.sandbox` runs one by itself; `pytest_plugin` has the fixtures. What the sandbox does where
nobody knows what Cliniko does stands in `docs/sandbox.md`.
"""

import importlib
from typing import TYPE_CHECKING, Any

_ROOMS = {"Fault": ".server.faults", "Faults": ".server.faults", "Sandbox": "._sandbox", "SandboxRequest": ".protocol"}

if TYPE_CHECKING:
    from ._sandbox import Sandbox
    from .protocol import SandboxRequest
    from .server.faults import Fault, Faults
else:

    def __getattr__(name: str) -> Any:
        # The pytest plugin lies in this package and is imported by every run of pytest: the server can wait.
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_ROOMS[name], __name__), name)


__all__ = ["Fault", "Faults", "Sandbox", "SandboxRequest"]
