"""Where the project and the facts about the API are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cliniko_async"
FACTS = ROOT / "tests" / "facts"
EXAMPLES = FACTS / "examples"
