"""A complete listing over loopback, against the same by hand and by the peers."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import httpx

from cliniko_async import Cliniko

from . import generated, peers
from .data import ENVELOPE, PAGE_SIZE
from .measure import AsyncSide, Measurement, side_by_side_async
from .serving import client, serving

_PAGES = 100
_HAND = "aiohttp read() + msgspec → attrs"
_GENERATED, _HTTPX, _CATTRS = "openapi-python-client", "httpx + pydantic", "aiohttp + cattrs, its usual hooks"

ReadList = Callable[[], Awaitable[int]]


async def measure_listing() -> Sequence[Measurement]:
    """Measure the CPU time per page of a listing: close ratios in many rounds, distant ones in a few."""
    with serving(pages=_PAGES) as base_url:
        async with client(base_url) as ours, aiohttp.ClientSession() as session, httpx.AsyncClient() as other:
            near = {
                "ours": lambda: _by_library(ours),
                "ours ahead": lambda: _by_library(ours, prefetch=8),
                _HAND: _by_hand(session, base_url),
            }
            far = {
                "ours": near["ours"],
                _GENERATED: lambda: _by_generated(base_url),
                _HTTPX: _by_httpx(other, base_url),
                _CATTRS: _by_cattrs(session, base_url),
                "aiohttp + json → dicts": _by_dicts(session, base_url),
            }
            for run in (near | far).values():
                assert await run() == _PAGES * PAGE_SIZE
            close = await side_by_side_async(_sides(near), rounds=25)
            wide = await side_by_side_async(_sides(far), rounds=6)
    return [*_near_lines(close), *_far_lines(wide)]


def _sides(readers: dict[str, ReadList]) -> dict[str, AsyncSide]:
    return {name: AsyncSide(run, _PAGES) for name, run in readers.items()}


def _near_lines(taken: dict[str, Sequence[float]]) -> list[Measurement]:
    theirs = taken[_HAND]
    return [
        Measurement(what="a listing, a page", against=_HAND, ours=taken["ours"], theirs=theirs, unit="µs", budget=1.2),
        Measurement(
            what="a listing, a page, prefetch=8", against=_HAND, ours=taken["ours ahead"], theirs=theirs, unit="µs"
        ),
    ]


def _far_lines(taken: dict[str, Sequence[float]]) -> list[Measurement]:
    budgets = {_GENERATED: 1 / 4, _HTTPX: 1 / 3, _CATTRS: 1 / 3}
    ours = taken.pop("ours")
    return [
        Measurement(
            what="a listing, a page", against=name, ours=ours, theirs=theirs, unit="µs", budget=budgets.get(name)
        )
        for name, theirs in taken.items()
    ]


async def _by_library(cliniko: Cliniko, prefetch: int = 0) -> int:
    count = 0
    async for _ in cliniko.appointment_types.list(prefetch=prefetch):
        count += 1
    return count


def _by_hand(session: aiohttp.ClientSession, base_url: str) -> ReadList:
    decode = peers.attrs_page()

    async def read_list() -> int:
        count, following = 0, _first(base_url)
        while following:
            async with session.get(following) as answer:
                page = decode(await answer.read())
            for _ in page.appointment_types:
                count += 1
            following = page.links["next"]
        return count

    return read_list


def _by_httpx(session: httpx.AsyncClient, base_url: str) -> ReadList:
    decode = peers.pydantic_page()

    async def read_list() -> int:
        count, following = 0, _first(base_url)
        while following:
            page = decode((await session.get(following)).content)
            for _ in page.appointment_types:
                count += 1
            following = page.links["next"]
        return count

    return read_list


def _by_cattrs(session: aiohttp.ClientSession, base_url: str) -> ReadList:
    structure = peers.cattrs_page()

    async def read_list() -> int:
        count, following = 0, _first(base_url)
        while following:
            async with session.get(following) as answer:
                page = structure(await answer.json())
            for _ in page.appointment_types:
                count += 1
            following = page.links["next"]
        return count

    return read_list


def _by_dicts(session: aiohttp.ClientSession, base_url: str) -> ReadList:
    async def read_list() -> int:
        count, following = 0, _first(base_url)
        while following:
            async with session.get(following) as answer:
                page: dict[str, Any] = await answer.json()
            for _ in page[ENVELOPE]:
                count += 1
            following = page["links"]["next"]
        return count

    return read_list


async def _by_generated(base_url: str) -> int:
    count, number = 0, 1
    operation = generated.list_operation()
    async with generated.open_client(base_url) as session:
        while number:
            page = await operation.asyncio(client=session, page=number, per_page=PAGE_SIZE)
            for _ in page.appointment_types:
                count += 1
            number = number + 1 if page.links.next_ else 0
    return count


def _first(base_url: str) -> str | None:
    return f"{base_url}/{ENVELOPE}?per_page={PAGE_SIZE}"
