"""Stores for cursors, so that a run continues where the last one saved, in this process or in another one.

A cursor is kept for each account and each stream: `account` is your name for the account, `stream` your name for what
is read from it. Importing this module does not import Redis.
"""

from ._base import CursorStore, FencedCursorStore
from ._redis import RedisCursors
from ._sqlite import SqliteCursors

__all__ = ["CursorStore", "FencedCursorStore", "RedisCursors", "SqliteCursors"]
