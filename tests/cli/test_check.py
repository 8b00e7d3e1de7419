"""`cliniko check` says in plain words what is wrong and what to do."""

import datetime as dt
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from cliniko_async.cli import main
from cliniko_async.sandbox import Sandbox


def test_every_check_passes(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    assert main(["check"]) == 0
    text, errors = capfd.readouterr()
    assert [line[:13] for line in text.splitlines()] == [
        "settings  ok ",
        "network   ok ",
        "clock     ok ",
        "key       ok ",
    ]
    assert errors == ""
    assert [(request.method, request.status) for request in clinic.requests] == [("GET", 200)]


def failed(capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    (line,) = capfd.readouterr().err.splitlines()
    return line


def test_a_wrong_key(clinic: Sandbox, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLINIKO_API_KEY", "wrong-key-au1")
    assert main(["check"]) == 4
    line = failed(capfd)
    assert "rejected the key: it is wrong, was removed, or belongs to another shard" in line
    assert "wrong-key" not in line


def test_a_user_who_may_not_use_the_api(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    clinic.faults.status(403)
    assert main(["check"]) == 4
    assert "its user may not use the API" in failed(capfd)


def test_a_server_that_has_a_problem(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    clinic.faults.status(503)
    assert main(["check"]) == 5
    assert "answered 503" in failed(capfd)
    assert len(clinic.requests) == 1


def test_a_login_page_instead_of_the_api(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    page = b"<html>Please log in</html>"
    clinic.faults.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
    assert main(["check"]) == 5
    assert "something else than Cliniko answered" in failed(capfd)
    clinic.faults.edit(lambda user: {"welcome": user["first_name"]})
    assert main(["check"]) == 5
    assert "something else than Cliniko answered" in failed(capfd)


def test_a_server_that_does_not_say_what_time_it_is(clinic: Sandbox, capfd: pytest.CaptureFixture[str]):
    user = json.dumps(clinic.all("users")[0]).encode()
    clinic.faults.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(user), user))
    assert main(["check"]) == 0
    assert "clock     ?" in capfd.readouterr().out


@pytest.mark.parametrize(("minutes", "message"), [(120, "120 minutes behind"), (-10, "10 minutes ahead")])
def test_a_clock_that_is_wrong(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], minutes, message):
    with Sandbox(wall=lambda: time.time() + 60 * minutes) as clinic:
        monkeypatch.setenv("CLINIKO_API_KEY", clinic.api_key)
        monkeypatch.setenv("CLINIKO_BASE_URL", clinic.base_url)
        monkeypatch.setenv("CLINIKO_CONTACT_EMAIL", "it@example.com")
        assert main(["check"]) == 5
    assert f"this computer's clock is {message}" in failed(capfd)


def test_a_port_where_nothing_answers(nowhere: None, capfd: pytest.CaptureFixture[str]):
    assert main(["check"]) == 5
    assert "no connection to 127.0.0.1:1 (Connection refused): nothing answers there" in failed(capfd)


def test_a_name_that_cannot_be_found(nowhere: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setenv("CLINIKO_BASE_URL", "https://api.au99.example/v1")
    monkeypatch.setenv("CLINIKO_BUDGET_FILE", "")
    assert main(["check"]) == 5
    assert "this computer cannot find the server" in failed(capfd)


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port that accepts connections and never answers, or only completes the TLS handshake."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with suppress(OSError):
                        kept.append(context.wrap_socket(connection, server_side=True) if context else connection)

        kept: list[socket.socket] = []
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for connection in kept:
            connection.close()


def test_a_network_that_swallows_everything(
    nowhere: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cliniko_async.cli.check.TIMEOUT", 0.2)
    with listening() as port:
        monkeypatch.setenv("CLINIKO_BASE_URL", f"http://127.0.0.1:{port}/v1")
        assert main(["check"]) == 5
    assert "whether a firewall blocks it" in failed(capfd)


@pytest.mark.parametrize(
    ("trusted", "message"), [(False, "replaces the server's certificate"), (True, "check the date and the time")]
)
def test_an_untrusted_or_expired_certificate(nowhere: None, tmp_path: Path, trusted, message):
    """The file of SSL_CERT_FILE is read, as the advice says it is."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", not_after=dt.datetime(2001, 1, 1, tzinfo=dt.UTC)).configure_cert(context)
    with listening(context) as port:
        settings = {"CLINIKO_BASE_URL": f"https://127.0.0.1:{port}/v1", "CLINIKO_BUDGET_FILE": ""}
        settings |= {"SSL_CERT_FILE": str(tmp_path / "authority.pem")} if trusted else {}
        command = [sys.executable, "-m", "cliniko_async", "check"]
        done = subprocess.run(
            command, env={**os.environ, **settings}, capture_output=True, check=False, text=True, timeout=60
        )
    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    assert message in done.stderr
