"""Looks up the installed packages in the databases of known vulnerabilities, with pip-audit.

pip-audit succeeds when it could look up nothing. This command fails then, and says so. The exit status is 0 if every
package was looked up and none is vulnerable, 1 if one is vulnerable, and 2 if a package could not be looked up.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

SERVICES = ("pypi", "osv")
"""The databases of pip-audit, in the order in which they are tried."""


class Report(NamedTuple):
    """What a database knows."""

    found: tuple[str, ...]
    """A line for each vulnerability."""
    checked: int
    unknown: tuple[str, ...]
    """The packages that it did not know, or that could not be looked up."""


def report_of(dependencies: list[dict[str, Any]]) -> Report:
    """Read the list that pip-audit writes as JSON."""
    unknown = tuple(each["name"] for each in dependencies if "skip_reason" in each)
    found = tuple(_line(each, known) for each in dependencies for known in each.get("vulns", ()))
    return Report(found, len(dependencies) - len(unknown), unknown)


def _line(dependency: dict[str, Any], known: dict[str, Any]) -> str:
    fixed = ", ".join(known["fix_versions"]) or "no version"
    return f"{dependency['name']} {dependency['version']}: {known['id']}, fixed in {fixed}"


def ask(service: str) -> Report | None:
    """Look up every installed package but this one; return None if the database cannot be reached."""
    command = [sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(
        [*command, "--vulnerability-service", service], capture_output=True, encoding="utf-8", check=False
    )
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return None
    # The package itself is not published from a working copy, and an editable one is skipped.
    return report_of([each for each in dependencies if each["name"] != "cliniko-async"])


def main(look_up: Callable[[str], Report | None] = ask) -> int:
    """Ask the databases in turn until one knows packages; report, and return the exit status."""
    reports = (report for service in SERVICES if (report := look_up(service)) is not None)
    report = next((each for each in reports if each.checked), None)
    if report is None:
        print("audit: NOT DONE: no database of known vulnerabilities can be reached from here", file=sys.stderr)
        return 2
    for line in report.found:
        print(f"audit: {line}", file=sys.stderr)
    if report.unknown:
        print(f"audit: NOT looked up: {', '.join(report.unknown)}", file=sys.stderr)
    print(f"audit: {report.checked} packages looked up, {len(report.found)} known vulnerabilities")
    if report.found:
        return 1
    return 2 if report.unknown else 0


if __name__ == "__main__":
    sys.exit(main())
