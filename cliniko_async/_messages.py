"""What goes over the wire, as values: requests, answers, credentials and the server they belong to. No I/O."""

import base64
import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote

import msgspec
from yarl import URL

SHARD = re.compile(r"\w{2}\d{1,2}", re.IGNORECASE | re.ASCII)
DEFAULT_SHARD = "au1"
_EMAIL = re.compile(r"[^@\s()<>,;]+@[^@\s()<>,;]+\.[^@\s()<>,;]+")
_ID = re.compile(r"\d{1,19}", re.ASCII)
_PLAIN = re.compile(r"(/[A-Za-z0-9_]+)+(\?[A-Za-z0-9_%&=:,.~*+!<>-]*)?")
_REPEATABLE = {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}


class RedactedRepr:
    """Shows its name alone, to `repr` and to rich: what it holds may be secret, or about a patient."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The name."""
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """None of the fields, which rich would show in a traceback with its locals."""
        return []


class Request(RedactedRepr, msgspec.Struct, frozen=True):
    """One request, whole: the same value is sent again when it is repeated."""

    method: str
    url: str
    body: bytes | None = None

    @property
    def path(self) -> str:
        """The path of the URL without its query, which may hold what was searched for."""
        return URL(self.url, encoded=True).raw_path

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice leaves the account as sending it once does."""
        # Cancelling may notify patients, each time.
        cancels = self.method == "PATCH" and self._acts("/cancel")
        return self.archives or (self.method in _REPEATABLE and not cancels)

    @property
    def archives(self) -> bool:
        """Whether it archives a record, by the path that the API has for it."""
        return self.method == "POST" and self._acts("/archive")

    @property
    def removes(self) -> bool:
        """Whether a second one finds nothing left to do and says so with a 404."""
        return self.method == "DELETE" or self.archives

    def _acts(self, action: str) -> bool:
        return self.path.rstrip("/").endswith(action)

    @property
    def host(self) -> str:
        """The host of the URL, with its port if that is not the default."""
        return URL(self.url, encoded=True).host_port_subcomponent or ""

    def __repr__(self) -> str:
        """Method, host and path; a query and a body may name a patient."""
        return f"{self.method} {self.host}{self.path}"


class FileRequest(Request, frozen=True):
    """A request to the store that holds the files: it is not the API, and a path there may name a patient."""

    def __repr__(self) -> str:
        """Method and host."""
        return f"{self.method} {self.host}"


class Response(RedactedRepr, msgspec.Struct, frozen=True):
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed: float = 0.0
    """Seconds from the start of its request to the end of it."""

    def json(self) -> Any:
        """Give the body as JSON.

        Raises:
            ValueError: the body is no JSON.
        """
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None

    def __repr__(self) -> str:
        """Status and size; the body may be about a patient."""
        return f"Response({self.status}, {len(self.body)} bytes)"


class Credentials(RedactedRepr, msgspec.Struct, frozen=True):
    """Who asks: the headers that the API requires of every request."""

    api_key: str
    user_agent: str

    def headers(self) -> dict[str, str]:
        """Give the headers of a request, the secret one among them."""
        basic = base64.b64encode(f"{self.api_key}:".encode()).decode()
        return {"Authorization": f"Basic {basic}", "Accept": "application/json", "User-Agent": self.user_agent}

    def __repr__(self) -> str:
        """Never the key."""
        return f"Credentials({self.user_agent!r})"


class Server(msgspec.Struct, frozen=True):
    """The server and base path that a key belongs to, and nothing beside them."""

    base_url: str

    def url(self, path: str) -> str:
        """Give the URL of a path below the base path."""
        return self.base_url + path

    def own(self, url: str) -> str | None:
        """Give `url` when it lies on this server below its base path, else None."""
        if isinstance(url, str) and url.startswith(self.base_url) and _PLAIN.fullmatch(url, len(self.base_url)):
            return url  # As nearly all are: no parser can read it in another way.
        try:
            parts, base = URL(url, encoded=True), URL(self.base_url, encoded=True)
            same = (parts.scheme, parts.host, parts.port) == (base.scheme, base.host, base.port)
        except (ValueError, TypeError):
            return None
        path = parts.raw_path
        if not same or parts.raw_user is not None or parts.raw_password is not None or _escapes(url):
            return None
        if not path.startswith(base.raw_path.rstrip("/") + "/") or ".." in re.split(r"[/\\]", unquote(unquote(path))):
            return None
        return str(base.origin()) + parts.raw_path_qs


def _escapes(url: str) -> bool:
    """Whether a URL has signs that a parser on the way might read in another way, or not send at all."""
    return not url.isascii() or not url.isprintable() or any(sign in url for sign in " \\#")


def shard_of(api_key: str) -> str | None:
    """Return the shard that a key names after its last hyphen, the default without a hyphen, or None if it is none."""
    _, hyphen, suffix = api_key.rpartition("-")
    if not hyphen:
        return DEFAULT_SHARD
    return suffix if SHARD.fullmatch(suffix) else None


def is_email(text: str) -> bool:
    """Whether a text looks like an e-mail address."""
    return text.isascii() and text.isprintable() and _EMAIL.fullmatch(text) is not None


def is_id(value: str) -> bool:
    """Whether a text is an id as the API gives them: up to 19 digits."""
    return _ID.fullmatch(value) is not None


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def as_object(value: object) -> dict[str, Any] | None:
    """Return a JSON value if it is an object, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
