"""The methods with which a test changes a sandbox."""

import asyncio
import datetime as dt
import json
from collections import Counter
from decimal import Decimal

import pytest

from cliniko_async import sandbox as package
from cliniko_async.sandbox import Sandbox
from tests.sandbox.wire import running
from tests.support.for_each import for_each

WHEN = dt.datetime(2020, 2, 29, 11, 59, 58, 500_000, dt.timezone(dt.timedelta(hours=11)))


async def test_a_record_is_added_with_any_field_and_stamp():
    async with running() as wire:
        fields = {"name": "Tape", "price": Decimal("3.50"), "stock_level": 5, "created_at": WHEN, "archived_at": WHEN}
        added = wire.sandbox.add("products", **fields)
        record = wire.sandbox.get("products", added)
        assert record["created_at"] == record["updated_at"] == record["archived_at"] == "2020-02-29T00:59:58Z"
        assert (record["price_ex_tax"], record["stock_level"], record["notes"]) == ("3.5", "5.0", None)
        assert (await wire.get(f"/products/{added}", "archived_at:*")).json == record


async def test_a_record_is_added_under_an_id_of_ones_own():
    async with running() as wire:
        assert wire.sandbox.add("taxes", id=17, name="VAT") == "17"
        assert (await wire.get("/taxes/17")).json["name"] == "VAT"


async def test_lists_and_links_are_added_by_their_ids():
    async with running() as wire:
        person = wire.sandbox.add("practitioners", first_name="Ada", last_name="Byron")
        appointment_type = wire.sandbox.add("appointment_types", practitioner_ids=[person], product_id=3)
        record = wire.sandbox.get("appointment_types", appointment_type)
        assert record["product"]["links"]["self"] == f"{wire.sandbox.base_url}/products/3"
        assert [one["label"] for one in await wire.list(f"/appointment_types/{appointment_type}/practitioners")] == [
            "Ada Byron"
        ]


async def test_unknown_resources_and_fields_are_refused():
    async with running() as wire:
        with pytest.raises(TypeError, match="taxes has no field colour, size"):
            wire.sandbox.add("taxes", size=1, colour="red")
        with pytest.raises(LookupError, match="no resource tax"):
            wire.sandbox.add("tax")


async def test_an_unknown_record_cannot_be_changed_or_removed():
    async with running() as wire:
        for handle in (wire.sandbox.get, wire.sandbox.update, wire.sandbox.archive, wire.sandbox.remove):
            with pytest.raises(LookupError, match="users has no record 1"):
                handle("users", 1)


async def test_an_update_moves_the_stamp_unless_it_is_given():
    async with running(wall=lambda: 1_800_000_000.0) as wire:
        tax = wire.sandbox.all("taxes")[0]["id"]
        wire.sandbox.update("taxes", tax, rate="12.5")
        assert wire.sandbox.get("taxes", tax)["updated_at"] == "2027-01-15T08:00:00Z"
        wire.sandbox.update("taxes", tax, updated_at="2020-01-01T00:00:00Z")
        record = wire.sandbox.get("taxes", tax)
        assert (record["updated_at"], record["amount"]) == ("2020-01-01T00:00:00Z", "12.5")


async def test_archived_and_removed_records_leave_their_list():
    async with running() as wire:
        first, second = [one["id"] for one in await wire.list("/appointment_types", per_page=2)]
        wire.sandbox.archive("appointment_types", first)
        wire.sandbox.remove("appointment_types", second)
        ids = {one["id"] for one in await wire.list("/appointment_types", "archived_at:*")}
        assert first in ids
        assert second not in ids
        assert wire.sandbox.get("appointment_types", first)["archived_at"]


async def test_requests_may_be_cleared_and_outlive_the_sandbox():
    async with running() as wire:
        await wire.get("/users")
        wire.sandbox.requests.clear()
        await wire.get("/taxes")
    assert [one.path for one in wire.sandbox.requests] == ["/v1/taxes"]


async def test_a_sandbox_that_is_not_running_raises():
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="is not running"):
        sandbox.all("users")
    await sandbox.close()
    async with sandbox:
        assert sandbox.all("users")
    with pytest.raises(RuntimeError, match="is not running"):
        sandbox.all("users")


async def test_a_restarted_sandbox_has_its_initial_rows():
    sandbox = Sandbox()
    async with sandbox:
        names = [one["name"] for one in sandbox.all("taxes")]
        sandbox.add("taxes", name="VAT")
    async with sandbox:
        assert [one["name"] for one in sandbox.all("taxes")] == names


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open():
    async with Sandbox() as first:
        second = Sandbox(port=int(first.base_url.rpartition(":")[2].removesuffix("/v1")))
        with pytest.raises(OSError, match="address already in use"):
            await second.start()


async def test_a_start_that_is_cancelled_leaves_nothing_open():
    sandbox = Sandbox()
    starting = asyncio.create_task(sandbox.start())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    assert repr(sandbox) == "<Sandbox not running>"
    async with sandbox:
        assert sandbox.all("taxes")


async def test_the_base_url_of_a_name_with_colons_has_brackets():
    try:
        async with Sandbox(host="::1") as sandbox:
            assert sandbox.base_url.startswith("http://[::1]:")
    except OSError:
        pytest.skip("there is no IPv6 here")


async def test_a_seed_determines_the_invented_clinic():
    def content_of(sandbox):
        return json.dumps(sandbox.all("appointment_types")).replace(sandbox.base_url, "")

    async with Sandbox(seed=3) as first, Sandbox(seed=3) as second, Sandbox(seed=4) as third:
        assert content_of(first) == content_of(second) != content_of(third)


@for_each("count", [0, 1, 24, 700])
async def test_as_many_appointment_types_are_invented_as_asked_for(count):
    async with Sandbox(appointment_types=count) as sandbox:
        records = sandbox.all("appointment_types")
        assert len(records) == len({one["name"] for one in records}) == count


async def test_every_link_of_the_invented_clinic_leads_somewhere():
    async with running(appointment_types=40, limit=100_000) as wire:
        links = {
            field["links"]["self"]
            for name in ("appointment_types", "practitioners", "products", "billable_items", "businesses")
            for record in wire.sandbox.all(name)
            for key, field in record.items()
            if isinstance(field, dict) and "links" in field and key != "appointments"
        }
        answers = Counter([(await wire.ask("GET", link + archived(link))).status for link in links])
        assert answers == {200: len(links)}


def archived(link):
    """The filter that lets an archived record be read, for links to one of a resource that can be archived."""
    archivable = ("appointment_types", "billable_items", "products", "treatment_note_templates")
    return "?q[]=archived_at:*" if link.rsplit("/", 2)[-2] in archivable and link[-1].isdigit() else ""


async def test_the_invented_clinic_has_grown_over_years():
    async with running(appointment_types=300) as wire:
        records = wire.sandbox.all("appointment_types")
        years = {one["created_at"][:4] for one in records}
        assert len(years) >= 8
        assert len({one["created_at"] for one in records}) < 300
        updated = Counter(one["updated_at"] for one in records)
        assert max(updated.values()) > 30
        assert all(one["updated_at"] >= one["created_at"] for one in records)


def test_the_package_has_its_names_and_no_others():
    assert all(hasattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        package.Server  # noqa: B018
