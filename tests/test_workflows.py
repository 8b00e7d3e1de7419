"""The workflows of continuous integration call existing targets, and have no more rights than they need."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = {target for line in re.findall(r"^([\w.% -]+):(?!=)", MAKEFILE, re.MULTILINE) for target in line.split()}


def jobs(name: str) -> dict[str, Any]:
    path = ROOT / ".github" / "workflows" / name
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return found


def matrix(job: dict[str, Any]) -> list[dict[str, str]]:
    return job.get("strategy", {}).get("matrix", {}).get("include", [])


def commands(name: str) -> Iterator[str]:
    """What the jobs of a workflow run, with each value of its matrix."""
    for job in jobs(name).values():
        for step in job["steps"]:
            if step.get("run") == "${{ matrix.run }}":
                yield from (each["run"] for each in matrix(job))
            elif "run" in step:
                yield step["run"]


def exists(target: str) -> bool:
    return target in TARGETS or any(
        re.fullmatch(re.escape(each).replace("%", r"\d+"), target) for each in TARGETS if "%" in each
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_target_of_make_that_a_workflow_calls_exists(path):
    called = [target for command in commands(path.name) for target in re.findall(r"\bmake ([\w.-]+)", command)]
    assert called
    assert [target for target in called if not exists(target)] == []
    scripts = [command.split()[0] for command in commands(path.name) if command.startswith(".ci/")]
    assert scripts
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_by_their_major_version_and_nothing_reads_a_secret(path):
    used = [step["uses"] for job in jobs(path.name).values() for step in job["steps"] if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", action)] == []
    assert "secrets" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_the_job_that_publishes_has_a_right_beyond_reading(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    rights = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert rights == ({"publish": {"id-token": "write"}} if path.name == "release.yml" else {})


def test_nothing_is_published_that_was_not_built_checked_and_tested():
    release = jobs("release.yml")
    assert set(release["publish"]["needs"]) == {"build", "test"}
    assert "make build" in [step.get("run") for step in release["build"]["steps"]]
    build = MAKEFILE.partition("\nbuild:")[2].partition("\n\n")[0]
    assert "twine check --strict" in build


def test_the_suite_runs_on_every_python_that_the_package_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [each.rpartition(" ")[2] for each in project["classifiers"] if re.search(r":: 3\.\d+$", each)]
    assert sorted({each["python"] for each in matrix(jobs("ci.yml")["test"])}) == named
    assert f">={named[0]}" == project["requires-python"]
    others = re.search(r"^OTHERS \?= (.*)$", MAKEFILE, re.MULTILINE)
    assert others
    assert [named[0], *others[1].split()] == named
