"""Stores for cursors, so that a run can continue from the last saved cursor, in any process.

A store keeps one cursor for each account and stream: `account` is your name for the account, `stream` your name for
what you read from it. Importing this module does not import Redis.
"""

from ._base import CursorStore, FencedCursorStore
from ._redis import RedisCursors
from ._sqlite import SqliteCursors

__all__ = ["CursorStore", "FencedCursorStore", "RedisCursors", "SqliteCursors"]
