"""The virtual loop: time jumps only when nothing else can happen."""

import asyncio
import contextlib
import threading
import time

import aiohttp
import pytest
from aiohttp import web

from tests.support import virtual


def now() -> float:
    return asyncio.get_running_loop().time()


async def later(seconds: float, log: list[float]) -> None:
    await asyncio.sleep(seconds)
    log.append(now())


def test_hours_pass_in_no_time():
    async def main() -> float:
        await asyncio.sleep(7200)
        return now()

    began = time.monotonic()
    assert virtual.run(main()) == virtual.START + 7200
    assert time.monotonic() - began < 5


def test_timers_fire_in_order_and_at_their_moment():
    async def main() -> list[float]:
        log: list[float] = []
        await asyncio.gather(*(later(seconds, log) for seconds in (3, 1, 2, 1)))
        return log

    assert virtual.run(main()) == [1001, 1001, 1002, 1003]


@contextlib.asynccontextmanager
async def serving(delay: float):
    """A server in this loop that echoes what it received after a delay in seconds."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(delay)
        return web.Response(body=body)

    app = web.Application(client_max_size=0)
    app.router.add_post("/", answer)
    # Otherwise a handler keeps running when its client has left.
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


def test_a_client_and_a_server_talk_over_real_sockets_while_time_jumps():
    async def main() -> tuple[int, float]:
        async with (
            serving(delay=30) as url,
            aiohttp.ClientSession() as session,
            session.post(url, data=b"x" * 1_000_000) as answer,
        ):
            return len(await answer.read()), now() - virtual.START

    assert virtual.run(main()) == (1_000_000, pytest.approx(30, abs=0.1))


def test_a_timeout_of_the_client_fires_at_its_virtual_moment():
    async def main() -> float:
        timeout = aiohttp.ClientTimeout(total=5)
        async with serving(delay=3600) as url, aiohttp.ClientSession(timeout=timeout) as session:
            with pytest.raises(TimeoutError):
                await session.post(url, data=b"x")
            return now() - virtual.START

    assert virtual.run(main()) == pytest.approx(5, abs=0.1)


def test_time_stands_still_while_a_thread_works():
    async def main() -> tuple[float, str]:
        release = threading.Event()
        asyncio.get_running_loop().call_later(60, release.set)
        name = await asyncio.wait_for(asyncio.to_thread(lambda: release.wait(0.05) or "worked"), timeout=50)
        return now(), str(name)

    assert virtual.run(main()) == (virtual.START, "worked")


def test_a_callback_from_a_thread_runs():
    async def main() -> str:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(future.set_result, "heard"))
        thread.start()
        heard = await future
        thread.join()
        return heard

    assert virtual.run(main()) == "heard"


def test_a_leaked_task_is_an_error():
    async def main() -> None:
        main.task = asyncio.create_task(asyncio.sleep(10), name="forgotten")

    with pytest.raises(virtual.LeftoverTasksError, match="forgotten"):
        virtual.run(main())


def test_a_task_that_ends_in_the_next_turn_is_not_leaked():
    async def main() -> str:
        task = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0)
        task.cancel()
        return "done"

    assert virtual.run(main()) == "done"


def test_the_error_of_the_main_coroutine_comes_out():
    async def main() -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        virtual.run(main())


def test_waiting_for_what_cannot_come_is_an_error(monkeypatch):
    monkeypatch.setattr(virtual, "_PATIENCE", 0.01)

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual.StuckError):
        virtual.run(main())


def test_it_runs_in_debug_mode():
    async def main() -> bool:
        await asyncio.sleep(1)
        return asyncio.get_running_loop().get_debug()

    assert virtual.run(main(), debug=True) is True
