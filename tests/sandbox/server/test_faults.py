"""The scripted faults of the sandbox."""

import asyncio
import re

import aiohttp
import pytest

from cliniko_async.sandbox import Fault
from tests.sandbox.wire import running
from tests.support.for_each import for_each
from tests.support.virtual import run

USERS = "/users"
TYPES = "/appointment_types"


async def statuses(wire, *paths):
    return [(await wire.get(path)).status for path in paths]


async def test_a_status_is_answered_as_often_as_scripted():
    async with running() as wire:
        fault = wire.sandbox.faults.status(503, times=2)
        assert await statuses(wire, USERS, USERS, USERS) == [503, 503, 200]
        assert (fault.hits, fault.spent) == (2, True)
        assert wire.sandbox.faults.pending == ()
        assert repr(fault) == "Fault(status 503, hits=2)"
        assert isinstance(fault, Fault)


async def test_a_status_comes_with_the_body_and_headers_given():
    async with running() as wire:
        wire.sandbox.faults.status(502, body="<h1>Bad gateway</h1>", headers={"X-Proxy": "p"})
        answer = await wire.get(USERS)
        assert (answer.status, answer.body, answer.headers["X-Proxy"]) == (502, b"<h1>Bad gateway</h1>", "p")
        assert answer.headers["Content-Type"].startswith("text/html")
        wire.sandbox.faults.status(403, content_type="text/plain")
        answer = await wire.get(USERS)
        assert (answer.status, answer.body) == (403, b"")


async def test_a_status_can_be_answered_after_the_work_was_done():
    async with running() as wire:
        before = len(wire.sandbox.all("taxes"))
        wire.sandbox.faults.status(502)
        wire.sandbox.faults.status(504, acted=True)
        assert (await wire.post("/taxes", {"name": "VAT"})).status == 502
        assert len(wire.sandbox.all("taxes")) == before
        assert (await wire.post("/taxes", {"name": "VAT"})).status == 504
        assert len(wire.sandbox.all("taxes")) == before + 1


async def test_faults_without_an_end_strike_until_they_are_cancelled_or_cleared():
    async with running() as wire:
        fault = wire.sandbox.faults.status(500, times=None)
        assert await statuses(wire, USERS, USERS) == [500, 500]
        fault.cancel()
        wire.sandbox.faults.status(500, times=None)
        assert await statuses(wire, USERS) == [500]
        wire.sandbox.faults.clear()
        assert await statuses(wire, USERS) == [200]


async def test_faults_strike_in_the_order_they_were_added():
    async with running() as wire:
        for status in (500, 502, 503):
            wire.sandbox.faults.status(status)
        assert await statuses(wire, USERS, USERS, USERS, USERS) == [500, 502, 503, 200]


async def test_a_fault_lets_the_given_number_of_requests_pass_first():
    async with running() as wire:
        wire.sandbox.faults.status(503, path="/users", after=2)
        assert await statuses(wire, USERS, TYPES, USERS, USERS, USERS) == [200, 200, 200, 503, 200]


async def test_a_fault_is_for_a_method_a_text_in_the_url_or_a_pattern():
    async with running() as wire:
        wire.sandbox.faults.status(500, method="post", times=None)
        wire.sandbox.faults.status(502, path="page=2", times=None)
        wire.sandbox.faults.status(503, path=re.compile(r"/users/\d+$"), times=None)
        assert (await wire.post("/taxes", {"name": "VAT"})).status == 500
        paths = (USERS, f"{TYPES}?page=2", f"{TYPES}?page=1", "/users/12", "/users/12/x")
        assert await statuses(wire, *paths) == [200, 502, 200, 503, 404]


def test_a_429_says_when_the_limit_resets_in_whole_seconds_and_has_no_body():
    async def main():
        async with running(wall=lambda: 1_000.25) as wire:
            wire.sandbox.faults.throttle(5.0)
            answer = await wire.get(USERS)
            assert (answer.status, answer.headers["X-RateLimit-Reset"], answer.body) == (429, "1006", b"")
            wire.sandbox.faults.throttle(None)
            answer = await wire.get(USERS)
            assert (answer.status, "X-RateLimit-Reset" in answer.headers) == (429, False)

    run(main())


@for_each(
    "moment, error, acted",
    [
        ("request", aiohttp.ServerDisconnectedError, 0),
        ("answer", aiohttp.ServerDisconnectedError, 1),
        ("headers", aiohttp.ServerDisconnectedError, 1),
        ("body", aiohttp.ClientPayloadError, 1),
    ],
)
async def test_a_connection_is_dropped_before_or_after_the_work_or_amid_the_answer(moment, error, acted):
    async with running() as wire:
        before = len(wire.sandbox.all("taxes"))
        wire.sandbox.faults.drop(moment)
        with pytest.raises(error):
            await wire.post("/taxes", {"name": "VAT"})
        assert len(wire.sandbox.all("taxes")) == before + acted
        (one,) = wire.sandbox.requests
        assert one.status is None
        assert (one.body is None) is (moment == "request")
        assert (await wire.get(USERS)).status == 200


async def test_a_dropped_delete_is_seen_once_for_each_time_it_was_sent():
    """A request that aiohttp resends by itself is counted like any other."""
    async with running() as wire:
        wire.sandbox.faults.drop()
        path = f"/taxes/{wire.sandbox.all('taxes')[0]['id']}"
        assert (await wire.delete(path)).status == 204
        assert [one.method for one in wire.sandbox.requests] == ["DELETE", "DELETE"]


async def test_a_body_is_cut_shorter_than_its_length_says():
    async with running() as wire:
        whole = len((await wire.get(USERS)).body)
        wire.sandbox.faults.cut(keep=0.25)
        async with wire.session.get(wire.sandbox.base_url + USERS, headers=wire.headers()) as answer:
            assert (answer.status, answer.content_length) == (200, whole)
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()


async def test_bytes_are_sent_as_they_are():
    async with running() as wire:
        wire.sandbox.faults.raw(b"HTTP/1.1 204 No Content\r\n\r\n")
        wire.sandbox.faults.raw(b"SSH-2.0-OpenSSH_9.6\r\n")
        assert (await wire.get(USERS)).status == 204
        with pytest.raises(aiohttp.ClientResponseError):
            await wire.get(USERS)


def test_a_slow_response_is_delayed_and_its_work_done_at_once():
    async def main():
        loop = asyncio.get_running_loop()
        async with running(timeout=100) as wire:
            wire.sandbox.faults.slow(30.0)
            task = asyncio.create_task(wire.post("/taxes", {"name": "VAT"}))
            await asyncio.sleep(1)
            assert wire.sandbox.all("taxes")[-1]["name"] == "VAT"
            started = loop.time()
            assert (await task).status == 201
            assert 28 < loop.time() - started < 31

    run(main())


def test_a_slow_response_can_delay_the_work_too():
    async def main():
        async with running(timeout=100) as wire:
            wire.sandbox.faults.slow(30.0, acted=False)
            task = asyncio.create_task(wire.post("/taxes", {"name": "VAT"}))
            await asyncio.sleep(1)
            assert wire.sandbox.all("taxes")[-1]["name"] != "VAT"
            assert (await task).status == 201

    run(main())


def test_a_slow_response_does_not_delay_closing():
    async def main():
        loop = asyncio.get_running_loop()
        async with running(timeout=3) as wire:
            wire.sandbox.faults.slow(1000.0)
            with pytest.raises(TimeoutError):
                await wire.get(USERS)
        assert loop.time() < 1100

    run(main())


def test_latency_delays_every_answer():
    async def main():
        loop = asyncio.get_running_loop()
        async with running(latency=0.2) as wire:
            started = loop.time()
            await wire.get(USERS)
            await wire.get("/nothing")
            assert 0.39 < loop.time() - started < 0.5

    run(main())


def test_jitter_delays_each_request_before_it_counts_and_each_answer_by_a_part_of_itself_that_the_seed_draws():
    def delays():
        """The delay before each request was counted, and that of its response."""
        found = []

        async def main():
            loop = asyncio.get_running_loop()
            async with running(latency=1.0, jitter=10.0, clock=loop.time, timeout=100) as wire:
                for _ in range(20):
                    sent = loop.time()
                    await wire.get(USERS)
                    counted = wire.sandbox.requests[-1].time
                    found.append((counted - sent, loop.time() - counted))

        run(main())
        return found

    there, back = zip(*delays(), strict=True)
    assert 0 <= min(there) < 3
    assert 7 < max(there) < 10.1
    assert 1 <= min(back) < 4
    assert 8 < max(back) < 11.1
    assert delays() == [pytest.approx(pair, abs=0.1) for pair in zip(there, back, strict=True)]


async def test_something_happens_between_two_pages():
    async with running() as wire:
        first = (await wire.get(TYPES, per_page=5)).json
        gone = first["appointment_types"][0]["id"]
        wire.sandbox.faults.between(lambda: wire.sandbox.archive("appointment_types", gone))
        assert (await wire.get(TYPES, per_page=5)).json == first
        later = (await wire.get(TYPES, per_page=5)).json
        assert later["total_entries"] == first["total_entries"] - 1


async def test_something_happens_just_before_the_work():
    async with running() as wire:
        gone = wire.sandbox.all("taxes")[0]["id"]
        wire.sandbox.faults.between(lambda: wire.sandbox.remove("taxes", gone), before=True)
        assert gone not in {one["id"] for one in await wire.list("/taxes")}


async def test_an_answer_is_edited_in_place_or_replaced():
    async with running() as wire:
        faults = wire.sandbox.faults
        faults.edit(lambda page: page.update(total_entries=7))
        faults.edit(lambda page: page["users"], after=1)
        faults.edit(lambda page: b"no JSON", after=2)
        faults.edit(lambda page: {**page, "users": []}, after=3)
        assert (await wire.get(USERS)).json["total_entries"] == 7
        assert isinstance((await wire.get(USERS)).json, list)
        assert (await wire.get(USERS)).body == b"no JSON"
        assert (await wire.get(USERS)).json["users"] == []
        assert wire.sandbox.all("users")


async def test_editing_an_answer_without_a_body_gives_it_one():
    async with running() as wire:
        wire.sandbox.faults.edit(lambda nothing: {"was": nothing}, method="POST")
        path = f"{TYPES}/{(await wire.list(TYPES))[0]['id']}/archive"
        assert (await wire.post(path)).status == 204


def test_a_fault_may_strike_late():
    async def main():
        loop = asyncio.get_running_loop()
        async with running(timeout=100) as wire:
            wire.sandbox.faults.status(503, delay=20.0)
            wire.sandbox.faults.edit(lambda page: page["users"].clear(), delay=20.0)
            assert [(await wire.get(USERS)).status, (await wire.get(USERS)).json["users"]] == [503, []]
            assert 39 < loop.time() - 1000 < 41

    run(main())


async def test_faults_apply_to_refused_requests_too():
    async with running() as wire:
        wire.sandbox.faults.status(503)
        assert (await wire.ask("GET", USERS, key="wrong")).status == 503


def test_a_client_that_has_left_does_no_harm():
    """A fault that writes or closes may find that the connection is closed."""

    async def main():
        async with running(timeout=1) as wire:
            wire.sandbox.faults.drop("body", delay=5)
            wire.sandbox.faults.status(503, delay=5)
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await wire.post("/taxes", {"name": "VAT"})
            await asyncio.sleep(10)
            assert [one.status for one in wire.sandbox.requests] == [None, 503]
            assert (await wire.get(USERS)).status == 200

    run(main())


# Together


async def test_changes_for_one_request_all_act_in_the_order_they_were_added():
    async with running() as wire:
        faults, moments = wire.sandbox.faults, []
        faults.edit(lambda page: page.update(total_entries=page["total_entries"] + 1))
        faults.between(lambda: moments.append(len(wire.sandbox.requests)))
        faults.edit(lambda page: page.update(total_entries=page["total_entries"] * 10))
        before = len(wire.sandbox.all("users"))
        assert (await wire.get(USERS)).json["total_entries"] == (before + 1) * 10
        assert moments == [1]
        assert faults.pending == ()


async def test_an_edit_is_given_the_bytes_of_an_answer_that_is_not_json():
    async with running() as wire:
        wire.sandbox.faults.edit(lambda page: b"not JSON")
        wire.sandbox.faults.edit(lambda body: body + b" at all")
        assert (await wire.get(USERS)).body == b"not JSON at all"


async def test_an_answer_that_is_cut_was_edited_before():
    async with running() as wire:
        wire.sandbox.faults.cut(0.5)
        wire.sandbox.faults.edit(lambda page: b"x" * 1000)
        async with wire.session.get(wire.sandbox.base_url + USERS, headers=wire.headers()) as answer:
            assert answer.content_length == 1000
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()


async def test_a_change_waits_for_a_request_on_which_it_has_an_effect():
    async with running() as wire:
        edit = wire.sandbox.faults.edit(lambda page: page.update(total_entries=7))
        done = wire.sandbox.faults.between(lambda: None)
        wire.sandbox.faults.status(502)
        wire.sandbox.faults.status(504, acted=True)
        assert await statuses(wire, USERS) == [502]
        assert (edit.hits, done.hits) == (0, 0)
        assert await statuses(wire, USERS) == [504]
        assert (edit.hits, done.hits) == (0, 1)
        assert (await wire.get(USERS)).json["total_entries"] == 7


FOR_EVER = {
    "status": lambda faults: faults.status(500, times=None),
    "throttle": lambda faults: faults.throttle(times=None, path="/us"),
    "drop": lambda faults: faults.drop("answer", times=None, method="get"),
    "raw": lambda faults: faults.raw(b"", times=None, path=re.compile("/users")),
}
SHADOWED = {
    "status": lambda faults: faults.status(503, method="GET", path=re.compile("/users")),
    "edit": lambda faults: faults.edit(lambda page: None, method="GET", path=re.compile("/users")),
}


@pytest.mark.parametrize("second", SHADOWED)
@pytest.mark.parametrize("first", ["status", "drop", "raw"])
async def test_a_fault_that_would_never_strike_is_refused_when_it_is_scripted(first, second):
    async with running() as wire:
        fault = FOR_EVER[first](wire.sandbox.faults)
        with pytest.raises(ValueError, match=f"{second}.* would never strike: {first}"):
            SHADOWED[second](wire.sandbox.faults)
        fault.cancel()
        SHADOWED[second](wire.sandbox.faults)


async def test_a_fault_that_would_keep_a_pending_change_from_striking_is_refused():
    async with running() as wire:
        faults = wire.sandbox.faults
        faults.edit(lambda page: None, path="/users/1")
        with pytest.raises(ValueError, match="edit would never strike: throttle"):
            FOR_EVER["throttle"](faults)
        assert [fault.name for fault in faults.pending] == ["edit"]
        faults.status(500)


async def test_faults_for_other_requests_or_for_a_time_shadow_nothing():
    async with running() as wire:
        faults = wire.sandbox.faults
        faults.status(500, times=None, method="POST")
        faults.status(501, times=None, path="page=2")
        faults.status(502, times=None, after=1, path="/taxes")
        faults.status(504, times=None, path=re.compile("x"))
        faults.cut(times=None, path="/patients")
        faults.edit(lambda page: None, path="/patients")
        faults.status(503, times=2)
        faults.between(lambda: None, path=re.compile("y"))
        assert await statuses(wire, USERS, USERS, USERS) == [503, 503, 200]


@pytest.mark.parametrize("when", [{"after": -1}, {"times": 0}, {"delay": -0.5}])
async def test_a_fault_that_cannot_be_scripted_is_refused(when):
    async with running() as wire:
        with pytest.raises(ValueError, match="after and delay must be at least 0, times at least 1"):
            wire.sandbox.faults.status(500, **when)


NEVER = {
    "status must be from 200 to 599": [
        lambda to: to.status(99),
        lambda to: to.status("503"),
        lambda to: to.status(True),
    ],
    "reset must be a number": [lambda to: to.throttle("1"), lambda to: to.throttle(float("nan"))],
    "at must be one of request, answer, headers, body": [lambda to: to.drop("response")],
    "keep must be a share from 0 to 1": [lambda to: to.cut(2), lambda to: to.drop("body", keep=-0.5)],
    "data must be bytes": [lambda to: to.raw("HTTP/1.1 200 OK")],
    "seconds must be at least 0": [lambda to: to.slow(-1), lambda to: to.slow("1"), lambda to: to.slow(float("inf"))],
    "change must be a function": [lambda to: to.edit({"total_entries": 7}), lambda to: to.between(None)],
    "method must be a text": [lambda to: to.status(503, method=5)],
    "path must be a text or a compiled pattern": [lambda to: to.status(503, path=None)],
    "after and delay must be at least 0": [lambda to: to.status(503, after=0.5), lambda to: to.status(503, times="1")],
}


@for_each("expected, script", [(text, one) for text, each in NEVER.items() for one in each])
async def test_a_fault_with_invalid_options_is_refused_when_it_is_scripted(expected, script):
    async with running() as wire:
        with pytest.raises(ValueError, match=expected):
            script(wire.sandbox.faults)
        assert wire.sandbox.faults.pending == ()
        assert await statuses(wire, USERS) == [200]
