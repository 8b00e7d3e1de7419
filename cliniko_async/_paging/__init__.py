"""The walks over a list, as values: each says what to ask next and takes the answer. No I/O.

`PageWalk` follows the links. When the list moved it hands over to `AnchorWalk`, which asks for page 1 behind a key that
cannot change, the second of creation, and divides a second that does not fit a page by ranges of ids. `IdWalk` asks for
page 1 behind the last id. What makes the latter two safe is that they believe only complete prefixes and whole answers.
"""

from .by_created_at import AnchorWalk
from .by_id import IdWalk
from .by_link import PageWalk
from .cursor import AnchorMark, IdMark, Mark, StartMark
from .query import Answer, Query, Step, Walk, unrepeated

__all__ = ["Answer", "Query", "Step", "Walk", "resume", "start", "unrepeated"]


def start(query: Query, source: int = 0, *, ahead: int = 0) -> Walk:
    """Give the walk from the first record of a list on, which may ask for so many pages ahead."""
    return IdWalk(query, source) if query.stable else PageWalk(query, source, depth=ahead)


def resume(query: Query, mark: Mark, *, ahead: int = 0) -> Walk:
    """Give the walk that goes on behind a mark."""
    match mark:
        case StartMark():
            return start(query, mark.source, ahead=ahead)
        case AnchorMark():
            return AnchorWalk.resumed(query, mark)
        case IdMark():
            return IdWalk(query, mark.source, last=mark.last, passed=mark.passed)
        case _:
            return PageWalk.behind(query, mark, ahead)
