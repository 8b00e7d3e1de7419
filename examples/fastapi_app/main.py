r"""A backend for a clinic's own front end.

Run it with one process or several, which share the rate limit of the account through a file:

    CLINIKO_API_KEY=… CLINIKO_APP_NAME=Rosters CLINIKO_CONTACT_EMAIL=it@example.com \\
        uvicorn examples.fastapi_app.main:app --workers 4

It has no authentication of its own: put it behind something that has.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypedDict

from fastapi import Depends, FastAPI, Request, status
from fastapi.responses import Response

from cliniko_async import AppointmentType, AppointmentTypeFields, Cliniko, Page, SqliteLimiter
from cliniko_async.integrations.fastapi import ClinikoDep, add_exception_handlers, lifespan, ndjson

LIMITS = os.environ.get("LIMITS_FILE", "limits.sqlite")


class State(TypedDict):
    """What the application keeps while it runs."""

    cliniko: Cliniko
    utilisation: "Utilisation"


class Utilisation:
    """Counts the appointments of each practitioner, in the background and at bulk priority."""

    def __init__(self, cliniko: Cliniko) -> None:
        """Create it with the client of the application."""
        self._cliniko = cliniko.with_options(priority="bulk", deadline=None)
        self._task: asyncio.Task[None] | None = None
        self.counts: Counter[str] = Counter()

    @property
    def is_running(self) -> bool:
        """Whether a count is under way."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Start a count, unless one is under way."""
        if not self.is_running:
            self._task = asyncio.create_task(self._count())

    async def stop(self) -> None:
        """Cancel the count, and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _count(self) -> None:
        counts: Counter[str] = Counter()
        async for appointment in self._cliniko.individual_appointments.list():
            counts[(appointment.practitioner and appointment.practitioner.id) or "none"] += 1
        self.counts = counts


@asynccontextmanager
async def own_lifespan(app: FastAPI) -> AsyncIterator[State]:
    """Open the limiter, the client and the background job, and close them in reverse order."""
    async with SqliteLimiter(LIMITS) as limiter, lifespan(rate_limiter=limiter, deadline=10)(app) as opened:
        utilisation = Utilisation(opened["cliniko"])
        try:
            yield {"cliniko": opened["cliniko"], "utilisation": utilisation}
        finally:
            await utilisation.stop()


def get_utilisation(request: Request) -> Utilisation:
    """Return the background job of the application."""
    found: Utilisation = request.state.utilisation
    return found


UtilisationDep = Annotated[Utilisation, Depends(get_utilisation)]

app = FastAPI(title="Rosters", lifespan=own_lifespan)
add_exception_handlers(app)


@app.get("/appointment-types")
async def list_appointment_types(cliniko: ClinikoDep, cursor: str | None = None) -> Page[AppointmentType]:
    """Return a page; pass its `cursor` for the next one."""
    return await cliniko.appointment_types.list(per_page=20, cursor=cursor)


@app.get("/appointment-types/{id}")
async def get_appointment_type(id: str, cliniko: ClinikoDep) -> AppointmentType:
    """Return one appointment type."""
    return await cliniko.appointment_types.get(id)


@app.post("/appointment-types", status_code=status.HTTP_201_CREATED)
async def create_appointment_type(fields: AppointmentTypeFields, cliniko: ClinikoDep) -> AppointmentType:
    """Create an appointment type."""
    return await cliniko.appointment_types.create(**fields)


@app.patch("/appointment-types/{id}")
async def update_appointment_type(id: str, fields: AppointmentTypeFields, cliniko: ClinikoDep) -> AppointmentType:
    """Change some fields of an appointment type."""
    return await cliniko.appointment_types.update(id, **fields)


@app.get("/patients.ndjson")
async def stream_patients(cliniko: ClinikoDep) -> Response:
    """Stream all patients, one a line."""
    return ndjson(cliniko.patients.list())


@app.post("/utilisation", status_code=status.HTTP_202_ACCEPTED)
async def start_utilisation(utilisation: UtilisationDep) -> dict[str, bool]:
    """Start counting the appointments of each practitioner."""
    utilisation.start()
    return {"running": utilisation.is_running}


@app.get("/utilisation")
async def get_counts(utilisation: UtilisationDep) -> dict[str, bool | dict[str, int]]:
    """Return the last count, and whether another one is under way."""
    return {"running": utilisation.is_running, "appointments": dict(utilisation.counts)}
