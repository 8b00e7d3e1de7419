"""Posts changes to a URL as signed webhooks, as the Standard Webhooks specification describes them.

It needs the extra `webhooks`.

```python
async with WebhookSender.from_env("https://example.com/cliniko", dead_letters="dead-letters.ndjson") as sender:
    await sender.forward(cliniko.patients.watch(store=SqliteCursors("cursors.sqlite")))
```
"""

import asyncio
import base64
import contextlib
import logging
import os
import secrets
from types import TracebackType
from typing import Any, Self

import aiohttp
import attrs

from ._backoff import retry_delays
from ._checks import count_option, seconds_option
from ._frames import HiddenLocals, hides_locals
from ._loops import side_by_side
from ._webhooks.dead_letters import DeadLetters
from ._webhooks.delivery import PostResult, checked_url, post
from ._webhooks.message import PREFIX, Message, Signer
from .changes import Change
from .errors import ClinikoError, ConfigurationError, UsageError
from .watch import Watch

__all__ = ["WebhookGoneError", "WebhookSender", "generate_secret", "message_json"]

logger = logging.getLogger("cliniko_async")

_SECRET = "CLINIKO_WEBHOOK_SECRET"  # noqa: S105  (the name of the variable)
_FIRST_WAIT = 1.0


class WebhookGoneError(ClinikoError):
    """The receiver answered 410: it has unsubscribed. Nothing is posted until a new sender is made."""


def generate_secret() -> str:
    """Return a new random secret, for the sender and the receiver.

    Returns:
        The secret, which begins with `whsec_`.
    """
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def message_json(change: Change[Any]) -> bytes:
    """Return a change as a webhook has it.

    Args:
        change: The change.

    Returns:
        A JSON object with `type`, `timestamp` and `data`, on one line.
    """
    return Message.of(change).body


@attrs.frozen
class _DeliveryOptions:
    tries: int
    timeout: float
    wait_max: float


class WebhookSender:
    """Posts changes to one URL, each until the receiver accepts it.

    A message is `{"type": "patient.upsert", "timestamp": …, "data": …}`, where `data` is `to_dict(record)`, with the
    headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. The id is the same in every try and after a
    restart, and different for each version of a record, so a receiver can recognise a message that it has already
    processed.

    Any status from 200 to 299 accepts a message. After anything else it is posted again, after random waits that
    double up to `wait_max`, or after the `Retry-After` of the response. A receiver that cannot be reached, or answers
    429 or 503, is tried again without a limit. Anything else counts as a try: after `tries` of them, the message is
    appended to the dead-letter file. Redirects are not followed. A 410 raises a `WebhookGoneError`.

    Args:
        url: Where to post; https, unless the host is loopback.
        secret: The secret that signs the messages, `whsec_` and base64. Several, with spaces between them, sign each
            message several times, so that a secret can be replaced without a gap. It never appears in a repr, a log, an
            error or a traceback.
        dead_letters: The file for messages that were not accepted after all tries, one JSON object a line. It contains
            records, and only its owner can read it. None, the default, tries endlessly.
        tries: How often the receiver may fail to accept a message before it is given up; 20 by default.
        timeout: Seconds for one try; 30 by default.
        wait_max: The longest wait between two tries, in seconds; 900 by default, so 20 tries take about two hours.
        session: Your own `aiohttp.ClientSession`, for example with a proxy, which is used and never closed. None, the
            default, opens one with the first message.

    Raises:
        ConfigurationError: The URL, the secret or an option is invalid.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        dead_letters: str | os.PathLike[str] | None = None,
        tries: int = 20,
        timeout: float = 30.0,
        wait_max: float = 900.0,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        try:
            with HiddenLocals():
                self._url = checked_url(url)
                self._signer = Signer(secret)
                self._options = _DeliveryOptions(
                    count_option("tries", tries),
                    seconds_option("timeout", timeout),
                    seconds_option("wait_max", wait_max),
                )
        finally:
            del secret, url  # From the traceback of an error.
        self._dead_letters = None if dead_letters is None else DeadLetters(dead_letters)
        self._session = session
        self._owned = session is None
        self._is_gone = False
        self._is_closed = False

    @classmethod
    def from_env(cls, url: str, **options: Any) -> Self:  # noqa: ANN401
        """Create a sender whose secret is in the environment variable CLINIKO_WEBHOOK_SECRET.

        Args:
            url: Where to post.
            **options: The other options of `WebhookSender`.

        Returns:
            The sender.

        Raises:
            ConfigurationError: The variable is not set, or a value is invalid.
        """
        if not os.environ.get(_SECRET):
            raise ConfigurationError(f"the environment variable {_SECRET} is not set")
        return cls(url, os.environ[_SECRET], **options)

    async def __aenter__(self) -> Self:
        """Return the sender, which closes at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the sender."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the sender and its connections, but not a session of your own. Closing twice is allowed."""
        self._is_closed = True
        if self._owned and self._session is not None:
            await self._session.close()

    @hides_locals
    async def send(self, change: Change[Any]) -> bool:
        """Post a change until it is accepted or given up.

        Await it before you send the next change of the same record, so that they arrive in order.

        Args:
            change: The change.

        Returns:
            True if the receiver accepted it, False if it is in the dead-letter file.

        Raises:
            WebhookGoneError: The receiver answered 410, now or before.
            UsageError: The sender is closed.
            OSError: The dead-letter file cannot be written. The change was not accepted.
        """
        message, tries, delays = Message.of(change), 0, retry_delays(_FIRST_WAIT, self._options.wait_max)
        while (result := await self._post(message)).verdict != "accepted":
            tries += result.verdict == "refused"
            if tries >= self._options.tries and self._dead_letters is not None:
                await self._dead_letters.append(message, tries, result.reason)
                logger.warning("%r: %s is given up after %d tries: it %s", self, message.id, tries, result.reason)
                return False
            wait = max(next(delays), result.retry_after)
            logger.warning("%r: %s is posted again in %.1f s: it %s", self, message.id, wait, result.reason)
            await asyncio.sleep(wait)
        return True

    async def _post(self, message: Message) -> PostResult:
        self._check()
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        headers = self._signer.headers(message)
        result = await post(self._session, self._url, headers, message.body, self._options.timeout)
        self._is_gone |= result.verdict == "gone"
        if result.verdict != "accepted":
            self._check()  # Closing the sender cuts the connection, which does not count as a try.
        return result

    def _check(self) -> None:
        if self._is_closed:
            raise UsageError("the sender is closed")
        if self._is_gone:
            raise WebhookGoneError(f"{self!r}: the receiver answered 410: it has unsubscribed")

    async def forward(self, *watches: Watch[Any]) -> None:
        """Post the changes of watches, until you cancel it or one of them ends with an error.

        The changes of each watch are posted one after the other, those of several side by side. A watch with a store
        saves the cursor of a change after it was accepted or given up, so each change is delivered at least once.

        Args:
            *watches: What to post.

        Raises:
            WebhookGoneError: The receiver answered 410.
            UsageError: The sender or the client is closed.
            OSError: The dead-letter file cannot be written.
            ResponseError: The API refused a request, such as for a rejected key.
        """
        await side_by_side(self._forward(watch) for watch in watches)

    async def _forward(self, watch: Watch[Any]) -> None:
        async with contextlib.aclosing(aiter(watch)) as stream:
            async for change in stream:
                await self.send(change)

    def __repr__(self) -> str:
        """Return the class and the host, but neither the secret nor the path, which may be a secret too."""
        return f"WebhookSender({str(self._url.origin())!r})"
