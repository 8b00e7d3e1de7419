"""Stores for cursors, so that a run continues where the last one saved, in this process or in another one.

A store keeps one cursor for each account and stream: `account` is your name for the account, `stream` your name for
what you read from it. Importing this module does not import Redis.
"""

from ._base import CursorStore, FencedCursorStore
from ._redis import RedisCursors
from ._sqlite import SqliteCursors

__all__ = ["CursorStore", "FencedCursorStore", "RedisCursors", "SqliteCursors"]
