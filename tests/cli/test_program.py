"""The command line as a program: pipes, terminals, signals, and the places where the key must never appear."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

import cliniko_async
from cliniko_async import __main__ as program
from cliniko_async.cli import main
from cliniko_async.sandbox import Sandbox
from tests.support.paths import ROOT
from tests.support.terminals import run_on_terminal

RUN = [sys.executable, "-m", "cliniko_async"]


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *arguments], capture_output=True, check=False, text=True, timeout=60, **options)


def test_the_version_is_that_of_the_package():
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{cliniko_async.__version__}\n", "")


def test_the_version_is_printed_before_anything_is_loaded():
    text = "import sys; from cliniko_async.__main__ import main; main(['--version']); print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", text], capture_output=True, check=False, text=True).stdout.split()
    )
    assert loaded & {"cyclopts", "rich", "aiohttp", "asyncio", "attrs"} == set()


def test_the_command_is_installed():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts == {"cliniko": "cliniko_async.__main__:main"}


def test_help_is_for_every_command_and_loads_no_client(nowhere: None):
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in re.findall(r"^│ (\w+)  ", done.stdout, re.MULTILINE):
        assert command in done.stdout
    text = "import sys; from cliniko_async.cli import main; main(['--help']); print('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, check=False, text=True).stdout.endswith(
        "False\n"
    )


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra_one_line_says_what_to_install(missing):
    text = f"import sys; sys.modules[{missing!r}] = None; import runpy; sys.argv = ['cliniko', 'list', 'patients']; "
    text += "runpy.run_module('cliniko_async', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=False, text=True, timeout=60)
    line = f'cliniko: the command line needs {missing}: pip install "cliniko-async[cli]"\n'
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_an_import_error_of_the_package_itself_is_not_reported_as_a_missing_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cliniko_async.cli", None)
    with pytest.raises(ModuleNotFoundError, match=r"cliniko_async\.cli"):
        program.main([])


def test_a_reader_that_closes_the_pipe_ends_the_program_quietly(clinic: Sandbox):
    for number in range(3_000):
        clinic.add("taxes", name=f"Tax {number}" + "x" * 50, rate="1.0")
    with subprocess.Popen([*RUN, "list", "taxes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == (b"", 141)
    # It stopped to ask for more.
    assert len(clinic.requests) < len(clinic.all("taxes")) / 100


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a device of Linux")
@pytest.mark.parametrize("form", ["ndjson", "table", "csv"])
def test_a_full_disk_is_a_one_line_error(clinic: Sandbox, form):
    with Path("/dev/full").open("wb") as full:
        command = [*RUN, "list", "taxes", "--quiet", "--format", form]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (8, "cliniko: the output: No space left on device\n")


def test_the_key_is_asked_for_on_a_terminal_and_never_shown(clinic: Sandbox, tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLINIKO_")}
    environment |= {"CLINIKO_BASE_URL": clinic.base_url, "COLUMNS": "80"}
    answers = [("CLINIKO_API_KEY: ", f"{clinic.api_key}\n"), ("CLINIKO_CONTACT_EMAIL: ", "it@example.com\n")]
    code, shown = run_on_terminal([*RUN, "list", "taxes", "--limit", "3"], environment, answers)
    assert code == 0
    assert "My Info > Manage API keys" in shown
    assert clinic.all("taxes")[0]["id"] in shown
    assert clinic.api_key not in shown


def test_without_a_terminal_a_missing_key_is_a_one_line_error(monkeypatch: pytest.MonkeyPatch, nowhere: None):
    for name, what in (("CLINIKO_CONTACT_EMAIL", "an e-mail address"), ("CLINIKO_API_KEY", "your API key")):
        monkeypatch.delenv(name)
        done = run("list", "taxes", stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stderr.count("\n")) == (4, 1)
        assert done.stderr.startswith(f"cliniko: set {name} to {what}")


def test_the_key_is_in_no_list_of_processes_and_no_output(clinic: Sandbox):
    clinic.faults.slow(1.0)
    command = [*RUN, "--debug", "list", "taxes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while not clinic.requests:
            time.sleep(0.01)
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=False, text=True).stdout
        output = process.communicate(timeout=60)[0]
    assert "--debug list taxes" in listed
    assert "GET 127.0.0.1" in output
    assert clinic.api_key not in listed + output


def test_the_key_is_in_no_error_and_no_traceback(
    clinic: Sandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    secret = clinic.api_key[:-4]
    for name, value, arguments in (
        ("CLINIKO_API_KEY", f"{secret}x-au1", ["check"]),
        ("CLINIKO_API_KEY", f"{secret}x-au1", ["list", "taxes"]),
        ("CLINIKO_API_KEY", f"{secret} -au1", ["list", "taxes"]),
        ("CLINIKO_BASE_URL", "ftp://x", ["list", "taxes"]),
        ("CLINIKO_BASE_URL", "http://127.0.0.1:1/v1", ["check"]),
        ("CLINIKO_CONTACT_EMAIL", secret, ["list", "taxes"]),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            assert main(["--debug", *arguments])
        text, errors = capfd.readouterr()
        assert "Traceback" in errors
        assert secret not in text + errors


def interrupted(arguments: Sequence[str], clinic: Sandbox, environment) -> tuple[int, str, str]:
    with subprocess.Popen(
        [*RUN, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not any(each.status is None for each in clinic.requests):
            time.sleep(0.01)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        text, errors = process.communicate(timeout=60)
    return process.returncode, text, errors


def test_an_interrupt_is_one_line(clinic: Sandbox):
    clinic.faults.slow(30.0)
    assert interrupted(["list", "taxes"], clinic, os.environ) == (130, "", "cliniko: interrupted\n")


def test_an_interrupt_ends_a_question_at_once(clinic: Sandbox):
    leader, follower = pty.openpty()
    command = [*RUN, "create", "taxes", "--set", "name=GST", "--set", "rate=10"]
    with subprocess.Popen(command, stdin=follower, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        asked = ""
        while not asked.endswith("[y/N] "):
            asked += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        assert (process.stderr.read(), process.wait(60)) == ("cliniko: interrupted\n", 130)
    os.close(leader)
    os.close(follower)
    assert clinic.requests == []


def test_an_interrupted_write_reports_an_unknown_outcome(clinic: Sandbox):
    clinic.faults.slow(30.0, method="POST")
    command = ["create", "taxes", "--set", "name=GST", "--set", "rate=10", "--yes"]
    code, text, errors = interrupted(command, clinic, os.environ)
    assert (code, text, errors.count("\n")) == (130, "", 1)
    assert (
        "the write may or may not have happened; look with `cliniko list taxes --sort created_at:desc --limit 5`"
        in errors
    )


def test_progress_is_shown_on_a_terminal_and_not_in_a_pipe(clinic: Sandbox, tmp_path: Path):
    for number in range(500):
        clinic.add("taxes", name=f"Tax {number}", rate="1.0")
    clinic.faults.slow(0.7, times=2)
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with (tmp_path / "taxes.ndjson").open("wb") as file:
        code, shown = run_on_terminal([*RUN, "list", "taxes"], environment, stdout=file.fileno())
        quiet = run_on_terminal([*RUN, "list", "taxes", "--quiet"], environment, stdout=file.fileno())
    assert code == 0
    assert quiet == (0, "")
    total = len(clinic.all("taxes"))
    assert f"{total:,}/{total:,} records" in shown
    assert len((tmp_path / "taxes.ndjson").read_text(encoding="utf-8").splitlines()) == 2 * total
    done = run("list", "taxes")
    assert (done.stderr, done.stdout.count("\n")) == ("", total)


def test_the_sandbox_prints_settings_that_work_and_ends_with_an_interrupt(monkeypatch: pytest.MonkeyPatch):
    with subprocess.Popen(
        [*RUN, "sandbox", "--port", "0", "--seed", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        lines = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
        settings = dict(re.findall(r"export (\w+)=(\S+)", "".join(lines)))
        assert run("check", env={**os.environ, **settings}).returncode == 0
        process.send_signal(signal.SIGINT)
        assert (process.communicate(timeout=60), process.returncode) == (("", ""), 0)


def test_a_port_that_is_in_use_is_named(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    port = clinic.base_url.split(":")[2].partition("/")[0]
    done = run("sandbox", "--port", port)
    line = f"cliniko: port {port}: Address already in use; choose another with --port\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_bash_completes_commands_options_and_resources(tmp_path: Path):
    script = run("completion", "bash").stdout
    (tmp_path / "cliniko.bash").write_text(script, encoding="utf-8")
    asked = f"""
    source {tmp_path / "cliniko.bash"}
    complete_at() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${{#COMP_LINE}};
        COMPREPLY=(); $(complete -p cliniko | sed 's/.*-F \\([^ ]*\\).*/\\1/') cliniko; echo "${{COMPREPLY[@]}}"; }}
    complete_at cliniko li
    complete_at cliniko list patient_c
    complete_at cliniko list patients --arch
    """
    done = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, check=False, text=True, timeout=60)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["list", "limits"],
        ["patient_cases"],
        ["--archived"],
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_or_installed(
    shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ZSH", "ZSH_CUSTOM"):
        monkeypatch.delenv(name, raising=False)
    assert main(["completion", shell]) == 0
    script, errors = capfd.readouterr()
    assert ("patient_cases" in script, errors) == (True, "")
    assert main(["completion", shell, "--install"]) == 0
    said = capfd.readouterr().err
    path = Path(said.removeprefix("wrote ").partition(";")[0])
    assert path.is_relative_to(tmp_path)
    # zsh looks for a file with the name of the function, and only if the user has switched its completion on.
    assert (path.name == "_cyclopts_cliniko", "compinit" in said) == (shell == "zsh", shell == "zsh")
    assert path.read_text(encoding="utf-8").strip() == script.strip()
