"""The run over what changed, held against random histories of a server on a virtual clock, without a socket."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliniko_async.errors import PaginationError

from .support.changing_server import ChangingServer, Reader
from .support.model_server import Dice, Source, Tape, twice

PLAIN = ("right", "missing", "garbage", "now and then", "behind", "ahead")
SOURCES = st.one_of(st.binary(max_size=400).map(Tape), st.integers(0, 2**32).map(Dice))


def server_of(choices: Source) -> ChangingServer:
    overlap = (60.0, 0.0, 3.0, 1.5)[choices.pick(4)]
    date = PLAIN[choices.pick(len(PLAIN))]
    server = ChangingServer(choices, overlap, overlap, date, sortable=choices.pick(3) < 2, torn=choices.pick(3) == 2)
    if date == "behind":
        server.off = -(1.0, 50.0, 7200.0)[choices.pick(3)]
    if date == "ahead":
        # A lead of the Date is taken off the overlap.
        server.off = overlap * choices.pick(11) / 10
        server.late = overlap - server.off
    server.grow(12)
    return server


def reader_of(choices: Source, server: ChangingServer) -> Reader:
    return Reader(server, 1 + choices.pick(4), 2 + choices.pick(3), (1000, 6)[choices.pick(2)])


def history(choices: Source) -> None:
    server = server_of(choices)
    reader = reader_of(choices, server)
    try:
        for _ in range(choices.pick(6)):
            reader.run(lambda: choices.pick(8) == 7)
            assert server.date == "behind" or not reader.missed
            server.live()
        server.calm = True
        server.now += server.overlap + max(0.0, -server.off) + 1
        assert [reader.run(), reader.run()] == [True, True]
    except PaginationError:
        # It cannot tell where the present is.
        assert not server.sortable
        assert server.date in ("missing", "garbage", "now and then")
        return
    assert not reader.lost()
    if reader.crowd <= reader.room:
        assert not list(twice(f"{row}" for row in reader.got))
