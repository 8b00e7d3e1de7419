"""The records of a seeded sandbox, of every resource."""

import asyncio
import datetime as dt
from functools import cache
from typing import Any

from cliniko_async import Cliniko, PatientForm, from_dict
from cliniko_async.resources._names import RESOURCES
from cliniko_async.resources._registry import resource_class
from cliniko_async.sandbox import Sandbox

from .clients import client_of


@cache
def seeded() -> dict[str, list[Any]]:
    """Return all records by the name of their resource, including archived, cancelled and deleted ones."""
    return asyncio.run(_read())


async def _read() -> dict[str, list[Any]]:
    async with Sandbox(seed=1) as sandbox, client_of(sandbox) as cliniko:
        return {name: await _single(cliniko, sandbox, name) or _stored(sandbox, name) for name in RESOURCES}


def _stored(sandbox: Sandbox, name: str) -> list[Any]:
    record = resource_class(name).record
    return [from_dict(record, found) for found in sandbox.all(name)]


async def _single(cliniko: Cliniko, sandbox: Sandbox, name: str) -> list[Any]:
    """Return the records of a resource that the sandbox computes, or that cannot be listed."""
    match name:
        case "settings" | "public_settings":
            return [await getattr(cliniko, name).get()]
        case "services":
            return await cliniko.services.list().collect()
        case "signatures":
            forms = [from_dict(PatientForm, form) for form in sandbox.all("patient_forms")]
            return [await cliniko.follow(form.signatures) for form in forms if form.signatures][:3]
        case "available_times":
            return await _times(cliniko)
        case _:
            return []


async def _times(cliniko: Cliniko) -> list[Any]:
    """Return the available times of the first service that has any."""
    today = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    async for service in cliniko.services.list():
        links = (service.business, service.practitioners[0], service.appointment_type)
        ids = [link.id for link in links if link]
        times = await cliniko.available_times.list(*ids, from_=today, to=today + dt.timedelta(days=6)).collect()
        if times:
            return list(times)
    return []
