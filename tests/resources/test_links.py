"""Links: every link of the API is followed to its record or list."""

import asyncio
import json
import pickle
from collections.abc import Coroutine
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

import attrs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cliniko_async import (
    AppointmentType,
    Cliniko,
    Conflicts,
    InvalidRequestError,
    Link,
    ListLink,
    NotFoundError,
    Paginator,
    Patient,
    Practitioner,
    from_dict,
)
from cliniko_async._messages import Request, Response, Server
from cliniko_async._records.page import decode_record
from cliniko_async.links import SelfLink
from cliniko_async.resources._follow import follow_link, follow_list, resolve_links
from cliniko_async.resources._names import RESOURCES
from cliniko_async.sandbox import Sandbox
from tests.support.for_each import for_each
from tests.support.paths import FACTS as FOLDER
from tests.support.records import EXAMPLES, RECORD_OF, example, request, response

FACTS = yaml.load(
    (FOLDER / "cliniko-v1.yaml").read_text(encoding="utf-8"),
    Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),
)["resources"]
BASE = "https://api.au1.cliniko.com/v1"
OPERATIONS = {key: operation for facts in FACTS.values() for key, operation in facts["operations"].items()}
ENVELOPES = {module: name for name, (module, _) in RESOURCES.items()}


class Answers:
    """Replaces a client: it records the requests, and returns given responses."""

    server = Server(BASE)
    account_digest = b"account"
    unsortable: ClassVar[set[str]] = set()

    def __init__(self, answer: bytes = b"{}"):
        self.answer = answer
        self.asked: list[str] = []

    async def send(self, request: Request) -> Response:
        assert request.method == "GET"
        self.asked.append(request.url.removeprefix(BASE))
        return Response(200, {}, self.answer)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)


# Values


def test_a_link_keeps_its_url_as_it_was_given():
    for url in (BASE + "/users/1", "https://elsewhere.example/ü?q=ä b", ""):
        assert Link.to(url).href == ListLink(SelfLink(url)).href == url


@for_each(
    "end, key",
    [
        ("/users/12", "12"),
        ("/users/12?q%5B%5D=id%3A%3D5", "12"),
        ("/patients/1/referral_source", None),
        ("/patients", None),
        ("/users/", None),
        ("/users/12a", None),
        ("/users/" + "1" * 20, None),
        ("", None),
    ],
)
def test_the_id_of_a_link_is_the_end_of_its_path_if_it_is_an_id(end: str, key: str | None):
    assert Link.to(BASE + end).id == key


def test_a_list_link_has_no_id():
    assert not hasattr(ListLink(SelfLink(BASE + "/users/1")), "id")


@given(url=st.text())
def test_links_are_values(url: str):
    """Equal by their URL, hashable, frozen, and the same after pickle."""
    link = Link.to(url)
    assert link == Link.to(url) == pickle.loads(pickle.dumps(link))
    assert len({link, Link.to(url)}) == 1
    assert link != ListLink(SelfLink(url))
    with pytest.raises(AttributeError):
        link.links = SelfLink("x")


def test_the_target_of_a_link_can_be_read_from_the_hints():
    hint = get_type_hints(AppointmentType, include_extras=True)["practitioners"]
    inner = get_args(hint)[0]
    assert get_type_hints(AppointmentType)["practitioners"] == ListLink | None
    assert inner == Annotated[ListLink, get_args(inner)[1]]


# Every link of the API


def links_of(name: str) -> dict[str, Any]:
    record = decode_record(RECORD_OF[name], request(), response(EXAMPLES[name]))
    values = {field.name: getattr(record, field.name) for field in attrs.fields(type(record))}
    return {key: value for key, value in values.items() if isinstance(value, Link | ListLink)}


LINKS = [(name, key) for name in sorted(EXAMPLES) for key in links_of(name) if key in FACTS[name].get("fields", {})]
PLURAL = [(name, key) for name, key in LINKS if FACTS[name]["fields"][key]["cardinality"] == "many"]
SINGULAR = [pair for pair in LINKS if pair not in PLURAL and FACTS[pair[0]]["fields"][pair[1]].get("operation")]
DEAD = [pair for pair in LINKS if FACTS[pair[0]]["fields"][pair[1]]["to"] is None]


def hidden(operation: dict[str, Any]) -> set[str]:
    """The filters with which an operation returns records that it otherwise leaves out."""
    return {
        f"{name}_at%3A%2A"
        for name in ("archived", "cancelled", "deleted")
        if f"{name}_at" in operation.get("filters", {})
    }


@for_each("name, key", SINGULAR)
async def test_a_link_to_one_record_is_followed(name: str, key: str):
    """To the record that the facts name, by its own URL, including records that are otherwise left out."""
    operation = OPERATIONS[FACTS[name]["fields"][key]["operation"]]
    target = FACTS[name]["fields"][key]["to"]
    body = json.dumps({"conflicts": {"exist": False}}).encode() if target == "conflicts" else EXAMPLES[target]
    api = Answers(body)
    link = links_of(name)[key]
    found = await follow_link(api, link)
    path, _, query = api.asked[0].partition("?")
    assert path == link.href.removeprefix(BASE)
    assert {part.removeprefix("q%5B%5D=") for part in query.split("&") if part} == hidden(operation)
    assert isinstance(found, Conflicts if target == "conflicts" else RECORD_OF[target])


@for_each("name, key", [pair for pair in PLURAL if pair not in DEAD])
async def test_a_link_to_many_records_is_followed(name: str, key: str):
    """By its own URL, including records that are otherwise left out; inactive ones have a separate list."""
    spec = FACTS[name]["fields"][key]
    api = Answers(json.dumps({ENVELOPES[spec["to"]]: [example(spec["to"])], "total_entries": 1}).encode())
    link = links_of(name)[key]
    await follow_list(api, link).collect()
    own, _, searched = link.href.removeprefix(BASE).partition("?")
    paths = [own, own + "/inactive"] if spec["to"] == "practitioner" else [own]
    assert [asked.partition("?")[0] for asked in api.asked] == paths
    for asked in api.asked:
        query = asked.partition("?")[2].split("&")
        assert set(filter(None, searched.split("&"))) <= set(query)
        assert {f"q%5B%5D={each}" for each in hidden(OPERATIONS[spec["operation"]])} <= set(query)


@for_each("name, key", DEAD)
async def test_a_link_that_no_operation_answers_is_refused(name: str, key: str):
    api, link = Answers(), links_of(name)[key]
    with pytest.raises(InvalidRequestError, match="the API has no operation for a link to"):
        await (follow_list(api, link) if isinstance(link, ListLink) else follow_link(api, link))
    with pytest.raises(InvalidRequestError, match="the API has no operation for a link to"):
        await resolve_links(api, [Link.to(link.href)])
    assert api.asked == []


AWAY = [
    "https://api.au2.cliniko.com/v1/patients/1",
    "http://api.au1.cliniko.com/v1/patients/1",
    "https://api.au1.cliniko.com/v2/patients/1",
    "https://api.au1.cliniko.com.example.com/v1/patients/1",
    "https://key@api.au1.cliniko.com/v1/patients/1",
    "https://api.au1.cliniko.com:444/v1/patients/1",
    "https://api.au1.cliniko.com/v1/../patients/1",
    "/v1/patients/1",
    "patients/1",
    "",
]


@for_each("url", AWAY)
async def test_a_link_to_another_server_is_refused_and_nothing_is_sent(url: str):
    """Records may come from anywhere, so the key must not follow their links."""
    api = Answers()
    with pytest.raises(InvalidRequestError, match="leads to a server other"):
        await follow_link(api, Link.to(url))
    with pytest.raises(InvalidRequestError, match="leads to a server other"):
        follow_list(api, ListLink(SelfLink(url)))
    with pytest.raises(InvalidRequestError, match="leads to a server other"):
        await resolve_links(api, [None, Link.to(url)])
    assert api.asked == []


@for_each("path", ["/", "/1/2", "/no_such/1", "/Robin%20Sandover/1"])
async def test_a_link_to_an_unknown_resource_is_refused_and_not_shown(path: str):
    with pytest.raises(InvalidRequestError, match=r"the API has no operation for a link to (this|no_such)$"):
        await follow_link(Answers(), Link.to(BASE + path))


# Against the sandbox


async def test_follow_returns_the_record_or_the_list(cliniko: Cliniko):
    kind = await cliniko.appointment_types.list(cliniko.appointment_types.where.category.is_not_null()).first()
    assert kind is not None
    assert await cliniko.follow(kind.link) == kind
    assert kind.practitioners is not None
    people = cliniko.follow(kind.practitioners)
    assert isinstance(people, Paginator)
    assert {type(person) async for person in people} == {Practitioner}


async def test_follow_takes_links_only(cliniko: Cliniko):
    for thing in (None, "https://api.example.test/v1/users/1", SelfLink("x")):
        with pytest.raises(TypeError, match="Link or a ListLink"):
            cliniko.follow(thing)
    with pytest.raises(TypeError, match="one record"):
        await cliniko.resolve([ListLink(SelfLink("x"))])


async def test_active_and_inactive_practitioners_are_found(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    """A link names both, and the API lists each apart."""
    everybody = {row["id"]: row["active"] for row in cliniko_sandbox.all("practitioners")}
    here = cliniko_sandbox.base_url + "/practitioners"
    assert {person.id async for person in cliniko.follow(ListLink[Practitioner](SelfLink(here)))} == everybody.keys()
    assert set(everybody.values()) == {True, False}
    assert (
        await cliniko.resolve(Link[Practitioner].to(f"{here}/{key}") for key in everybody)
    ).keys() == everybody.keys()


async def test_an_archived_record_is_found(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    key = cliniko_sandbox.all("appointment_types")[0]["id"]
    cliniko_sandbox.archive("appointment_types", key)
    link = Link[AppointmentType].to(f"{cliniko_sandbox.base_url}/appointment_types/{key}")
    found = await cliniko.follow(link)
    assert found.archived_at is not None
    assert await cliniko.resolve([link]) == {key: found}


async def test_a_removed_record_is_not_found(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    link = Link[Patient].to(cliniko_sandbox.base_url + "/patients/5")
    with pytest.raises(NotFoundError):
        await cliniko.follow(link)
    assert await cliniko.resolve([link, None]) == {}


async def test_resolve_requests_a_hundred_ids_at_a_time(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    """Each id once, in the order that they came."""
    keys = [cliniko_sandbox.add("patients", first_name="A", last_name="B") for _ in range(250)]
    links = [Link[Patient].to(f"{cliniko_sandbox.base_url}/patients/{key}") for key in keys]
    found = await cliniko.resolve([*links, None, *links])
    assert found.keys() == set(keys)
    assert all(found[key].id == key for key in keys)
    asked = [next(text for text in sent.query["q[]"] if text.startswith("id:=")) for sent in cliniko_sandbox.requests]
    assert [text.removeprefix("id:=").split(",") for text in asked] == [keys[:100], keys[100:200], keys[200:]]


async def test_resolve_of_nothing_sends_nothing(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    assert await cliniko.resolve([]) == {}
    assert await cliniko.resolve([None, None]) == {}
    assert cliniko_sandbox.requests == []


async def test_resolve_takes_links_of_several_kinds(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    patient = cliniko_sandbox.add("patients", first_name="A", last_name="B")
    kind = cliniko_sandbox.all("appointment_types")[0]["id"]
    paths = [f"/patients/{patient}", f"/appointment_types/{kind}"]
    links: list[Link[Patient | AppointmentType]] = [Link.to(cliniko_sandbox.base_url + path) for path in paths]
    found = await cliniko.resolve(links)
    assert {key: type(record) for key, record in found.items()} == {patient: Patient, kind: AppointmentType}


async def test_links_of_two_kinds_to_one_id_are_not_resolved_together(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    """The dict could hold only one of the two."""
    links: list[Link[Any]] = [Link.to(cliniko_sandbox.base_url + path) for path in ("/patients/5", "/taxes/5")]
    with pytest.raises(InvalidRequestError, match="same id"):
        await cliniko.resolve(links)
    assert cliniko_sandbox.requests == []


async def test_a_link_that_no_list_can_be_searched_for_is_fetched_singly():
    signature = example("signature")
    api = Answers(EXAMPLES["signature"])
    links: list[Any] = [Link.to(f"{BASE}/patient_forms/1/signatures/{signature['id']}")]
    assert (await resolve_links(api, links)).keys() == {signature["id"]}
    assert api.asked == [f"/patient_forms/1/signatures/{signature['id']}"]
    source = Answers(EXAMPLES["referral_source"])
    links = [Link.to(f"{BASE}/patients/1/referral_source")]
    assert (await resolve_links(source, links)).keys() == {example("referral_source")["id"]}


async def test_a_single_record_that_is_gone_is_not_in_the_dict(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    link: Link[Any] = Link.to(cliniko_sandbox.base_url + "/patients/5/referral_source")
    assert await cliniko.resolve([link]) == {}
    assert len(cliniko_sandbox.requests) == 1


async def test_a_record_that_was_stored_elsewhere_can_be_followed(cliniko: Cliniko, cliniko_sandbox: Sandbox):
    """One of this account after pickle; one of another server is refused."""
    kind = await cliniko.appointment_types.list().first()
    kept: AppointmentType = pickle.loads(pickle.dumps(kind))
    assert await cliniko.follow(kept.link) == kind
    before = len(cliniko_sandbox.requests)
    stranger = from_dict(AppointmentType, example("appointment_type"))
    with pytest.raises(InvalidRequestError):
        await cliniko.follow(stranger.link)
    assert len(cliniko_sandbox.requests) == before
