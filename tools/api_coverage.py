"""Compares the operations of the API, as listed in the facts, with the requests that the methods send."""

import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import yaml

from .operations import Operation
from .wording import code, table

FACTS = Path(__file__).parent.parent / "tests" / "facts" / "cliniko-v1.yaml"
_HEAD = (
    "Every operation that the API describes, counted against the requests that the methods send. Made by `make docs`."
)
_KINDS = {
    "archive_by_delete": "delete, where it only archives",
    "cancel": "cancel",
    "conflicts": "conflicts",
}


@attrs.frozen
class Fact:
    """An operation of the API."""

    resource: str
    kind: str
    request: tuple[str, str]


def facts() -> Iterator[Fact]:
    """Yield every operation of the API."""
    resources: dict[str, Any] = yaml.load(FACTS.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["resources"]
    for name, resource in resources.items():
        for operation in resource["operations"].values():
            yield Fact(name, operation["kind"], (operation["method"], operation["path"]))


def coverage(offered: dict[str, list[Operation]]) -> str:
    """Return the page: a table of what is offered, and the operations without a method."""
    found = [each for operations in offered.values() for each in operations]
    requests = {each.request for each in found if each.request and not each.is_stand_in}
    archiving = [each.request[1] for each in found if each.request and each.is_stand_in]
    stand_ins = {("DELETE", path.removesuffix("/archive")) for path in archiving}
    report = _report(list(facts()), requests, stand_ins, sum(map(bool, offered.values())))
    return "\n".join(["# How much of the API is covered", "", _HEAD, "", *report]) + "\n"


def _report(
    known: list[Fact], offered: set[tuple[str, str]], stand_ins: set[tuple[str, str]], reached: int
) -> Iterator[str]:
    missing = [each for each in known if each.request not in offered | stand_ins]
    totals = Counter(each.kind for each in known)
    lacking = Counter(each.kind for each in missing)
    rows = [
        ["**resources**", str(reached), str(len({each.resource for each in known}))],
        ["**operations**", str(len(known) - len(missing)), str(len(known))],
        *([_KINDS.get(kind, kind), str(total - lacking[kind]), str(total)] for kind, total in totals.items()),
    ]
    yield from table(("", "offered", "of"), rows)
    yield ""
    yield from _stand_ins([each for each in known if each.request in stand_ins])
    yield from _missing(missing)
    yield "[The reference](reference/index.md) lists every operation."


def _stand_ins(given_up: list[Fact]) -> Iterator[str]:
    if given_up:
        yield f"Cliniko deprecated {len(given_up)} DELETE operations because they only archive. `delete` exists for"
        yield "each of them, marked deprecated, and sends the POST of `archive` instead:"
        yield ""
        yield from textwrap.wrap(", ".join(code(each.request[1]) for each in given_up), 120)
        yield ""


def _missing(missing: list[Fact]) -> Iterator[str]:
    if missing:
        yield "These have no method; `cliniko.request` sends them, with the same budget, retries and errors:"
        yield ""
        yield from (f"- {code(_shown(each))}" for each in missing)
        yield ""


def _shown(fact: Fact) -> str:
    return " ".join(fact.request)
