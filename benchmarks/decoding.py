"""One page, bytes to typed records, and one record back to bytes."""

import json
from collections.abc import Callable, Iterator

import msgspec
import orjson

from cliniko_async import AppointmentType, to_json
from cliniko_async._messages import Request, Response
from cliniko_async._records.page import decode_page

from . import generated, peers
from .data import ENVELOPE, PAGE_SIZE, one_page
from .measure import Measurement, Side, side_by_side

_FLOOR = "msgspec → its own Struct"
_REQUEST = Request("GET", f"https://api.au1.cliniko.com/v1/{ENVELOPE}")


def measure_decoding() -> Iterator[Measurement]:
    """Measure the library from bytes to a page, against its floor and its peers."""
    body = one_page()
    answer = Response(200, {}, body)
    floor, by_attrs, model = peers.struct_page(), peers.attrs_page(), peers.pydantic_page()
    exact, fast = peers.cattrs_page(), peers.cattrs_page(detailed=False)
    from_dict = generated.page_model().from_dict
    assert len(decode_page(AppointmentType, ENVELOPE, _REQUEST, answer).items) == PAGE_SIZE
    sides = {
        "ours": lambda: decode_page(AppointmentType, ENVELOPE, _REQUEST, answer),
        _FLOOR: lambda: floor(body),
        "msgspec → attrs": lambda: by_attrs(body),
        "orjson → dicts": lambda: orjson.loads(body),
        "json → dicts": lambda: json.loads(body),
        "pydantic": lambda: model(body),
        "cattrs, its usual hooks, fast": lambda: fast(orjson.loads(body)),
        "cattrs, its usual hooks, detailed": lambda: exact(orjson.loads(body)),
        "openapi-python-client": lambda: from_dict(json.loads(body)),
    }
    taken = side_by_side({name: _repeated(run) for name, run in sides.items()}, rounds=41)
    ours = taken.pop("ours")
    for name, theirs in taken.items():
        budget = 1.4 if name == _FLOOR else None
        yield Measurement(what="a page to records", against=name, ours=ours, theirs=theirs, unit="µs", budget=budget)


def measure_encoding() -> Iterator[Measurement]:
    """Measure writing one record as JSON."""
    body = one_page()
    struct = peers.struct_page()(body).appointment_types[1]
    record = decode_page(AppointmentType, ENVELOPE, _REQUEST, Response(200, {}, body)).items[1]
    encode = msgspec.json.Encoder().encode
    assert json.loads(to_json(record)).keys() <= json.loads(encode(struct)).keys()

    sides = {"ours": _repeated(lambda: to_json(record), 1000), _FLOOR: _repeated(lambda: encode(struct), 1000)}
    taken = side_by_side(sides, rounds=25)
    yield Measurement(
        what="a record to JSON", against=_FLOOR, ours=taken["ours"], theirs=taken[_FLOOR], unit="µs", budget=2.5
    )


def _repeated(run: Callable[[], object], times: int = 5) -> Side:
    def several() -> None:
        for _ in range(times):
            run()

    return Side(several, times)
