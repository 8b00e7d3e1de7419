"""Drives a paging strategy over a model server, without an event loop; prefetched pages arrive in any order."""

from collections.abc import Sequence

import attrs

from cliniko_async._paging import resume
from cliniko_async._paging.cursor import ListPosition, Start, fingerprint, list_positions, read_cursor, write_cursor
from cliniko_async._paging.query import ListQuery
from cliniko_async._paging.strategy import ConsumedPage, DecodedPage, PagingStrategy
from cliniko_async._records.page import PageData

from .model_server import Model, RefusedError, Thing

OWNER = fingerprint("the account", "the query")
_MOST_STEPS = 2000


class EndlessError(AssertionError):
    """The iteration does not end."""


@attrs.define
class Flight:
    """A request under way."""

    sent: int
    page: PageData[Thing] | None = None
    arrived: int | None = None


@attrs.define
class Flights:
    """The requests under way, and when each was sent and answered."""

    model: Model
    turn: int = 0
    under_way: dict[str, Flight] = attrs.field(factory=dict)

    def tick(self) -> int:
        self.turn += 1
        return self.turn

    def ask(self, urls: Sequence[str]) -> None:
        """Send these requests, and drop all others."""
        for url in self.under_way.keys() - set(urls):
            del self.under_way[url]
        for url in urls:
            if url not in self.under_way:
                self.under_way[url] = Flight(self.tick())

    def get(self, url: str) -> DecodedPage:
        """Let the server work until this request is answered."""
        if url not in self.under_way:
            self.under_way[url] = Flight(self.tick())
        while (flight := self.under_way[url]).arrived is None:
            self._move_on(url)
        del self.under_way[url]
        assert flight.page is not None
        return DecodedPage(flight.page, flight.sent, flight.arrived)

    def _move_on(self, wanted: str) -> None:
        moving = sorted(url for url, flight in self.under_way.items() if flight.arrived is None)
        moving.sort(key=lambda url: url != wanted)
        url = moving[self.model.choices.pick(len(moving))]
        flight = self.under_way[url]
        if flight.page is None:
            self.model.pass_time()
            try:
                flight.page = self.model.snapshot(url)
            except RefusedError:
                del self.under_way[url]
                raise
        else:
            flight.arrived = self.tick()


@attrs.define
class Iteration:
    """An iteration, from the start or from a position, over any number of resumptions."""

    model: Model
    query: ListQuery
    prefetch: int = 0
    resumes: bool = False
    fails: bool = False
    """Whether the result of a step is sometimes lost, so that its page is requested and consumed again."""
    got: list[str] = attrs.field(factory=list)
    steps: int = 0
    requests: int = 0

    def run(self) -> list[str]:
        """Read to the end and return the ids in the order they were yielded."""
        position: ListPosition | None = Start()
        while position is not None:
            position = self._until_stopped(position)
        return self.got

    def _until_stopped(self, position: ListPosition) -> ListPosition | None:
        """Read to the end, or to a record after which to stop, and return the position after it."""
        strategy: PagingStrategy | None = resume(self.query, position, prefetch=self.prefetch)
        flights = Flights(self.model)
        while strategy is not None:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise EndlessError
            consumed = self._step(flights, strategy)
            stopped = self._yield(strategy, consumed)
            if stopped is not None:
                return stopped
            strategy = consumed.following
            flights.ask(strategy.lookahead(self.prefetch) if strategy and self.prefetch else ())
        return None

    def _step(self, flights: Flights, strategy: PagingStrategy, *, again: bool = False) -> ConsumedPage:
        self.requests += 1
        try:
            received = flights.get(strategy.next_url())
        except RefusedError:
            other = strategy.fallback()
            assert other is not None
            return ConsumedPage((), other)
        consumed = strategy.consume(received)
        if self.fails and not again and self.model.choices.pick(2):
            return self._step(flights, strategy, again=True)
        return consumed

    def _yield(self, strategy: PagingStrategy, consumed: ConsumedPage) -> ListPosition | None:
        for count, row in enumerate(consumed.rows, 1):
            self.got.append(row.id)
            if self.resumes and self.model.choices.pick(3):
                source = consumed.position_provider or strategy
                text = write_cursor(OWNER, source.position(consumed.rows[:count]))
                return read_cursor(text, OWNER, list_positions)
        return None
