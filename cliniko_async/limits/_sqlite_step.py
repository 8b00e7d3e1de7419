"""One step of a window that is kept in tables: who gets a permit, and when the others are to ask again."""

import math
import sqlite3
from collections.abc import Sequence

from ._interface import Priority
from ._store import Answer, Note, Pause, Rules, Step, Turn

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS held (
        window TEXT NOT NULL, id TEXT NOT NULL, bulk INTEGER NOT NULL, free_at REAL NOT NULL,
        PRIMARY KEY (window, id)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS held_by_end ON held (window, free_at, bulk)",
    """CREATE TABLE IF NOT EXISTS lines (
        window TEXT NOT NULL, line TEXT NOT NULL, bulk INTEGER NOT NULL, turn INTEGER NOT NULL, back_by REAL NOT NULL,
        want INTEGER NOT NULL,
        PRIMARY KEY (window, line, bulk)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS windows (
        window TEXT PRIMARY KEY, turn INTEGER NOT NULL, bulk_opens REAL NOT NULL,
        paused_until REAL NOT NULL, paused_for REAL NOT NULL, guess REAL NOT NULL, guess_until REAL NOT NULL
    ) WITHOUT ROWID""",
)
"""The tables; times are in seconds since the machine was started."""

_UNUSED = (0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Window:
    """A window of the file at one moment, inside of a transaction."""

    def __init__(self, connection: sqlite3.Connection, name: str, rules: Rules, now: float) -> None:
        self._execute = connection.execute
        self._name = name
        self._rules = rules
        self._now = now

    def step(self, step: Step) -> Answer:
        """Take what is told and give what is free."""
        self._read()
        self._drop([f"{step.line}:{step.first + n}" for n in range(step.doubtful)])
        self._note(step.notes)
        if step.pause is not None:
            self._pause(step.pause)
        self._trim(step.line)
        self._count()
        first = step.first
        turns: dict[Priority, Turn] = {}
        for bulk, priority in enumerate(step.wants):
            turns[priority] = self._serve(step.line, bulk, step.wants[priority], first)
            first += turns[priority].granted
        self._write()
        return self._answer(turns)

    def _read(self) -> None:
        query = "SELECT turn, bulk_opens, paused_until, paused_for, guess, guess_until FROM windows WHERE window = ?"
        row: tuple[int, float, float, float, float, float] = self._execute(query, (self._name,)).fetchone() or _UNUSED
        now = self._now
        self._turn, opens, paused_until, self._paused_for, self._guess, guess_until = row
        # Nothing lies further ahead than it was once set: beyond that, the clock was set back.
        self._opens = min(opens, now + self._rules.interval)
        self._paused_until = min(paused_until, now + self._paused_for)
        self._guess_until = min(guess_until, now + self._guess)

    def _write(self) -> None:
        values = (self._turn, self._opens, self._paused_until, self._paused_for, self._guess, self._guess_until)
        self._execute("INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?)", (self._name, *values))

    def _drop(self, ids: Sequence[str]) -> None:
        for id in ids:
            self._execute("DELETE FROM held WHERE window = ? AND id = ?", (self._name, id))

    def _hold(self, id: str, bulk: int, free_at: float) -> None:
        self._execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?)", (self._name, id, bulk, free_at))

    def _note(self, notes: Sequence[Note]) -> None:
        for note in notes:
            if note.seconds > 0:
                self._hold(note.id, int(note.priority == "bulk"), self._now + note.seconds)
            else:
                self._drop([note.id])

    def _pause(self, pause: Pause) -> None:
        now = self._now
        if now + pause.seconds > self._paused_until:
            self._paused_until, self._paused_for = now + pause.seconds, pause.seconds
        if pause.guess and now + pause.guess_seconds > self._guess_until:
            self._guess, self._guess_until = pause.guess, now + pause.guess_seconds

    def _trim(self, line: str) -> None:
        """Let go of what is free and of who did not come back; again, nothing lies further ahead than it can."""
        execute, name, now, rules = self._execute, self._name, self._now, self._rules
        end, back_by = now + rules.longest, now + max(rules.longest, self._paused_until - now) + rules.patience
        execute("DELETE FROM held WHERE window = ? AND free_at <= ?", (name, now))
        execute("UPDATE held SET free_at = ? WHERE window = ? AND free_at > ?", (end, name, end))
        execute("DELETE FROM lines WHERE window = ? AND back_by < ? AND line <> ?", (name, now, line))
        execute("UPDATE lines SET back_by = ? WHERE window = ? AND back_by > ?", (back_by, name, back_by))

    def _count(self) -> None:
        query = "SELECT count(*), ifnull(sum(bulk), 0) FROM held WHERE window = ?"
        counts: tuple[int, int] = self._execute(query, (self._name,)).fetchone()
        self._held, self._held_bulk = counts
        query = "SELECT line, bulk, want FROM lines WHERE window = ? ORDER BY turn"
        rows: list[tuple[str, int, int]] = self._execute(query, (self._name,)).fetchall()
        self._lines = [{line: want for line, lane, want in rows if lane == bulk} for bulk in (0, 1)]

    def _serve(self, line: str, bulk: int, want: int, first: int) -> Turn:
        """Give a line what it wants, or a turn of it, and see to its place in the queue."""
        if not want:
            self._leave(line, bulk)
            return Turn(0, math.inf)
        moment = self._moment(bulk, self._before(line, bulk))
        granted = 0
        if moment <= self._now:
            granted = min(want, self._portion(line, bulk))
            for number in range(granted):
                self._hold(f"{line}:{first + number}", bulk, self._now + self._rules.longest)
            self._held += granted
            self._held_bulk += granted * bulk
            if bulk:
                self._opens = self._now + self._rules.interval
            self._leave(line, bulk)
            if granted == want:
                return Turn(granted, math.inf)
            moment = self._moment(bulk, self._before(line, bulk))
            if self._lines[bulk]:
                moment = max(moment, self._now + self._rules.courtesy)
        self._stay(line, bulk, want - granted, moment)
        return Turn(granted, max(0.0, moment - self._now))

    def _portion(self, line: str, bulk: int) -> int:
        """How many a line gets in one turn: all that is free if it is alone, else a part, so that none is served last.

        Bulk is evenly spaced.
        """
        if bulk:
            return 1
        lines = len({*self._lines[0], line})
        free = self._rules.limit - self._held
        return free if lines == 1 else max(1, free // lines)

    def _before(self, line: str, bulk: int) -> int:
        lines = self._lines[bulk]
        return list(lines).index(line) if line in lines else len(lines)

    def _leave(self, line: str, bulk: int) -> None:
        if self._lines[bulk].pop(line, None) is not None:
            query = "DELETE FROM lines WHERE window = ? AND line = ? AND bulk = ?"
            self._execute(query, (self._name, line, bulk))

    def _stay(self, line: str, bulk: int, want: int, moment: float) -> None:
        back_by = max(moment, self._now) + self._rules.patience
        if line in self._lines[bulk]:
            query = "UPDATE lines SET back_by = ?, want = ? WHERE window = ? AND line = ? AND bulk = ?"
            self._execute(query, (back_by, want, self._name, line, bulk))
        else:
            self._turn += 1
            values = (self._name, line, bulk, self._turn, back_by, want)
            self._execute("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", values)
        self._lines[bulk][line] = want

    def _moment(self, bulk: int, before: int) -> float:
        """When there is a permit for who has so many lines of its priority before it, past if at once.

        Each line before it is taken for the one permit of a turn, but all who are interactive go before bulk.
        """
        rules = self._rules
        ahead = before + (sum(self._lines[0].values()) if bulk else 0)
        moment = max(self._paused_until, self._release(rules.limit, self._held, ahead, 0))
        if not bulk:
            return moment
        spaced = self._opens + before * rules.interval
        return max(moment, spaced, self._release(rules.cap, self._held_bulk, before, 1))

    def _release(self, size: int, held: int, ahead: int, least_bulk: int) -> float:
        """When, of so many permits, the next after those that are ahead falls free, at the earliest."""
        rounds, place = divmod(ahead, size)
        index = place - (size - held)
        moment = self._now
        if index >= 0:
            query = "SELECT free_at FROM held WHERE window = ? AND bulk >= ? ORDER BY free_at LIMIT 1 OFFSET ?"
            free_at: float = self._execute(query, (self._name, least_bulk, index)).fetchone()[0]
            # One in flight is held until a period after its answer, which cannot have come before now.
            moment = min(free_at, self._now + self._rules.hold)
        return moment + rounds * self._rules.hold

    def _answer(self, turns: dict[Priority, Turn]) -> Answer:
        now = self._now
        next_free = max(self._paused_until, self._release(self._rules.limit, self._held, 0, 0)) - now
        pause = Pause(max(0.0, self._paused_until - now), self._guess, self._guess_until - now)
        return Answer(turns, self._held, max(0.0, next_free), pause)
