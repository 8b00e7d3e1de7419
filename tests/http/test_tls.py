"""TLS: the key is sent only to a server with a valid certificate, and never to a proxy."""

import asyncio
import base64
import contextlib
import datetime as dt
import ssl
from pathlib import Path
from typing import Self

import aiohttp
import pytest
import trustme
from aiohttp import web

from cliniko_async import Cliniko, TransportError
from tests.support.clients import KEY, ONCE, QUICK, WHO, RecordingLimiter
from tests.support.for_each import for_each
from tests.support.raw_server import RawServer, answer

AUTHORITY = trustme.CA()
LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
PAGE = {"appointment_types": [], "total_entries": 0, "links": {}}


class TlsServer:
    """A server on loopback, whose certificate is valid where its authority is trusted."""

    def __init__(self, certificate: trustme.LeafCert | None = None) -> None:
        self.heard: list[str] = []
        self.port = 0
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        (certificate or AUTHORITY.issue_cert("127.0.0.1")).configure_cert(self.context)

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._handle))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.context).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.heard.append(request.path)
        return web.json_response(PAGE)


async def test_a_server_with_an_untrusted_certificate_receives_nothing():
    async with (
        TlsServer() as server,
        Cliniko(KEY, **WHO, base_url=f"https://127.0.0.1:{server.port}/v1", retry=ONCE) as cliniko,
    ):
        with pytest.raises(TransportError, match="certificate verify failed: "):
            await cliniko.appointment_types.list()
    assert server.heard == []


def trusting() -> aiohttp.ClientSession:
    """A session that trusts the authority."""
    context = ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


def self_signed() -> trustme.LeafCert:
    """A self-signed certificate."""
    alone = trustme.CA()
    return trustme.LeafCert(alone.private_key_pem.bytes(), alone.cert_pem.bytes(), [])


REFUSED = [
    ("self-signed certificate", "127.0.0.1", self_signed),
    ("IP address mismatch, certificate is not valid for", "127.0.0.1", lambda: AUTHORITY.issue_cert("192.0.2.1")),
    ("Hostname mismatch, certificate is not valid for", "localhost", lambda: AUTHORITY.issue_cert("other.example")),
    ("certificate has expired", "127.0.0.1", lambda: AUTHORITY.issue_cert("127.0.0.1", not_after=LONG_AGO)),
    ("unable to get local issuer certificate", "127.0.0.1", lambda: trustme.CA().issue_cert("127.0.0.1")),
]


@for_each("reason, host, certificate", REFUSED)
@pytest.mark.parametrize("write", [False, True])
async def test_a_refused_certificate_is_reported_in_the_words_of_the_system_and_not_retried(
    reason, host, certificate, write
):
    limiter = RecordingLimiter()
    async with TlsServer(certificate()) as server, trusting() as session:
        url = f"https://{host}:{server.port}/v1"
        async with Cliniko(KEY, **WHO, base_url=url, session=session, rate_limiter=limiter) as cliniko:
            expected = rf"certificate verify failed: {reason}.*\(1 attempt\)"
            with pytest.raises(TransportError, match=expected) as raised:
                await (cliniko.taxes.create(name="GST", rate=10) if write else cliniko.taxes.get("1"))
    assert (server.heard, limiter.settled_by, raised.value.sent) == ([], ["cancel"], False)


async def test_a_wrong_fingerprint_is_not_retried():
    async with (
        TlsServer() as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(b"0" * 32))) as session,
        Cliniko(KEY, **WHO, base_url=f"https://127.0.0.1:{server.port}/v1", session=session) as cliniko,
    ):
        with pytest.raises(TransportError, match=r"another fingerprint \(1 attempt\)"):
            await cliniko.taxes.get("1")
    assert server.heard == []


async def test_a_server_without_tls_is_retried():
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with Cliniko(KEY, **WHO, base_url=url, retry=QUICK) as cliniko:
            with pytest.raises(TransportError, match=r"had no connection: TLS: [a-z ]+ \(3 attempts\)"):
                await cliniko.taxes.get("1")


async def test_a_server_with_a_valid_certificate_receives_the_request():
    """The same server, with an authority that this machine trusts."""
    async with (
        TlsServer() as server,
        trusting() as session,
        Cliniko(KEY, **WHO, base_url=f"https://127.0.0.1:{server.port}/v1", session=session, retry=ONCE) as cliniko,
    ):
        assert (await cliniko.appointment_types.list()).items == ()
    assert server.heard == ["/v1/appointment_types"]


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch):
    async with RawServer(answer(200, PAGE)) as server, RawServer(answer(200, PAGE)) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.base_url.removesuffix("/v1"))
            monkeypatch.setenv(name.upper(), proxy.base_url.removesuffix("/v1"))
        async with Cliniko(KEY, **WHO, base_url=server.base_url, retry=ONCE) as cliniko:
            await cliniko.appointment_types.list()
    assert len(server.requests) == 1
    assert proxy.requests == []


async def test_a_proxy_that_refuses_is_named_and_the_server_receives_nothing():
    async with (
        RawServer(answer(407)) as proxy,
        aiohttp.ClientSession(proxy=proxy.base_url.removesuffix("/v1")) as session,
        Cliniko(KEY, **WHO, base_url="https://127.0.0.1:9/v1", session=session, retry=ONCE) as cliniko,
    ):
        with pytest.raises(TransportError, match="had no connection: the proxy answered 407") as raised:
            await cliniko.taxes.create(name="GST", rate=10)
    assert not raised.value.sent
    (request,) = proxy.requests
    assert (request.method, "authorization" in request.headers) == ("CONNECT", False)


async def tunnel(heard: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection of a proxy, and record every byte that the proxy receives from the client."""
    head = await reader.readuntil(b"\r\n\r\n")
    heard.append(head)
    host, _, port = head.split()[1].decode().partition(":")
    there, back = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, seen: list[bytes]) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                seen.append(data)
                target.write(data)
        target.close()

    await asyncio.gather(copy(reader, back, heard), copy(there, writer, []))


async def test_a_proxy_with_a_password_tunnels_and_sees_neither_key_nor_path(tmp_path: Path):
    AUTHORITY.cert_pem.write_to_path(tmp_path / "company-ca.pem")
    context = ssl.create_default_context()
    context.load_verify_locations(tmp_path / "company-ca.pem")
    heard: list[bytes] = []
    async with TlsServer() as server:
        proxy = await asyncio.start_server(lambda *both: tunnel(heard, *both), "127.0.0.1", 0)
        url = f"http://user:password@127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        async with (
            proxy,
            aiohttp.ClientSession(
                proxy=url,
                connector=aiohttp.TCPConnector(ssl=context, force_close=True),
            ) as session,
            Cliniko(KEY, **WHO, base_url=f"https://127.0.0.1:{server.port}/v1", session=session, retry=ONCE) as cliniko,
        ):
            assert (await cliniko.appointment_types.list()).items == ()
    assert server.heard == ["/v1/appointment_types"]
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"user:password") in heard[0]
    seen = b"".join(heard)
    assert seen.startswith(b"CONNECT ")
    assert not any(secret in seen for secret in (KEY.encode(), base64.b64encode(f"{KEY}:".encode()), b"appointment"))


async def test_no_error_shows_the_password_of_an_unreachable_proxy():
    async with (
        aiohttp.ClientSession(proxy="http://user:password@127.0.0.1:9") as session,
        Cliniko(KEY, **WHO, base_url="https://127.0.0.1:9/v1", session=session, retry=ONCE) as cliniko,
    ):
        with pytest.raises(TransportError) as raised:
            await cliniko.taxes.get("1")
    assert "password" not in str(raised.value)
