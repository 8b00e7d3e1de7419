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

from .. import AccountPool, Cliniko, ConfigurationError, SqliteLimiter
from .context import answerable
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
    key, email = _api_key(), _contact_email()
    app_name = os.environ.get("CLINIKO_APP_NAME") or _APP_NAME
    async with contextlib.AsyncExitStack() as stack:
        path = budget_file()
        limiter = await stack.enter_async_context(SqliteLimiter(path, name=key)) if path else None
        try:
            cliniko = Cliniko.from_env(
                api_key=key, app_name=app_name, contact_email=email, rate_limiter=limiter, **options
            )
        except ConfigurationError as error:
            raise _refused(error) from None
        yield await stack.enter_async_context(cliniko)


@contextlib.asynccontextmanager
async def open_pool() -> AsyncGenerator[AccountPool]:
    """Open a pool for the accounts of a file.

    Yields:
        The pool.

    Raises:
        CommandError: A setting is missing or malformed.
    """
    path, email = budget_file(), _contact_email()
    async with contextlib.AsyncExitStack() as stack:

        def limiter(key: str) -> SqliteLimiter:
            made = SqliteLimiter(str(path), name=key)
            stack.push_async_callback(made.aclose)
            return made

        try:
            pool = AccountPool(
                app_name=os.environ.get("CLINIKO_APP_NAME") or _APP_NAME,
                contact_email=email,
                base_url=os.environ.get("CLINIKO_BASE_URL") or None,
                limiter=limiter if path else None,
                priority="bulk",
            )
        except ConfigurationError as error:
            raise _refused(error) from None
        async with pool:
            yield pool


def _refused(error: ConfigurationError) -> CommandError:
    """Return the error for a setting that is malformed, under the name of its environment variable."""
    text = str(error).replace("the API key ", "CLINIKO_API_KEY ", 1)
    for name in ("app_name", "base_url", "contact_email"):
        text = text.replace(f"{name} ", f"CLINIKO_{name.upper()} ", 1)
    return CommandError(text, ExitCode.KEY_REFUSED)


def budget_file() -> Path | None:
    """Return the file in which all commands on this machine keep the budget, so that together they stay within it.

    Returns:
        The file, whose directory is made; None if each command has a budget of its own: for a server on this machine,
        or if no file can be written.
    """
    named = os.environ.get("CLINIKO_BUDGET_FILE")
    if named is not None:
        return Path(named) if named else None
    # Only the address of a server on this machine may begin with this.
    if os.environ.get("CLINIKO_BASE_URL", "").startswith("http://"):
        return None
    cache = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    folder = Path(cache) / "cliniko"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder / "budget.sqlite" if os.access(folder, os.W_OK) else None


def _api_key() -> str:
    return os.environ.get("CLINIKO_API_KEY") or _asked(
        "CLINIKO_API_KEY", "your API key, from My Info > Manage API keys in Cliniko", getpass.getpass
    )


def _contact_email() -> str:
    return os.environ.get("CLINIKO_CONTACT_EMAIL") or _asked(
        "CLINIKO_CONTACT_EMAIL", "an e-mail address at which Cliniko can reach you, which it requires", _asked_openly
    )


def _asked(variable: str, what: str, ask: Any) -> str:
    if not sys.stdin.isatty():
        raise CommandError(f"set {variable} to {what}; there is no terminal to ask on", ExitCode.KEY_REFUSED)
    sys.stderr.write(f"{variable} is not set. Enter {what}.\n")
    with answerable():
        answer: str = ask(f"{variable}: ")
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
    # Without the value, which may be a key that was written there by mistake.
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise CommandError(f"{path}: {name} must be the name of an environment variable, in capital letters")
    key = os.environ.get(variable)
    if not key:
        raise CommandError(f"{path}: {name}: the environment variable {variable} is not set", ExitCode.KEY_REFUSED)
    return key
