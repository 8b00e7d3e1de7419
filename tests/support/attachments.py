"""A sandbox and its client on virtual time, with a patient to upload files for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs

from cliniko_async import Cliniko
from cliniko_async.sandbox import Sandbox

from .clients import QUICK, RecordingLimiter, client_of

EPOCH = 1.75e9


@attrs.frozen
class Clinic:
    sandbox: Sandbox
    cliniko: Cliniko
    patient_id: str
    limiter: RecordingLimiter

    @property
    def asked(self) -> list[str]:
        """The requests to the API, in order."""
        return [f"{one.method} {one.path.removeprefix('/v1/').partition('/')[0]}" for one in self.sandbox.requests]

    @property
    def posts(self) -> list[Any]:
        """The forms that the store received."""
        return [one for one in self.sandbox.files.requests if one.method == "POST"]

    @property
    def records(self) -> list[dict[str, Any]]:
        return self.sandbox.all("patient_attachments")

    def content(self) -> bytes:
        """The one file in the store."""
        (file,) = self.sandbox.files.files.values()
        file.content.seek(0)
        return file.content.read()


@asynccontextmanager
async def clinic(**options: Any) -> AsyncIterator[Clinic]:
    """Open a client with options, and a sandbox on the clock of the running loop."""
    clock = asyncio.get_running_loop().time
    limiter = RecordingLimiter()
    async with Sandbox(clock=clock, wall=lambda: EPOCH + clock()) as sandbox:
        for each in sandbox.all("patient_attachments"):
            sandbox.remove("patient_attachments", each["id"])
        patient_id = sandbox.add("patients", first_name="Sam", last_name="Example")
        async with client_of(sandbox, **{"retry": QUICK, "rate_limiter": limiter, **options}) as cliniko:
            yield Clinic(sandbox, cliniko, patient_id, limiter)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """A stream of these chunks."""
    for part in parts:
        await asyncio.sleep(0)
        yield part
