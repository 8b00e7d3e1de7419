"""Where the key goes over the network: to a server whose certificate is good, and past every proxy."""

import ssl
from typing import Self

import aiohttp
import pytest
import trustme
from aiohttp import web

from cliniko_async import Cliniko, TransportError
from tests.support.clients import KEY, ONCE, WHO
from tests.support.raw_server import RawServer, answer

AUTHORITY = trustme.CA()
PAGE = {"appointment_types": [], "total_entries": 0, "links": {}}


class TlsServer:
    """A server on loopback whose certificate an authority vouches for that nobody knows."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
        self._runner = web.ServerRunner(web.Server(self._handle))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.heard.append(request.path)
        return web.json_response(PAGE)


async def test_a_server_whose_certificate_nobody_vouches_for_hears_nothing():
    async with (
        TlsServer() as server,
        Cliniko(KEY, **WHO, base_url=f"https://127.0.0.1:{server.port}/v1", retry=ONCE) as cliniko,
    ):
        with pytest.raises(TransportError, match="Certificate"):
            await cliniko.appointment_types.list()
    assert server.heard == []


async def test_a_server_with_a_good_certificate_is_asked(tmp_path):
    """The same server, once its authority is one that this machine trusts."""
    trusted = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(trusted)
    context = ssl.create_default_context(cafile=trusted)
    async with (
        TlsServer() as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
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
