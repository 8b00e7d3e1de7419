"""Attach the PDFs of a folder: "1234567 knee.pdf" to the patient with the id 1234567. It writes only with --write."""

import asyncio
import re
import sys
from pathlib import Path

from cliniko_async import Cliniko, ClinikoError, InvalidRequestError, NotFoundError, OutcomeUnknownError
from cliniko_async.observers import AttemptEnded, Event


def patient_id(path: Path) -> str:
    """Return the id at the beginning of the name of a PDF, or nothing."""
    named = re.match(r"(\d{1,19})\D", path.name)
    with path.open("rb") as file:
        return named[1] if named and file.read(5) == b"%PDF-" else ""


async def attach(cliniko: Cliniko, key: str, path: Path, mark: str) -> str:
    """Upload a file, and return what became of it."""
    try:
        await cliniko.patient_attachments.upload(key, path, description=mark)
    except (InvalidRequestError, NotFoundError) as error:
        return f"WRONG: {error}"
    except OutcomeUnknownError as error:
        return f"UNSURE, so run this again, which looks first: {error}"
    return "attached"


async def main(paths: list[Path], *, write: bool = False) -> bool:
    """Print what becomes of each file, and return whether all is well."""
    events: list[Event] = []
    files = {path: patient_id(path) for path in paths if path.is_file()}
    ids, known, attached, well = sorted({*files.values()} - {""}), set[str](), set[tuple[str, str]](), True
    async with Cliniko.from_env(priority="bulk", observers=[events.append]) as cliniko:
        people, attachments = cliniko.patients, cliniko.patient_attachments
        for some in (ids[first : first + 100] for first in range(0, len(ids), 100)):
            known |= {each.id async for each in people.list(people.where.id.is_in(some))}
            there = attachments.list(attachments.where.patient_id.is_in(some), archived="include", stable=True)
            attached |= {((each.patient and each.patient.id) or "", each.description or "") async for each in there}
        for path, key in files.items():
            mark, state = f"Referral: {path.name}", "to be attached"
            if key not in known:
                state = "WRONG: no such patient" if key else "WRONG: no PDF whose name begins with an id"
            elif (key, mark) in attached:
                state = "attached already"
            elif write:
                state = await attach(cliniko, key, path, mark)
            well = well and not state.startswith(("UNSURE", "WRONG"))
            print(f"{path.name}: {state}")
    print(f"{sum(isinstance(each, AttemptEnded) and bool(each.route) for each in events)} requests", file=sys.stderr)
    return well


if __name__ == "__main__":
    try:
        sys.exit(0 if asyncio.run(main(sorted(Path(sys.argv[1]).iterdir()), write="--write" in sys.argv)) else 1)
    except ClinikoError as error:
        sys.exit(f"{type(error).__name__}: {error}")
