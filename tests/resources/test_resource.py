"""What the operations of every resource have in common, and the options of a list."""

import datetime as dt
import inspect
import json
import re
import warnings
from typing import Any, get_args, get_type_hints

import pytest

from cliniko_async import (
    AppointmentType,
    AppointmentTypes,
    Cliniko,
    InvalidFieldsError,
    InvalidRequestError,
    NotFoundError,
    Patient,
    Settings,
    to_json,
)
from cliniko_async.resources._list_options import VISIBILITIES, ListOptions
from cliniko_async.resources._names import RESOURCES
from cliniko_async.resources._registry import resource_class
from cliniko_async.sandbox import Sandbox
from tests.support.for_each import for_each

BAD_IDS: list[Any] = ["1/../2", "", "abc", "1 ", " 1", "1?x", "1%2F2", "-1", "1" * 20, "\N{ARABIC-INDIC DIGIT ONE}"]
BAD_IDS += [-1, 10**19, True, 1.0, None, b"1", ["1"]]

NOT_WHOLE: list[Any] = ["5", 5.0, True, None]
NOT_SORTS: list[Any] = ["", [""], [5], "\ud800", [None], 5, False]
BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    *(({"per_page": value}, "per_page must be ") for value in (0, 101, -1, *NOT_WHOLE)),
    *(({"limit": value}, "limit must be ") for value in (0, -1, *NOT_WHOLE[:3])),
    *(({"prefetch": value}, "prefetch must be ") for value in (-1, *NOT_WHOLE)),
    *(({"stable": value}, "stable must be True or False") for value in ("yes", 1, None)),
    *(({"archived": value}, "archived must be ") for value in ("maybe", True, None, "", ["only"])),
    ({"archived": "includ"}, 'archived must be "exclude", "include" or "only"; did you mean \'include\''),
    *(({"sort": value}, "sort must be columns") for value in NOT_SORTS),
    *(({"stable": True, "sort": value}, "cannot be combined with sort") for value in ("name", ["id"], "created_at")),
    *(({"cursor": value}, "cursor is not a valid cursor") for value in ("", "x", "é", 5)),
]


@for_each("key", BAD_IDS, ids=repr)
async def test_a_value_that_is_not_an_id_never_reaches_a_path(cliniko_sandbox: Sandbox, cliniko: Cliniko, key: Any):
    """Of a record, of a parent, read or written."""
    types = cliniko.appointment_types
    for ask in (
        lambda: types.get(key),
        lambda: types.get(key, archived="include"),
        lambda: types.update(key, name="x"),
        lambda: types.archive(key),
        lambda: cliniko.patients.unarchive(key),
        lambda: cliniko.taxes.delete(key),
        lambda: types.list_for_practitioner(key),
    ):
        with pytest.raises(InvalidRequestError, match=r"^invalid [a-z ]+ id: expected 1 to 19 digits$") as raised:
            await ask()
        assert raised.value.argument in {"id", "practitioner_id"}
    assert cliniko_sandbox.requests == []


@for_each("options, text", BAD_OPTIONS, ids=lambda value: str(value).encode("unicode_escape").decode())
async def test_an_invalid_option_is_refused_at_once(
    cliniko_sandbox: Sandbox, cliniko: Cliniko, options: dict[str, Any], text: str
):
    with pytest.raises(InvalidRequestError, match=text) as raised:
        cliniko.appointment_types.list(**options)
    assert raised.value.argument == next(iter(options))
    assert cliniko_sandbox.requests == []


UNKNOWN = {
    "q": "unknown option 'q' for appointment_types",
    "cancelled": "unknown option 'cancelled' for appointment_types",
    "archive": "unknown option 'archive'; did you mean 'archived'?",
    "perpage": "unknown option 'perpage'; did you mean 'per_page'?",
    "category": "unknown option 'category'; filters are positional: list(appointment_types.where.category == …)",
    "updated_at": "unknown option 'updated_at'; filters are positional: list(appointment_types.where.updated_at < …)",
    "show_in_online_bookings": (
        "unknown option 'show_in_online_bookings'; filters are positional: "
        "list(appointment_types.where.show_in_online_bookings.is_(…))"
    ),
}


@for_each("option, text", UNKNOWN.items())
def test_an_unknown_option_is_refused_with_the_nearest_way_to_say_it(cliniko: Cliniko, option: str, text: str):
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        cliniko.appointment_types.list(**{option: "include"})


@pytest.mark.parametrize("option", ["limit", "category"])
async def test_a_record_takes_no_option_and_no_filter_of_a_list(
    cliniko_sandbox: Sandbox, cliniko: Cliniko, option: str
):
    with pytest.raises(TypeError, match=f"^unknown option '{option}' for appointment_types$"):
        await cliniko.appointment_types.get("1", **{option: 5})
    assert cliniko_sandbox.requests == []


TAKE_ONE_ID = [
    (name, method)
    for name in sorted(RESOURCES)
    for method in ("get", "update", "archive", "unarchive", "delete")
    if "id" in inspect.signature(getattr(resource_class(name), method, len)).parameters
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@for_each("name, method", TAKE_ONE_ID)
def test_a_call_without_its_id_names_the_class_that_the_user_sees(cliniko: Cliniko, name: str, method: str):
    """Also where a mixin has the method, and where it is deprecated."""
    resource = getattr(cliniko, name)
    call = getattr(resource, method)
    seen = f"{type(resource).__name__}.{method}"
    with pytest.raises(TypeError, match=rf"^{seen}\(\) missing \d required positional argument"):
        call()


@for_each("name", sorted(RESOURCES))
def test_hidden_records_can_be_requested_where_there_is_a_filter_for_them(cliniko: Cliniko, name: str):
    resource: Any = getattr(cliniko, name)
    if not hasattr(resource, "list") or name == "available_times":
        return
    for visibility in VISIBILITIES:
        if f"{visibility}_at" in resource.where.fields():
            resource.list(**{visibility: "include"})
        else:
            with pytest.raises(TypeError, match=f"unknown option {visibility!r}"):
                resource.list(**{visibility: "include"})


@for_each("name", sorted(name for name in RESOURCES if hasattr(resource_class(name), "list")))
def test_a_stable_iteration_needs_a_list_that_can_be_searched_by_id(cliniko: Cliniko, name: str):
    resource: Any = getattr(cliniko, name)
    if name == "available_times":  # It has neither ids nor the option.
        with pytest.raises(TypeError, match="stable"):
            resource.list("1", "1", "1", from_=dt.date(2030, 1, 1), to=dt.date(2030, 1, 2), stable=True)
    elif "id" in resource.where.fields():
        resource.list(stable=True)
    else:
        with pytest.raises(InvalidRequestError, match="filtered by id"):
            resource.list(stable=True)


def test_a_filter_of_another_resource_is_refused(cliniko: Cliniko):
    asked = cliniko.patients.where.last_name == "Sandover"
    with pytest.raises(InvalidRequestError, match=r"^appointment_types cannot be filtered by last_name$") as raised:
        cliniko.appointment_types.list(asked)
    assert raised.value.argument == "last_name"


@for_each("thing", [True, None, 5, ["category:=x"], {"category": "x"}])
def test_a_value_that_is_not_a_filter_is_refused(cliniko: Cliniko, thing: Any):
    with pytest.raises(InvalidRequestError, match="made with `where`") as raised:
        cliniko.appointment_types.list(thing)
    assert raised.value.argument == "filters"


@pytest.mark.parametrize("text", ["", "category:=\ud800"])
def test_a_filter_that_cannot_be_sent_is_refused(cliniko: Cliniko, text: str):
    """An empty one would disappear from the URL, and the list would not be filtered."""
    with pytest.raises(InvalidRequestError, match="a filter is empty, or has"):
        cliniko.appointment_types.list(text)
    with pytest.raises(InvalidRequestError):
        cliniko.appointment_types.list(cliniko.appointment_types.where.category == "\ud800")


async def test_nothing_is_sent_before_a_list_is_used(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    listed = cliniko.appointment_types.list("category:=x", sort="name", archived="only", per_page=7)
    assert cliniko_sandbox.requests == []
    await listed
    (sent,) = cliniko_sandbox.requests
    assert sent.query == {"q[]": ["category:=x", "archived_at:?"], "sort": ["name"], "per_page": ["7"]}


@pytest.mark.parametrize(
    ("archived", "texts"), [("exclude", []), ("include", ["archived_at:*"]), ("only", ["archived_at:?"])]
)
async def test_an_archived_record_is_read_when_it_is_asked_for(
    cliniko_sandbox: Sandbox, cliniko: Cliniko, archived: Any, texts: list[str]
):
    key = cliniko_sandbox.all("appointment_types")[0]["id"]
    if archived == "only":
        cliniko_sandbox.archive("appointment_types", key)
    found = await cliniko.appointment_types.get(int(key), archived=archived)
    assert found.id == key
    assert cliniko_sandbox.requests[0].query.get("q[]", []) == texts


async def test_a_deleted_record_is_read_when_it_is_asked_for(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    with pytest.raises(NotFoundError):
        await cliniko.invoices.get(1, archived="include", deleted="only")
    assert cliniko_sandbox.requests[0].query["q[]"] == ["archived_at:*", "deleted_at:?"]


async def test_resources_without_a_list_are_read_too(cliniko: Cliniko):
    assert isinstance(await cliniko.settings.get(), Settings)


async def test_several_kinds_of_hidden_records_are_asked_for_at_once(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    await cliniko.attendees.list(archived="include", cancelled="only", deleted="exclude")
    with pytest.raises(NotFoundError):
        await cliniko.attendees.get(1, archived="include", cancelled="include", deleted="include")
    listed, read = (sent.query["q[]"] for sent in cliniko_sandbox.requests)
    assert listed == ["archived_at:*", "cancelled_at:?"]
    assert read == ["archived_at:*", "cancelled_at:*", "deleted_at:*"]


async def test_a_record_is_created_changed_archived_and_read_again(cliniko: Cliniko):
    types = cliniko.appointment_types
    kind = await types.create(name="First visit", duration_in_minutes=45, max_attendees=1, color="#2F80ED")
    assert isinstance(kind, AppointmentType)
    changed = await types.update(kind.id, name="Review", description=None)
    assert (changed.id, changed.name, changed.description) == (kind.id, "Review", None)
    assert (changed.duration_in_minutes, changed.color) == (45, "#2F80ED")
    assert await types.archive(kind.id) is None
    with pytest.raises(NotFoundError):
        await types.get(kind.id)
    assert (await types.get(kind.id, archived="only")).archived_at is not None


async def test_what_is_sent_is_what_was_given_and_no_more(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    key = cliniko_sandbox.all("appointment_types")[0]["id"]
    await cliniko.appointment_types.update(key, description=None, category="x")
    (sent,) = cliniko_sandbox.requests
    assert (sent.method, sent.path, sent.body) == (
        "PATCH",
        f"/v1/appointment_types/{key}",
        {"description": None, "category": "x"},
    )


async def test_a_patient_leaves_the_archive(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    key = cliniko_sandbox.add("patients", first_name="A", last_name="B")
    await cliniko.patients.archive(key)
    await cliniko.patients.unarchive(key)
    found = await cliniko.patients.get(key)
    assert isinstance(found, Patient)
    assert found.archived_at is None


async def test_a_deletion_is_permanent(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    key = cliniko_sandbox.add("taxes", name="GST", rate="10.0")
    await cliniko.taxes.delete(key)
    assert [sent.method for sent in cliniko_sandbox.requests] == ["DELETE"]
    with pytest.raises(NotFoundError):
        await cliniko.taxes.get(key)


async def test_a_deletion_that_only_archives_says_so_and_archives(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    key = cliniko_sandbox.all("appointment_types")[0]["id"]
    with pytest.warns(DeprecationWarning, match="only archives: use archive"):
        await cliniko.appointment_types.delete(key)
    assert cliniko_sandbox.get("appointment_types", key)["archived_at"] is not None


async def test_a_deprecated_path_still_works(cliniko_sandbox: Sandbox, cliniko: Cliniko):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        await cliniko.invoice_items.list_for_invoice(cliniko_sandbox.add("invoices"))
    assert cliniko_sandbox.requests[0].path.endswith("/invoice_items")


async def test_a_fault_in_a_write_comes_before_a_fault_in_the_network(cliniko: Cliniko):
    await cliniko.aclose()
    with pytest.raises(InvalidFieldsError):
        await cliniko.appointment_types.create(name=5)


def test_a_resource_shows_its_name_and_its_operations(cliniko: Cliniko):
    assert repr(cliniko.signatures) == "<signatures: get>"


def test_a_body_is_written_as_json():
    assert json.loads(to_json({"name": "Zoë", "none": None, "list": [1, {"a": True}]})) == {
        "name": "Zoë",
        "none": None,
        "list": [1, {"a": True}],
    }


def test_the_fields_that_an_operation_sends_are_read_from_its_annotation():
    assert AppointmentTypes.sent_fields("create").__name__ == "AppointmentTypeFields"


@for_each("name", [*RESOURCES])
def test_the_options_of_lists_and_gets_are_typed_as_the_columns_have_them(name: str):
    cls: Any = resource_class(name)
    for method in (getattr(cls, each) for each in cls(None).operations if each == "get" or each.startswith("list")):
        hints = get_type_hints(method)
        (options,) = get_args(hints.get("visibility") or hints.get("options")) or (ListOptions,)
        assert set(cls.visibilities()) == get_type_hints(options).keys() & {*VISIBILITIES}


def test_only_lists_of_all_records_need_no_arguments():
    assert AppointmentTypes.required_arguments("list") == []
    assert AppointmentTypes.required_arguments("get") == ["id"]
    assert resource_class("settings").required_arguments("get") == []
    needed = ["business_id", "practitioner_id", "appointment_type_id", "from_", "to"]
    assert resource_class("available_times").required_arguments("list") == needed
