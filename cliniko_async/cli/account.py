"""The accounts that a command works on: their keys, and a client for each.

A key comes from an environment variable or a hidden prompt. It is never an argument, because other users of the machine
can read those in the list of processes, and the shell keeps them in its history.
"""

import contextlib
import getpass
import os
import re
import sys
import tomllib
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from .. import Cliniko, ConfigurationError
from .errors import CommandError, ExitCode

_APP_NAME = "cliniko command line"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)


@contextlib.asynccontextmanager
async def open_client(options: Mapping[str, Any]) -> AsyncGenerator[Cliniko]:
    """Open the client of the account in the environment.

    Args:
        options: The options of `Cliniko`.

    Yields:
        The client.

    Raises:
        CommandError: A setting is missing or malformed.
    """
    async with _client(options) as cliniko:
        yield cliniko


def _client(options: Mapping[str, Any]) -> Cliniko:
    settings = {"app_name": os.environ.get("CLINIKO_APP_NAME") or _APP_NAME, "contact_email": _contact_email()}
    try:
        return Cliniko.from_env(**{"api_key": _api_key(), **settings, **options})
    except ConfigurationError as error:
        raise CommandError(f"{error}; `cliniko check` says more", ExitCode.KEY_REFUSED) from None


def _api_key() -> str:
    return os.environ.get("CLINIKO_API_KEY") or _asked(
        "CLINIKO_API_KEY", "the API key, from My Info > Manage API keys in Cliniko", getpass.getpass
    )


def _contact_email() -> str:
    return os.environ.get("CLINIKO_CONTACT_EMAIL") or _asked(
        "CLINIKO_CONTACT_EMAIL", "an e-mail address at which Cliniko can reach you, which it requires", _asked_openly
    )


def _asked(variable: str, what: str, ask: Any) -> str:
    if not sys.stdin.isatty():
        raise CommandError(f"{variable} is not set: it must be {what}", ExitCode.KEY_REFUSED)
    answer: str = ask(f"{what[0].upper()}{what[1:]} ({variable} is not set): ")
    if not answer.strip():
        raise CommandError(f"no {variable} was given", ExitCode.KEY_REFUSED)
    return answer.strip()


def _asked_openly(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline()


def read_accounts(path: Path) -> dict[str, str]:
    """Read a file that names several accounts, and the keys from the environment variables that it names.

    The file is TOML, with a line for each account: `north = "CLINIKO_KEY_NORTH"`.

    Args:
        path: The file.

    Returns:
        The keys by the names of the accounts, in the order of the file.

    Raises:
        CommandError: The file is not such a file, or a variable is not set.
        OSError: The file cannot be read.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise CommandError(f'{path}: each line must be like: north = "CLINIKO_KEY_NORTH"') from None
    if not found:
        raise CommandError(f"{path} names no account")
    return {name: _key_in(path, name, variable) for name, variable in found.items()}


def _key_in(path: Path, name: str, variable: object) -> str:
    # Whatever it is, it may be a key that was written there by mistake.
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise CommandError(f"{path}: {name} must be the name of an environment variable, in capital letters")
    key = os.environ.get(variable)
    if not key:
        raise CommandError(f"{path}: {name}: the environment variable {variable} is not set", ExitCode.KEY_REFUSED)
    return key
