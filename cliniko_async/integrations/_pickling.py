"""Pickling as Dask does it, functions of a main program included.

Dask's own functions write what they cannot pickle into its log, where neither results nor jobs belong.
"""

import importlib
import pickle
from typing import Any

_cloudpickle: Any = importlib.import_module("cloudpickle")


def dumps(thing: object) -> bytes:
    """Return it pickled."""
    packed: bytes = _cloudpickle.dumps(thing)
    return packed


def loads(packed: bytes) -> Any:
    """Return what was pickled."""
    return pickle.loads(packed)  # noqa: S301  (who may use a cluster may run anything on it)
