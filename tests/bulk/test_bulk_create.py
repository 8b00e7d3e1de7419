"""`bulk_create`: each row is created once, whatever happens on the way, or a person is asked."""

import asyncio
import gc
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cliniko_async import (
    Cliniko,
    ClinikoError,
    DecodingError,
    ForbiddenError,
    InvalidRequestError,
    InvalidRowsError,
    JournalError,
    OutcomeUnknownError,
    PatientFields,
    RateLimitedError,
    ResponseError,
    TransportError,
    UnauthorizedError,
    bulk_create,
)
from cliniko_async.bulk import decide, read_journal
from cliniko_async.bulk._journal import Owner, RowJournal
from cliniko_async.bulk._rows import prepare_rows
from cliniko_async.resources._registry import RESOURCES, resource_class
from tests.support.bulk import WHO, Unlimited, clinic, patients
from tests.support.clients import KEY, virtually
from tests.support.frames import assert_frames_hidden, assert_hidden

ZOE = {"first_name": "Zoe", "last_name": "Secretperson"}
KIM = {"first_name": "Kim", "last_name": "Day"}


def statuses(outcomes: dict[int, Any]) -> dict[int, str]:
    return {number: outcome.status for number, outcome in outcomes.items()}


def remove_updated_at(page: Any) -> None:
    for record in page["patients"]:
        record["updated_at"] = None


class TestRows:
    @virtually
    async def test_each_row_is_created_and_reported_with_its_record(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            outcomes = await each.run([ZOE, KIM])
            assert statuses(outcomes) == {1: "created", 2: "created"}
            assert outcomes[1].record.last_name == "Secretperson"
            assert {outcome.id for outcome in outcomes.values()} == {row["id"] for row in each.sandbox.all("patients")}

    @virtually
    async def test_each_of_several_identical_rows_is_created(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            outcomes = await each.run([ZOE, KIM, ZOE])
            assert each.names() == {("Zoe", "Secretperson"): 2, ("Kim", "Day"): 1}
            assert len({outcome.id for outcome in outcomes.values()}) == 3

    @virtually
    async def test_a_second_run_sends_nothing_and_reports_the_same(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            first = await each.run([ZOE, KIM])
            before = len(each.sandbox.requests)
            second = await each.run([ZOE, KIM])
            assert len(each.sandbox.requests) == before
            assert {(n, one.id, one.earlier, one.record) for n, one in second.items()} == {
                (n, one.id, True, None) for n, one in first.items()
            }

    @virtually
    async def test_all_faults_are_reported_before_anything_is_sent(self, tmp_path: Path):
        rows: list[Any] = [ZOE, {"frist_name": "Zoe"}, 7, {}, {"first_name": "x" * 256, "date_of_birth": "1990"}]
        async with clinic(tmp_path) as each:
            for attempt in (each.run(rows, numbers=[2, 3, 5, 6, 7]), each.create(rows, numbers=[2, 3, 5, 6, 7]).plan()):
                with pytest.raises(InvalidRowsError) as raised:
                    await attempt
                assert raised.value.faults == {
                    3: {"frist_name": "unknown field; did you mean 'first_name'?"},
                    5: {"": "must be a mapping of fields"},
                    6: {"": "has no fields"},
                    7: {"first_name": "is longer than 255 characters", "date_of_birth": "must be a date or None"},
                }
                assert "row 5: must be a mapping of fields" in str(raised.value)
            assert (each.sandbox.requests, each.journal.exists()) == ([], False)

    @pytest.mark.parametrize("numbers", [[1], [1, 1], []])
    @virtually
    async def test_every_row_needs_a_number_of_its_own(self, numbers, tmp_path: Path):
        async with clinic(tmp_path) as each:
            with pytest.raises(InvalidRequestError, match="a different number for each row"):
                await each.run([ZOE, KIM], numbers=numbers)

    @virtually
    async def test_no_rows_have_no_outcomes(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            assert await each.run([]) == {}

    @virtually
    async def test_very_many_rows_do_not_block_the_loop(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            plan = asyncio.ensure_future(each.create([ZOE] * 1000).plan())
            turns = 0
            while not plan.done():
                await asyncio.sleep(0)
                turns += 1
            assert (len(plan.result().new), turns > 10) == (1000, True)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "argument"),
        [
            ({"concurrency": 0}, "concurrency"),
            ({"concurrency": True}, "concurrency"),
            ({"settle": -1}, "settle"),
            ({"settle": float("nan")}, "settle"),
            ({"new_rows": "perhaps"}, "new_rows"),
        ],
    )
    @virtually
    async def test_an_invalid_concurrency_is_refused(self, options, argument, tmp_path: Path):
        async with clinic(tmp_path) as each:
            with pytest.raises(InvalidRequestError) as raised:
                each.create([ZOE], **options)
            assert raised.value.argument == argument

    @virtually
    async def test_a_resource_that_cannot_create_is_refused(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            for resource in (each.cliniko.users, each.cliniko):
                with pytest.raises(InvalidRequestError, match=r"such as cliniko\.patients"):
                    bulk_create(resource, [ZOE], journal=each.journal)

    @virtually
    async def test_a_plain_loop_raises_an_error_that_names_async_for(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            with pytest.raises(TypeError, match="async for"):
                list(each.create([ZOE]))

    @virtually
    async def test_requests_have_bulk_priority_and_no_deadline(self, tmp_path: Path):
        limiter = Unlimited()
        limiter.wait = 1.0
        async with clinic(tmp_path, deadline=0.5, rate_limiter=limiter) as each:
            assert statuses(await each.run([ZOE])) == {1: "created"}
        assert limiter.asked == ["bulk", "bulk"]

    @pytest.mark.parametrize("concurrency", [1, 3])
    @virtually
    async def test_concurrency_limits_the_requests_in_flight(self, concurrency, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.slow(5.0, method="POST", times=None)
            start = asyncio.get_running_loop().time()
            await each.run(patients(6), concurrency=concurrency)
            assert asyncio.get_running_loop().time() - start == pytest.approx(5 * 6 / concurrency, abs=0.5)


def test_every_record_that_can_be_created_can_be_looked_up():
    classes = [resource_class(name) for name in RESOURCES]
    for cls in (each for each in classes if "create" in each(None).operations):
        assert {"created_at", "id"} <= cls.searchable().keys()
        assert cls.required_arguments("list") == []


class TestUnknownOutcomes:
    @pytest.mark.parametrize("at", ["answer", "headers", "body"])
    @virtually
    async def test_a_record_whose_answer_was_lost_is_adopted(self, at, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.drop(at, method="POST")
            outcomes = await each.run([ZOE, KIM])
            assert sorted(statuses(outcomes).values()) == ["adopted", "created"]
            assert each.names() == {("Zoe", "Secretperson"): 1, ("Kim", "Day"): 1}
            assert {outcome.id for outcome in outcomes.values()} == {row["id"] for row in each.sandbox.all("patients")}

    @pytest.mark.parametrize(
        "lose",
        [
            lambda faults: faults.edit(lambda record: record.update(first_name=7), method="POST"),
            lambda faults: faults.edit(lambda record: {}, method="POST"),
            lambda faults: faults.status(504, acted=True, method="POST"),
        ],
    )
    @virtually
    async def test_a_record_whose_response_was_unreadable_or_from_a_proxy_is_adopted(self, lose, tmp_path: Path):
        async with clinic(tmp_path) as each:
            lose(each.sandbox.faults)
            assert sorted(statuses(await each.run([ZOE, KIM, ZOE])).values()) == ["adopted", "created", "created"]
            assert each.names() == {("Zoe", "Secretperson"): 2, ("Kim", "Day"): 1}

    @virtually
    async def test_a_row_without_a_record_is_sent_again_after_its_time_and_not_before(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.drop("request", method="POST")
            assert statuses(await each.run([ZOE], settle=120.0)) == {1: "created"}
            first, second = (one.time for one in each.sandbox.requests if one.method == "POST")
            assert second - first >= 120.0
            assert each.names() == {("Zoe", "Secretperson"): 1}

    @virtually
    async def test_a_request_that_the_server_carries_out_late_is_not_sent_again(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.status(504, method="POST")
            asyncio.get_running_loop().call_later(100.0, lambda: each.sandbox.add("patients", **ZOE))
            assert statuses(await each.run([ZOE], settle=120.0)) == {1: "adopted"}
            assert (each.posts(), each.names()) == (1, {("Zoe", "Secretperson"): 1})

    @virtually
    async def test_each_of_several_identical_rows_adopts_its_own_record(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.drop("answer", method="POST", times=2)
            each.sandbox.faults.drop("request", method="POST")
            outcomes = await each.run([ZOE, ZOE, ZOE, ZOE])
            assert each.names() == {("Zoe", "Secretperson"): 4}
            assert Counter(statuses(outcomes).values()) == {"adopted": 2, "created": 2}
            assert len({outcome.id for outcome in outcomes.values()}) == 4

    @virtually
    async def test_a_row_that_fails_twice_stays_open_and_the_next_run_continues(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            fault = each.sandbox.faults.status(500, method="POST", times=None)
            assert statuses(await each.run([ZOE])) == {1: "open"}
            assert each.posts() == 2
            assert [(row.number, row.status) for row in await read_journal(each.journal)] == [(1, "open")]
            fault.cancel()
            assert (await each.create([ZOE]).plan()).open == (1,)
            assert statuses(await each.run([ZOE])) == {1: "created"}

    @virtually
    async def test_a_failing_server_ends_the_run(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            fault = each.sandbox.faults.status(500, method="POST", times=None)
            with pytest.raises(OutcomeUnknownError):
                await each.run(patients(50))
            assert each.posts() < 20
            fault.cancel()
            await each.run(patients(50))
            assert each.names() == Counter((row["first_name"], row["last_name"]) for row in patients(50))

    @virtually
    async def test_a_record_that_the_server_changed_is_ambiguous(self, tmp_path: Path, caplog):
        caplog.set_level(logging.DEBUG)
        row = {**ZOE, "email": "zoe@example.com", "city": "Perth"}
        async with clinic(tmp_path) as each:

            def change() -> None:
                (patient,) = each.sandbox.all("patients")
                each.sandbox.update("patients", patient["id"], email="other@example.com")

            each.sandbox.faults.between(change, method="POST")
            each.sandbox.faults.drop("answer", method="POST")
            (patient_id,) = (await each.run([row]))[1].candidates
            assert patient_id == each.sandbox.all("patients")[0]["id"]
            for again in (await each.run([row])).values():
                assert (again.status, again.candidates, again.earlier) == ("ambiguous", (patient_id,), True)
            assert (await each.create([row]).plan()).ambiguous == (1,)
            await decide(each.journal, 1, "created", id=patient_id)
            done = (await each.run([row]))[1]
            assert (done.status, done.id, each.posts()) == ("adopted", patient_id, 1)
            assert_hidden(f"{done!r} {caplog.text}", "Secretperson", "zoe@")

    @virtually
    async def test_more_records_than_rows_are_ambiguous(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.between(lambda: each.sandbox.add("patients", **ZOE), method="POST")
            each.sandbox.faults.drop("answer", method="POST")
            outcome = (await each.run([ZOE]))[1]
            assert (outcome.status, len(outcome.candidates), each.posts()) == ("ambiguous", 2, 1)
            await decide(each.journal, 1, "resend")
            assert statuses(await each.run([ZOE])) == {1: "created"}
            assert each.names() == {("Zoe", "Secretperson"): 3}

    @virtually
    async def test_a_record_that_existed_before_is_not_adopted(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.add("patients", **ZOE)
            await asyncio.sleep(3600)
            each.sandbox.faults.drop("request", method="POST")
            assert statuses(await each.run([ZOE])) == {1: "created"}
            assert each.names() == {("Zoe", "Secretperson"): 2}

    @virtually
    async def test_archived_records_are_found(self, tmp_path: Path):
        async with clinic(tmp_path) as each:

            def archive() -> None:
                each.sandbox.archive("patients", each.sandbox.all("patients")[0]["id"])

            each.sandbox.faults.between(archive, method="POST")
            each.sandbox.faults.drop("answer", method="POST")
            assert statuses(await each.run([ZOE])) == {1: "adopted"}

    @virtually
    async def test_invalid_records_are_found(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.drop("answer", method="POST", times=2)
            each.sandbox.faults.edit(remove_updated_at, method="GET", path="created_at", times=None)
            assert set(statuses(await each.run([ZOE, KIM])).values()) == {"adopted"}

    @pytest.mark.parametrize("change", [lambda page: page["patients"][0].update(id=None), lambda page: b"<html>"])
    @virtually
    async def test_a_list_that_cannot_be_compared_ends_the_run(self, change, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.drop("answer", method="POST")
            each.sandbox.faults.edit(change, method="GET", path="created_at")
            with pytest.raises(DecodingError, match=r"the response is not what the API describes: GET .*/patients"):
                await each.run([ZOE])
            assert statuses(await each.run([ZOE])) == {1: "adopted"}

    @virtually
    async def test_answers_without_the_time_end_the_run_before_it_creates_anything(self, tmp_path: Path):
        body = b'{"patients": [], "total_entries": 0, "links": {}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        async with clinic(tmp_path) as each:
            each.sandbox.faults.raw(head + body, method="GET")
            with pytest.raises(DecodingError, match=r"not what the API describes: GET .*: the Date header is missing"):
                await each.run([ZOE])
            assert each.posts() == 0


class TestRefusals:
    @virtually
    async def test_a_refused_row_is_reported_with_its_fields_and_not_sent_again(self, tmp_path: Path):
        missing = {"name": "Knee", "patient_id": "1"}
        async with clinic(tmp_path) as each:
            cases = each.cliniko.medical_alerts
            run = [one async for one in bulk_create(cases, [missing], journal=each.journal)]
            assert [(one.status, dict(one.faults)) for one in run] == [("refused", {"patient": "must exist"})]
            again = [one async for one in bulk_create(cases, [missing], journal=each.journal)]
            assert [(one.status, one.faults, each.posts()) for one in again] == [("refused", run[0].faults, 1)]
            patient = each.sandbox.add("patients", id=1, **ZOE)
            assert patient == "1"
            third = [one async for one in bulk_create(cases, [missing], journal=each.journal, retry_refused=True)]
            assert [(one.status, each.posts()) for one in third] == [("created", 2)]

    @pytest.mark.parametrize("status", [400, 404, 409, 413])
    @virtually
    async def test_another_4xx_of_one_row_is_a_refusal_too(self, status, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.status(status, method="POST")
            outcomes = await each.run([ZOE, KIM], concurrency=1)
            assert statuses(outcomes) == {1: "refused", 2: "created"}
            assert outcomes[1].faults == {"": f"the API answered {status}"}

    @virtually
    async def test_a_corrected_row_is_created_and_the_others_are_not_touched(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.status(422, method="POST")
            assert statuses(await each.run([ZOE, KIM], concurrency=1)) == {1: "refused", 2: "created"}
            corrected = {**ZOE, "first_name": "Zoë"}
            plan = await each.create([corrected, KIM]).plan()
            assert (plan.new, plan.done, plan.missing, plan.problem) == ((1,), (2,), (1,), None)
            assert statuses(await each.run([corrected, KIM])) == {1: "created", 2: "created"}
            assert each.names() == {("Zoë", "Secretperson"): 1, ("Kim", "Day"): 1}

    @pytest.mark.parametrize(
        ("status", "error"),
        [(401, UnauthorizedError), (403, ForbiddenError), (429, RateLimitedError), (405, ResponseError)],
    )
    @virtually
    async def test_a_refusal_of_every_request_ends_the_run_and_repeats_nothing(self, status, error, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.status(status, method="POST", after=2, times=2)
            with pytest.raises(error):
                await each.run(patients(6), concurrency=1)
            plan = await each.create(patients(6)).plan()
            assert (plan.done, plan.pending, plan.open) == ((1, 2), (3, 4, 5, 6), ())
            each.sandbox.faults.clear()
            await each.run(patients(6))
            assert each.names() == Counter((row["first_name"], row["last_name"]) for row in patients(6))

    @virtually
    async def test_an_unreachable_server_leaves_no_row_open(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            run = aiter(each.create(patients(9), concurrency=1))
            await anext(run)
            await asyncio.sleep(60)  # Nothing is in flight, as the consumer is slow.
            await each.sandbox.close()
            with pytest.raises(TransportError):
                async for _ in run:
                    pass
            plan = await each.create(patients(9)).plan()
            assert (plan.open, len(plan.done) + len(plan.pending)) == ((), 9)

    @virtually
    async def test_an_error_of_the_first_request_comes_before_any_row(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.status(401)
            run = aiter(each.create([ZOE]))
            with pytest.raises(UnauthorizedError) as raised:
                await anext(run)
            assert_frames_hidden(raised.value, "Secretperson")
            with pytest.raises(StopAsyncIteration):
                await anext(run)
            assert each.posts() == 0


class TestLeaving:
    @virtually
    async def test_a_cancelled_run_leaves_nothing_behind_and_the_next_one_completes_it(self, tmp_path: Path):
        rows = patients(30)
        async with clinic(tmp_path) as each:
            each.sandbox.faults.slow(1.0, method="POST", times=None)
            for seconds in (0.5, 1.0, 2.5):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await each.run(rows)
                tasks = [str(task.get_coro()) for task in asyncio.all_tasks()]
                assert [task for task in tasks if "_work" in task or "BulkWorker" in task] == []
            each.sandbox.faults.clear()
            assert set(statuses(await each.run(rows)).values()) <= {"created", "adopted"}
            assert each.names() == Counter((row["first_name"], row["last_name"]) for row in rows)

    @virtually
    async def test_a_break_stops_the_run_and_releases_the_journal(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            async for outcome in each.create(patients(30)):
                assert outcome.status == "created"
                break
            for _ in range(20):
                await asyncio.sleep(0.01)
            sent = each.posts()
            assert sent < 30
            assert len(await each.run(patients(30))) == 30
            assert each.names().total() == 30

    @virtually
    async def test_closing_a_run_ends_it_at_once_and_may_be_repeated(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            run = aiter(each.create(patients(30)))
            await run.aclose()
            run = aiter(each.create(patients(30)))
            assert (await anext(run)).status == "created"
            await run.aclose()
            await run.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(run)
            assert aiter(run) is run
            assert len(await each.run(patients(30))) == 30

    @virtually
    async def test_a_run_dropped_in_another_thread_is_stopped(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            runs = [aiter(each.create(patients(30)))]
            await anext(runs[0])
            await asyncio.to_thread(runs.clear)
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert len(await each.run(patients(30))) == 30

    def test_a_run_whose_loop_is_closed_is_stopped(self, tmp_path: Path):
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)  # It would log that a task was still pending.
        client = Cliniko(KEY, **WHO)
        options = {"journal": tmp_path / "journal", "concurrency": 1}
        with RowJournal(
            tmp_path / "journal", Owner(client.patients.account_digest, "patients"), create=True
        ) as journal:
            journal.enter(loop.run_until_complete(prepare_rows(PatientFields, [ZOE] * 9, None)))
            for entry in journal.entries():
                journal.record(entry.key, "skipped")
        run = aiter(bulk_create(client.patients, [ZOE] * 9, **options))
        assert loop.run_until_complete(anext(run)).status == "skipped"
        loop.close()
        del run
        gc.collect()

    @virtually
    async def test_a_slow_consumer_slows_the_run_down(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            run = aiter(each.create(patients(50), concurrency=2))
            await anext(run)
            await asyncio.sleep(60)
            assert each.posts() <= 2 * 2 + 1 + 2
            await run.aclose()


class TestChangedRows:
    @virtually
    async def test_rows_may_be_added_and_moved(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            await each.run([ZOE, KIM])
            more = [KIM, {"first_name": "New", "last_name": "Row"}, ZOE, ZOE]
            assert (await each.create(more).plan()).new == (2, 4)
            outcomes = await each.run(more)
            assert {number: one.earlier for number, one in outcomes.items()} == {1: True, 2: False, 3: True, 4: False}
            assert each.names().total() == 4

    @virtually
    async def test_a_created_row_that_may_have_been_changed_is_not_created_twice(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            await each.run([ZOE, KIM])
            changed = [{**ZOE, "first_name": "Zoë"}, KIM]
            problem = (await each.create(changed).plan()).problem or ""
            assert problem == (
                "row 1 was created, and has been changed or removed; the new rows may be changed ones, which would be "
                "created twice: restore it, or allow the new rows"
            )
            with pytest.raises(JournalError, match=r'row 1 was created.* \(new_rows="create"\)$'):
                await each.run(changed)
            assert each.posts() == 2
            assert statuses(await each.run(changed, new_rows="create")) == {1: "created", 2: "created"}
            assert each.posts() == 3
            assert statuses(await each.run([KIM])) == {1: "created"}

    @virtually
    async def test_a_row_whose_outcome_is_unknown_cannot_be_changed(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.drop("answer", method="POST")
            each.sandbox.faults.status(401, path="created_at")
            with pytest.raises(UnauthorizedError):
                await each.run([ZOE])
            with pytest.raises(JournalError, match="the outcome of row 1 is unknown, and it has been"):
                await each.run([KIM], new_rows="create")
            assert [(row.number, row.status) for row in await read_journal(each.journal)] == [(1, "open")]
            await decide(each.journal, 1, "skip")
            assert statuses(await each.run([KIM])) == {1: "created"}
            assert each.posts() == 2

    @virtually
    async def test_many_changed_rows_are_abbreviated(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            await each.run(patients(9))
            problem = (await each.create([ZOE]).plan()).problem or ""
            assert problem.startswith("rows 1, 2, 3, 4, 5 and 4 more were created, and have been changed or removed")

    @virtually
    async def test_several_rows_whose_outcome_is_unknown_are_named_with_what_to_do(self, tmp_path: Path):
        async with clinic(tmp_path) as each:
            each.sandbox.faults.drop("answer", method="POST", times=3)
            each.sandbox.faults.status(401, path="created_at")
            with pytest.raises(UnauthorizedError):
                await each.run(patients(3))
            assert (await each.create([ZOE]).plan()).problem == (
                "the outcome of rows 1, 2 and 3 is unknown, and they have been changed or removed; "
                "restore them, or record a decision (`decide`; on the command line `--decide`)"
            )


@virtually
async def test_a_run_on_a_closed_client_leaves_its_rows_pending(tmp_path: Path):
    async with clinic(tmp_path) as each:
        run = aiter(each.create(patients(30), concurrency=1))
        await anext(run)
        await each.cliniko.aclose()
        with pytest.raises(ClinikoError):
            async for _ in run:
                pass
        assert (await each.create(patients(30)).plan()).open == ()
