"""Uploads to the store, and their records."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from cliniko_async import (
    ClinikoError,
    DeadlineExceededError,
    DecodingError,
    ForbiddenError,
    InvalidRequestError,
    OutcomeUnknownError,
    ResponseError,
    RetryPolicy,
    ServerError,
    TransportError,
    TransportTimeoutError,
    UnprocessableError,
    UsageError,
)
from tests.support.attachments import clinic, pieces
from tests.support.clients import ONCE, client_of, virtually
from tests.support.for_each import for_each
from tests.support.frames import assert_frames_hidden
from tests.support.raw_server import Connection, RawServer, Turn, answer, close, silence

PDF = b"%PDF-1.7 \r\n--x\r\n" * 40_000
STEPS = ["GET patients", "POST patient_attachments", "GET patient_attachments"]


@virtually
async def test_bytes_become_a_record_whose_file_was_processed():
    async with clinic() as at:
        sent = at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="scan.pdf", description="Scan")
        record = await sent
        assert (record.filename, record.size, record.description) == ("scan.pdf", len(PDF), "Scan")
        assert (record.processing_completed, record.content_type) == (True, "application/pdf")
        assert at.asked == STEPS
        assert at.content() == PDF


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read_and_its_name_is_the_files_name(kind: Any, tmp_path: Path):
    (tmp_path / "letter.txt").write_bytes(PDF)

    @virtually
    async def test():
        async with clinic() as at:
            record = await at.cliniko.patient_attachments.upload(at.patient_id, kind(tmp_path / "letter.txt"))
            assert (record.filename, at.content()) == ("letter.txt", PDF)

    test()


@pytest.mark.parametrize("size", [None, len(PDF)])
def test_a_stream_is_sent_with_and_without_its_size(size: int | None):
    @virtually
    async def test():
        async with clinic() as at:
            stream = pieces(PDF[:100], b"", PDF[100:])
            await at.cliniko.patient_attachments.upload(at.patient_id, stream, filename="a.pdf", size=size)
            assert at.content() == PDF

    test()


@virtually
async def test_a_stream_reader_is_read_by_bytes_and_not_by_lines():
    """Its own iterator yields lines, and fails on one that is too long."""
    async with clinic() as at:
        reader = asyncio.StreamReader()
        reader.feed_data(bytes(200_000))
        reader.feed_eof()
        await at.cliniko.patient_attachments.upload(at.patient_id, reader, filename="zeros")
        assert at.content() == bytes(200_000)


@virtually
async def test_an_empty_file_is_sent():
    async with clinic() as at:
        record = await at.cliniko.patient_attachments.upload(at.patient_id, b"", filename="empty.txt")
        assert (record.size, at.content()) == (0, b"")


@virtually
async def test_every_field_of_the_form_is_sent_back_and_the_file_comes_last():
    """The store of the sandbox refuses anything else, so its requests show what it accepted."""
    async with clinic() as at:
        await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        (post,) = at.posts
        assert list(post.body) == list(at.sandbox.files.new_form()["fields"])
        assert post.body["key"].endswith("/${filename}")


@for_each("name", ["a b+c%20.pdf", "Müller & Söhne <1>.pdf", "it's 100% 'x'.pdf", 'the "x".pdf'])
def test_the_file_key_is_sent_to_the_api_unchanged_from_the_receipt(name: str):
    """Neither the encoded location nor a key that was decoded twice: the sandbox accepts only the exact one."""

    @virtually
    async def test():
        async with clinic() as at:
            record = await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename=name)
            created = next(one for one in at.sandbox.requests if one.method == "POST")
            (key,) = at.sandbox.files.files
            assert created.body["upload_url"] == f"{at.sandbox.files.url}{key}"
            assert (record.filename, created.body["filename"]) == (name, name)

    test()


@virtually
async def test_neither_the_key_nor_the_contact_goes_to_the_store():
    async with clinic() as at:
        await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        (post,) = at.posts
        assert not post.authorized
        assert at.sandbox.api_key not in str(post.headers)
        assert "example.com" not in str(post.headers)
        assert post.headers["user-agent"] == "cliniko-async"


@virtually
async def test_headers_of_a_given_session_are_not_sent_to_the_store():
    async with clinic() as at, aiohttp.ClientSession(headers={"User-Agent": "Rosters (me@example.com)"}) as session:
        async with client_of(at.sandbox, session=session) as cliniko:
            await cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert at.posts[0].headers["user-agent"] == "cliniko-async"


@virtually
async def test_requests_to_the_store_need_no_permit():
    async with clinic() as at:
        await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert at.limiter.settled_by == ["complete"] * len(at.sandbox.requests)


@virtually
async def test_a_redirect_of_the_store_is_not_followed():
    async with clinic() as at:
        at.sandbox.files.faults.status(307, headers={"Location": at.sandbox.files.url + "elsewhere"})
        with pytest.raises(ResponseError) as caught:
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert (caught.value.status, len(at.sandbox.files.requests), at.records) == (307, 1, [])


@for_each(
    "url",
    [
        "http://store.example.com/x",
        "ftp://127.0.0.1/x",
        "https://me:secret@store.example.com",
        "//x",
        "https://[",
        "https://a:99999/",
        "https://a..b/",
        f"https://{'a' * 64}.example.com/",
        "https://store.example.com/\n",
        "https://store.example.com/a b",
        "https://store.example.com/\u00e9",
    ],
)
def test_a_file_is_only_sent_over_https_or_within_this_machine(url: str):
    @virtually
    async def test():
        async with clinic() as at:
            at.sandbox.faults.edit(lambda form: {**form, "url": url}, path="presigned")
            with pytest.raises(DecodingError, match="location of the file"):
                await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
            assert (at.sandbox.files.requests, at.asked) == ([], STEPS[:1])

    test()


@for_each(
    "receipt",
    [
        b"",
        b"<PostResponse><Key></Key></PostResponse>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><PostResponse><Bucket>a</Bucket></PostResponse>',
        b"<Key>\xff</Key>",
        b" " * 1_000_000 + b"<Key>too late</Key>",
    ],
)
def test_a_receipt_without_a_key_is_a_decoding_error(receipt: bytes):
    """It is read up to the maximum length of a receipt, and no entity in it is expanded."""

    @virtually
    async def test():
        async with clinic() as at:
            at.sandbox.files.faults.status(201, body=receipt)
            with pytest.raises(DecodingError, match="Key is missing"):
                await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
            assert at.records == []

    test()


@virtually
async def test_a_form_without_url_or_fields_is_a_decoding_error():
    async with clinic() as at:
        at.sandbox.faults.edit(lambda _: {"url": None, "fields": None}, path="presigned")
        with pytest.raises(DecodingError):
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")


def test_a_64_megabyte_file_is_never_entirely_in_memory():
    piece, count = bytes(64 * 1024), 1024

    async def stream():
        for _ in range(count):
            yield piece

    @virtually
    async def test():
        async with clinic() as at:
            await at.cliniko.patient_attachments.upload(at.patient_id, b"x", filename="a")
            tracemalloc.start()
            try:
                size = count * len(piece)
                sent = at.cliniko.patient_attachments.upload(at.patient_id, stream(), filename="b", size=size)
                assert (await sent).size == size
                assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
            finally:
                tracemalloc.stop()

    test()


# Failures


@virtually
async def test_a_form_that_was_cut_off_is_asked_for_again():
    async with clinic() as at:
        at.sandbox.faults.cut(path="presigned")
        await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert at.asked == ["GET patients", *STEPS]


@for_each("moment", ["request", "answer", "headers", "body"])
def test_a_file_cut_off_on_its_way_is_posted_again_with_a_new_form(moment: Any):
    @virtually
    async def test():
        async with clinic() as at:
            at.sandbox.files.faults.drop(moment)
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
            assert at.asked == ["GET patients", *STEPS]
            assert len(at.posts) == 2
            assert at.posts[0].body is None or at.posts[0].body["key"] != at.posts[1].body["key"]

    test()


@virtually
async def test_an_upload_to_a_failing_store_is_tried_as_often_as_the_policy_says():
    async with clinic() as at:
        at.sandbox.files.faults.status(503, times=None)
        with pytest.raises(ServerError) as caught:
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert (caught.value.attempts, len(at.posts), at.records) == (3, 3, [])


@virtually
async def test_what_the_store_refuses_is_not_sent_again():
    async with clinic() as at:
        at.sandbox.files.faults.status(403, body="<Error><Code>AccessDenied</Code></Error>")
        with pytest.raises(ForbiddenError) as caught:
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert (len(at.posts), at.asked) == (1, STEPS[:1])
        host = URL(at.sandbox.files.url).authority
        assert (
            str(caught.value) == f"the file store did not carry out the request: POST {host} answered 403 (1 attempt)"
        )


@virtually
async def test_a_stream_that_is_not_buffered_is_sent_once():
    async with clinic() as at:
        at.sandbox.files.faults.drop("answer")
        with pytest.raises(TransportError) as caught:
            await at.cliniko.patient_attachments.upload(at.patient_id, pieces(PDF), filename="a", size=len(PDF))
        assert (len(at.posts), at.records, type(caught.value)) == (1, [], TransportError)


@virtually
async def test_a_stream_in_a_temporary_file_is_sent_again():
    async with clinic() as at:
        at.sandbox.files.faults.drop("answer")
        await at.cliniko.patient_attachments.upload(at.patient_id, pieces(PDF), filename="a")
        assert len(at.posts) == 2
        assert {file.size for file in at.sandbox.files.files.values()} == {len(PDF)}


@pytest.mark.parametrize("size", [len(PDF) - 1, len(PDF) + 1, 0])
def test_a_stream_that_differs_from_its_declared_size_is_refused(size: int):
    @virtually
    async def test():
        async with clinic() as at:
            with pytest.raises(InvalidRequestError, match="size"):
                await at.cliniko.patient_attachments.upload(at.patient_id, pieces(PDF), filename="a", size=size)
            assert at.records == []

    test()


@pytest.mark.parametrize("size", [None, 100])
def test_an_error_of_the_stream_itself_is_raised_as_it_is(size: int | None):
    async def broken():
        yield b"x"
        raise LookupError("mine")

    @virtually
    async def test():
        async with clinic() as at:
            with pytest.raises(LookupError, match="mine"):
                await at.cliniko.patient_attachments.upload(at.patient_id, broken(), filename="a", size=size)
            assert at.records == []

    test()


@virtually
async def test_a_record_that_may_have_been_created_is_not_created_again():
    async with clinic() as at:
        at.sandbox.faults.drop("answer", method="POST")
        with pytest.raises(OutcomeUnknownError):
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert (len(at.posts), len(at.records), at.asked) == (1, 1, STEPS[:2])


@virtually
async def test_a_refused_record_raises_the_error_of_the_refusal():
    async with clinic() as at:
        at.sandbox.faults.between(at.sandbox.files.forget, before=True, method="POST")
        with pytest.raises(UnprocessableError) as caught:
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert caught.value.errors == {"temp_attachment_url": "is invalid"}


@virtually
async def test_a_poll_of_the_processing_that_was_cut_off_is_repeated():
    async with clinic() as at:
        at.sandbox.faults.drop("answer", path="/patient_attachments/")
        await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert at.asked == [*STEPS, STEPS[-1]]


@virtually
async def test_an_upload_without_progress_is_ended():
    async with clinic(timeout=7.0, retry=ONCE) as at:
        at.sandbox.files.faults.slow(1000.0)
        before = asyncio.get_running_loop().time()
        with pytest.raises(TransportTimeoutError, match="no progress for 7 s"):
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        assert asyncio.get_running_loop().time() - before == pytest.approx(7.0, abs=0.5)


@virtually
async def test_a_file_may_take_longer_than_the_timeout_as_long_as_it_moves():
    async def slowly():
        for _ in range(10):
            await asyncio.sleep(3.0)
            yield b"x"

    async with clinic(timeout=5.0) as at:
        record = await at.cliniko.patient_attachments.upload(at.patient_id, slowly(), filename="a", size=10)
        assert record.size == 10


@virtually
async def test_the_deadline_holds_for_the_post_of_the_file():
    async with clinic(deadline=3.0, timeout=100.0) as at:
        at.sandbox.files.faults.slow(1000.0)
        with pytest.raises(DeadlineExceededError):
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")


@virtually
async def test_a_client_that_is_closed_ends_an_upload_with_a_usage_error():
    async with clinic() as at:
        at.sandbox.files.faults.slow(1000.0)
        upload = asyncio.create_task(at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf"))
        await asyncio.sleep(5.0)
        await at.cliniko.aclose()
        with pytest.raises(UsageError):
            await upload


@virtually
async def test_a_client_that_is_closed_ends_the_wait_for_the_processing():
    async with clinic() as at:
        at.sandbox.attachments.processing = 1000.0
        upload = asyncio.create_task(at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf"))
        await asyncio.sleep(100.0)
        before = asyncio.get_running_loop().time()
        await at.cliniko.aclose()
        with pytest.raises(UsageError):
            await upload
        assert asyncio.get_running_loop().time() - before < 1.0


@pytest.mark.parametrize("where", ["store", "processing", "stream"])
def test_a_cancelled_upload_leaves_nothing_behind(where: str, tmp_path: Path):
    """No task, no open file, and no record that was not made before; tasks left would fail the run."""
    (tmp_path / "a.pdf").write_bytes(PDF)

    async def endless():
        while True:
            await asyncio.sleep(1.0)
            yield b"x"

    @virtually
    async def test():
        async with clinic() as at:
            if where == "store":
                at.sandbox.files.faults.slow(1000.0, acted=False)
            at.sandbox.attachments.processing = 1000.0
            file: Any = endless() if where == "stream" else tmp_path / "a.pdf"
            size = 10_000 if where == "stream" else None
            work = at.cliniko.patient_attachments.upload(at.patient_id, file, filename="a.pdf", size=size)
            upload = asyncio.create_task(work)
            await asyncio.sleep(20.0)
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
            assert len(at.records) == (where == "processing")
            # The client still works.
            assert await at.cliniko.patients.get(at.patient_id)

    test()


def form_of(server: RawServer) -> Turn:
    """A form that leads to the same server."""

    async def turn(line: Connection) -> None:
        fields = {"key": "k", "signature": "Secretsign"}
        await answer(200, {"url": f"{server.base_url}/bucket?x=Secretsign", "fields": fields})(line)

    return turn


@for_each("leave", ["by itself", "by a timeout of the caller's"])
@for_each("turn", [silence(), close(), answer(403, b"<Secretsign>"), answer(201, b"<html>Secretsign")])
@for_each("stream", [False, True])
@virtually
async def test_no_frame_of_an_upload_that_fails_shows_the_key_the_form_or_the_file(
    stream: bool, turn: Turn, leave: str
):
    async with RawServer() as server, client_of(server, timeout=2.0, retry=ONCE) as cliniko:
        server.turns.clear()
        server.turns.extend([form_of(server), turn])
        file = pieces(b"Hidden", b"content") if stream else b"Hiddencontent"
        upload = cliniko.patient_attachments.upload("1", file, filename="Secretperson.pdf", description="Secretnote")
        with pytest.raises((ClinikoError, TimeoutError)) as raised:
            await asyncio.wait_for(upload, None if leave == "by itself" else 1)
        assert_frames_hidden(raised.value, "Secretsign", "Hidden", "Secretperson", "Secretnote")


@virtually
async def test_no_frame_of_a_failing_stream_shows_the_key_the_form_or_the_file():
    async def broken() -> AsyncIterator[bytes]:
        yield b"Hiddencontent"
        {}[b"x"]

    async with RawServer() as server, client_of(server, retry=ONCE) as cliniko:
        server.turns.clear()
        server.turns.extend([form_of(server), silence()])
        with pytest.raises(KeyError) as raised:
            await cliniko.patient_attachments.upload("1", broken(), filename="Secretperson.pdf", size=20)
        assert_frames_hidden(raised.value, "Secretsign", "Hidden", "Secretperson")


@virtually
async def test_a_503_of_the_store_is_retried_after_its_retry_after():
    async with clinic() as at:
        at.sandbox.files.faults.status(503, headers={"Retry-After": "9"})
        began = asyncio.get_running_loop().time()
        cliniko = at.cliniko.with_options(retry=RetryPolicy(attempts=2))
        await cliniko.patient_attachments.upload(at.patient_id, b"x", filename="a.pdf")
        assert asyncio.get_running_loop().time() - began >= 9
