"""Pickling as in Dask, including functions of a main program.

Dask's own functions log objects that they cannot pickle, and neither results nor jobs belong in a log.
"""

import importlib
import pickle
from typing import Any

_cloudpickle: Any = importlib.import_module("cloudpickle")


def dumps(thing: object) -> bytes:
    """Return an object as pickled bytes."""
    packed: bytes = _cloudpickle.dumps(thing)
    return packed


def loads(packed: bytes) -> Any:
    """Return the object that was pickled."""
    return pickle.loads(packed)  # noqa: S301  (a user of a cluster can run anything on it anyway)
