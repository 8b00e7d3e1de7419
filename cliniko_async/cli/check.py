"""`cliniko check`: is everything in place to use the account?"""

import email.utils
import re
import time

from .. import (
    Cliniko,
    DecodingError,
    ForbiddenError,
    Response,
    ResponseError,
    RetryPolicy,
    TransportError,
    UnauthorizedError,
    User,
    from_dict,
)
from .context import Context
from .errors import CommandError, ExitCode
from .output import write_lines

TIMEOUT = 10.0
"""Seconds until a network that swallows requests is called broken."""
_CLOCK_MAY_DIFFER = 60.0

_NETWORK_ADVICE = (
    (
        r"not yet valid|expired",
        "by this computer's clock the server's certificate is not valid: check the date and the time of this computer",
    ),
    (
        r"certificate|TLS",
        """a proxy or a virus scanner replaces the server's certificate with its own: ask your administrator for that
        certificate and set SSL_CERT_FILE, or exempt the server""",
    ),
    (
        r"(?i)name|resol|address associated",
        """this computer cannot find the server: check the network connection, the DNS, and the end of the key (-au2)
        or CLINIKO_BASE_URL""",
    ),
    (r"(?i)refused", "nothing answers there: check CLINIKO_BASE_URL, and whether a firewall blocks it"),
    (r"", "check the network connection, and whether a firewall blocks it; proxies are not used"),
)


async def check(*, context: Context) -> None:
    """Test the key, the network and the clock, and say in plain words what is wrong and what to do.

    It sends one request, which changes nothing.

    Args:
        context: The options of the command line.
    """
    async with context.client(timeout=TIMEOUT, retry=RetryPolicy(attempts=1)) as cliniko:
        write_lines(["settings  ok  a key, a name and an e-mail address are set"])
        response = await _response(cliniko)
    write_lines([_clock_line(response), _key_line(response)])


async def _response(cliniko: Cliniko) -> Response:
    """Ask who the key belongs to.

    Raises:
        CommandError: There was no response, or it was a refusal.
    """
    try:
        response = await cliniko.request("GET", "/user")
    except TransportError as error:
        host, reason = error.request.host, str(error.args[0]).removeprefix("had no connection: ")
        raise CommandError(f"no connection to {host} ({reason}): {_advice(reason)}", ExitCode.UNAVAILABLE) from error
    except ResponseError as error:
        write_lines([_network_line(error.response), _clock_line(error.response)])
        raise _refusal(error) from error
    write_lines([_network_line(response)])
    return response


def _advice(reason: str) -> str:
    return next(advice for pattern, advice in _NETWORK_ADVICE if re.search(pattern, reason))


def _refusal(error: ResponseError) -> CommandError:
    host = error.request.host
    if isinstance(error, UnauthorizedError):
        shard = host.split(".")[1] if host.endswith(".cliniko.com") else host
        return CommandError(
            f"{host} rejected the key: it is wrong, was removed, or belongs to another shard than {shard}. Copy it "
            "again from My Info > Manage API keys; it must end like the address of your Cliniko, such as -au2",
            ExitCode.KEY_REFUSED,
        )
    if isinstance(error, ForbiddenError):
        return CommandError(f"{host} knows the key, but its user may not use the API", ExitCode.KEY_REFUSED)
    return CommandError(
        f"{host} answered {error.status}: Cliniko has a problem, or something else answered in its place; try later",
        ExitCode.UNAVAILABLE,
    )


def _network_line(response: Response) -> str:
    return f"network   ok  answered in {response.elapsed:.1f} s"


def _clock_line(response: Response) -> str:
    """Return how far this computer's clock is from the server's.

    Raises:
        CommandError: Too far.
    """
    try:
        server = email.utils.parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return "clock     ?   the server did not say what time it is"
    # The time of the server is in whole seconds, and half of the request had passed.
    ahead = time.time() - response.elapsed / 2 - server - 0.5
    if abs(ahead) > _CLOCK_MAY_DIFFER:
        direction = "ahead" if ahead > 0 else "behind"
        raise CommandError(
            f"this computer's clock is {abs(ahead) / 60:.0f} minutes {direction}: let it follow a time server",
            ExitCode.UNAVAILABLE,
        )
    return f"clock     ok  within {_CLOCK_MAY_DIFFER:.0f} s of the server's"


def _key_line(response: Response) -> str:
    """Return who the key belongs to.

    Raises:
        CommandError: Something else than Cliniko answered.
    """
    try:
        user = from_dict(User, response.json())
    except (ValueError, DecodingError):
        text = "something else than Cliniko answered, such as the login page of a network: open a browser and see"
        raise CommandError(text, ExitCode.UNAVAILABLE) from None
    role = f", {user.role}" if user.role else ""
    return f"key       ok  belongs to {user.first_name} {user.last_name}{role}"
