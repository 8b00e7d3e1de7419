"""Pages, the links between them, and their order."""

from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from tests.sandbox.wire import running

TYPES = "/appointment_types"


async def test_a_page_has_records_a_total_and_links():
    async with running(appointment_types=130) as wire:
        page = (await wire.get(TYPES)).json
        assert list(page) == ["appointment_types", "total_entries", "links"]
        assert len(page["appointment_types"]) == 50
        assert page["total_entries"] > 100
        assert set(page["links"]) == {"self", "next"}


async def test_following_next_gives_every_record_once():
    async with running(appointment_types=130) as wire:
        page, ids = (await wire.get(TYPES, per_page=20)).json, []
        links = [set(page["links"])]
        while True:
            ids += [one["id"] for one in page["appointment_types"]]
            if "next" not in page["links"]:
                break
            page = (await wire.ask("GET", page["links"]["next"])).json
            links.append(set(page["links"]))
        assert len(ids) == len(set(ids)) == page["total_entries"]
        assert links[1] == {"self", "previous", "next"}
        assert links[-1] == {"self", "previous"}


async def test_links_are_absolute_and_repeat_the_whole_query_encoded():
    async with running() as wire:
        query = "q%5B%5D=id%3A%3E%3D1&q%5B%5D=category%3A~~%25y%25&per_page=2&sort=name&page=2"
        links = (await wire.ask("GET", f"{TYPES}?{query}")).json["links"]
        base = f"{wire.sandbox.base_url}{TYPES}?{query.removesuffix('&page=2')}"
        assert links == {"self": f"{base}&page=2", "previous": f"{base}&page=1", "next": f"{base}&page=3"}


async def test_a_per_page_out_of_range_is_moved_into_it():
    sizes = {"1": 1, "101": 100, "9" * 20: 100, "0": 1, "-5": 1, "-" + "9" * 20: 1, "1.5": 50, "": 50}
    async with running(appointment_types=130) as wire:
        assert {given: len(await wire.list(TYPES, per_page=given)) for given in sizes} == sizes


async def test_a_page_before_the_first_is_the_first():
    async with running() as wire:
        first = await wire.list(TYPES)
        for page in ("0", "x", "-1", "-" + "9" * 5000):
            assert await wire.list(TYPES, page=page) == first, page[:9]


async def test_a_page_after_the_last_is_empty_but_keeps_the_total():
    async with running() as wire:
        total = (await wire.get(TYPES)).json["total_entries"]
        for page in ("9", "9" * 18, "9" * 20, "9" * 5000):
            answer = (await wire.get(TYPES, page=page)).json
            assert (answer["total_entries"], answer["appointment_types"]) == (total, []), page[:9]


async def test_the_order_is_that_of_creation():
    async with running(appointment_types=200) as wire:
        stamps = [one["created_at"] for one in await wire.list(TYPES, per_page=100)]
        assert stamps == sorted(stamps)
        assert len(set(stamps)) < len(stamps)


async def test_a_list_is_sorted_by_several_columns_each_in_its_direction():
    async with running() as wire:
        records = await wire.list(TYPES, sort="category,duration_in_minutes:desc,name:asc")
        keys = [(one["category"], -one["duration_in_minutes"], one["name"]) for one in records]
        assert keys == sorted(keys)


async def test_order_is_the_direction_of_columns_without_one():
    async with running() as wire:
        names = [one["name"] for one in await wire.list(TYPES, sort="name", order="desc")]
        assert names == sorted(names, reverse=True)
        stamps = [one["created_at"] for one in await wire.list(TYPES, order="desc")]
        assert stamps == sorted(stamps, reverse=True)


async def test_nulls_are_sorted_last_and_decimals_as_numbers():
    async with running() as wire:
        wire.sandbox.add("appointment_types", deposit_price="100.0")
        prices = [one["deposit_price"] for one in await wire.list(TYPES, sort="deposit_price")]
        known = [Decimal(price) for price in prices if price is not None]
        assert known == sorted(known)
        assert prices[len(known) :] == [None] * (len(prices) - len(known))
        downward = [one["deposit_price"] for one in await wire.list(TYPES, sort="deposit_price:desc")]
        assert downward[0] is None


async def test_a_column_that_cannot_be_sorted_by_is_400():
    async with running() as wire:
        for sort in ("nothing", "name:up", "", "name,", "practitioners", "practitioner_ids", "name;drop"):
            answer = await wire.get(TYPES, sort=sort)
            assert answer.json == {"status": "400", "error": "Sort parameter must be a valid column name"}, sort


async def test_columns_can_be_made_unsortable():
    async with running(unsortable=("id",)) as wire:
        assert (await wire.get(TYPES, sort="id")).status == 400
        assert (await wire.get(TYPES, sort="created_at,name")).status == 200


async def test_records_of_one_second_can_come_in_another_order_each_time():
    async with running(appointment_types=0, shuffle_ties=True) as wire:
        for number in range(40):
            wire.sandbox.add("appointment_types", name=str(number), created_at=1_700_000_000 + number % 2 * 0.7)
        wire.sandbox.add("appointment_types", name="first", created_at=1_600_000_000)
        orders = [[one["name"] for one in await wire.list(TYPES)] for _ in range(3)]
        assert {order[0] for order in orders} == {"first"}
        assert orders[0] != orders[1] != orders[2]
        assert set(orders[0]) == set(orders[1]) == set(orders[2])


async def test_ids_can_be_made_not_to_rise_with_creation():
    async with running(ids="random") as wire:
        ids = [int(one["id"]) for one in await wire.list(TYPES)]
        assert ids != sorted(ids)
        assert {len(str(one)) for one in ids} <= {18, 19}


async def test_ids_rise_with_creation_and_old_ones_are_short():
    async with running() as wire:
        ids = [int(one["id"]) for one in await wire.list(TYPES)]
        assert ids == sorted(ids)
        assert {len(str(one)) for one in ids} == {5, 19}


async def test_practitioners_who_left_have_a_list_of_their_own():
    async with running() as wire:
        active = {one["id"] for one in await wire.list("/practitioners")}
        inactive = {one["id"] for one in await wire.list("/practitioners/inactive")}
        assert active
        assert inactive
        assert {one["id"] for one in await wire.list("/practitioners", "active:=false")} == inactive
        assert {one["id"] for one in await wire.list("/practitioners", "active:!=false")} == active
        assert await wire.list("/practitioners/inactive", "active:=true") == []


async def test_the_lists_of_a_parent_hold_its_own():
    async with running() as wire:
        appointment_type = (await wire.list(TYPES, "category:=Physiotherapy"))[0]
        takers = await wire.list(urlsplit(appointment_type["practitioners"]["links"]["self"]).path.removeprefix("/v1"))
        assert {one["designation"] for one in takers} == {"Physiotherapist"}
        left = await wire.list(f"{TYPES}/{appointment_type['id']}/practitioners/inactive")
        assert [one["first_name"] for one in left] == ["Élise"]
        taken = await wire.list(f"/practitioners/{takers[0]['id']}/appointment_types", "category:=Physiotherapy")
        assert appointment_type["id"] in {one["id"] for one in taken}
        business = (await wire.list("/businesses"))[1]
        staff = await wire.list(f"/businesses/{business['id']}/practitioners")
        assert 0 < len(staff) < len(await wire.list("/practitioners"))
        assert len(await wire.list(f"/businesses/{business['id']}/practitioners/inactive")) == 0


async def test_a_link_to_many_leads_to_a_filtered_list():
    async with running() as wire:
        appointment_type = (await wire.list(TYPES))[0]
        link = appointment_type["appointment_type_billable_items"]["links"]["self"]
        assert parse_qs(urlsplit(link).query) == {"q[]": [f"appointment_type_id:={appointment_type['id']}"]}
        (item,) = (await wire.ask("GET", link)).json["appointment_type_billable_items"]
        assert item["appointment_type"]["links"]["self"] == appointment_type["links"]["self"]
