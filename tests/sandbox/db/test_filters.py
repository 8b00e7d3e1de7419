"""The filters of a list, and the errors of invalid ones."""

from tests.sandbox.wire import running

TYPES = "/appointment_types"
STAMP = 1_700_000_005  # 2023-11-14T22:13:25Z
SHOWN = "2023-11-14T22:13:25Z"


async def few(wire):
    """Three appointment types; the second has no optional field."""
    add = wire.sandbox.add
    common = {"show_in_online_bookings": False}
    add(
        "appointment_types",
        name="Émile's",
        category="Osteo",
        created_at=STAMP + 0.7,
        online_payments_mode="optional",
        **common,
    )
    add("appointment_types", name="100% _sure_", created_at=STAMP + 1, appointment_reminder_template_ids=[7, 77])
    add(
        "appointment_types",
        name="jason",
        category="osteo\\x",
        created_at=STAMP - 1,
        appointment_reminder_template_ids=[8],
    )


FOUND = [
    (["category:=Osteo"], {"Émile's"}),
    (["category:!=Osteo"], {"jason"}),
    (["category:~OST"], {"Émile's", "jason"}),
    (["category:~~os%"], {"Émile's", "jason"}),
    (["category:~~ost"], set()),
    (["category:~~ste%"], set()),
    (["category:~~%t%e%"], {"Émile's", "jason"}),
    (["category:~~%e%t%"], set()),
    (["category:~~OSTEO"], {"Émile's"}),
    (["category:~~osteo%o"], set()),
    (["category:~~%%"], {"Émile's", "jason"}),
    (["category:~\0"], set()),
    (["category:=Osteo\0"], set()),
    (["category:~~%\\x"], {"jason"}),
    (["category:~\\"], {"jason"}),
    (["category:~%"], set()),
    (["category:?"], {"Émile's", "jason"}),
    (["category:!?"], {"100% _sure_"}),
    (["category:="], set()),
    (["online_payments_mode:=optional"], {"Émile's"}),
    (["show_in_online_bookings:=true"], {"100% _sure_", "jason"}),
    (["show_in_online_bookings:!=true"], {"Émile's"}),
    (["appointment_reminder_template_ids:~7"], {"100% _sure_"}),
    (["appointment_reminder_template_ids:~77"], {"100% _sure_"}),
    (["appointment_reminder_template_ids:~777"], set()),
    (["category:?", "show_in_online_bookings:=true"], {"jason"}),
    ([f"created_at:>={SHOWN}"], {"Émile's", "100% _sure_"}),
    (["created_at:?"], {"Émile's", "100% _sure_", "jason"}),
    (["created_at:!?"], set()),
    (["created_at:*"], {"Émile's", "100% _sure_", "jason"}),
]
"""Filters, and the names of the records that meet all of them."""


async def test_a_filter_finds_the_records_that_meet_it():
    async with running(appointment_types=0) as wire:
        await few(wire)
        assert [(filters, await wire.names(TYPES, *filters)) for filters, _ in FOUND] == FOUND


async def test_a_text_is_found_in_any_case_and_in_any_alphabet():
    async with running() as wire:
        wire.sandbox.add("products", name="ÉMILE'S 100% _sure_")
        assert await wire.names("/products", "name:~émile") == {"ÉMILE'S 100% _sure_"}
        assert await wire.names("/products", "name:~100%") == {"ÉMILE'S 100% _sure_"}
        assert await wire.names("/products", "name:~~%_SURE_") == {"ÉMILE'S 100% _sure_"}
        assert await wire.names("/products", "name:~~%_sur__") == set()


async def test_moments_are_compared_with_the_fractions_that_are_stored():
    """A record shown as second 25 and stored as 25.7 is later than 25."""
    async with running(appointment_types=0) as wire:
        await few(wire)
        assert (await wire.list(TYPES, "category:=Osteo"))[0]["created_at"] == SHOWN
        assert await wire.names(TYPES, f"created_at:>{SHOWN}") == {"Émile's", "100% _sure_"}
        assert await wire.names(TYPES, f"created_at:<={SHOWN}") == {"jason"}
        assert await wire.names(TYPES, f"created_at:<{SHOWN}") == {"jason"}
        second = (f"created_at:>={SHOWN}", "created_at:<2023-11-14T22:13:26Z")
        assert await wire.names(TYPES, *second) == {"Émile's"}


async def test_ids_are_compared_as_numbers_and_found_in_lists():
    async with running() as wire:
        ids = [one["id"] for one in await wire.list(TYPES)]
        assert [one["id"] for one in await wire.list(TYPES, f"id:={ids[2]},{ids[0]},1")] == [ids[0], ids[2]]
        assert len(await wire.list(TYPES, f"id:!={ids[0]}")) == len(ids) - 1
        assert [one["id"] for one in await wire.list(TYPES, f"id:>{ids[2]}", f"id:<={ids[4]}")] == ids[3:5]
        assert await wire.list(TYPES, f"id:<{ids[0]}") == []
        assert await wire.list(TYPES, "id:>=9999999999999999999") == []
        assert len(await wire.list(TYPES, "id:>-5")) == len(ids)
        assert await wire.list(TYPES, "id:!?") == []


async def test_a_link_is_filtered_by_its_id():
    async with running() as wire:
        (user,) = (await wire.list("/practitioners", per_page=1))[0]["user"]["links"].values()
        found = await wire.list("/practitioners", f"user_id:={user.rpartition('/')[2]}")
        assert [one["user"]["links"]["self"] for one in found] == [user]


async def test_archived_records_are_left_out_unless_asked_for():
    async with running(appointment_types=60) as wire:
        shown = {one["id"] for one in await wire.list(TYPES, per_page=100)}
        everything = {one["id"] for one in await wire.list(TYPES, "archived_at:*", per_page=100)}
        archived = {one["id"] for one in await wire.list(TYPES, "archived_at:?", per_page=100)}
        assert archived
        assert len(everything) == 60
        assert shown == everything - archived
        assert shown == {one["id"] for one in await wire.list(TYPES, "archived_at:!?", per_page=100)}
        since = {one["id"] for one in await wire.list(TYPES, "archived_at:>2010-01-01T00:00:00Z")}
        assert since == archived


async def test_asking_for_archived_records_does_not_ask_for_deleted_ones():
    async with running() as wire:
        wire.sandbox.add("treatment_note_templates", name="gone", deleted_at=STAMP, archived_at=STAMP)
        path = "/treatment_note_templates"
        assert "gone" not in await wire.names(path, "archived_at:*")
        assert "gone" not in await wire.names(path, "deleted_at:?")
        assert await wire.names(path, "deleted_at:?", "archived_at:*") == {"gone"}


async def test_days_are_compared_and_found_by_pattern():
    async with running() as wire:
        for name, day in (("May", "1980-05-17"), ("June", "1981-06-01"), ("Nobody", None)):
            wire.sandbox.add("patients", first_name=name, last_name="Doe", date_of_birth=day)

        async def found(one):
            return {patient["first_name"] for patient in await wire.list("/patients", one, "last_name:=Doe")}

        assert await found("date_of_birth:=1980-05-17") == {"May"}
        assert await found("date_of_birth:=****-05-**") == {"May"}
        assert await found("date_of_birth:>1980-05-17") == {"June"}
        assert await found("date_of_birth:!?") == {"Nobody"}
        for wrong in (">****-05-**", "=17.5.1980", "!=1980-05-17"):
            assert (await wire.get("/patients", f"date_of_birth:{wrong}")).status == 400


async def test_q_without_brackets_is_one_filter_the_last():
    async with running(appointment_types=0) as wire:
        await few(wire)
        answer = await wire.ask("GET", f"{TYPES}?q=category:!%3F&q=category:%3DOsteo&q[]=category:%3F")
        assert [one["name"] for one in answer.json["appointment_types"]] == ["Émile's"]


REFUSED = [
    ("duration_in_minutes:=5", "duration_in_minutes is not filterable"),
    ("nothing:=5", "nothing is not filterable"),
    ('id" OR 1:=5', 'id" OR 1 is not filterable'),
    ("id", "Filters are given as field:operator and value"),
    ("id:", "Filter operator for id is not valid"),
    ("id:5", "Filter operator for id is not valid"),
    ("id:~5", "Filter operator for id is not valid"),
    ("id:?5", "Filter operator for id is not valid"),
    ("id:*", "Filter operator for id is not valid"),
    ("created_at:=2025-01-01T00:00:00Z", "Filter operator for created_at is not valid"),
    ("category:>a", "Filter operator for category is not valid"),
    ("show_in_online_bookings:?", "Filter operator for show_in_online_bookings is not valid"),
    ("appointment_reminder_template_ids:=7", "Filter operator for appointment_reminder_template_ids is not valid"),
    ("id:=five", "Filter value for id must be a number"),
    ("id:=1,", "Filter value for id must be a number"),
    ("id:!=1,2", "Filter value for id must be a number"),
    ("created_at:>yesterday", "Filter value for created_at must be a date and time"),
    ("created_at:>2025-13-01T00:00:00Z", "Filter value for created_at must be a date and time"),
    ("created_at:>2025-01-01T00:00:00+00:00", "Filter value for created_at must be a date and time"),
    ("show_in_online_bookings:=1", "Filter value for show_in_online_bookings must be true or false"),
    ("appointment_reminder_template_ids:~x", "Filter value for appointment_reminder_template_ids must be a number"),
]
"""A filter that is not valid, and the text of the error."""


async def test_an_invalid_filter_is_400():
    async with running() as wire:
        answers = [await wire.get(TYPES, text) for text, _ in REFUSED]
        assert {answer.status for answer in answers} == {400}
        assert [answer.json for answer in answers] == [{"status": "400", "error": error} for _, error in REFUSED]


async def test_a_field_that_a_resource_cannot_filter_is_not_a_filter_of_its_parents_lists():
    async with running() as wire:
        practitioner = (await wire.list("/practitioners"))[0]["id"]
        assert (await wire.get(f"/practitioners/{practitioner}/appointment_types", "name:=x")).status == 400
