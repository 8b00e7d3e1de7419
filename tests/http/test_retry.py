"""Which requests are retried, when, and how long a call may take."""

import asyncio
import email.utils
import itertools
import logging
import math
import random
import time

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliniko_async import RetryPolicy
from cliniko_async._http.attempt import Attempt
from cliniko_async._http.rate_limit import RateLimited
from cliniko_async._http.reporter import Reporter
from cliniko_async._http.retry import Retrying, classify
from cliniko_async._messages import Request, Response, Server
from cliniko_async.errors import (
    ConfigurationError,
    DeadlineExceededError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    ResponseError,
    ServerError,
    TransportError,
    TransportTimeoutError,
)
from cliniko_async.limits import SlidingWindowLimiter
from cliniko_async.sandbox import Sandbox
from tests.support import virtual
from tests.support.clients import ONCE, QUICK, RecordingLimiter, client_of, virtually
from tests.support.for_each import for_each
from tests.support.inside import manager_of
from tests.support.raw_server import RawServer, answer, free_port, raw, silence

GET = Request("GET", "https://x.example/v1/patients/1?q=name")
SILENT = Reporter(Server("https://x.example/v1"), "interactive", ())
HTML = b"<html><body>502 Bad Gateway</body></html>"


def now() -> float:
    return asyncio.get_running_loop().time()


def virtual_sandbox(skew: float = 0.0, **options) -> Sandbox:
    """A sandbox on the time of the running loop, whose wall clock is wrong by `skew` seconds."""
    clock = asyncio.get_running_loop().time
    return Sandbox(appointment_types=3, clock=clock, wall=lambda: 1_700_000_000 + skew + clock(), **options)


async def ask(client):
    return await client.appointment_types.list().count()


def pause_after(headers: dict[str, str], now: float) -> float | None:
    """The seconds for which the limiter is paused after a 429, at a time of the local clock."""

    class Refusing:
        async def send(self, attempt):
            return Response(429, headers, b"")

    async def send():
        limiter = RecordingLimiter()
        await RateLimited(Refusing(), limiter, "interactive", SILENT, wall=lambda: now).send(Attempt(GET))
        (wait,) = limiter.waits
        return wait

    return virtual.run(send())


class TestThePolicy:
    def test_five_attempts_wait_half_a_second_at_first_and_half_a_minute_at_most(self):
        assert RetryPolicy() == RetryPolicy(attempts=5, wait_initial=0.5, wait_max=30.0)
        assert [RetryPolicy().bound(attempt) for attempt in (1, 2, 100)] == [0.5, 1.0, 30.0]

    @for_each("attempts", [0, -1, 2.5, True, "3", None])
    def test_attempts_are_counted_from_1(self, attempts):
        with pytest.raises(ConfigurationError, match="attempts"):
            RetryPolicy(attempts=attempts)

    @pytest.mark.parametrize("name", ["wait_initial", "wait_max"])
    @for_each("seconds", [0, -1, math.inf, math.nan, True, "1", None])
    def test_waits_are_seconds_above_0(self, name, seconds):
        with pytest.raises(ConfigurationError, match=name):
            RetryPolicy(**{name: seconds})

    def test_the_bound_doubles_up_to_the_longest_wait(self):
        policy = RetryPolicy(wait_initial=0.5, wait_max=30)
        assert [policy.bound(n) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
        assert policy.bound(10_000) == 30

    @given(st.integers(1, 10_000), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.randoms(use_true_random=False))
    def test_the_wait_is_anywhere_between_0_and_the_bound(self, attempt, initial, longest, rng):
        policy = RetryPolicy(wait_initial=initial, wait_max=longest)
        assert 0 <= rng.uniform(0, policy.bound(attempt)) <= longest

    @virtually
    async def test_the_wait_is_drawn_from_0_to_the_bound_of_its_attempt(self):
        drawn = []

        def uniform(low, high):
            drawn.append((low, high))
            return high

        class Broken:
            async def send(self, attempt):
                return Response(503, {}, b"")

        async with RawServer() as server, client_of(server) as client:
            policy = RetryPolicy(attempts=5, wait_initial=1, wait_max=3)
            retrying = Retrying(Broken(), policy, manager_of(client), None, SILENT, uniform=uniform)
            began = now()
            with pytest.raises(ServerError):
                await retrying.send(GET)
            assert drawn == [(0, 1), (0, 2), (0, 3), (0, 3)]
            assert now() - began == pytest.approx(9)


class TestClassification:
    @for_each("status", [200, 201, 204, 299])
    @for_each("method", ["GET", "POST", "PATCH", "DELETE"])
    def test_2xx_responses_succeed(self, method, status):
        assert classify(Request(method, "https://x/v1/a"), Response(status, {}, b"")) == "done"

    @for_each(
        "method, path, repeatable",
        [
            ("GET", "/patients/1", True),
            ("HEAD", "/patients/1", True),
            ("PUT", "/patients/1", True),
            ("DELETE", "/patients/1", True),
            ("PATCH", "/patients/1", True),
            ("PATCH", "/individual_appointments/1/cancel", False),
            ("PATCH", "/individual_appointments/1/cancel/", False),
            ("PATCH", "/individual_appointments/1/cancel?x=1", False),
            ("POST", "/patients", False),
            ("POST", "/patients/1/archive", True),
            ("POST", "/patients/1/archive/", True),
            ("POST", "/patients/1/unarchive", False),
            ("POST", "/patients?next=/archive", False),
            ("MERGE", "/patients/1", False),
        ],
    )
    def test_only_idempotent_requests_may_be_repeated(self, method, path, repeatable):
        request = Request(method, f"https://x/v1{path}")
        assert request.repeatable is repeatable
        for status in (408, 500, 502, 503, 504, 599):
            expected = "retry" if repeatable else "outcome_unknown"
            assert classify(request, Response(status, {}, b"")) == expected
        assert classify(request, Response(429, {}, b"")) == "retry"

    @for_each("status", [300, 301, 304, 307, 308, 400, 401, 403, 404, 409, 422, 499])
    def test_other_statuses_are_final_for_every_request(self, status):
        for method in ("GET", "POST", "PATCH", "DELETE"):
            assert classify(Request(method, "https://x/v1/a"), Response(status, {}, b"")) == "refused"


class TestTooManyRequests:
    @for_each("skew", [0.0, 0.7, 5 * 3600 + 0.3, -7 * 3600 - 0.9])
    @for_each("reset", [1.0, 1.5, 17.25, 59.9])
    @virtually
    async def test_every_call_waits_until_the_reset_by_the_clock_of_the_server(self, reset, skew):
        """Never before the moment that the header names, and at most three seconds after it."""
        async with virtual_sandbox(skew) as sandbox:
            limiter = RecordingLimiter()
            async with client_of(sandbox, rate_limiter=limiter) as one, client_of(sandbox, rate_limiter=limiter) as two:
                await asyncio.sleep(0.35)
                sandbox.faults.throttle(reset)
                first = asyncio.create_task(ask(one))
                await asyncio.sleep(0.2)
                await asyncio.gather(first, ask(one), ask(two), ask(two))
            refused, *others = [request.time for request in sandbox.requests]
            wall = 1_700_000_000 + skew
            moment = math.ceil(wall + refused + reset) - wall
            assert len(others) == 4
            for arrived in others:
                assert moment <= arrived <= moment + 3

    @virtually
    async def test_a_reset_in_the_past_is_waited_for_like_one_a_second_away(self):
        async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
            sandbox.faults.throttle(-3000)
            began = now()
            await ask(client)
            assert 2 <= now() - began <= 3.1

    @virtually
    async def test_a_reset_far_away_is_waited_for_two_periods_at_most(self):
        async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
            sandbox.faults.throttle(1e9)
            began = now()
            await ask(client)
            assert 121 <= now() - began <= 122.1

    @virtually
    async def test_without_the_header_each_pause_is_longer_than_the_last(self):
        async with virtual_sandbox() as sandbox:
            limiter = RecordingLimiter()
            async with client_of(sandbox, rate_limiter=limiter) as client:
                sandbox.faults.throttle(None, times=4)
                await ask(client)
            times = [request.time for request in sandbox.requests]
            assert limiter.waits == [None] * 4
            gaps = [late - early for early, late in itertools.pairwise(times)]
            assert gaps == pytest.approx([15, 30, 60, 60], abs=0.01)

    @for_each("reset", ["", "soon", "nan", "inf", "-inf", "1e400", "9" * 400, "9" * 6000, "0x10", "Fri", "1.5"])
    @virtually
    async def test_a_header_that_is_not_a_time_is_ignored(self, reset):
        limiter = RecordingLimiter()
        turns = answer(429, b"", {"X-RateLimit-Reset": reset}), answer()
        async with RawServer(*turns) as server, client_of(server, rate_limiter=limiter) as client:
            await client.request("GET", "/things")
        assert limiter.waits == [None]

    @for_each("date", [None, "", "yesterday", "Mon, 99 Foo 2025 99:99:99 GMT", "Mon, 01 Jan 2025"])
    @virtually
    async def test_without_a_date_the_reset_is_measured_by_the_local_clock(self, date):
        limiter = RecordingLimiter()
        headers = {"X-RateLimit-Reset": str(int(time.time()) + 40)} | ({} if date is None else {"Date": date})
        turns = answer(429, b"", headers), answer()
        async with RawServer(*turns) as server, client_of(server, rate_limiter=limiter) as client:
            await client.request("GET", "/things")
        (waited,) = limiter.waits
        assert waited is not None
        assert 30 < waited <= 42

    @for_each("zone", ["GMT", "+0000", "-0000", ""])
    @virtually
    async def test_a_date_without_a_zone_is_utc(self, zone):
        limiter = RecordingLimiter()
        headers = {"X-RateLimit-Reset": "1700000030", "Date": f"Tue, 14 Nov 2023 22:13:20 {zone}".strip()}
        turns = answer(429, b"", headers), answer()
        async with RawServer(*turns) as server, client_of(server, rate_limiter=limiter) as client:
            await client.request("GET", "/things")
        assert limiter.waits[0] == pytest.approx(31.5, abs=0.5)

    @given(st.text(alphabet=st.characters(codec="latin-1"), max_size=40), st.text(max_size=30))
    def test_no_header_however_odd_raises_anything(self, date, reset):
        for headers in ({"Date": date, "X-RateLimit-Reset": "1700000000"}, {"X-RateLimit-Reset": reset}):
            seconds = pause_after(headers, now=1_700_000_000)
            assert seconds is None or 2 <= seconds <= 122

    @virtually
    async def test_a_lasting_429_is_raised_with_its_reset_and_the_attempts(self):
        async with virtual_sandbox() as sandbox, client_of(sandbox, retry=RetryPolicy(attempts=3)) as client:
            sandbox.faults.throttle(5, times=None)
            with pytest.raises(RateLimitedError, match=r"answered 429 \(3 attempts\)") as raised:
                await ask(client)
            assert len(sandbox.requests) == 3
            assert raised.value.retry_at is not None
            last = 1_700_000_000 + sandbox.requests[-1].time
            assert raised.value.retry_at.timestamp() == math.ceil(last + 5)

    @virtually
    async def test_a_create_is_sent_again_after_a_429(self):
        async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
            sandbox.faults.throttle(1)
            await client.taxes.create(name="GST", rate=10)
            assert [request.status for request in sandbox.requests] == [429, 201]

    @virtually
    async def test_a_429_with_a_truncated_body_is_obeyed(self):
        limiter = RecordingLimiter()
        turn = raw(b"HTTP/1.1 429 Slow\r\nX-RateLimit-Reset: 5\r\nContent-Length: 99\r\n\r\nToo ma")
        async with RawServer(turn, answer(201, {"ok": 1})) as server, client_of(server, rate_limiter=limiter) as client:
            await client.request("POST", "/things", json={})
        assert (len(server.requests), len(limiter.waits), limiter.settled_by) == (2, 1, ["complete"] * 2)

    @virtually
    async def test_a_pause_that_is_longer_than_the_deadline_ends_the_call_at_once(self):
        async with virtual_sandbox() as sandbox, client_of(sandbox, deadline=10) as client:
            sandbox.faults.throttle(50)
            began = now()
            with pytest.raises(DeadlineExceededError, match=r"before the deadline \(1 attempt\)") as raised:
                await ask(client)
            assert now() == began
            assert 50 <= raised.value.retry_after <= 53
            assert len(sandbox.requests) == 1


class TestFaults:
    @for_each("status", [408, 500, 502, 503, 504, 520])
    @virtually
    async def test_a_request_that_fails_twice_is_sent_three_times(self, status):
        async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
            sandbox.faults.status(status, body=HTML, times=2)
            assert await ask(client) == 3
            assert [request.status for request in sandbox.requests] == [status, status, 200]

    @for_each("moment", ["request", "answer", "headers", "body"])
    @pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
    @virtually
    async def test_a_read_survives_a_connection_lost_at_any_moment(self, moment, keep):
        async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
            sandbox.faults.drop(moment, keep=keep, times=2)
            assert await ask(client) == 3
            assert len(sandbox.requests) == 3

    @virtually
    async def test_a_truncated_response_is_retried(self):
        async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
            sandbox.faults.cut(times=2)
            assert await ask(client) == 3

    @virtually
    async def test_a_response_that_is_too_slow_is_retried(self):
        async with virtual_sandbox() as sandbox, client_of(sandbox, timeout=5) as client:
            sandbox.faults.slow(300, times=2)
            began = now()
            assert await ask(client) == 3
            assert 10 <= now() - began <= 14

    @for_each("garbage", [b"\x00\x01\x02", b"HTTP/1.1 200", b"HTTP/9.9 abc\r\n\r\n", b"SSH-2.0-x\r\n\r\n"])
    @virtually
    async def test_bytes_that_are_not_http_are_not_a_response(self, garbage):
        async with RawServer(raw(garbage)) as server, client_of(server, retry=QUICK) as client:
            with pytest.raises(TransportError, match=r"received no response: the .+ \(3 attempts\)"):
                await client.request("GET", "/things")

    @for_each("status", [500, 503, 408, 418])
    @virtually
    async def test_the_last_failure_is_raised_and_its_message_counts_the_attempts(self, status):
        async with virtual_sandbox() as sandbox, client_of(sandbox, retry=QUICK) as client:
            sandbox.faults.status(status, body=HTML, times=None)
            attempts = 1 if status == 418 else 3
            what = "the server failed" if status >= 500 else "the API did not carry out the request"
            url = f"{sandbox.base_url.removeprefix('http://')}/appointment_types"
            text = f"{what}: GET {url} answered {status} ({attempts} attempt{'s' * (attempts > 1)})"
            with pytest.raises(ResponseError) as raised:
                await ask(client)
            assert str(raised.value) == text
            assert (raised.value.attempts, raised.value.status) == (attempts, status)
            assert raised.value.response.body == HTML
            assert type(raised.value) is (ServerError if status >= 500 else ResponseError)

    @virtually
    async def test_what_the_server_refuses_is_not_sent_again(self):
        async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
            with pytest.raises(NotFoundError):
                await client.appointment_types.get("1")
            assert len(sandbox.requests) == 1

    @virtually
    async def test_a_server_that_refuses_connections_is_retried_and_then_named_in_the_error(self):
        limiter = RecordingLimiter()
        server = RawServer()
        server.port = free_port()
        async with client_of(server, rate_limiter=limiter, retry=QUICK) as client:
            with pytest.raises(TransportError, match=r"had no connection: Connection refused \(3 attempts\)") as raised:
                await client.request("GET", "/things")
        assert type(raised.value) is TransportError
        assert limiter.settled_by == ["cancel"] * 3
        assert (await limiter.limits()).used == 0

    @virtually
    async def test_each_attempt_has_a_permit_of_its_own(self):
        limiter = RecordingLimiter()
        async with virtual_sandbox() as sandbox, client_of(sandbox, rate_limiter=limiter) as client:
            sandbox.faults.status(503)
            sandbox.faults.drop("answer")
            sandbox.faults.throttle(1)
            await ask(client)
        assert limiter.settled_by == ["complete", "abandon", "complete", "complete"]

    @virtually
    async def test_retries_and_pauses_are_logged_without_the_query(self, caplog):
        with caplog.at_level(logging.INFO, logger="cliniko_async"):
            async with virtual_sandbox() as sandbox, client_of(sandbox) as client:
                sandbox.faults.status(503)
                sandbox.faults.throttle(1)
                await client.patients.list("last_name:=Secretperson").count()
        first, second = [record.getMessage() for record in caplog.records if record.name == "cliniko_async"]
        request = f"GET {sandbox.base_url.removeprefix('http://')}/patients"
        assert first.startswith(f"{request}: attempt 1 ended with 503, the next one in ")
        assert second.startswith(f"{request} answered 429: every request waits for ")


class TestRetryAfter:
    POLICY = RetryPolicy(attempts=2, wait_initial=0.5, wait_max=30)

    @staticmethod
    def moment(seconds: float) -> str:
        return email.utils.formatdate(1_700_000_000 + seconds, usegmt=True)

    async def wait(self, headers, policy=POLICY, status=503):
        async with (
            RawServer(answer(status, b"", headers), answer()) as server,
            client_of(server, retry=policy) as client,
        ):
            began = now()
            await client.request("GET", "/things")
            return now() - began

    @pytest.mark.parametrize("seconds", [1, 7, 30])
    @virtually
    async def test_a_503_is_retried_after_its_retry_after(self, seconds):
        assert await self.wait({"Retry-After": str(seconds)}) == pytest.approx(seconds, abs=0.1)

    @pytest.mark.parametrize("skew", [0, 5 * 3600, -86400])
    @virtually
    async def test_a_retry_after_date_is_measured_by_the_date_of_the_response(self, skew):
        headers = {"Retry-After": self.moment(skew + 9), "Date": self.moment(skew)}
        assert await self.wait(headers) == pytest.approx(9, abs=0.1)

    @virtually
    async def test_without_the_date_of_the_server_the_local_clock_is_used(self):
        waited = await self.wait({"Retry-After": email.utils.formatdate(time.time() + 20, usegmt=True)})
        assert 10 < waited <= 21

    @for_each("after", ["31", "86400", "9" * 400, "9" * 6000, "Fri, 31 Dec 9999 23:59:59 GMT"])
    @virtually
    async def test_retry_after_is_cut_to_the_longest_wait_of_the_policy(self, after):
        assert await self.wait({"Retry-After": after}) == pytest.approx(30, abs=0.1)
        short = RetryPolicy(attempts=2, wait_initial=0.1, wait_max=2)
        assert await self.wait({"Retry-After": after}, short) == pytest.approx(2, abs=0.1)

    @for_each(
        "after",
        ["", "0", "-5", "soon", "nan", "inf", "1e3", "1.5", "Mon, 99 Foo 2025", "Thu, 01 Jan 1970 00:00:00 GMT"],
    )
    @virtually
    async def test_an_invalid_retry_after_leaves_the_wait_of_the_policy(self, after):
        assert await self.wait({"Retry-After": after}) <= 0.6

    @virtually
    async def test_a_503_that_is_cut_off_is_no_answer_and_is_retried_by_the_policy(self):
        turn = raw(b"HTTP/1.1 503 Busy\r\nRetry-After: 20\r\nContent-Length: 99\r\n\r\nToo ma")
        async with RawServer(turn, answer(200, {"ok": 1})) as server, client_of(server) as client:
            began = now()
            assert (await client.request("GET", "/things")).status == 200
            assert now() - began <= 0.6
            assert len(server.requests) == 2

    @for_each("status", [408, 500, 502, 504])
    @virtually
    async def test_retry_after_is_only_obeyed_with_a_503(self, status):
        assert await self.wait({"Retry-After": "20"}, status=status) <= 0.6


class TestTimeouts:
    @virtually
    async def test_the_timeout_is_for_one_attempt(self):
        async with RawServer(silence()) as server, client_of(server, timeout=4, retry=QUICK) as client:
            began = now()
            with pytest.raises(TransportTimeoutError, match=r"received no response within 4 s \(3 attempts\)"):
                await client.request("GET", "/things")
            assert now() - began == pytest.approx(12, abs=0.2)
            assert len(server.requests) == 3

    @virtually
    async def test_waiting_for_a_permit_does_not_count_against_the_timeout(self):
        limiter = RecordingLimiter(SlidingWindowLimiter(1, 60, clock=asyncio.get_running_loop().time))
        async with RawServer() as server, client_of(server, timeout=4, rate_limiter=limiter) as client:
            began = now()
            await client.request("GET", "/things")
            await client.request("GET", "/things")
            assert now() - began > 60

    @virtually
    async def test_a_request_timeout_is_a_timeout_error(self):
        async with RawServer(silence()) as server, client_of(server, timeout=4, retry=ONCE) as client:
            with pytest.raises(TimeoutError):
                await client.request("GET", "/things")


class UnknowingLimiter(RecordingLimiter):
    """A limiter that does not know when the next permit is free."""

    async def limits(self):
        return attrs.evolve(await super().limits(), next_free=0.0, waits=None)


class TestDeadlines:
    @virtually
    async def test_a_deadline_applies_while_waiting_for_a_permit_and_nothing_is_sent(self):
        limiter = UnknowingLimiter(SlidingWindowLimiter(1, 60, clock=asyncio.get_running_loop().time))
        async with RawServer() as server, client_of(server, deadline=5, rate_limiter=limiter) as client:
            await client.request("GET", "/things")
            for method in ("GET", "POST"):
                began = now()
                with pytest.raises(
                    DeadlineExceededError, match=r"was not done before the deadline \(0 attempts\)"
                ) as raised:
                    await client.request(method, "/things")
                assert now() - began == pytest.approx(5, abs=0.01)
                assert (raised.value.sent, raised.value.retry_after) == (False, None)
            assert len(server.requests) == 1
            assert (await limiter.limits()).waiting == {"interactive": 0, "bulk": 0}

    @virtually
    async def test_a_deadline_applies_between_attempts(self):
        policy = RetryPolicy(attempts=100, wait_initial=20, wait_max=20)
        async with RawServer(answer(503)) as server, client_of(server, deadline=60, retry=policy) as client:
            began = now()
            with pytest.raises(DeadlineExceededError, match="attempts") as raised:
                await client.request("GET", "/things")
            assert now() - began == pytest.approx(60, abs=0.01)
            assert raised.value.attempts == len(server.requests) > 1

    @for_each("seconds", [1.0, 2.0, 5.0, 40.0])
    @virtually
    async def test_a_deadline_applies_in_flight_and_to_every_attempt(self, seconds):
        limiter = RecordingLimiter()
        server = RawServer(silence())
        async with server, client_of(server, timeout=seconds, deadline=5, rate_limiter=limiter) as client:
            began = now()
            with pytest.raises(DeadlineExceededError):
                await client.request("GET", "/things")
            assert now() - began == pytest.approx(5, abs=0.01)
        assert set(limiter.settled_by) == {"abandon"}

    @virtually
    async def test_a_create_in_flight_at_the_deadline_may_have_happened(self):
        async with RawServer(silence()) as server, client_of(server, deadline=5) as client:
            with pytest.raises(OutcomeUnknownError, match="may have been done") as raised:
                await client.taxes.create(name="GST", rate=10)
            assert raised.value.request.method == "POST"
            assert server.arrived == ["POST /taxes"]

    @virtually
    async def test_a_deadline_error_is_a_timeout_error_and_the_next_call_has_its_own_deadline(self):
        async with RawServer(silence(), answer()) as server, client_of(server, deadline=5) as client:
            with pytest.raises(TimeoutError):
                await client.request("GET", "/things")
            assert (await client.request("GET", "/things")).status == 200

    @virtually
    async def test_every_request_of_an_iteration_has_its_own_deadline(self):
        async with virtual_sandbox(latency=4.0) as sandbox, client_of(sandbox, deadline=5) as client:
            assert len(await client.appointment_types.list(per_page=1).collect()) == 3

    @virtually
    async def test_a_timeout_of_the_caller_is_raised_unchanged(self):
        async with RawServer(silence(), answer()) as server, client_of(server, deadline=50) as client:
            with pytest.raises(TimeoutError) as raised:
                async with asyncio.timeout(3):
                    await client.request("POST", "/things")
            assert type(raised.value) is TimeoutError
            assert (await client.request("GET", "/things")).status == 200


@virtually
async def test_a_transport_error_of_a_call_without_a_deadline_is_raised_unchanged():
    """A timeout that some inner layer raises is not taken for the deadline."""

    class Odd:
        async def send(self, attempt: Attempt) -> Response:
            raise TimeoutError("of somebody else")

    async with RawServer() as server, client_of(server) as client:
        retrying = Retrying(Odd(), ONCE, manager_of(client), 50, SILENT)
        with pytest.raises(TimeoutError, match="of somebody else"):
            await retrying.send(GET)


def test_jitter_spreads_the_retries_of_many_clients():
    """Two waits after one 429 are hardly ever the same."""
    random.seed(4)
    waits = {pause_after({"X-RateLimit-Reset": "9"}, now=0) for _ in range(50)}
    assert len(waits) == 50
    assert 10 <= min(waits) < max(waits) <= 11
