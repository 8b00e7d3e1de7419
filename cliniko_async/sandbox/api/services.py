"""The services of the sandbox: which appointment type is offered at which business, and by whom."""

import json
from collections.abc import Iterator
from typing import Any

from ..db.columns import Row
from ..db.paging import Page
from ..protocol import NOT_FOUND, Refused, Reply, json_reply
from .operations import Api, Call


def services(api: Api, call: Call) -> Reply:
    """A page of the services, of all businesses or of one."""
    if call.ids and not api.store.rows.has("businesses", call.ids[0]):
        raise Refused(NOT_FOUND)
    found = [one for one in _services(api) if not call.ids or one[0]["id"] == call.ids[0]]
    page = Page.of(call.pairs)
    links = page.links(api.store.base_url + call.path, call.pairs, len(found))
    shown = [_shown(api, *one) for one in found[page.offset : page.offset + page.per_page]]
    return json_reply(200, {"services": shown, "total_entries": len(found), "links": links})


def _services(api: Api) -> Iterator[tuple[Row, int, list[int]]]:
    """Each business with what at least one of its practitioners offers."""
    archived = api.store.rows.column(api.store.tables["appointment_types"], "archived_at")
    offering = api.store.rows.column(api.store.tables["appointment_types"], "practitioner_ids")
    active = api.store.rows.column(api.store.tables["practitioners"], "active")
    businesses = api.store.tables["businesses"]
    for business in (api.store.rows.row(businesses, one) or {} for one in api.store.rows.column(businesses, "id")):
        if business["archived_at"] is not None:
            continue
        here = set(_ids(business["practitioner_ids"]))
        for kind in _ids(business["appointment_type_ids"]):
            who = [one for one in _ids(offering.get(kind)) if one in here and active.get(one)]
            if who and archived.get(kind) is None:
                yield business, kind, who


def _ids(stored: Any) -> list[int]:
    return [int(one) for one in json.loads(stored or "[]")]


def _shown(api: Api, business: Row, kind: int, who: list[int]) -> dict[str, Any]:
    def link(path: str) -> dict[str, Any]:
        return {"links": {"self": f"{api.store.base_url}/{path}"}}

    return {
        "appointment_type": link(f"appointment_types/{kind}"),
        "business": link(f"businesses/{business['id']}"),
        "practitioners": [link(f"practitioners/{one}") for one in who],
    }
