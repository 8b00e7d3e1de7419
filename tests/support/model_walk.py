"""Drives a walk over a model server, without a loop; what is asked ahead arrives in any order."""

from collections.abc import Sequence

import attrs

from cliniko_async._paging import Answer, Query, Step, Walk, resume, unrepeated
from cliniko_async._paging.cursor import Mark, StartMark, fingerprint, list_marks, read_cursor, write_cursor
from cliniko_async._records.page import PageData

from .model_server import Model, RefusedError, Thing

OWNER = fingerprint("the account", "the query")
_MOST_STEPS = 2000


class EndlessError(AssertionError):
    """The walk does not end."""


@attrs.define
class Flight:
    """A request on its way."""

    sent: int
    page: PageData[Thing] | None = None
    arrived: int | None = None


@attrs.define
class Flights:
    """Requests on their way, and the turns at which they were sent and arrived."""

    model: Model
    turn: int = 0
    under_way: dict[str, Flight] = attrs.field(factory=dict)

    def tick(self) -> int:
        self.turn += 1
        return self.turn

    def ask(self, urls: Sequence[str]) -> None:
        """Send these, and forget all others."""
        for url in self.under_way.keys() - set(urls):
            del self.under_way[url]
        for url in urls:
            if url not in self.under_way:
                self.under_way[url] = Flight(self.tick())

    def get(self, url: str) -> Answer:
        """Let the server work until this one has arrived."""
        if url not in self.under_way:
            self.under_way[url] = Flight(self.tick())
        while (flight := self.under_way[url]).arrived is None:
            self._move_on(url)
        del self.under_way[url]
        assert flight.page is not None
        return Answer(unrepeated(flight.page), flight.sent, flight.arrived)

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
class Drive:
    """A walk under way, from the start or from a mark, over any number of resumptions."""

    model: Model
    query: Query
    ahead: int = 0
    resumes: bool = False
    got: list[str] = attrs.field(factory=list)
    steps: int = 0
    requests: int = 0

    def run(self) -> list[str]:
        """Walk to the end and give the ids in the order they were handed out."""
        mark: Mark | None = StartMark()
        while mark is not None:
            mark = self._until_stopped(mark)
        return self.got

    def _until_stopped(self, mark: Mark) -> Mark | None:
        """Walk to the end, or to a record behind which to stop, and give the mark for it."""
        walk: Walk | None = resume(self.query, mark, ahead=self.ahead)
        flights = Flights(self.model)
        while walk is not None:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise EndlessError
            page, step = self._step(flights, walk)
            stopped = self._hand_out(walk, page, step)
            if stopped is not None:
                return stopped
            walk = step.walk
            flights.ask(walk.ahead(self.ahead) if walk and self.ahead else ())
        return None

    def _step(self, flights: Flights, walk: Walk) -> tuple[PageData[Thing] | None, Step]:
        self.requests += 1
        try:
            answer = flights.get(walk.ask())
        except RefusedError:
            other = walk.fallback()
            assert other is not None
            return None, Step((), other)
        return answer.page, walk.take(answer)

    def _hand_out(self, walk: Walk, page: PageData[Thing] | None, step: Step) -> Mark | None:
        for count, row in enumerate(step.rows, 1):
            self.got.append(row.id)
            if self.resumes and self.model.choices.pick(3):
                text = write_cursor(OWNER, (step.taker or walk).mark(page, step.rows[:count]))
                return read_cursor(text, OWNER, list_marks)
        return None
