"""`make audit` never says that all is well about what it did not look up."""

from tools import audit

FINE = {"name": "attrs", "version": "25.1", "vulns": []}
SKIPPED = {"name": "yarl", "skip_reason": "Dependency not found and could not be audited: yarl (1.25)"}
VULNERABLE = {
    "name": "aiohttp",
    "version": "3.0.0",
    "vulns": [{"id": "CVE-2024-1", "fix_versions": ["3.9.2"], "aliases": [], "description": "…"}],
}


def outcome(answers, capsys):
    status = audit.main(lambda service: answers[service])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_every_package_known_and_none_vulnerable_is_a_success(capsys):
    answers = {"pypi": audit.report_of([FINE])}
    assert outcome(answers, capsys) == (0, "audit: 1 packages looked up, 0 known vulnerabilities\n", "")


def test_a_vulnerable_package_is_named_with_the_version_that_fixes_it(capsys):
    status, out, err = outcome({"pypi": audit.report_of([FINE, VULNERABLE])}, capsys)
    assert (status, err) == (1, "audit: aiohttp 3.0.0: CVE-2024-1, fixed in 3.9.2\n")
    assert out == "audit: 2 packages looked up, 1 known vulnerabilities\n"


def test_a_package_that_could_not_be_looked_up_is_a_failure(capsys):
    status, _, err = outcome({"pypi": audit.report_of([FINE, SKIPPED])}, capsys)
    assert (status, err) == (2, "audit: NOT looked up: yarl\n")


def test_a_database_without_the_package_is_not_trusted_and_the_next_one_is_queried(capsys):
    answers = {"pypi": audit.report_of([SKIPPED]), "osv": audit.report_of([FINE])}
    assert outcome(answers, capsys)[0] == 0


def test_without_any_database_the_audit_says_that_it_was_not_done(capsys):
    status, out, err = outcome({"pypi": audit.report_of([SKIPPED]), "osv": None}, capsys)
    assert (status, out) == (2, "")
    assert err == "audit: NOT DONE: no database of known vulnerabilities can be reached from here\n"
