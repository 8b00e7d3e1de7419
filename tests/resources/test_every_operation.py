"""Every operation of the API is called by the client on a seeded sandbox, and every link there leads somewhere."""

import asyncio
import datetime as dt
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Never, get_args, get_origin, get_type_hints

import attrs
import pytest

from cliniko_async import Cliniko, NotFoundError, from_dict, to_dict
from cliniko_async.limits import SlidingWindowLimiter
from cliniko_async.links import Link, ListLink
from cliniko_async.resources._names import RESOURCES as TABLE_OF
from cliniko_async.sandbox import Sandbox
from cliniko_async.sandbox.db.relations import parent_of
from cliniko_async.sandbox.db.schema import load_tables
from tests.support.bodies import body_of
from tests.support.facts import FACTS, RESOURCES, TABLES

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SERVED = load_tables()
LIST = re.compile(r"list(?:_(?:active|inactive))?(?:_for_(\w+))?")
ARCHIVED_UNSEEN = {"product_suppliers"}
"""Resources that can be archived and do not show it."""
READ_UNDER_A_PARENT = {"referral_sources", "signatures"}


@attrs.frozen
class Practice:
    sandbox: Sandbox
    cliniko: Cliniko

    def ids(self, resource: str) -> list[str]:
        return [record["id"] for record in self.sandbox.all(resource)]

    def id_for(self, resource: str, field: str) -> str | None:
        """The id of a seeded record that a field of a body may name."""
        target = SERVED[resource].targets.get(field.removesuffix("_")) or f"{field.removesuffix('_id')}s"
        found = self.ids(target) if target in SERVED else []
        return found[-1] if found else None

    def body(self, resource: Any, operation: Any) -> dict[str, Any]:
        fields = resource.sent_fields(operation)
        body = body_of(fields, lambda field: self.id_for(resource.name, field))
        if "booking_id" in fields.__annotations__ and resource.name == "attendees":
            # Those of an individual appointment are cancelled with it.
            body["booking_id"] = self.ids("group_appointments")[-1]
        if resource.name == "stock_adjustments":
            body |= {"adjustment_type": "Stock Purchase", "quantity": 12}
        return body


@asynccontextmanager
async def practice(**options: Any) -> AsyncIterator[Practice]:
    """A seeded sandbox that accepts only what is documented, and a client that never waits."""
    async with Sandbox(limit=100_000, strict=True, **options) as sandbox:
        sandbox.attachments.processing = 0.0
        who = {"app_name": "Tests", "contact_email": "it@example.com", "base_url": sandbox.base_url}
        limiter = SlidingWindowLimiter(100_000)
        async with Cliniko(sandbox.api_key, rate_limiter=limiter, **who) as cliniko:
            yield Practice(sandbox, cliniko)


def expected(name: str) -> Counter[tuple[str, str]]:
    """The requests of all operations of a resource; a deprecated deletion archives."""
    requests = Counter[tuple[str, str]]()
    for operation in RESOURCES[name]["operations"].values():
        path = re.sub(r"\{\w+\}", "{}", operation["path"])
        stand_in = operation["kind"] == "archive_by_delete"
        requests["POST" if stand_in else operation["method"], path + "/archive" * stand_in] += 1
    return requests


def received(at: Practice) -> Counter[tuple[str, str]]:
    """The requests that succeeded, without the ids."""
    return Counter(
        (one.method, re.sub(r"/\d+(?=/|$)", "/{}", one.path.removeprefix("/v1")))
        for one in at.sandbox.requests
        if one.status is not None and one.status < 300
    )


@pytest.mark.parametrize("name", RESOURCES)
async def test_every_operation_of_a_resource_is_answered(name: str):
    """A created record is listed, found by its id, followed, changed, cancelled, archived and unarchived."""
    async with practice() as at:
        resource = getattr(at.cliniko, TABLES[name])
        await call_lists(at, resource)
        await call_singles(at, resource)
        if hasattr(resource, "create"):
            await live(at, resource)
        missing = expected(name) - received(at)
        assert not missing


def test_the_facts_name_all_operations():
    assert sum(expected(name).total() for name in RESOURCES) == FACTS["counts"]["operations"]
    assert {TABLES[name] for name in RESOURCES} == set(TABLE_OF)


# Lists


async def call_lists(at: Practice, resource: Any) -> None:
    for method, parent in lists_of(type(resource)):
        if resource.name == "available_times":
            await call_times(at, resource)
        elif parent is None:
            assert await whole(getattr(resource, method)())
        else:
            assert await some_of_a_parent(at, getattr(resource, method), parent)


def lists_of(cls: type) -> Iterator[tuple[str, str | None]]:
    for method in dir(cls):
        if match := LIST.fullmatch(method):
            yield method, match[1]


async def whole(paginator: Any) -> list[Any]:
    """Every record of a list, whose number is that of its total."""
    found = await paginator.collect()
    assert len(found) == await paginator.count()
    return list(found)


async def some_of_a_parent(at: Practice, method: Any, parent: str) -> bool:
    """Whether at least one parent has some."""
    for key in at.ids(parent_of(parent)):
        if await whole(method(key)):
            return True
    return False


async def call_times(at: Practice, times: Any) -> None:
    first = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    days = {"from_": first, "to": first + dt.timedelta(days=9)}
    service = next(iter(await at.cliniko.services.list().collect()))
    types = {one["id"]: one["show_in_online_bookings"] for one in at.sandbox.all("appointment_types")}
    for service in await at.cliniko.services.list().collect():
        ids = (service.business.id, service.practitioners[0].id, service.appointment_type.id)
        online = at.sandbox.get("practitioners", ids[1])["show_in_online_bookings"]
        if types[ids[2]] and online:
            break
    found = await times.list(*ids, **days).collect()
    assert found[0].appointment_start == (await times.get_next(*ids, **days)).appointment_start


# One record


async def call_singles(at: Practice, resource: Any) -> None:
    if hasattr(resource, "get") and resource.name not in READ_UNDER_A_PARENT:
        keys = (at.ids(resource.name)[0],) if resource.name in SERVED else ()
        record = await resource.get(*keys, **resource.everything())
        assert from_dict(type(record), to_dict(record)) == record
    if resource.name == "users":
        assert (await resource.get_authenticated()).id in at.ids("users")
    if resource.name == "signatures":
        link = next(form["signatures"] for form in at.sandbox.all("patient_forms") if "signatures" in form)
        form, signature = re.findall(r"\d{6,}", link["links"]["self"])
        assert (await resource.get(form, signature)).id == signature
    if resource.name == "referral_sources":
        key = link_id(at.sandbox.all("referral_sources")[0]["patient"])
        changed = await resource.update(key, **at.body(resource, "update"))
        assert await resource.get(key) == changed
    if hasattr(resource, "conflicts"):
        assert (await resource.conflicts(at.ids(resource.name)[0])).conflicts.exist is not None


def link_id(link: dict[str, Any]) -> str:
    return link["links"]["self"].rpartition("/")[2]


# From creation to the end


async def live(at: Practice, resource: Any) -> None:
    record = await created(at, resource)
    assert record.id in [one.id for one in await resource.list(resource.where.id == int(record.id)).collect()]
    assert await at.cliniko.follow(record.link) == record
    assert from_dict(type(record), to_dict(record)) == record
    if hasattr(resource, "update"):
        changed = await resource.update(record.id, **at.body(resource, "update"))
        assert (changed.id, await at.cliniko.follow(record.link)) == (record.id, changed)
    if hasattr(resource, "cancel"):
        await resource.cancel(record.id, **at.body(resource, "cancel"))
        assert (await resource.get(record.id, cancelled="only")).cancelled_at is not None
        record = await created(at, resource)
    if hasattr(resource, "archive"):
        await resource.archive(record.id)
        await gone(resource, record.id)
    if hasattr(resource, "unarchive"):
        assert (await resource.unarchive(record.id)).id == record.id
    if hasattr(resource, "delete"):
        other = await created(at, resource)
        await resource.delete(other.id)
        await gone(resource, other.id)


async def created(at: Practice, resource: Any) -> Any:
    if resource.name == "patient_attachments":
        patient = next(one["id"] for one in at.sandbox.all("patients") if one["archived_at"] is None)
        return await resource.upload(patient, b"content", filename="a.txt")
    return await resource.create(**at.body(resource, "create"))


async def gone(resource: Any, key: str) -> None:
    if resource.name in ARCHIVED_UNSEEN:
        return
    assert await resource.list(resource.where.id == int(key)).collect() == []
    if not resource.visibilities():
        return
    with pytest.raises(NotFoundError):
        await resource.get(key)
    assert (await resource.get(key, archived="only")).id == key


# The seeded records


def followable(cls: type) -> set[str]:
    """The links of a record that an operation answers with records, not with a file."""
    return {
        name for name, hint in get_type_hints(cls, include_extras=True).items() if any(map(leads_on, parts(hint)))
    } - {"content"}


def parts(hint: Any) -> Iterator[Any]:
    """A type, and those within it."""
    yield hint
    for one in get_args(hint):
        yield from parts(one)


def leads_on(hint: Any) -> bool:
    if get_origin(hint) is not Annotated or get_args(hint)[0] not in (Link, ListLink):
        return False
    return get_args(hint)[1] is not Never


async def records_of(at: Practice, resource: Any) -> list[Any]:
    found = await whole(resource.list(**resource.everything()))
    if hasattr(resource, "list_inactive"):
        found += await whole(resource.list_inactive())
    return found


@pytest.mark.parametrize("name", sorted(set(SERVED) | {"services"}))
async def test_every_link_of_every_seeded_record_can_be_followed(name: str):
    """And of each link that an operation answers, at least one record has one."""
    async with practice() as at:
        records = await records_of(at, getattr(at.cliniko, name))
        fields = {field for record in records for field in followable(type(record))}
        links = {field: [one for each in records for one in in_field(each, field)] for field in fields}
        assert [field for field in fields if not links[field]] == []
        found = [one for field in fields for one in links[field]]
        assert await lists(at, {one.href: one for one in found if isinstance(one, ListLink)})
        ones = {one.href: one for one in found if isinstance(one, Link)}
        numbered = {href: one for href, one in ones.items() if one.id is not None and "/signatures/" not in href}
        assert (await at.cliniko.resolve(numbered.values())).keys() == {one.id for one in numbered.values()}
        await asyncio.gather(*(at.cliniko.follow(one) for href, one in ones.items() if href not in numbered))


async def lists(at: Practice, links: dict[str, Any]) -> bool:
    pages = await asyncio.gather(*(at.cliniko.follow(link) for link in links.values()))
    return all(len(page.items) == page.total_entries for page in pages)


def in_field(record: Any, field: str) -> list[Any]:
    value = getattr(record, field, None)
    return [] if value is None else list(value) if isinstance(value, tuple) else [value]


@pytest.mark.parametrize("name", sorted(SERVED))
async def test_every_seeded_record_decodes_and_is_written_as_it_came(name: str):
    async with practice() as at:
        records = await records_of(at, getattr(at.cliniko, name))
        assert records
        assert {record.id for record in records} == set(at.ids(name))
        for record in records:
            assert from_dict(type(record), to_dict(record)) == record
            came, written = at.sandbox.get(name, record.id), to_dict(record)
            assert {field: written[field] for field in came} == came


async def test_the_files_of_seeded_attachments_can_be_downloaded():
    async with practice() as at:
        attachments = await at.cliniko.patient_attachments.list().collect()
        assert attachments
        for attachment in attachments:
            async with at.cliniko.patient_attachments.download(attachment) as download:
                assert len(await download.read()) == attachment.size
