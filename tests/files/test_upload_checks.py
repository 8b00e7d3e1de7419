"""What an upload refuses before anything is sent, and how it waits for the processing."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from cliniko_async import InvalidFieldsError, InvalidRequestError, OutcomeUnknownError
from tests.support.attachments import clinic
from tests.support.clients import virtually
from tests.support.for_each import for_each

PDF = b"%PDF-1.7 " * 1000
STEPS = ["GET patients", "POST patient_attachments", "GET patient_attachments"]


@for_each("name", [None, "", "a\r\nb.pdf", "a\0.pdf"])
def test_a_file_without_a_name_that_can_be_printed_is_refused(name: Any):
    @virtually
    async def test():
        async with clinic() as at:
            with pytest.raises(InvalidFieldsError, match="filename"):
                await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename=name)
            assert at.asked == []

    test()


@virtually
async def test_a_description_that_is_too_long_is_refused_before_anything_is_sent():
    async with clinic() as at:
        with pytest.raises(InvalidFieldsError, match="description"):
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a", description="x" * 256)
        assert at.asked == []


@for_each("timeout", [-1, True, float("nan"), float("inf"), "5", None])
def test_an_invalid_timeout_is_refused(timeout: Any):
    @virtually
    async def test():
        async with clinic() as at:
            with pytest.raises(InvalidRequestError, match="timeout"):
                await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a", timeout=timeout)

    test()


def test_a_value_that_is_not_a_file_is_refused(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"x")

    @virtually
    async def test():
        async with clinic() as at:
            with (tmp_path / "a").open("rb") as opened:
                for file in (7, None, opened, [b"x"]):
                    with pytest.raises(InvalidRequestError, match="file must be"):
                        await at.cliniko.patient_attachments.upload(at.patient_id, file, filename="a")
            with pytest.raises(FileNotFoundError):
                await at.cliniko.patient_attachments.upload(at.patient_id, tmp_path / "b")
            with pytest.raises(OSError, match="directory"):
                await at.cliniko.patient_attachments.upload(at.patient_id, tmp_path)
            with pytest.raises(InvalidRequestError, match="a regular file"):
                await at.cliniko.patient_attachments.upload(at.patient_id, "/dev/null", filename="a")
            assert at.asked == []

    test()


@virtually
async def test_the_processing_is_polled_less_and_less_often():
    async with clinic() as at:
        at.sandbox.attachments.processing = 60.0
        record = await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
        times = [one.time for one in at.sandbox.requests[1:]]
        waits = [after - before for before, after in itertools.pairwise(times)]
        assert waits == pytest.approx([0.5, 1, 2, 4, 8, 15, 15, 15], abs=0.2)
        assert record.processing_completed


@virtually
async def test_the_error_of_a_slow_processing_names_the_record():
    async with clinic() as at:
        at.sandbox.attachments.processing = 1000.0
        with pytest.raises(OutcomeUnknownError, match="not processed within 20 s: the file was uploaded") as caught:
            await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf", timeout=20.0)
        (record,) = at.records
        assert caught.value.request.path == f"/v1/patient_attachments/{record['id']}"


@pytest.mark.parametrize("fault", ["drop", 503, 429])
def test_an_upload_whose_record_was_created_is_never_an_error_that_is_retried(fault: Any):
    """A program that retries transport errors and server errors would upload the file twice."""

    @virtually
    async def test():
        async with clinic() as at:
            at.sandbox.attachments.processing = 60.0
            path = "/patient_attachments/"
            if fault == "drop":
                at.sandbox.faults.drop(method="GET", path=path, times=None)
            else:
                at.sandbox.faults.status(fault, method="GET", path=path, times=None)
            with pytest.raises(OutcomeUnknownError, match="the file was uploaded, so look before") as caught:
                await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf")
            (record,) = at.records
            assert caught.value.request.path == f"/v1/patient_attachments/{record['id']}"
            assert caught.value.attempts == 3
            assert caught.value.__cause__ is None

    test()


@for_each("size", [-1, True, "10", 1.5])
def test_a_size_that_is_not_a_number_of_bytes_is_refused(size: Any):
    @virtually
    async def test():
        async with clinic() as at:
            with pytest.raises(InvalidRequestError, match="size must be a number of bytes") as raised:
                await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a", size=size)
            assert raised.value.argument == "size"
            assert at.asked == []

    test()


@virtually
async def test_a_timeout_of_0_does_not_wait_for_the_processing():
    async with clinic() as at:
        record = await at.cliniko.patient_attachments.upload(at.patient_id, PDF, filename="a.pdf", timeout=0)
        assert (record.processing_completed, record.filename) == (False, None)
        assert at.asked == STEPS[:2]
