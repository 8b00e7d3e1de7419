"""One try to post a message, and what it means."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import aiohttp
import attrs
from yarl import URL

from .._messages import is_loopback, retry_after
from ..errors import ConfigurationError

ReceiverVerdict: TypeAlias = Literal["accepted", "refused", "unavailable", "gone"]
"""A receiver that is unavailable has not looked at the message, so that try does not count."""

_GONE = 410
_UNAVAILABLE = (429, 503)
_LARGEST_RESPONSE = 1_000_000
_LONGEST_RETRY_AFTER = 3600.0


@attrs.frozen
class PostResult:
    """What came of a try: the verdict, the reason in plain words, and the seconds the receiver asked to wait."""

    verdict: ReceiverVerdict
    reason: str
    retry_after: float = 0.0


def checked_url(url: str) -> URL:
    """Return the URL of a receiver.

    Raises:
        ConfigurationError: It is not a URL, has a password in it, or is neither https nor on this machine.
    """
    try:
        found = URL(url)
    except (TypeError, ValueError):
        found = URL()
    is_safe = found.scheme == "https" or (found.scheme == "http" and is_loopback(found.host or ""))
    if not is_safe or not found.host or found.raw_user is not None or found.raw_password is not None:
        # Without the URL, whose path or query may be a secret.
        raise ConfigurationError("the URL of a webhook must be https, or http on this machine, without a password")
    return found


async def post(
    session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str], body: bytes, seconds: float
) -> PostResult:
    """Post a message once, in some seconds at most. Redirects are not followed."""
    limits = aiohttp.ClientTimeout(total=seconds, sock_connect=seconds / 2)
    try:
        async with session.post(url, data=body, headers=headers, timeout=limits, allow_redirects=False) as response:
            status = response.status
            await _read(response.content)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        return PostResult("unavailable", "cannot be reached")
    except TimeoutError:
        return PostResult("refused", "did not answer in time")
    except (aiohttp.ClientError, OSError):
        return PostResult("refused", "broke the connection off")
    if 200 <= status < 300:
        return PostResult("accepted", f"answered {status}")
    rest = min(max(retry_after(response.headers), 0.0), _LONGEST_RETRY_AFTER)
    verdict: ReceiverVerdict = "gone" if status == _GONE else "unavailable" if status in _UNAVAILABLE else "refused"
    return PostResult(verdict, f"answered {status}", rest)


async def _read(content: aiohttp.StreamReader) -> None:
    """Read the body, up to a limit, so that a truncated response counts as a failure."""
    size = 0
    async for chunk in content.iter_any():
        size += len(chunk)
        if size > _LARGEST_RESPONSE:
            return
