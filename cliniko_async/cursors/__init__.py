"""Stores for cursors, so that a run can continue from the last saved cursor, in any process.

A store keeps one cursor for each account and stream: `account` is your name for the account, `stream` your name for
what you read from it. Importing this module does not import Redis.
"""

from typing import TYPE_CHECKING

from .._lazy import lazy_names
from ._base import CursorStore, FencedCursorStore

if TYPE_CHECKING:
    from ._redis import RedisCursors
    from ._sqlite import SqliteCursors
else:
    __getattr__, __dir__ = lazy_names(__name__, {"RedisCursors": "_redis", "SqliteCursors": "_sqlite"})

__all__ = ["CursorStore", "FencedCursorStore", "RedisCursors", "SqliteCursors"]
