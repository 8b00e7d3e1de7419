"""A complete Cliniko API on loopback, for demos and tests: it keeps state, and fails on demand.

```python
who = {"app_name": "Tests", "contact_email": "it@example.com"}
async with Sandbox(seed=1) as sandbox, Cliniko(sandbox.api_key, base_url=sandbox.base_url, **who) as cliniko:
    sandbox.faults.status(503, times=2)
    first = await cliniko.appointment_types.list().first()
```

`python -m cliniko_async.sandbox` runs one as a program, and `pytest_plugin` has the fixtures. `docs/sandbox.md` lists
what the sandbox does where the behaviour of Cliniko is unknown.
"""

import importlib
from typing import TYPE_CHECKING, Any

_MODULES = {
    "Fault": ".server.faults",
    "Faults": ".server.scripting",
    "Sandbox": "._sandbox",
    "SandboxRequest": ".protocol",
}

if TYPE_CHECKING:
    from ._sandbox import Sandbox
    from .protocol import SandboxRequest
    from .server.faults import Fault
    from .server.scripting import Faults
else:

    def __getattr__(name: str) -> Any:
        # Every run of pytest imports the plugin, which is in this package, so the server is imported only when needed.
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_MODULES[name], __name__), name)


__all__ = ["Fault", "Faults", "Sandbox", "SandboxRequest"]
