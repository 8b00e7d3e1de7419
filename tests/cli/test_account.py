"""Where the key comes from: the environment, a hidden prompt, or for several accounts a file of variables."""

import getpass
import json
from pathlib import Path

import pytest

from cliniko_async.cli import main
from cliniko_async.cli.account import budget_file, read_accounts
from cliniko_async.cli.errors import CommandError
from cliniko_async.sandbox import Sandbox
from tests.support.for_each import for_each


def test_missing_settings_are_prompted_for_and_the_key_without_an_echo(
    clinic: Sandbox, terminal, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    prompts: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: prompts.append(prompt) or f" {clinic.api_key}\n")
    monkeypatch.delenv("CLINIKO_API_KEY")
    monkeypatch.delenv("CLINIKO_CONTACT_EMAIL")
    streams = terminal("stderr", stdin="me@example.com\n")
    assert main(["list", "taxes", "--limit", "1"]) == 0
    assert prompts == ["CLINIKO_API_KEY: "]
    assert "CLINIKO_CONTACT_EMAIL: " in streams["stderr"].text()
    assert clinic.api_key not in streams["stderr"].text()
    assert json.loads(capfd.readouterr().out)
    assert clinic.requests[-1].headers["user-agent"] == "cliniko command line (me@example.com)"


def test_an_empty_reply_is_not_accepted_as_a_key(nowhere: None, terminal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(getpass, "getpass", lambda _: "\n")
    monkeypatch.delenv("CLINIKO_API_KEY")
    streams = terminal("stderr", stdin="")
    assert main(["list", "taxes"]) == 4
    assert streams["stderr"].text().endswith("cliniko: no CLINIKO_API_KEY was given\n")


def test_a_name_of_your_own_is_the_user_agent(clinic: Sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLINIKO_APP_NAME", "Reports")
    assert main(["check"]) == 0
    assert clinic.requests[-1].headers["user-agent"] == "Reports (it@example.com)"


@for_each(
    "name, value, line",
    [
        ("API_KEY", "two words-au1", "CLINIKO_API_KEY has an invalid character (a space, a line end, a colon, …)"),
        ("APP_NAME", "Zoë", "CLINIKO_APP_NAME must be the name of your application, in printable ASCII"),
        ("BASE_URL", "http://a.example", "CLINIKO_BASE_URL must start with https, unless its host is this machine"),
        ("CONTACT_EMAIL", "me", "CLINIKO_CONTACT_EMAIL must be an e-mail address at which you can be reached"),
    ],
)
@pytest.mark.usefixtures("nowhere")
def test_a_malformed_setting_is_named_like_its_variable(
    name: str, value: str, line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    with monkeypatch.context() as changed:
        changed.setenv("CLINIKO_BUDGET_FILE", "")
        changed.setenv(f"CLINIKO_{name}", value)
        assert main(["list", "taxes"]) == 4
    assert capfd.readouterr().err == f"cliniko: {line}\n"


def test_a_key_that_cannot_be_one_is_refused_before_anything_is_sent(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("CLINIKO_API_KEY", "two words-au1")
    assert main(["list", "taxes"]) == 4
    (line,) = capfd.readouterr().err.splitlines()
    assert "invalid character" in line
    assert "words" not in line


def test_the_budget_is_kept_where_caches_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("CLINIKO_BUDGET_FILE", "CLINIKO_BASE_URL", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert budget_file() == tmp_path / ".cache" / "cliniko" / "budget.sqlite"
    assert (tmp_path / ".cache" / "cliniko").is_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert budget_file() == tmp_path / "cache" / "cliniko" / "budget.sqlite"
    monkeypatch.setenv("CLINIKO_BUDGET_FILE", "shared.sqlite")
    assert budget_file() == Path("shared.sqlite")
    monkeypatch.setenv("CLINIKO_BUDGET_FILE", "")
    assert budget_file() is None


def test_without_a_place_for_a_file_each_command_has_its_own_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("CLINIKO_BUDGET_FILE", "CLINIKO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert budget_file() is None
    # A folder that is there, and may not be written to.
    (tmp_path / "cliniko").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr("os.access", lambda *_: False)
        assert budget_file() is None
    # A server on this machine is not Cliniko.
    monkeypatch.setenv("CLINIKO_BASE_URL", "http://127.0.0.1:8321/v1")
    assert budget_file() is None


def test_a_file_names_several_accounts_and_the_variables_of_their_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "clinics.toml"
    file.write_text('south = "CLINIKO_KEY_SOUTH"\n"north west" = "CLINIKO_KEY_NW"\n', encoding="utf-8")
    monkeypatch.setenv("CLINIKO_KEY_SOUTH", "one-au1")
    monkeypatch.setenv("CLINIKO_KEY_NW", "two-au2")
    assert list(read_accounts(file).items()) == [("south", "one-au1"), ("north west", "two-au2")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("north: CLINIKO_KEY", 'each line must be like: north = "CLINIKO_KEY_NORTH"'),
        ("# nothing", "names no account"),
        ('north = "secret-MS1-au1"', "north must be the name of an environment variable, in capital letters"),
        ("north = 5", "north must be the name of an environment variable, in capital letters"),
        ('north = "CLINIKO_KEY_MISSING"', "north: the environment variable CLINIKO_KEY_MISSING is not set"),
    ],
)
def test_a_wrong_file_of_accounts_is_an_error_that_shows_no_key(tmp_path: Path, text, line):
    file = tmp_path / "clinics.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        read_accounts(file)
    assert line in str(caught.value)
    assert "secret" not in str(caught.value)
