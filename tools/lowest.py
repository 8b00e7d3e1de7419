"""Prints the lower bounds of the package's dependencies, extras included, as constraints for pip."""

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest(requirement: str) -> str:
    """Turn `name>=version` into `name==version`."""
    match = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement)
    if match is None:
        msg = f"{requirement!r} has no plain lower bound"
        raise ValueError(msg)
    return f"{match[1]}=={match[2]}"


if __name__ == "__main__":
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    print("\n".join(map(lowest, [*project["dependencies"], *extras["redis"], *extras["dask"]])))
