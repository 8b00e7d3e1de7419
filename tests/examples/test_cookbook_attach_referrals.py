"""Referrals: each PDF is attached to its patient once, however often the program runs and is interrupted."""

import datetime as dt

import pytest

from cliniko_async import UnauthorizedError
from tests.support.clients import virtually
from tests.support.cookbook import clinic, id_of, run, without

NOW = dt.datetime(2026, 3, 2, 11, tzinfo=dt.UTC)


def patients(sandbox, number):
    without(sandbox, "patient_attachments")
    return [sandbox.add("patients", first_name="Kim", last_name="Day") for _ in range(number)]


def pdf(folder, name, content=b"%PDF-1.7 knee"):
    (folder / name).write_bytes(content)


async def attach(sandbox, folder, *, write=True):
    printed = await run("attach_referrals", sandbox, sorted(folder.iterdir()), write=write)
    assert printed.priorities == {"bulk"}
    return dict(line.split(": ", 1) for line in printed.lines), printed.result


def attached(sandbox):
    return sorted((id_of(each["patient"]), each["description"]) for each in sandbox.all("patient_attachments"))


def posts(sandbox):
    return [each for each in sandbox.requests if each.method == "POST"]


@virtually
async def test_without_write_nothing_is_written(tmp_path):
    async with clinic(NOW) as sandbox:
        (who,) = patients(sandbox, 1)
        pdf(tmp_path, f"{who} knee.pdf")
        states, well = await attach(sandbox, tmp_path, write=False)
        assert states == {f"{who} knee.pdf": "to be attached"}
        assert well
        assert posts(sandbox) == sandbox.all("patient_attachments") == sandbox.files.requests == []


@virtually
async def test_each_file_is_attached_once_however_often_it_runs(tmp_path):
    async with clinic(NOW) as sandbox:
        first, second = patients(sandbox, 2)
        for name in (f"{first} knee.pdf", f"{first}-back.PDF", f"{second}_knee.pdf"):
            pdf(tmp_path, name)
        states, well = await attach(sandbox, tmp_path)
        assert set(states.values()) == {"attached"}
        assert well
        found = attached(sandbox)
        pdf(tmp_path, f"{second} new.pdf")
        again, _ = await attach(sandbox, tmp_path)
        assert found == sorted(
            [
                (first, f"Referral: {first} knee.pdf"),
                (first, f"Referral: {first}-back.PDF"),
                (second, f"Referral: {second}_knee.pdf"),
            ]
        )
        assert again == {**dict.fromkeys(states, "attached already"), f"{second} new.pdf": "attached"}
        assert len(attached(sandbox)) == 4
        assert {(each["size"], each["processing_completed"]) for each in sandbox.all("patient_attachments")} == {
            (13, True)
        }


@virtually
async def test_an_archived_attachment_is_not_attached_again(tmp_path):
    async with clinic(NOW) as sandbox:
        (who,) = patients(sandbox, 1)
        pdf(tmp_path, f"{who} knee.pdf")
        await attach(sandbox, tmp_path)
        sandbox.archive("patient_attachments", sandbox.all("patient_attachments")[0]["id"])
        assert (await attach(sandbox, tmp_path))[0] == {f"{who} knee.pdf": "attached already"}


@virtually
async def test_a_file_without_a_patient_is_named_and_never_sent(tmp_path):
    async with clinic(NOW) as sandbox:
        (who,) = patients(sandbox, 1)
        archived = sandbox.add("patients", first_name="Kim", last_name="Day")
        sandbox.archive("patients", archived)
        for name in ("1 knee.pdf", f"{archived} knee.pdf", f"0{who} knee.pdf", "knee.pdf", f"{who}.pdf"):
            pdf(tmp_path, name)
        pdf(tmp_path, f"{who} empty.pdf", b"")
        pdf(tmp_path, f"{who} page.pdf", b"<html>")
        (tmp_path / f"{who} folder.pdf").mkdir()
        states, well = await attach(sandbox, tmp_path)
        assert attached(sandbox) == [(who, f"Referral: {who}.pdf")]
    nobody, no_pdf = "WRONG: no such patient", "WRONG: no PDF whose name begins with an id"
    assert states == {
        "1 knee.pdf": nobody,
        f"{archived} knee.pdf": nobody,
        f"0{who} knee.pdf": no_pdf,
        "knee.pdf": no_pdf,
        f"{who} empty.pdf": no_pdf,
        f"{who} page.pdf": no_pdf,
        f"{who}.pdf": "attached",
    }
    assert not well


@pytest.mark.parametrize("acted", [True, False])
@virtually
async def test_an_unknown_outcome_is_looked_up_by_the_next_run(tmp_path, acted):
    async with clinic(NOW) as sandbox:
        first, second = patients(sandbox, 2)
        for who in (first, second):
            pdf(tmp_path, f"{who} knee.pdf")
        sandbox.faults.status(504, method="POST", path="/patient_attachments", acted=acted)
        states, well = await attach(sandbox, tmp_path)
        assert states[f"{first} knee.pdf"].startswith("UNSURE, so run this again")
        assert states[f"{second} knee.pdf"] == "attached"
        assert not well
        again, well = await attach(sandbox, tmp_path)
        assert again[f"{first} knee.pdf"] == ("attached already" if acted else "attached")
        assert well
        assert [who for who, _ in attached(sandbox)] == sorted((first, second))


@virtually
async def test_an_interrupted_run_is_continued_by_the_next_one(tmp_path):
    async with clinic(NOW) as sandbox:
        people = patients(sandbox, 3)
        for who in people:
            pdf(tmp_path, f"{who} knee.pdf")
        sandbox.faults.status(401, path="attachment_presigned_post", after=1)
        with pytest.raises(UnauthorizedError):
            await attach(sandbox, tmp_path)
        assert len(attached(sandbox)) == 1
        states, _ = await attach(sandbox, tmp_path)
        assert sorted(states.values()) == ["attached", "attached", "attached already"]
        assert [who for who, _ in attached(sandbox)] == sorted(people)


@virtually
async def test_a_name_too_long_for_a_description_is_refused_before_it_is_sent(tmp_path):
    async with clinic(NOW) as sandbox:
        (who,) = patients(sandbox, 1)
        pdf(tmp_path, f"{who} {'x' * 226}.pdf")
        states, well = await attach(sandbox, tmp_path)
        assert [each[:6] for each in states.values()] == ["WRONG:"]
        assert not well
        assert posts(sandbox) == []


@virtually
async def test_patients_are_looked_up_a_hundred_at_a_time(tmp_path):
    async with clinic(NOW) as sandbox:
        for who in patients(sandbox, 130):
            pdf(tmp_path, f"{who} knee.pdf")
        states, _ = await attach(sandbox, tmp_path, write=False)
        assert (len(states), set(states.values())) == (130, {"to be attached"})
        assert len(sandbox.requests) == 4


@virtually
async def test_an_empty_folder_needs_no_request(tmp_path):
    async with clinic(NOW) as sandbox:
        assert await attach(sandbox, tmp_path) == ({}, True)
        assert sandbox.requests == []
