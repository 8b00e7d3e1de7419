"""The store of the sandbox, and the attachments made from its files."""

from typing import Any

import aiohttp
import pytest
from yarl import URL

from cliniko_async.sandbox import Sandbox
from tests.sandbox.wire import Wire, running
from tests.support.for_each import for_each


async def form_of(wire: Wire) -> dict[str, str]:
    patient = wire.sandbox.add("patients", first_name="Sam", last_name="Example")
    answer = await wire.get(f"/patients/{patient}/attachment_presigned_post")
    # The root of a bucket, to which the key is added, as in the official guide.
    assert answer.json["url"] == wire.sandbox.files.url
    assert URL(wire.sandbox.files.url).path == "/"
    return answer.json["fields"]


async def post(wire: Wire, fields: dict[str, str], *, after: dict[str, str] | None = None, **options: Any) -> Any:
    form = aiohttp.FormData(fields, quote_fields=False, default_to_multipart=True)
    form.add_field("file", b"content", filename="C:\\scans\\a & b.txt")
    for name, value in (after or {}).items():
        form.add_field(name, value)
    async with wire.session.post(wire.sandbox.files.url, data=form, **options) as answer:
        return answer.status, await answer.text()


async def keep(wire: Wire) -> str:
    """Put a file into the store and return its key."""
    status, _ = await post(wire, await form_of(wire))
    assert status == 201
    (key,) = wire.sandbox.files.files
    return key


async def test_a_receipt_has_the_key_as_xml_and_an_encoded_location():
    async with running() as wire:
        status, text = await post(wire, await form_of(wire))
        (key,) = wire.sandbox.files.files
        assert status == 201
        assert key.endswith("/a & b.txt")
        assert f"<Key>{key.replace('&', '&amp;')}</Key>" in text
        assert "a%20%26%20b.txt</Location>" in text


async def test_there_is_no_form_for_a_patient_who_is_not_there():
    async with running() as wire:
        assert (await wire.get("/patients/1/attachment_presigned_post")).status == 404


@pytest.mark.parametrize("change", [{"policy": "mine"}, {"x-amz-signature": "mine"}, {"more": "x"}])
async def test_fields_that_the_api_did_not_issue_are_refused(change: dict[str, str]):
    async with running() as wire:
        assert (await post(wire, await form_of(wire) | change))[0] == 403


async def test_a_form_without_one_of_its_fields_is_refused():
    async with running() as wire:
        fields = await form_of(wire)
        assert (await post(wire, {name: fields[name] for name in fields if name != "x-amz-date"}))[0] == 403


async def test_a_field_after_the_file_is_refused():
    async with running() as wire:
        assert (await post(wire, await form_of(wire), after={"late": "x"}))[0] == 400
        assert wire.sandbox.files.files == {}


async def test_a_form_without_a_file_or_a_length_is_refused():
    async with running() as wire:
        url = wire.sandbox.files.url
        form = aiohttp.FormData(await form_of(wire), default_to_multipart=True)
        async with wire.session.post(url, data=form) as answer:
            assert answer.status == 403
        form = aiohttp.FormData(await form_of(wire), default_to_multipart=True)
        async with wire.session.post(url, data=form, chunked=True) as answer:
            assert answer.status == 411


async def test_credentials_are_refused_and_recorded():
    async with running() as wire:
        assert (await post(wire, await form_of(wire), headers=wire.headers()))[0] == 400
        assert [one.authorized for one in wire.sandbox.files.requests] == [True]


async def test_a_signed_url_is_enough_to_read_a_file():
    async with running() as wire:
        key = await keep(wire)
        url = wire.sandbox.files.url_of(wire.sandbox.files.files[key])
        for asked, status in ((url, 200), (url.partition("?")[0] + "?X-Amz-Signature=0", 403), (url + "x", 403)):
            async with wire.session.get(URL(asked, encoded=True)) as answer:
                assert answer.status == status
        async with wire.session.get(wire.sandbox.files.url + "nothing") as answer:
            assert answer.status == 404
        async with wire.session.delete(URL(url, encoded=True)) as answer:
            assert answer.status == 404


@for_each("url", ["{url}nothing", "https://example.com/{key}", "{url}/{key}", 7, None])
async def test_an_attachment_is_made_of_a_file_in_the_store_alone(url: Any):
    async with running() as wire:
        key = await keep(wire)
        given = url.format(url=wire.sandbox.files.url, key=key) if isinstance(url, str) else url
        patient = wire.sandbox.all("patients")[-1]["id"]
        answer = await wire.post("/patient_attachments", {"patient_id": patient, "upload_url": given})
        assert (answer.status, answer.json["errors"]) == (422, {"temp_attachment_url": "is invalid"})


async def test_an_attachment_needs_a_file():
    async with running() as wire:
        patient = wire.sandbox.add("patients", first_name="Sam", last_name="Example")
        for body in ({"patient_id": patient}, ["x"]):
            assert (await wire.post("/patient_attachments", body)).status == 422


async def test_an_attachment_is_blank_until_it_was_processed_in_lists_too():
    now = 1_750_000_000.0
    async with running(wall=lambda: now) as wire:
        key = await keep(wire)
        patient = wire.sandbox.all("patients")[-1]["id"]
        body = {"patient_id": patient, "upload_url": f"{wire.sandbox.files.url}{key}", "filename": "b.pdf"}
        made = (await wire.post("/patient_attachments", body)).json
        assert (made["processing_completed"], made["filename"], made["size"]) == (False, None, None)
        assert (await wire.get(f"/patient_attachments/{made['id']}/content")).status == 404
        now += 1.0
        (found,) = await wire.list("/patient_attachments", f"id:={made['id']}")
        assert (found["processing_completed"], found["filename"], found["size"]) == (True, "b.pdf", 7)
        wire.sandbox.attachments.redirects = False
        assert (await wire.get(f"/patient_attachments/{made['id']}/content")).body == b"content"


async def test_the_days_of_available_times_must_be_given_and_be_days():
    async with running() as wire:
        ids = {name: wire.sandbox.add(name) for name in ("businesses", "practitioners", "appointment_types")}
        path = "/".join(f"/{name}/{key}" for name, key in ids.items()).replace("//", "/") + "/available_times"
        for params in ({}, {"from": "2099-01-01"}, {"from": "2099-01-01", "to": "soon"}):
            answer = await wire.get(path, **params)
            assert (answer.status, answer.json["error"].split()[0]) == (400, "Invalid")


async def test_the_key_of_a_sandbox_without_a_user_has_no_user():
    async with running() as wire:
        for user in wire.sandbox.all("users"):
            wire.sandbox.remove("users", user["id"])
        assert (await wire.get("/user")).status == 404


async def test_a_sandbox_that_never_ran_can_be_closed():
    await Sandbox().close()
