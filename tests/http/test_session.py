"""Calls under way: cancelled at any moment, or ended by closing the client, without a leak."""

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap

import aiohttp
import pytest

from cliniko_async import Link, ListLink, RetryPolicy
from cliniko_async._http.calls import CallScope
from cliniko_async.errors import OutcomeUnknownError, UsageError
from cliniko_async.limits import SlidingWindowLimiter
from cliniko_async.links import SelfLink
from cliniko_async.sandbox import Sandbox
from tests.support.clients import KEY, ONCE, RecordingLimiter, client_of, virtually
from tests.support.for_each import for_each
from tests.support.inside import in_progress, manager_of
from tests.support.paths import EXAMPLES, ROOT
from tests.support.raw_server import RawServer, answer, close, flood, silence, stall

TAX = json.loads((EXAMPLES / "tax.json").read_text())
PAGE = {"taxes": [TAX], "total_entries": 1, "links": {}}
BUSINESS = json.loads((EXAMPLES / "business.json").read_text())
CONFLICTS = {"conflicts": {"exist": False}}


async def changed(client):
    return [change async for change in client.taxes.changes()]


async def first_page(client):
    return await client.taxes.list()


def link_to(client, path, kind):
    return kind(SelfLink(manager_of(client).server.url(path)))


OPERATIONS = {
    "get": (lambda client: client.taxes.get("1"), TAX),
    "create": (lambda client: client.taxes.create(name="GST", rate=10), TAX),
    "update": (lambda client: client.taxes.update("1", name="GST"), TAX),
    "archive": (lambda client: client.patients.archive("1"), TAX),
    "list": (lambda client: client.taxes.list().collect(), PAGE),
    "unarchive": (lambda client: client.businesses.unarchive("1"), BUSINESS),
    "delete": (lambda client: client.taxes.delete("1"), TAX),
    "cancel": (lambda client: client.individual_appointments.cancel("1", cancellation_reason=10), TAX),
    "conflicts": (lambda client: client.unavailable_blocks.conflicts("1"), CONFLICTS),
    "request": (lambda client: client.request("GET", "/taxes"), PAGE),
    "the first page": (first_page, PAGE),
    "first": (lambda client: client.taxes.list().first(), PAGE),
    "count": (lambda client: client.taxes.list().count(), PAGE),
    "a stable list": (lambda client: client.taxes.list(stable=True).collect(), PAGE),
    "changes": (changed, PAGE),
    "follow": (lambda client: client.follow(link_to(client, "/taxes/1", Link)), TAX),
    "follow a list": (lambda client: client.follow(link_to(client, "/taxes", ListLink)).collect(), PAGE),
    "resolve": (lambda client: client.resolve([link_to(client, "/taxes/1", Link)]), PAGE),
    "read ahead": (lambda client: client.taxes.list(prefetch=3, per_page=1).collect(), PAGE),
}
NOT_REPEATED = {"create", "unarchive", "cancel"}
SLOW = {
    "a server that is silent": silence(),
    "a body that stops": stall(),
    "a pause before the next attempt": answer(503),
    "a lost connection": close(),
    "an endless body": flood(),
}


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


class Watch:
    """A client of a raw server, and everything that a call might leak."""

    def __init__(self, server, **options):
        self.server = server
        self.reported = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.reported.append(context))
        self.limiter = RecordingLimiter(SlidingWindowLimiter(100_000, clock=asyncio.get_running_loop().time))
        self.client = client_of(server, rate_limiter=self.limiter, **options)

    async def nothing_is_left(self):
        await turns(6)
        ours = asyncio.all_tasks() - self.server._lines - {asyncio.current_task()}
        assert not ours
        assert None not in self.limiter.settled_by
        limits = await self.limiter.limits()
        assert limits.used == sum(method != "cancel" for method in self.limiter.settled_by)
        assert limits.waiting == {"interactive": 0, "bulk": 0}
        assert in_progress(self.client) == []
        # The youngest generation is enough; a full collection for every turn of the loop takes long.
        gc.collect(1)
        assert self.reported == []


async def cancelled_after(coroutine, count):
    """Cancel a call after `count` turns of the loop; return whether it had ended by then."""
    task = asyncio.ensure_future(coroutine)
    await turns(count)
    over = task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, OutcomeUnknownError):
        await task
    return over


async def within(seconds, coroutine):
    async with asyncio.timeout(seconds):
        return await coroutine


class TestCancelling:
    @pytest.mark.parametrize("warm", [True, False])
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_a_call_that_is_cancelled_at_any_moment_leaves_nothing_and_the_next_one_works(self, name, warm, caplog):
        send, body = OPERATIONS[name]

        @virtually
        async def cancel_at_each_moment():
            async with RawServer(answer(200, body)) as server:
                watch = Watch(server)
                for count in range(300):
                    if not warm:
                        await watch.client.aclose()
                        watch = Watch(server)
                    over = await cancelled_after(send(watch.client), count)
                    await watch.nothing_is_left()
                    assert await send(watch.client) is not NotImplemented
                    if over:
                        break
                else:
                    pytest.fail("it never came to an end")
                assert count > 5
                await watch.client.aclose()

        cancel_at_each_moment()
        assert [record for record in caplog.records if record.name == "asyncio"] == []

    @pytest.mark.parametrize("name", ["get", "create", "list"])
    @for_each("where", SLOW)
    @virtually
    async def test_a_cancelled_call_whose_server_hangs_leaves_nothing(self, name, where):
        send, body = OPERATIONS[name]
        async with RawServer() as server:
            watch = Watch(server, retry=RetryPolicy(wait_initial=20))
            for count in range(40):
                server.turns.append(where)
                server.turns.popleft()
                if await cancelled_after(send(watch.client), count):
                    break
                server.turns.append(answer(200, body))
                server.turns.popleft()
                await watch.nothing_is_left()
                await send(watch.client)
            await watch.client.aclose()

    @virtually
    async def test_a_cancelled_call_that_waits_for_a_permit_leaves_nothing(self):
        async with RawServer(answer(200, TAX)) as server:
            watch = Watch(server)
            watch.limiter.pause(30)
            for count in range(10):
                assert not await cancelled_after(watch.client.taxes.get("1"), count)
                await watch.nothing_is_left()
            assert server.requests == []
            await watch.client.taxes.get("1")
            await watch.client.aclose()

    @virtually
    async def test_a_cancelled_call_on_a_borrowed_session_leaves_nothing(self):
        async with RawServer(answer(200, TAX)) as server, aiohttp.ClientSession() as session:
            watch = Watch(server, session=session)
            for count in range(300):
                over = await cancelled_after(watch.client.taxes.get("1"), count)
                await watch.nothing_is_left()
                if over:
                    break
            await watch.client.aclose()

    @virtually
    async def test_a_call_ended_by_a_timeout_of_the_caller_leaves_nothing(self):
        async with RawServer(silence()) as server:
            watch = Watch(server)
            for send, _ in OPERATIONS.values():
                with pytest.raises(TimeoutError):
                    await within(2, send(watch.client))
                await watch.nothing_is_left()
            await watch.client.aclose()

    @virtually
    async def test_a_call_ended_by_a_sibling_in_a_task_group_leaves_nothing(self):
        async def fail():
            await asyncio.sleep(2)
            raise LookupError

        async with RawServer(silence()) as server:
            watch = Watch(server)

            async def together():
                async with asyncio.TaskGroup() as group:
                    for send, _ in OPERATIONS.values():
                        group.create_task(send(watch.client))
                    group.create_task(fail())

            with pytest.raises(ExceptionGroup) as raised:
                await together()
            assert [type(error) for error in raised.value.exceptions] == [LookupError]
            await watch.nothing_is_left()
            await watch.client.aclose()


class TestClosing:
    @virtually
    async def test_calls_under_way_end_with_a_usage_error_and_a_sent_create_with_an_unknown_outcome(self):
        async with RawServer(silence()) as server:
            watch = Watch(server, retry=ONCE)
            tasks = [asyncio.create_task(send(watch.client)) for send, _ in OPERATIONS.values()]
            await server.read(len(tasks))
            await watch.client.aclose()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for name, result in zip(OPERATIONS, results, strict=True):
                assert type(result) is (OutcomeUnknownError if name in NOT_REPEATED else UsageError)
                assert "before the client was closed" in str(result)
            await watch.nothing_is_left()
            assert server.open == 0

    @virtually
    async def test_a_create_that_waits_for_a_permit_was_not_sent(self):
        async with RawServer() as server:
            watch = Watch(server)
            watch.limiter.pause(30)
            tasks = [asyncio.create_task(send(watch.client)) for send, _ in OPERATIONS.values()]
            await turns(5)
            await watch.client.aclose()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                assert type(result) is UsageError
            assert server.requests == []
            await watch.nothing_is_left()

    @virtually
    async def test_a_call_that_waits_for_its_retry_ends_at_once(self):
        async with RawServer(answer(503)) as server:
            watch = Watch(server, retry=RetryPolicy(wait_initial=1000, wait_max=1000))
            task = asyncio.create_task(watch.client.taxes.get("1"))
            await server.read()
            await asyncio.sleep(0.01)
            began = asyncio.get_running_loop().time()
            await watch.client.aclose()
            with pytest.raises(UsageError):
                await task
            assert asyncio.get_running_loop().time() - began < 1

    @for_each("count", range(0, 40, 3))
    @virtually
    async def test_a_call_under_way_while_the_client_closes_completes_or_raises(self, count):
        async with RawServer(answer(200, TAX)) as server:
            watch = Watch(server, retry=ONCE)
            task = asyncio.create_task(watch.client.taxes.get("1"))
            await turns(count)
            await watch.client.aclose()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(result, UsageError) or result.id == TAX["id"]
            await watch.nothing_is_left()

    @virtually
    async def test_the_consumer_of_an_iteration_sees_a_usage_error_and_no_cancellation(self):
        async with Sandbox(appointment_types=30, clock=asyncio.get_running_loop().time) as sandbox:
            client = client_of(sandbox)
            iterator = aiter(client.appointment_types.list(per_page=5, prefetch=2))
            await anext(iterator)
            sandbox.faults.slow(50, times=None)

            async def consume():
                async for _ in iterator:
                    pass

            task = asyncio.create_task(consume())
            await asyncio.sleep(3)
            await client.aclose()
            with pytest.raises(UsageError):
                await task
            with pytest.raises(UsageError):
                await anext(iterator)

    @virtually
    async def test_an_exception_in_the_block_passes_and_closes_all_the_same(self):
        async with RawServer(answer(200, TAX)) as server:
            client = client_of(server)

            async def fail():
                async with client:
                    await client.taxes.get("1")
                    raise LookupError

            with pytest.raises(LookupError):
                await fail()
            with pytest.raises(UsageError):
                await client.taxes.get("1")

    @virtually
    async def test_closing_that_is_cancelled_closes_the_session_all_the_same(self):
        async with RawServer(silence()) as server:
            client = client_of(server)
            stubborn = asyncio.create_task(stay(manager_of(client)))
            task = asyncio.create_task(client.taxes.get("1"))
            await server.read()
            session = manager_of(client).session()
            closing = asyncio.create_task(client.aclose())
            await turns(3)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert session.closed
            await asyncio.gather(task, stubborn, return_exceptions=True)
            await client.aclose()

    def test_a_client_can_be_closed_on_another_loop_once_its_own_is_closed(self):
        async def use(sandbox, client):
            await client.appointment_types.list().first()

        with Sandbox(keep_alive=False) as sandbox:
            client = client_of(sandbox, rate_limiter=SlidingWindowLimiter())
            asyncio.run(use(sandbox, client))
            asyncio.run(client.aclose())
            with pytest.raises(UsageError, match="closed"):
                asyncio.run(use(sandbox, client))

    @virtually
    async def test_two_tasks_may_close_a_client_at_once(self):
        async with RawServer(silence()) as server:
            client = client_of(server)
            task = asyncio.create_task(client.taxes.get("1"))
            await server.read()
            await asyncio.gather(client.aclose(), client.aclose())
            with pytest.raises(UsageError):
                await task

    @virtually
    async def test_the_session_stays_open_until_the_last_call_has_ended(self):
        async with RawServer(silence()) as server:
            client = client_of(server)
            task = asyncio.create_task(client.taxes.get("1"))
            await server.read()
            stubborn = asyncio.create_task(stay(manager_of(client)))
            await turns(3)
            closing = asyncio.create_task(client.aclose())
            await asyncio.sleep(4)
            assert task.done()
            assert not closing.done()
            assert not manager_of(client).session().closed
            await asyncio.sleep(2)
            assert stubborn.done()
            assert closing.done()
            await asyncio.gather(task, return_exceptions=True)

    @virtually
    async def test_closing_waits_for_the_tasks_of_the_client(self):
        async with RawServer() as server:
            client = client_of(server)
            done = []

            async def work():
                await asyncio.sleep(5)
                done.append(True)

            manager_of(client).calls.spawn(work())
            await client.aclose()
            assert done

    @virtually
    async def test_a_call_whose_deadline_passes_during_closing_ends_like_the_others(self):
        async with RawServer(silence()) as server:
            client = client_of(server, deadline=5)
            task = asyncio.create_task(client.taxes.get("1"))
            loop = asyncio.get_running_loop()
            await asyncio.sleep(0)
            begun = loop.create_future()
            # In the same turn of the loop, and before the call has noticed.
            loop.call_at(loop.time() + 5 - 5e-10, lambda: begun.set_result(asyncio.ensure_future(client.aclose())))
            await (await begun)
            with pytest.raises(UsageError):
                await task


async def stay(manager):
    """A call that is slow to end when it is cancelled."""
    with contextlib.suppress(TimeoutError):
        async with CallScope(manager.calls, None):
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(5)
                raise


INTERRUPTED = """
    import asyncio, signal
    from cliniko_async import Cliniko

    # A background job of a shell ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    async def main():
        async with Cliniko("{key}", base_url="http://127.0.0.1:{port}/v1", app_name="T", contact_email="a@b.cc") as it:
            async with asyncio.TaskGroup() as group:
                group.create_task(it.taxes.create(name="GST", rate=10))
                group.create_task(it.patients.list("last_name:=Secretperson", prefetch=2).collect())

    asyncio.run(main())
"""


def test_an_interrupt_from_the_keyboard_ends_a_program_cleanly():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        script = textwrap.dedent(INTERRUPTED).format(key=KEY, port=listener.getsockname()[1])
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", script]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        with child, contextlib.ExitStack() as stack:
            stack.callback(child.kill)
            for _ in range(2):
                connection = stack.enter_context(listener.accept()[0])
                connection.settimeout(30)
                assert connection.recv(65536)
            os.kill(child.pid, signal.SIGINT)
            _, errors = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    for word in ("Unclosed", "never retrieved", "was destroyed", "ResourceWarning", "Exception ignored"):
        assert word not in errors
    assert "Secretperson\n" not in errors
