"""The message for a change, and its signatures by the Standard Webhooks specification."""

import base64
import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .._messages import RedactedRepr
from .._records.converter import to_json
from ..changes import Change
from ..errors import ConfigurationError

try:
    from standardwebhooks import Webhook
except ImportError as error:
    raise ImportError('webhooks need standardwebhooks: pip install "cliniko-async[webhooks]"') from error

PREFIX = "whsec_"
_FEWEST_BYTES, _MOST_BYTES = 24, 64
"""The size of a secret, as the specification has it."""
_BEFORE_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


@attrs.frozen(repr=False)
class Message(RedactedRepr):
    """What is posted for a change: the same bytes in every try."""

    id: str
    body: bytes

    @classmethod
    def of(cls, change: Change[Any]) -> "Message":
        """Return the message for a change."""
        record: Any = change.record
        kind = f"{_BEFORE_CAPITAL.sub('_', type(record).__name__).lower()}.{change.kind}"
        data = to_json(record)
        moment = record.updated_at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        # With the content, because two versions of a record may have the same stamp.
        digest = hashlib.blake2b(f"{kind} ".encode() + data, digest_size=16).hexdigest()
        return cls(
            f"msg_{digest}", b'{"type":"%b","timestamp":"%b","data":%b}' % (kind.encode(), moment.encode(), data)
        )


class Signer(RedactedRepr):
    """Signs messages with one secret or, while a secret is replaced, with several."""

    def __init__(self, secret: str) -> None:
        """Create a signer.

        Args:
            secret: The secret, or several with spaces between them.

        Raises:
            ConfigurationError: It is not a secret.
        """
        self._signers: Sequence[Webhook] = [Webhook(one) for one in _checked(secret)]

    def headers(self, message: Message) -> Mapping[str, str]:
        """Return the headers of a message that is posted now."""
        now = dt.datetime.now(dt.UTC)
        text = message.body.decode()
        return {
            "Content-Type": "application/json",
            "User-Agent": "cliniko-async",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(one.sign(message.id, now, text) for one in self._signers),
        }


def _checked(secret: str) -> Sequence[str]:
    found = secret.split() if isinstance(secret, str) else []
    if not found or not all(map(_is_secret, found)):
        raise ConfigurationError(f"the webhook secret must be {PREFIX} followed by 24 to 64 bytes in base64")
    return found


def _is_secret(text: str) -> bool:
    try:
        size = len(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except (binascii.Error, ValueError):
        return False
    return text.startswith(PREFIX) and _FEWEST_BYTES <= size <= _MOST_BYTES
