"""The options of a client, and its life cycle."""

import asyncio
import gc
import json
import warnings

import aiohttp
import pytest

from cliniko_async import Cliniko, ConfigurationError, InvalidRequestError, RetryPolicy, UsageError
from cliniko_async.errors import NotFoundError
from cliniko_async.limits import SlidingWindowLimiter, process_limiter
from tests.support.clients import KEY, ONCE, WHO, RecordingLimiter, client_of, virtually
from tests.support.for_each import for_each
from tests.support.inside import manager_of, session_of, view_of
from tests.support.paths import FACTS
from tests.support.raw_server import RawServer, answer

RECORD = json.loads((FACTS / "examples" / "appointment_type.json").read_text())
EMPTY = {"appointment_types": [], "total_entries": 0, "links": {"self": "https://api.au2.cliniko.com/v1/x"}}


def base_url_of(client: Cliniko) -> str:
    return manager_of(client).server.base_url


class TestTheKey:
    @for_each("key", ["", "a b", "a\n", "a\r\nX: y", "a:b", "clé", "a\x00b", "\u0661", " abcdef", None, 5, b"key"])
    def test_a_malformed_key_is_refused_and_not_shown(self, key):
        with pytest.raises(ConfigurationError) as raised:
            Cliniko(key, **WHO)
        if isinstance(key, str) and len(key) > 3:
            assert key not in str(raised.value)

    @for_each(
        "key, shard",
        [
            ("abc", "au1"),
            ("abc-au2", "au2"),
            ("abc-UK1", "uk1"),
            ("abc-eu12", "eu12"),
            ("a-b-ca1", "ca1"),
            ("abc-uk3", "uk3"),
            ("abc-au5", "au5"),
            ("abc-us1", "us1"),
            ("au2", "au1"),
        ],
    )
    def test_the_shard_is_the_end_of_the_key_and_au1_without_a_hyphen(self, key, shard):
        assert base_url_of(Cliniko(key, **WHO)) == f"https://api.{shard}.cliniko.com/v1"

    @for_each(
        "key",
        ["abc-au2x", "abc-", "abc-sydney", "abc-au123", "abc-au2-", "abc-evil.example/", "MS0xLWl4SzY-YAAU2"],
    )
    def test_a_key_that_ends_in_no_shard_is_refused_and_not_shown_unless_the_server_is_named(self, key):
        """Either it was truncated when it was copied or it is not a key; a shard other than its own would reject it."""
        with pytest.raises(ConfigurationError, match="does not end in a shard") as raised:
            Cliniko(key, **WHO)
        assert key not in str(raised.value)
        assert base_url_of(Cliniko(key, shard="au3", **WHO)) == "https://api.au3.cliniko.com/v1"
        assert base_url_of(Cliniko(key, base_url="https://a.example/v1", **WHO)) == "https://a.example/v1"

    def test_an_explicit_shard_comes_before_that_of_the_key(self):
        assert base_url_of(Cliniko("abc-au2", shard="UK2", **WHO)) == "https://api.uk2.cliniko.com/v1"

    @for_each("shard", ["", "au", "sydney", "au1.evil", "au1/", "aü1", "au\u0661", "au1\n", 1])
    def test_an_invalid_shard_is_refused(self, shard):
        with pytest.raises(ConfigurationError, match="shard"):
            Cliniko(KEY, shard=shard, **WHO)

    def test_a_shard_and_a_base_url_together_are_refused(self):
        with pytest.raises(ConfigurationError, match="not both"):
            Cliniko(KEY, shard="au1", base_url="https://proxy.example/v1", **WHO)


class TestWhoAsks:
    @for_each("name", ["", "  ", "a\r\nX-Evil: 1", "a\nb", "Pr\u00e4xis", "a\x00", None, 5])
    def test_an_app_name_that_cannot_be_in_a_header_is_refused(self, name):
        with pytest.raises(ConfigurationError, match="app_name"):
            Cliniko(KEY, app_name=name, contact_email="it@example.com")

    @for_each(
        "email",
        [
            *("", "nobody", "a@b", "@example.com", "a b@example.com", "a@example.com\r\nX: 1", "a@b@example.com"),
            *("a@example.com)", "(a@example.com", "j\u00fcrgen@example.com", "it@ex\u00e4mple.com", "a@example."),
            *(None, 5),
        ],
    )
    def test_a_contact_that_is_not_an_e_mail_address_is_refused(self, email):
        with pytest.raises(ConfigurationError, match="contact_email"):
            Cliniko(KEY, app_name="Tests", contact_email=email)

    @pytest.mark.parametrize("missing", ["app_name", "contact_email"])
    def test_the_name_and_the_address_are_required(self, missing):
        with pytest.raises(TypeError, match=missing):
            Cliniko(KEY, **{name: value for name, value in WHO.items() if name != missing})


class TestTheBaseUrl:
    @for_each(
        "given, used",
        [
            ("https://proxy.example/cliniko/v1", "https://proxy.example/cliniko/v1"),
            ("https://proxy.example/v1/", "https://proxy.example/v1"),
            ("https://proxy.example", "https://proxy.example"),
            ("HTTPS://Proxy.Example:8443/v1", "https://proxy.example:8443/v1"),
            ("http://localhost:8000/v1", "http://localhost:8000/v1"),
            ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
            ("http://127.8.9.1/v1", "http://127.8.9.1/v1"),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ],
    )
    def test_https_anywhere_and_http_on_this_machine_are_taken(self, given, used):
        assert base_url_of(Cliniko(KEY, base_url=given, **WHO)) == used

    @for_each(
        "url",
        [
            "http://api.au1.cliniko.com/v1",
            "http://localhost.evil.example/v1",
            "http://127.0.0.1.evil.example/v1",
            "http://10.0.0.1/v1",
            "http://[2001:db8::1]/v1",
            "http://0.0.0.0/v1",
            "ftp://localhost/v1",
            "file:///etc",
            "/v1",
            "",
            "api.au1.cliniko.com",
            "https:///v1",
            "https://user@proxy.example/v1",
            "https://user:word@proxy.example/v1",
            "https://proxy.example/v1?x=1",
            "https://proxy.example/v1#x",
            "https://proxy.example:99999/v1",
            "https://proxy..example/v1",
            f"https://{'a' * 70}.example/v1",
            "https://[::1/v1",
            5,
        ],
    )
    def test_any_other_base_url_is_refused(self, url):
        with pytest.raises(ConfigurationError, match="base_url"):
            Cliniko(KEY, base_url=url, **WHO)


class TestTheOtherOptions:
    @for_each("seconds", [0, -1, float("nan"), float("inf"), True, "40", None])
    def test_a_timeout_is_a_number_of_seconds_above_0(self, seconds):
        with pytest.raises(ConfigurationError, match="timeout must be a number of seconds"):
            Cliniko(KEY, timeout=seconds, **WHO)

    @for_each("seconds", [0, -1, float("nan"), float("inf"), True, "40"])
    def test_a_deadline_is_a_number_of_seconds_above_0_or_none(self, seconds):
        Cliniko(KEY, deadline=None, **WHO)
        with pytest.raises(ConfigurationError, match="deadline must be a number of seconds"):
            Cliniko(KEY, deadline=seconds, **WHO)

    @for_each("retry", [None, 5, "often", {"attempts": 3}])
    def test_retry_is_a_policy(self, retry):
        with pytest.raises(ConfigurationError, match="RetryPolicy"):
            Cliniko(KEY, retry=retry, **WHO)

    @for_each("priority", [None, "", "urgent", 1])
    def test_priority_is_interactive_or_bulk(self, priority):
        with pytest.raises(ConfigurationError, match="interactive"):
            Cliniko(KEY, priority=priority, **WHO)

    def test_the_limiter_is_shared_by_all_clients_of_one_server_and_key(self):
        one, two = Cliniko(KEY, **WHO), Cliniko(KEY, **WHO)
        other = Cliniko(KEY, base_url="https://proxy.example/v1", **WHO)
        shared = process_limiter("https://api.au2.cliniko.com/v1", KEY)
        assert manager_of(one).limiter is manager_of(two).limiter is shared
        assert manager_of(other).limiter is not manager_of(one).limiter

    def test_a_limiter_that_is_given_is_used_even_if_it_counts_as_false(self):
        class Falsy(SlidingWindowLimiter):
            def __len__(self) -> int:
                return 0

        limiter = Falsy()
        assert manager_of(Cliniko(KEY, rate_limiter=limiter, **WHO)).limiter is limiter

    async def test_limits_returns_the_state_of_the_limiter(self):
        limits = await Cliniko(KEY, rate_limiter=SlidingWindowLimiter(7), **WHO).limits()
        assert (limits.limit, limits.used, limits.remaining) == (7, 0, 7)


class TestFromEnv:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch):
        for name, value in {"API_KEY": "abc-uk1", "APP_NAME": "Env", "CONTACT_EMAIL": "env@example.com"}.items():
            monkeypatch.setenv(f"CLINIKO_{name}", value)
        monkeypatch.delenv("CLINIKO_BASE_URL", raising=False)

    def test_from_env_reads_the_key_and_the_names(self):
        client = Cliniko.from_env()
        assert base_url_of(client) == "https://api.uk1.cliniko.com/v1"
        assert manager_of(client).credentials.user_agent == "Env (env@example.com)"

    @pytest.mark.parametrize("missing", ["CLINIKO_API_KEY", "CLINIKO_APP_NAME", "CLINIKO_CONTACT_EMAIL"])
    @pytest.mark.parametrize("empty", [True, False])
    def test_a_missing_or_empty_variable_is_named(self, monkeypatch, missing, empty):
        monkeypatch.setenv(missing, "") if empty else monkeypatch.delenv(missing)
        with pytest.raises(ConfigurationError, match=missing):
            Cliniko.from_env()

    def test_an_option_comes_before_its_variable(self, monkeypatch):
        monkeypatch.delenv("CLINIKO_APP_NAME")
        client = Cliniko.from_env(api_key="xyz-ca1", app_name="Mine", timeout=3)
        assert base_url_of(client) == "https://api.ca1.cliniko.com/v1"
        assert manager_of(client).credentials.user_agent == "Mine (env@example.com)"
        assert view_of(client).options.timeout == 3

    def test_the_base_url_may_come_from_the_environment(self, monkeypatch):
        monkeypatch.setenv("CLINIKO_BASE_URL", "http://localhost:1/v1")
        assert base_url_of(Cliniko.from_env()) == "http://localhost:1/v1"
        assert base_url_of(Cliniko.from_env(base_url="http://localhost:2/v1")) == "http://localhost:2/v1"
        assert base_url_of(Cliniko.from_env(shard="au3")) == "https://api.au3.cliniko.com/v1"

    def test_a_base_url_that_cannot_work_is_refused(self, monkeypatch):
        monkeypatch.setenv("CLINIKO_BASE_URL", "http://elsewhere.example/v1")
        with pytest.raises(ConfigurationError, match="base_url"):
            Cliniko.from_env()


class TestViews:
    def test_a_view_has_its_own_options_and_shares_the_rest(self):
        client = Cliniko(KEY, timeout=7, **WHO)
        view = client.with_options(deadline=3, priority="bulk", retry=ONCE)
        assert (view_of(view).options.timeout, view_of(view).options.deadline) == (7, 3)
        assert (view_of(view).options.priority, view_of(view).options.retry) == ("bulk", ONCE)
        assert (view_of(client).options.deadline, view_of(client).options.priority) == (None, "interactive")
        assert manager_of(view) is manager_of(client)
        assert view.appointment_types is not client.appointment_types

    @for_each("option", ["api_key", "session", "shard", "rate_limiter", "app_name", "unknown"])
    def test_an_option_that_a_view_cannot_have_is_refused(self, option):
        with pytest.raises(
            ConfigurationError,
            match=f"a view has no option {option!r}; it can have another timeout, deadline, retry, priority",
        ):
            Cliniko(KEY, **WHO).with_options(**{option: "x"})

    def test_a_misspelt_option_of_a_view_is_refused_with_the_nearest_one(self):
        with pytest.raises(ConfigurationError, match=r"^a view has no option 'timout'; did you mean 'timeout'"):
            Cliniko(KEY, **WHO).with_options(timout=5)

    @for_each("options", [{"timeout": 0}, {"deadline": -1}, {"retry": 3}, {"priority": "high"}])
    def test_the_options_of_a_view_are_checked_as_those_of_a_client(self, options):
        with pytest.raises(ConfigurationError):
            Cliniko(KEY, **WHO).with_options(**options)

    @virtually
    async def test_closing_a_view_closes_nothing(self):
        async with RawServer(answer(200, RECORD)) as server, client_of(server) as client:
            async with client.with_options(timeout=3) as view:
                await view.appointment_types.get("1")
            await view.aclose()
            await client.appointment_types.get("1")
            assert {request.connection for request in server.requests} == {1}

    @virtually
    async def test_a_view_of_a_closed_client_is_closed(self):
        async with RawServer() as server:
            client = client_of(server)
            view = client.with_options(timeout=3)
            await client.aclose()
            with pytest.raises(UsageError, match="closed"):
                await view.appointment_types.get("1")
            with pytest.raises(UsageError, match="closed"):
                await view.__aenter__()

    @virtually
    async def test_a_view_acquires_permits_at_its_own_priority(self):
        async with RawServer(answer(200, RECORD)) as server:
            limiter = RecordingLimiter(SlidingWindowLimiter(10, 60, 0.5, clock=asyncio.get_running_loop().time))
            async with client_of(server, rate_limiter=limiter) as client:
                view = client.with_options(priority="bulk")
                began = asyncio.get_running_loop().time()
                for _ in range(3):
                    await view.appointment_types.get("1")
                assert asyncio.get_running_loop().time() - began >= 24


class TestTheObject:
    def test_the_repr_of_a_client_names_the_server_and_not_the_key(self):
        assert repr(Cliniko(KEY, **WHO)) == "Cliniko('https://api.au2.cliniko.com/v1')"

    def test_a_client_has_an_attribute_for_each_resource_and_no_other(self):
        client = Cliniko(KEY, **WHO)
        assert client.patients is client.patients
        assert {"patients", "settings", "request"} <= set(dir(client))
        with pytest.raises(AttributeError, match="Cliniko has no attribute 'patient'; did you mean 'patients'"):
            client.patient  # noqa: B018

    def test_a_plain_with_says_async_with(self):
        with pytest.raises(TypeError, match="async with"), Cliniko(KEY, **WHO):
            pass

    def test_exiting_without_entering_does_nothing(self):
        assert Cliniko(KEY, **WHO).__exit__(None, None, None) is None

    def test_a_missing_link_cannot_be_followed(self):
        with pytest.raises(TypeError, match="must be a Link or a ListLink"):
            Cliniko(KEY, **WHO).follow("https://api.au2.cliniko.com/v1/patients/1")

    @virtually
    async def test_links_can_be_followed_and_resolved(self):
        body = {**EMPTY, "appointment_types": [RECORD], "total_entries": 1}
        async with RawServer() as server, client_of(server) as client:
            url = f"{server.base_url}/appointment_types/{RECORD['id']}"
            record = json.loads(json.dumps(RECORD))
            record["links"]["self"] = url
            server.turns.extend([answer(200, record)] * 2)
            server.turns.popleft()
            kind = await client.appointment_types.get(RECORD["id"])
            assert await client.follow(kind.link) == kind
            server.turns.extend([answer(200, body)] * 2)
            server.turns.popleft()
            assert list(await client.resolve([kind.link, None])) == [kind.id]
            assert kind.practitioners is not None
            with pytest.raises(InvalidRequestError):
                client.follow(kind.practitioners)


class TestLife:
    def test_a_client_may_be_made_outside_of_a_loop_and_opens_nothing_before_the_first_request(self):
        client = Cliniko(KEY, **WHO)
        assert session_of(client) is None

        @virtually
        async def use():
            async with client:
                assert session_of(client) is None

        use()

    @virtually
    async def test_a_client_works_without_a_with_and_may_be_closed_twice(self):
        async with RawServer(answer(200, RECORD)) as server:
            client = client_of(server)
            await client.appointment_types.get("1")
            session = manager_of(client).session()
            await client.aclose()
            await client.aclose()
            assert session.closed

    @virtually
    async def test_a_closed_client_raises_a_usage_error(self):
        async with RawServer() as server:
            client = client_of(server)
            async with client:
                pass
            with pytest.raises(UsageError, match="the client is closed"):
                await client.appointment_types.get("1")
            with pytest.raises(UsageError, match="the client is closed"):
                await client.appointment_types.list()
            with pytest.raises(UsageError, match="the client is closed"):
                async with client:
                    pass

    def test_a_second_event_loop_is_refused_with_a_clear_error(self):
        client = Cliniko(KEY, base_url="http://127.0.0.1:9/v1", retry=RetryPolicy(attempts=1), **WHO)

        async def ask():
            with pytest.raises(Exception, match="Connection refused"):
                await client.request("GET", "/things")

        async def ask_again():
            with pytest.raises(UsageError, match="another event loop"):
                await client.request("GET", "/things")
            with pytest.raises(UsageError, match="another event loop"):
                await client.aclose()

        with asyncio.Runner() as first:
            first.run(ask())
            asyncio.run(ask_again())
            first.run(client.aclose())

    @virtually
    async def test_a_session_made_by_the_client_is_closed_without_a_warning(self):
        async with RawServer(answer(200, RECORD)) as server:
            with warnings.catch_warnings():
                warnings.simplefilter("error", ResourceWarning)
                async with client_of(server) as client:
                    await client.appointment_types.get("1")
                session = manager_of(client).session
                with pytest.raises(UsageError, match="closed"):
                    session()
                del client
                gc.collect()
            await asyncio.sleep(1)
            assert server.open == 0


class TestBorrowedSessions:
    @virtually
    async def test_a_borrowed_session_with_credentials_or_a_base_url_or_closed_is_refused(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of newer versions of aiohttp
            with_auth = aiohttp.ClientSession(auth=aiohttp.BasicAuth("a", "b"))
        others = [
            aiohttp.ClientSession(headers={"authorization": "Basic x"}),
            aiohttp.ClientSession("https://api.au1.cliniko.com/v1/"),
        ]
        for session in (with_auth, *others):
            with pytest.raises(ConfigurationError, match="the session has its own"):
                Cliniko(KEY, session=session, **WHO)
            await session.close()
        closed = aiohttp.ClientSession()
        await closed.close()
        with pytest.raises(ConfigurationError, match="closed"):
            Cliniko(KEY, session=closed, **WHO)

    @virtually
    async def test_a_borrowed_session_is_used_unchanged_and_left_open(self):
        def snapshot():
            return {name: value for name, value in vars(session).items() if name != "_connector"}

        async with RawServer(answer(200, RECORD)) as server, aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
            before = dict(snapshot())
            async with client_of(server, session=session) as client:
                await client.appointment_types.get("1")
            assert not session.closed
            assert snapshot() == before
            assert dict(session.headers) == {"X-Mine": "1"}
            async with session.get(f"{server.base_url}/x") as own:
                assert own.status == 200
        ours, theirs = server.requests
        assert ours.headers["x-mine"] == "1"
        assert "authorization" not in theirs.headers
        assert theirs.connection == ours.connection

    @virtually
    async def test_the_settings_of_a_borrowed_session_do_not_affect_requests(self):
        """One that raises for a status, does not decompress and traces its requests works like any other."""
        seen = []
        trace = aiohttp.TraceConfig()

        async def note(_, context, __):
            seen.append(context.trace_request_ctx)

        trace.on_request_headers_sent.append(note)
        session = aiohttp.ClientSession(raise_for_status=True, auto_decompress=False, trace_configs=[trace])
        import gzip

        body = gzip.compress(json.dumps(RECORD).encode())
        turns = answer(404), answer(200, body, {"Content-Encoding": "gzip"})
        async with session, RawServer(*turns) as server, client_of(server, session=session) as client:
            with pytest.raises(NotFoundError):
                await client.appointment_types.get("1")
            assert (await client.appointment_types.get("1")).id == RECORD["id"]
        assert seen == [None, None]

    @virtually
    async def test_a_borrowed_session_closed_in_the_meantime_raises(self):
        limiter = RecordingLimiter()
        async with RawServer() as server, aiohttp.ClientSession() as session:
            client = client_of(server, session=session, rate_limiter=limiter)
            await session.close()
            with pytest.raises(UsageError, match="the session is closed"):
                await client.appointment_types.get("1")
            assert limiter.settled_by == ["cancel"]

    def test_a_borrowed_session_of_another_loop_is_refused(self):
        async def make():
            return aiohttp.ClientSession()

        with asyncio.Runner() as runner:
            session = runner.run(make())
            client = Cliniko(KEY, session=session, **WHO)

            async def ask():
                with pytest.raises(UsageError, match="another event loop"):
                    await client.appointment_types.get("1")

            asyncio.run(ask())
            runner.run(session.close())
