"""Downloads: from a link that returns the file, or a redirect to it."""

import asyncio
import json
import tracemalloc
from typing import Any

import aiohttp
import pytest

from cliniko_async import (
    ClinikoError,
    DecodingError,
    InvalidRequestError,
    NotFoundError,
    PatientAttachment,
    ServerError,
    TransportError,
    TransportTimeoutError,
    UsageError,
    from_dict,
    to_dict,
)
from tests.support.attachments import Clinic, clinic, pieces
from tests.support.clients import ONCE, QUICK, client_of, virtually
from tests.support.for_each import for_each
from tests.support.frames import assert_frames_hidden
from tests.support.paths import EXAMPLES
from tests.support.raw_server import Connection, RawServer, answer, silence, stall

PDF = b"%PDF-1.7 \r\n--x\r\n" * 40_000


async def kept(at: Clinic, content: bytes = PDF) -> PatientAttachment:
    """An attachment with a file, and no request of its upload in the records of the sandbox."""
    record = await at.cliniko.patient_attachments.upload(at.patient_id, content, filename="a.pdf")
    at.sandbox.requests.clear()
    at.sandbox.files.requests.clear()
    return record


@pytest.mark.parametrize("redirects", [True, False])
def test_a_file_is_downloaded_from_its_link_or_from_a_redirect(redirects: bool):
    @virtually
    async def test():
        async with clinic() as at:
            at.sandbox.attachments.redirects = redirects
            record = await kept(at)
            for attachment in (record, record.id, int(record.id)):
                async with at.cliniko.patient_attachments.download(attachment) as file:
                    assert b"".join([piece async for piece in file]) == PDF
                    assert (file.size, file.content_type) == (len(PDF), "application/octet-stream")
                    assert repr(file) == f"Download({len(PDF)} bytes)"
            assert len(at.sandbox.files.requests) == 3 * redirects

    test()


@virtually
async def test_the_whole_file_can_be_read_in_one_call():
    async with clinic() as at, at.cliniko.patient_attachments.download(await kept(at)) as file:
        assert await file.read() == PDF


@virtually
async def test_neither_the_key_nor_the_contact_is_sent_to_a_store_that_a_link_leads_to():
    async with clinic() as at:
        async with at.cliniko.patient_attachments.download(await kept(at)):
            (request,) = at.sandbox.files.requests
        assert [one.authorized for one in at.sandbox.requests] == [True]
        assert not request.authorized
        assert request.headers["user-agent"] == "cliniko-async"


@virtually
async def test_a_redirect_within_the_api_is_followed_with_the_key():
    async with clinic() as at:
        at.sandbox.attachments.redirects = False
        record = await kept(at)
        location = record.content.href.removeprefix(at.sandbox.base_url.removesuffix("/v1"))
        at.sandbox.faults.status(302, headers={"Location": location + "?again=1"})
        async with at.cliniko.patient_attachments.download(record) as file:
            assert await file.read() == PDF
        assert [one.authorized for one in at.sandbox.requests] == [True, True]
        assert at.limiter.settled_by == ["complete"] * len(at.limiter.settled_by)


@pytest.mark.parametrize("location", ["http://store.example.com/a", "ftp://127.0.0.1/a", "http://me:x@127.0.0.1/a"])
def test_a_redirect_that_is_not_encrypted_is_followed_on_this_machine_alone(location: str):
    @virtually
    async def test():
        async with clinic() as at:
            record = await kept(at)
            at.sandbox.faults.status(302, headers={"Location": location})
            with pytest.raises(DecodingError, match="https"):
                async with at.cliniko.patient_attachments.download(record):
                    pass

    test()


@for_each("location", ["http://[", "//[", "https://a:99999/", "https://a..b/", "https://a/a b"])
def test_a_redirect_to_an_invalid_url_is_refused(location: str):
    @virtually
    async def test():
        async with clinic() as at:
            record = await kept(at)
            at.sandbox.faults.status(302, headers={"Location": location})
            with pytest.raises(DecodingError):
                async with at.cliniko.patient_attachments.download(record):
                    pass
            data = to_dict(record) | {"content": {"links": {"self": location}}}
            with pytest.raises(ClinikoError):
                async with at.cliniko.patient_attachments.download(from_dict(PatientAttachment, data)):
                    pass

    test()


@virtually
async def test_redirects_in_a_circle_come_to_an_end():
    async with clinic() as at:
        record = await kept(at)
        at.sandbox.faults.status(302, headers={"Location": record.content.href}, times=None)
        with pytest.raises(DecodingError, match="redirect"):
            async with at.cliniko.patient_attachments.download(record):
                pass
        assert len(at.sandbox.requests) == 5


@virtually
async def test_an_attachment_of_another_server_is_not_asked_for():
    async with clinic() as at:
        data = to_dict(await kept(at))
        for content in ({"links": {"self": "https://elsewhere.example.com/v1/patient_attachments/1/content"}}, None):
            record = from_dict(PatientAttachment, {**data, "content": content})
            with pytest.raises(InvalidRequestError, match="no link"):
                async with at.cliniko.patient_attachments.download(record):
                    pass
        assert at.sandbox.requests == []


@virtually
async def test_a_file_that_is_not_there_yet_is_not_found():
    async with clinic() as at:
        at.sandbox.attachments.processing = 1000.0
        record = await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf", timeout=0)
        with pytest.raises(NotFoundError):
            async with at.cliniko.patient_attachments.download(record):
                pass


@for_each("where", ["api", "store"])
def test_a_truncated_file_is_an_error(where: str):
    @virtually
    async def test():
        async with clinic() as at:
            record = await kept(at)
            at.sandbox.attachments.redirects = where == "store"
            (at.sandbox.files if where == "store" else at.sandbox).faults.cut()
            with pytest.raises(TransportError) as caught:
                async with at.cliniko.patient_attachments.download(record) as file:
                    await file.read()
            assert caught.value.status == 200
            assert "X-Amz" not in str(caught.value)

    test()


@for_each("where", ["api", "store"])
@for_each("moment", ["request", "answer", "headers"])
def test_what_is_cut_off_before_the_file_begins_is_asked_again(where: str, moment: Any):
    @virtually
    async def test():
        async with clinic() as at:
            record = await kept(at)
            (at.sandbox.files if where == "store" else at.sandbox).faults.drop(moment)
            async with at.cliniko.patient_attachments.download(record) as file:
                assert await file.read() == PDF
            assert len(at.sandbox.files.requests) == 1 + (where == "store")
            assert len(at.sandbox.requests) == 1 + (where == "api")

    test()


@virtually
async def test_a_429_of_the_api_is_waited_out_and_counted():
    async with clinic() as at:
        record = await kept(at)
        at.sandbox.faults.throttle(30.0)
        async with at.cliniko.patient_attachments.download(record) as file:
            assert await file.read() == PDF
        assert len(at.limiter.waits) == 1
        first, second = at.sandbox.requests
        assert second.time - first.time >= 29.0


@virtually
async def test_a_download_from_a_failing_store_is_tried_as_often_as_the_policy_says():
    async with clinic() as at:
        record = await kept(at)
        at.sandbox.files.faults.status(503, times=None)
        with pytest.raises(ServerError):
            async with at.cliniko.patient_attachments.download(record):
                pass
        assert (len(at.sandbox.files.requests), len(at.sandbox.requests)) == (3, 1)


@for_each("where", ["api", "store"])
def test_no_answer_in_time_is_a_timeout(where: str):
    @virtually
    async def test():
        async with clinic(timeout=5.0, retry=ONCE) as at:
            record = await kept(at)
            (at.sandbox.files if where == "store" else at.sandbox).faults.slow(1000.0)
            with pytest.raises(TransportTimeoutError, match="within 5 s"):
                async with at.cliniko.patient_attachments.download(record):
                    pass

    test()


@virtually
async def test_leaving_in_the_middle_of_a_file_leaves_nothing_behind():
    """Leaked tasks would fail the run, and a connection in the middle of a file is not reused."""
    async with clinic() as at:
        record = await kept(at, PDF * 20)
        async with at.cliniko.patient_attachments.download(record) as file:
            async for _ in file:
                break
        assert await at.cliniko.patients.get(at.patient_id)


@virtually
async def test_a_client_that_was_closed_reads_no_further():
    async with clinic() as at:
        record = await kept(at, PDF * 20)
        async with at.cliniko.patient_attachments.download(record) as file:
            await anext(file)
            await at.cliniko.aclose()
            with pytest.raises(UsageError):
                await file.read()


@virtually
async def test_a_given_session_downloads_as_well():
    async with clinic() as at, aiohttp.ClientSession(headers={"User-Agent": "Mine (me@example.com)"}) as session:
        record = await kept(at)
        cliniko = client_of(at.sandbox, session=session)
        async with cliniko, cliniko.patient_attachments.download(record) as file:
            assert await file.read() == PDF
        assert at.sandbox.files.requests[0].headers["user-agent"] == "cliniko-async"


@virtually
async def test_a_download_that_is_cancelled_leaves_nothing_behind():
    async with clinic() as at:
        record = await kept(at)
        at.sandbox.files.faults.slow(1000.0)

        async def read() -> bytes:
            async with at.cliniko.patient_attachments.download(record) as file:
                return await file.read()

        task = asyncio.create_task(read())
        await asyncio.sleep(5.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await at.cliniko.patients.get(at.patient_id)


SERVING = ("selector_events.py", "http_writer.py", "file_store.py", "tempfile.py")
"""Where the sandbox, which runs in the same process, holds a file whole while it sends it."""


@virtually
async def test_a_file_is_read_piece_by_piece():
    """Only the sandbox holds the whole file in memory."""
    content = bytes(16 * 1024 * 1024)
    async with clinic() as at:
        record = await at.cliniko.patient_attachments.upload(at.patient_id, pieces(content), filename="a")
        tracemalloc.start()
        try:
            async with at.cliniko.patient_attachments.download(record) as file:
                left = len(content)
                while left > len(content) // 2:
                    left -= len(await anext(file))
                snapshot = tracemalloc.take_snapshot()
                assert left - sum([len(piece) async for piece in file]) == 0
        finally:
            tracemalloc.stop()
        held = [
            trace.size for trace in snapshot.statistics("filename") if not trace.traceback[0].filename.endswith(SERVING)
        ]
        assert sum(held) < 2 * 1024 * 1024


@virtually
async def test_a_download_without_progress_is_ended():
    """The timeout is for each piece, so a file as a whole may take longer."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for piece in (b"a", b"b", b"c"):
            await asyncio.sleep(4.0)
            writer.write(piece)
        await reader.read()
        writer.close()

    async with clinic(timeout=5.0) as at, await asyncio.start_server(stall, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        record = await kept(at)
        at.sandbox.faults.status(302, headers={"Location": f"http://{host}:{port}/a"})
        async with at.cliniko.patient_attachments.download(record) as file:
            assert [await anext(file) for _ in range(3)] == [b"a", b"b", b"c"]
            with pytest.raises(TransportTimeoutError, match="no progress for 5 s"):
                await anext(file)


def attachment_at(server: RawServer) -> PatientAttachment:
    """An attachment whose file is on a raw server."""
    data = json.loads((EXAMPLES / "patient_attachment.json").read_text())
    link = {"links": {"self": f"{server.base_url}/patient_attachments/1/content"}}
    return from_dict(PatientAttachment, {**data, "content": link})


async def drip(line: Connection) -> None:
    """Send an endless head, byte by byte, each well within the timeout."""
    await line.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not line.writer.is_closing():
        await line.write(b"x")
        await asyncio.sleep(1)


@virtually
async def test_headers_that_arrive_byte_by_byte_are_ended_by_the_timeout():
    async with RawServer(drip) as server, client_of(server, timeout=5.0, retry=ONCE) as cliniko:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TransportTimeoutError, match="no response within 5 s"):
            async with cliniko.patient_attachments.download(attachment_at(server)):
                pass
        assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=0.1)


@for_each("status", [201, 202, 204, 206])
@virtually
async def test_a_success_status_other_than_200_is_not_the_whole_file(status: int):
    async with RawServer(answer(status, b"")) as server, client_of(server) as cliniko:
        with pytest.raises(DecodingError, match="not the whole file"):
            async with cliniko.patient_attachments.download(attachment_at(server)):
                pass
        assert len(server.requests) == 1


async def reading(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    response = await handler(request)
    await response.read()
    return response


@pytest.mark.parametrize("content", [PDF, b""])
@virtually
async def test_the_middlewares_of_a_given_session_see_what_goes_to_the_api_and_may_read_it(content: bytes):
    async with (
        RawServer(answer(200, content)) as server,
        aiohttp.ClientSession(middlewares=(reading,)) as session,
        client_of(server, session=session) as cliniko,
        cliniko.patient_attachments.download(attachment_at(server)) as file,
    ):
        assert await file.read() == content


@virtually
async def test_the_middlewares_of_a_given_session_do_not_see_what_goes_to_a_store():
    seen: list[str] = []

    async def note(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        seen.append(request.url.path)
        return await handler(request)

    async with aiohttp.ClientSession(middlewares=(note,)) as session, clinic(session=session) as at:
        record = await kept(at)
        seen.clear()
        async with at.cliniko.patient_attachments.download(record) as file:
            assert await file.read() == PDF
        assert seen == [f"/v1/patient_attachments/{record.id}/content"]
        assert len(at.sandbox.files.requests) == 1


@virtually
async def test_unsolicited_bytes_on_a_kept_connection_are_not_the_file():
    lines: list[Connection] = []

    async def talk(line: Connection) -> None:
        await answer(200, b"the first")(line)
        lines.append(line)

    async with RawServer(talk) as server, client_of(server, retry=QUICK) as cliniko:
        for wait in (1.0, 0.0):
            async with cliniko.patient_attachments.download(attachment_at(server)) as file:
                assert await file.read() == b"the first"
            lines[-1].writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
            await asyncio.sleep(wait)


@for_each("where", ["api", "store"])
@for_each("moment", ["head", "body"])
@virtually
async def test_no_frame_of_a_download_that_is_cut_short_shows_a_key_or_a_url(where: str, moment: str):
    turn = silence() if moment == "head" else stall(200, PDF)
    async with RawServer(turn) as server:
        stop = asyncio.timeout(2)
        redirect = answer(302, b"", {"Location": f"{server.base_url}/file?signature=Secretsign"})
        async with RawServer(redirect if where == "store" else turn) as api, client_of(api) as cliniko:
            with pytest.raises(TimeoutError) as raised:
                async with stop, cliniko.patient_attachments.download(attachment_at(api)) as file:
                    await file.read()
    assert_frames_hidden(raised.value, "Secretsign")
