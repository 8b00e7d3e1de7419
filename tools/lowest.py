"""Prints the lower bounds of the package's dependencies, extras included, as constraints for pip."""

import itertools
import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lowest(requirement: str) -> str:
    """Turn `name[extra]>=version` into `name==version`."""
    match = re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)", requirement)
    if match is None:
        msg = f"{requirement!r} has no plain lower bound"
        raise ValueError(msg)
    return f"{match[1]}=={match[2]}"


if __name__ == "__main__":
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = re.findall(r"\w+", extras["all"][0].partition("[")[2])
    requirements = [*project["dependencies"], *itertools.chain.from_iterable(extras[name] for name in names)]
    print("\n".join(sorted({lowest(each) for each in requirements if not each.startswith(f"{project['name']}[")})))
