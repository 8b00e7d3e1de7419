"""Create a patient for each row of a CSV file, and continue after an interruption without a duplicate.

`python examples/import_patients.py patients.csv` needs CLINIKO_API_KEY, CLINIKO_APP_NAME and CLINIKO_CONTACT_EMAIL. The
first row of the file has the names of fields that are texts, such as first_name and last_name. Run it as often as
needed: the journal beside the file knows which rows have their records.
"""

import asyncio
import csv
import sys
from collections import Counter
from pathlib import Path

from cliniko_async import Cliniko, ClinikoError, InvalidRowsError, bulk_create


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, without their empty cells."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(file)]


async def main(path: Path) -> int:
    """Create the patients, print what became of the rows, and return the exit status."""
    counts = Counter[str]()
    journal = path.with_suffix(".journal")
    try:
        async with Cliniko.from_env() as cliniko:
            async for outcome in bulk_create(cliniko.patients, rows_of(path), journal=journal):
                counts[outcome.status] += 1
                if outcome.status in ("refused", "ambiguous", "open"):
                    print(f"row {outcome.number}: {outcome.status}", dict(outcome.faults) or list(outcome.candidates))
    except InvalidRowsError as error:
        print(*error.lines(), sep="\n")
        return 1
    except ClinikoError as error:
        print(f"{error}\nRun it again later: it continues.")
        return 1
    print(", ".join(f"{count} {status}" for status, count in counts.items()) or "no rows")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
