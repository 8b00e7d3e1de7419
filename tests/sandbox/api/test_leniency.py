"""What the API accepts beyond its documentation, and what a strict sandbox refuses."""

import pytest

from tests.sandbox.wire import running
from tests.support.for_each import for_each

STARTS = "2031-02-02T22:00:00Z"
NOT_FOUND = {"status": "404", "error": "Not Found"}
WHO = {"practitioner": "practitioners", "business": "businesses"}


async def test_any_user_agent_is_accepted():
    async with running() as wire:
        for agent in ("Clinic app 2.1", "curl/8.5.0", "it@example.com"):
            assert (await wire.ask("GET", "/users", headers={"User-Agent": agent})).status == 200


@for_each("strict", [False, True])
@for_each("options", [{"headers": {"User-Agent": " "}}, {"skip_auto_headers": ["User-Agent"]}])
async def test_a_request_without_a_user_agent_is_400(options, strict):
    async with running(strict=strict) as wire:
        headers = {name: text for name, text in wire.headers().items() if name != "User-Agent"}
        url = wire.sandbox.base_url + "/users"
        given = {**options, "headers": headers | options.get("headers", {})}
        async with wire.session.get(url, **given) as answer:
            assert (answer.status, (await answer.json())["status"]) == (400, "400")


@pytest.mark.parametrize(("strict", "statuses"), [(False, (200, 200)), (True, (404, 404))])
async def test_put_is_an_older_form_of_patch(strict, statuses):
    async with running(strict=strict) as wire:
        patient = wire.sandbox.all("patients")[0]["id"]
        source = wire.sandbox.all("referral_sources")[0]["patient"]["links"]["self"].rpartition("/")[2]
        paths = (f"/patients/{patient}", f"/patients/{source}/referral_source")
        answers = [await wire.ask("PUT", path, json={"notes": "Put"}) for path in paths]
        assert tuple(answer.status for answer in answers) == statuses
        assert (wire.sandbox.get("patients", patient)["notes"] == "Put") is not strict


@for_each("strict", [False, True])
async def test_put_creates_nothing(strict):
    async with running(strict=strict) as wire:
        assert (await wire.ask("PUT", "/taxes", json={"name": "VAT"})).json == NOT_FOUND
        assert (await wire.ask("PUT", "/taxes/1", json={"name": "VAT"})).json == NOT_FOUND


async def test_head_is_get_without_a_body():
    async with running() as wire:
        for path in ("/users", "/users?per_page=1", "/users/1", "/nothing"):
            got, headed = await wire.ask("GET", path), await wire.ask("HEAD", path)
            assert (headed.status, headed.body) == (got.status, b"")
            for name in ("Content-Length", "Content-Type"):
                assert headed.headers[name] == got.headers[name]
            assert wire.sandbox.requests[-1].method == "HEAD"


async def test_a_strict_sandbox_allows_head_for_files_only():
    async with running(strict=True) as wire:
        assert (await wire.ask("HEAD", "/users")).status == 404
        wire.sandbox.files.keep("a/b.txt", "b.txt", b"content")
        async with wire.session.head(wire.sandbox.files.url_of(wire.sandbox.files.files["a/b.txt"])) as answer:
            assert (answer.status, answer.content_length) == (200, 7)


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 404)])
async def test_a_trailing_slash_is_ignored(strict, status):
    async with running(strict=strict) as wire:
        user = wire.sandbox.all("users")[0]["id"]
        for path in ("/users/", f"/users/{user}/", "/users/?per_page=1"):
            assert (await wire.ask("GET", path)).status == status


async def test_links_of_a_page_have_no_trailing_slash():
    async with running() as wire:
        page = (await wire.ask("GET", "/users/?per_page=1")).json
        assert page["links"]["next"].startswith(f"{wire.sandbox.base_url}/users?")


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 400)])
async def test_moments_in_filters_may_have_fractions(strict, status):
    async with running(strict=strict) as wire:
        for fraction in (".0", ".000", ".123456"):
            for comparison in ("updated_at:>", "archived_at:<"):
                assert (await wire.get("/patients", f"{comparison}2025-01-01T00:00:00{fraction}Z")).status == status
        assert (await wire.get("/patients", "updated_at:>2025-01-01T00:00:00Z")).status == 200


async def test_fractions_in_a_filter_count():
    async with running(appointment_types=0) as wire:
        wire.sandbox.add("appointment_types", name="late", created_at=1_700_000_005.7)
        for fraction, found in ((".500", {"late"}), (".700", set()), (".900", set())):
            assert await wire.names("/appointment_types", f"created_at:>2023-11-14T22:13:25{fraction}Z") == found


@for_each("strict", [False, True])
async def test_a_stamp_without_a_zone_is_utc(strict):
    async with running(strict=strict) as wire:
        ids = {f"{name}_id": wire.sandbox.add(plural) for name, plural in WHO.items()}
        body = {**ids, "ends_at": "2031-02-02T23:00:00Z"}
        for text in ("2031-02-02T22:00:00", "2031-02-02T22:00", "2031-02-02 22:00:00.000"):
            answer = await wire.post("/unavailable_blocks", body | {"starts_at": text})
            if strict:
                assert (answer.status, answer.json["errors"]) == (422, {"starts_at": "is invalid"})
            else:
                assert (answer.status, answer.json["starts_at"]) == (201, STARTS)


@for_each("resource", ["attendees", "individual_appointments"])
@for_each("strict, status", [(False, 204), (True, 422)])
async def test_the_older_reason_of_a_cancellation_is_accepted(resource, strict, status):
    async with running(strict=strict) as wire:
        added = wire.sandbox.add(resource)
        answer = await wire.patch(f"/{resource}/{added}/cancel", {"cancellation_reason": 31})
        record = wire.sandbox.get(resource, added)
        assert answer.status == status
        assert record["cancellation_reason_description"] == ("" if strict else "COVID-19 related")
        assert record["cancellation_reason"] == (None if strict else 31)


async def test_no_other_reason_is_accepted():
    async with running() as wire:
        path = f"/attendees/{wire.sandbox.add('attendees')}/cancel"
        for reason in (32, "31", True, [31]):
            errors = (await wire.patch(path, {"cancellation_reason": reason})).json["errors"]
            assert errors == {"cancellation_reason": "is not included in the list"}


@pytest.mark.parametrize(
    ("path", "column"),
    [("/patients/archived", "archived_at"), ("/individual_appointments/cancelled", "cancelled_at")],
)
async def test_hidden_records_have_the_lists_of_older_documentation(path, column):
    async with running() as wire:
        resource = path.split("/")[1]
        wire.sandbox.add(resource, **{column: 1_700_000_000})
        shown = await wire.list(f"/{resource}", f"{column}:?", per_page=100)
        assert await wire.list(path, per_page=100) == shown != []
    async with running(strict=True) as wire:
        assert (await wire.get(path)).json == NOT_FOUND


async def test_the_next_available_time_may_be_asked_for_without_days():
    for strict, status in ((False, 200), (True, 400)):
        async with running(strict=strict) as wire:
            ids = [wire.sandbox.add(name) for name in ("businesses", "practitioners", "appointment_types")]
            path = "/businesses/{}/practitioners/{}/appointment_types/{}/next_available_time".format(*ids)
            answer = await wire.get(path)
            assert answer.status == status
            assert ("appointment_start" in answer.json) is not strict
            assert (await wire.get(path, **{"from": "2099-01-01"})).status == 400


async def test_the_days_of_available_times_are_at_most_seven_apart():
    async with running(wall=lambda: 1.75e9) as wire:
        ids = [wire.sandbox.add(name) for name in ("businesses", "practitioners", "appointment_types")]
        path = "/businesses/{}/practitioners/{}/appointment_types/{}/available_times".format(*ids)
        for last, status in (("2025-08-18", 200), ("2025-08-19", 400), ("2025-08-10", 400)):
            assert (await wire.get(path, **{"from": "2025-08-11", "to": last})).status == status
