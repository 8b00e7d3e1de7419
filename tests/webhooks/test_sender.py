"""Changes posted as signed webhooks, to a receiver that verifies them, on virtual time."""

import asyncio
import contextlib
import itertools
import json
import logging
import random
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from cliniko_async import Change, ConfigurationError, UnauthorizedError, UsageError, to_dict
from cliniko_async.webhooks import WebhookGoneError, WebhookSender, generate_secret
from tests.support.clients import virtually
from tests.support.for_each import for_each
from tests.support.frames import assert_frames_hidden, assert_own_frames_hidden
from tests.support.kills import kill_senders
from tests.support.listed import other_tasks
from tests.support.receiver import Receiver, cut, hang, reset
from tests.support.watched import Clinic, clinic

SECRET = "whsec_" + "c2VjcmV0" * 5


@attrs.frozen
class Scene:
    """A clinic, a receiver, and a sender to it."""

    clinic: Clinic
    receiver: Receiver
    sender: WebhookSender

    async def change(self, name: str = "a", **fields: Any) -> Change[Any]:
        """A change of a new record."""
        key = self.clinic.put(name, **fields)
        record = await self.clinic.cliniko.appointment_types.get(key, archived="include")
        return Change(record, "upsert")

    def watch(self, **options: Any) -> Any:
        return self.clinic.cliniko.appointment_types.watch(store=self.clinic.store, **options)


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@contextlib.asynccontextmanager
async def scene(**options: Any) -> AsyncIterator[Scene]:
    async with (
        clinic() as it,
        Receiver(SECRET) as receiver,
        WebhookSender(receiver.url, SECRET, **options) as sender,
    ):
        yield Scene(it, receiver, sender)


async def until(receiver: Receiver, names: str) -> None:
    for _ in range(1000):
        await asyncio.sleep(1)
        if receiver.accepted == names:
            return
    raise AssertionError(receiver.accepted)


def pauses(receiver: Receiver) -> list[float]:
    return [after.at - before.at for before, after in itertools.pairwise(receiver.got)]


# A message


@virtually
async def test_a_message_has_the_type_the_moment_and_the_record_and_its_signature_is_right():
    async with scene() as it:
        change = await it.change("First visit")
        assert await it.sender.send(change) is True
        (got,) = it.receiver.got
        assert got.body == {
            "type": "appointment_type.upsert",
            "timestamp": to_dict(change.record)["updated_at"],
            "data": to_dict(change.record),
        }
        assert got.id.startswith("msg_")


@virtually
async def test_the_type_says_what_the_record_is_and_what_happened_to_it():
    async with scene() as it:
        key = it.clinic.sandbox.add("individual_appointments")
        record = await it.clinic.cliniko.individual_appointments.get(key)
        for kind in ("upsert", "archive", "cancel", "delete"):
            await it.sender.send(Change(record, kind))
        assert [each.body["type"].partition(".") for each in it.receiver.got] == [
            ("individual_appointment", ".", kind) for kind in ("upsert", "archive", "cancel", "delete")
        ]
        assert len({each.id for each in it.receiver.got}) == 4


@virtually
async def test_an_id_is_that_of_a_version_in_every_try_and_by_every_sender():
    """Also for two versions of one second, of which a receiver would drop the second if they had the same."""
    async with scene() as it, WebhookSender(it.receiver.url, SECRET) as other:
        change = await it.change()
        later = Change(attrs.evolve(change.record, name="b"), "upsert")
        it.receiver.script = [500, 500]
        await it.sender.send(change)
        await other.send(change)
        await other.send(later)
        *same, different = [each.id for each in it.receiver.got]
        assert len(same) == 4
        assert set(same) == {same[0]} != {different}


@virtually
async def test_while_a_secret_is_replaced_both_are_good():
    old, new = generate_secret(), SECRET
    for known in (old, new):
        async with clinic() as it, Receiver(known) as receiver, WebhookSender(receiver.url, f"{new} {old}") as sender:
            await sender.send(await Scene(it, receiver, sender).change())
            assert len(receiver.got[0].signature.split()) == 2


# Failures


def redirect() -> web.Response:
    return web.Response(status=307, headers={"Location": "/elsewhere"})


FAILURES: dict[str, Any] = {
    **{str(status): status for status in (400, 401, 404, 408, 429, 500, 502, 503, 504)},
    "redirect": redirect(),
    "hangs": hang,
    "cut in mid-answer": cut,
    "reset": reset,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_rejected_messages_are_posted_again_in_order(caplog: pytest.LogCaptureFixture, failure: str):
    @virtually
    async def test() -> None:
        async with scene() as it:

            def answer() -> Any:
                return redirect() if failure == "redirect" else FAILURES[failure]

            it.receiver.script = [answer(), answer(), 204, answer()]
            for name in ("Jane", "Kim"):
                assert await it.sender.send(await it.change(name)) is True
            assert [each.name for each in it.receiver.got] == ["Jane", "Jane", "Jane", "Kim", "Kim"]
            assert it.receiver.accepted == "JaneKim"
            assert it.receiver.redirected == 0
            logged = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
            assert len(logged) == 3
            assert not [secret for secret in ("Jane", "Kim", "hush", "/hook", SECRET) if secret in caplog.text]

    test()


@virtually
async def test_a_receiver_that_is_down_is_waited_for_and_no_try_is_counted(tmp_path: Path):
    async with scene(dead_letters=tmp_path / "dead", tries=1) as it:
        await it.receiver.stop()
        task = asyncio.create_task(it.sender.send(await it.change()))
        await asyncio.sleep(50_000)
        await it.receiver.start()
        it.receiver.script = [503, 429]
        assert await task is True
        assert it.receiver.accepted == "a"
        assert not (tmp_path / "dead").exists()


@virtually
async def test_the_waits_double_up_to_the_longest():
    async with scene(wait_max=60) as it:
        it.receiver.script = [500] * 10
        await it.sender.send(await it.change())
        bounds = [min(2.0**number, 60) for number in range(10)]
        assert all(bound / 2 <= wait <= bound + 0.1 for wait, bound in zip(pauses(it.receiver), bounds, strict=True))


@for_each("asked, least", [("120", 120), ("999999", 3600), ("-5", 0), ("soon", 0)])
@virtually
async def test_the_retry_after_of_a_receiver_is_obeyed(asked, least):
    async with scene() as it:
        it.receiver.script = [web.Response(status=503, headers={"Retry-After": asked})]
        await it.sender.send(await it.change())
        (wait,) = pauses(it.receiver)
        assert least <= wait <= max(least, 1) + 0.1


@virtually
async def test_a_slow_receiver_has_the_timeout_for_each_try():
    async def slow(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(4)
        return web.Response()

    async with scene(timeout=5) as it:
        it.receiver.script = [slow, hang]
        await it.sender.send(await it.change())
        assert len(it.receiver.got) == 1
        await it.sender.send(await it.change())
        assert 5 <= pauses(it.receiver)[-1] <= 6.1


@virtually
async def test_an_endless_response_is_not_read():
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(OSError):
            while True:
                await response.write(bytes(100_000))
        return response

    async with scene() as it:
        it.receiver.script = [endless]
        assert await it.sender.send(await it.change()) is True
        assert len(it.receiver.got) == 1


@virtually
async def test_nothing_is_posted_to_a_receiver_that_answered_410():
    async with scene() as it:
        it.receiver.script = [500, 410]
        change = await it.change()
        for _ in range(2):
            with pytest.raises(WebhookGoneError, match="410"):
                await it.sender.send(change)
        assert len(it.receiver.got) == 2
        with pytest.raises(WebhookGoneError):
            await it.sender.forward(it.watch())
        assert len(it.receiver.got) == 2


# Dead letters


@virtually
async def test_after_the_last_try_a_message_is_written_to_the_file_and_the_next_one_posted(tmp_path: Path):
    path = tmp_path / "dead.ndjson"
    async with scene(dead_letters=path, tries=3) as it:
        it.receiver.script = [400, 503, 500, cut, 204, 400, 400, hang]
        sent = [await it.sender.send(await it.change(name)) for name in "abc"]
        assert sent == [False, True, False]
        assert it.receiver.accepted == "b"
        first, last = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        assert first == {
            "id": it.receiver.got[0].id,
            "tries": 3,
            "reason": "broke the connection off",
            "given_up_at": first["given_up_at"],
            "message": it.receiver.got[0].body,
        }
        assert (last["reason"], last["message"]["data"]["name"]) == ("did not answer in time", "c")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@virtually
async def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path):
    path = tmp_path / "dead.ndjson"
    path.write_bytes(b'{"id": "msg_cut o')
    async with scene(dead_letters=path, tries=1) as it:
        it.receiver.script = [400, 400]
        for name in "ab":
            await it.sender.send(await it.change(name))
    _, *whole = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["message"]["data"]["name"] for line in whole] == ["a", "b"]


@virtually
async def test_a_message_that_cannot_be_written_to_the_file_is_not_dropped(tmp_path: Path):
    async with scene(dead_letters=tmp_path / "missing" / "dead", tries=1) as it:
        it.receiver.script = [400, 400]
        change = await it.change("Jane")
        with pytest.raises(FileNotFoundError) as failed:
            await it.sender.send(change)
        assert_own_frames_hidden(failed.value, "Jane")
        it.clinic.put("b")
        with pytest.raises(FileNotFoundError):
            await it.sender.forward(it.watch())
        (tmp_path / "missing").mkdir()
        forwarding = asyncio.create_task(it.sender.forward(it.watch()))
        await until(it.receiver, "Janeb")
        forwarding.cancel()
        await asyncio.wait([forwarding])


@virtually
async def test_without_a_file_a_message_is_never_dropped():
    async with scene(tries=1, wait_max=10) as it:
        it.receiver.script = [400] * 50
        assert await it.sender.send(await it.change()) is True


# Forwarding


@virtually
async def test_changes_of_watches_arrive_in_order_and_after_a_restart_none_is_missed():
    async with scene() as it:
        keys = [it.clinic.put("0") for _ in range(5)]
        rng, written = random.Random(5), dict.fromkeys(keys, 0)
        it.receiver.choose = lambda: rng.choice([204, 204, 204, 500, 503, cut, reset])
        watches = [it.watch(every=5), it.clinic.cliniko.taxes.watch(store=it.clinic.store)]
        for _ in range(20):
            forwarding = asyncio.create_task(it.sender.forward(*watches))
            for _ in range(10):
                key = rng.choice(keys)
                written[key] += 1
                it.clinic.touch(key, str(written[key]))
                await asyncio.sleep(rng.uniform(0, 3))
            forwarding.cancel()
            await asyncio.wait([forwarding])
        it.receiver.choose = lambda: 204
        forwarding = asyncio.create_task(it.sender.forward(*watches))
        await asyncio.sleep(1000)
        forwarding.cancel()
        await asyncio.wait([forwarding])
        for key in keys:
            versions = [int(each.name) for each in it.receiver.got if each.body["data"]["id"] == key]
            assert versions == sorted(versions)
            assert versions[-1] == written[key]
        taxes = {each.body["data"]["id"] for each in it.receiver.got if each.body["type"] == "tax.upsert"}
        assert taxes == {tax["id"] for tax in it.clinic.sandbox.all("taxes")}


@virtually
async def test_an_error_of_one_watch_ends_all_and_leaves_no_task():
    async with scene() as it:
        before = other_tasks()
        it.clinic.sandbox.faults.status(401, path="/taxes")
        with pytest.raises(UnauthorizedError):
            await it.sender.forward(it.watch(), it.clinic.cliniko.taxes.watch())
        assert not {task for task in other_tasks() - before if "forward" in repr(task)}
        assert await it.sender.forward() is None


def test_a_program_that_is_killed_at_random_posts_every_change_in_order(tmp_path: Path):
    """Also to a receiver that fails at random."""
    assert kill_senders(tmp_path, times=5, seed=random.randrange(2**32)) >= 0


# Sessions


@virtually
async def test_a_session_of_the_callers_own_is_used_and_stays_open():
    async with clinic() as it, Receiver(SECRET) as receiver, aiohttp.ClientSession() as session:
        async with WebhookSender(receiver.url, SECRET, session=session) as sender:
            await sender.send(await Scene(it, receiver, sender).change())
        assert not session.closed


@virtually
async def test_a_closed_sender_posts_nothing():
    async with scene() as it:
        change = await it.change()
        for _ in range(2):
            await it.sender.aclose()
            with pytest.raises(UsageError, match="closed"):
                await it.sender.send(change)
        await it.sender.aclose()
        assert not it.receiver.got


@virtually
async def test_a_sender_that_is_closed_in_mid_wait_ends():
    async with scene() as it:
        it.receiver.script = [500] * 9
        task = asyncio.create_task(it.sender.send(await it.change()))
        await asyncio.sleep(2)
        await it.sender.aclose()
        with pytest.raises(UsageError):
            await task


@virtually
async def test_closing_the_sender_does_not_drop_its_message(tmp_path: Path):
    async with scene(tries=1, dead_letters=tmp_path / "dead.ndjson") as it:
        it.receiver.script = [hang]
        task = asyncio.create_task(it.sender.send(await it.change()))
        await asyncio.sleep(1)
        await it.sender.aclose()
        with pytest.raises(UsageError, match="closed"):
            await task
        assert len(it.receiver.got) == 1
    assert not names_in(tmp_path)


# Secrets and arguments


@virtually
async def test_neither_a_repr_nor_a_traceback_shows_the_secret_the_path_or_a_record():
    async with scene() as it:
        assert repr(it.sender) == f"WebhookSender('{it.receiver.url.partition('/hook')[0]}')"
        it.receiver.script = [hang]
        change = await it.change("Jane")
        task = asyncio.create_task(it.sender.send(change))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
        assert_frames_hidden(cancelled.value, "Jane", "hush", SECRET, SECRET.removeprefix("whsec_"))


@for_each(
    "secret",
    [
        "",
        " ",
        "hush",
        "whsec_",
        "whsec_hush",
        "whsec_!!!!" * 10,
        "whsec_" + "A" * 88,
        SECRET.removeprefix("whsec_"),
        f"{SECRET} hush",
        None,
        b"whsec_" + b"A" * 32,
    ],
)
def test_an_invalid_secret_is_refused_and_not_shown(secret: Any):
    with pytest.raises(ConfigurationError, match="secret") as refused:
        WebhookSender("https://example.com/hook", secret)
    assert "hush" not in str(refused.value)
    if secret and secret.strip():
        assert_own_frames_hidden(refused.value, str(secret))


@for_each(
    "url",
    [
        "http://example.com/hook",
        "ftp://127.0.0.1/",
        "https://",
        "https://me:hush@example.com/",
        "hook",
        "",
        None,
        "https://[1",
    ],
)
def test_an_unsafe_url_is_refused_and_not_shown(url: Any):
    with pytest.raises(ConfigurationError, match="https") as refused:
        WebhookSender(url, SECRET)
    assert "hush" not in str(refused.value)
    assert WebhookSender("http://localhost:8000/hook", SECRET)


@for_each("options", [{"tries": 0}, {"tries": 1.5}, {"timeout": 0}, {"wait_max": "1"}, {"timeout": True}])
def test_an_invalid_option_is_refused(options: Any):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        WebhookSender("https://example.com/hook", SECRET, **options)


def test_the_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLINIKO_WEBHOOK_SECRET", SECRET)
    assert repr(WebhookSender.from_env("https://example.com/hook", tries=3)) == "WebhookSender('https://example.com')"
    monkeypatch.delenv("CLINIKO_WEBHOOK_SECRET")
    with pytest.raises(ConfigurationError, match="CLINIKO_WEBHOOK_SECRET"):
        WebhookSender.from_env("https://example.com/hook")


def test_every_generated_secret_is_new_and_good():
    assert len({generate_secret() for _ in range(10)}) == 10
    assert Webhook(generate_secret())


def test_without_the_extra_an_error_names_it():
    code = "import sys; sys.modules['standardwebhooks'] = None; import cliniko_async.webhooks"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'ImportError: webhooks need standardwebhooks: pip install "cliniko-async[webhooks]"' in done.stderr
