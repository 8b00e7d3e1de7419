"""Requests, responses, credentials and the server, as values without I/O."""

import base64
import datetime as dt
import email.utils
import ipaddress
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote

import msgspec
from yarl import URL

SHARD = re.compile(r"\w{2}\d{1,2}", re.IGNORECASE | re.ASCII)
DEFAULT_SHARD = "au1"
_EMAIL = re.compile(r"[^@\s()<>,;]+@[^@\s()<>,;]+\.[^@\s()<>,;]+")
ID_DIGITS = 19
"""The largest number of digits in an id of the API."""
_ID = re.compile(rf"\d{{1,{ID_DIGITS}}}", re.ASCII)
_PLAIN = re.compile(r"(/[A-Za-z0-9_]+)+(\?[A-Za-z0-9_%&=:,.~*+!<>-]*)?")
_REPEATABLE = {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}


class RedactedRepr:
    """Shows only its class name in `repr` and rich, as its values may be secret or about a patient."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the class name."""
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return no fields, which rich would otherwise show in tracebacks with local variables."""
        return []


class Request(RedactedRepr, msgspec.Struct, frozen=True):
    """One request. A retry sends the same value again.

    Attributes:
        method: The HTTP method.
        url: The URL with its query.
        body: The JSON that was sent, or None.
    """

    method: str
    url: str
    body: bytes | None = None

    @property
    def path(self) -> str:
        """The path of the URL, without the query, which may contain search terms."""
        return URL(self.url, encoded=True).raw_path

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice has the same effect as sending it once."""
        # Each cancellation may notify patients.
        cancels = self.method == "PATCH" and self._acts("/cancel")
        return self.archives or (self.method in _REPEATABLE and not cancels)

    @property
    def archives(self) -> bool:
        """Whether it archives a record, according to its path."""
        return self.method == "POST" and self._acts("/archive")

    @property
    def removes(self) -> bool:
        """Whether repeating it results in a 404, because the record is gone."""
        return self.method == "DELETE" or self.archives

    def _acts(self, action: str) -> bool:
        return self.path.rstrip("/").endswith(action)

    @property
    def host(self) -> str:
        """The host of the URL, with its port if that is not the default."""
        return URL(self.url, encoded=True).host_port_subcomponent or ""

    def __repr__(self) -> str:
        """Return method, host and path, but not query and body, which may name a patient."""
        return f"{self.method} {self.host}{self.path}"


class FileRequest(Request, frozen=True):
    """A request to the file store, which is not part of the API; a path there may name a patient."""

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again: always, as a stored file without an attachment record has no effect."""
        return True

    def __repr__(self) -> str:
        """Return method and host."""
        return f"{self.method} {self.host}"


class Response(RedactedRepr, msgspec.Struct, frozen=True):
    """A response that was read completely.

    Attributes:
        status: The HTTP status.
        headers: The headers; their names ignore case.
        body: The body.
        elapsed: Seconds from the start of the request to the end of the response.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed: float = 0.0

    def json(self) -> Any:
        """Parse the body as JSON.

        Returns:
            The value.

        Raises:
            ValueError: The body is not JSON.
        """
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None

    def __repr__(self) -> str:
        """Return status and size, but not the body, which may be about a patient."""
        return f"Response({self.status}, {len(self.body)} bytes)"


def date_of(headers: Mapping[str, str], name: str = "Date") -> float | None:
    """Return the date in a header as Unix time, or None if it is missing or not a date."""
    date = parse_date(headers.get(name))
    return None if date is None else date.timestamp()


def retry_after(headers: Mapping[str, str], wall: Callable[[], float] = time.time) -> float:
    """Return the seconds to wait according to `Retry-After`: 0 without the header, negative for a past date.

    Args:
        headers: The headers of a response.
        wall: Returns the Unix time; used if the response has no `Date`.
    """
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    date = date_of(headers, "Retry-After")
    return 0.0 if date is None else seconds_until(date, headers, wall)


def seconds_until(moment: float, headers: Mapping[str, str], wall: Callable[[], float]) -> float:
    """Return the seconds until a Unix time, by the server's clock if there is a `Date`.

    Args:
        moment: The Unix time.
        headers: The headers of a response.
        wall: Returns the Unix time; used if the response has no `Date`.
    """
    now = date_of(headers)
    return moment - (wall() if now is None else now)


def parse_date(text: str | None) -> dt.datetime | None:
    """Return the date of a header in UTC, or None if there is none or it is not a date."""
    try:
        date = email.utils.parsedate_to_datetime(text or "")
        # HTTP dates are in UTC, with or without a zone.
        return date.astimezone(dt.UTC) if date.tzinfo else date.replace(tzinfo=dt.UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class Credentials(RedactedRepr, msgspec.Struct, frozen=True):
    """The API key and User-Agent, which the API requires with every request."""

    api_key: str
    user_agent: str

    def headers(self) -> dict[str, str]:
        """Return the headers of a request, including the API key."""
        basic = base64.b64encode(f"{self.api_key}:".encode()).decode()
        return {"Authorization": f"Basic {basic}", "Accept": "application/json", "User-Agent": self.user_agent}

    def __repr__(self) -> str:
        """Return the User-Agent, but never the key."""
        return f"Credentials({self.user_agent!r})"


class Server(msgspec.Struct, frozen=True):
    """The server and base path that a key belongs to."""

    base_url: str

    @property
    def base_path(self) -> str:
        """The path of the base URL, without a slash at its end."""
        return URL(self.base_url, encoded=True).raw_path.rstrip("/")

    def url(self, path: str) -> str:
        """Return the URL of a path below the base path."""
        return self.base_url + path

    def own_url(self, url: str) -> str | None:
        """Return `url` if it is on this server below its base path, otherwise None."""
        if isinstance(url, str) and url.startswith(self.base_url) and _PLAIN.fullmatch(url, len(self.base_url)):
            return url  # The fast path, for nearly all URLs: no parser can read it differently.
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
    """Return whether a URL has characters that other parsers might interpret differently, or not send at all."""
    return not url.isascii() or not url.isprintable() or any(sign in url for sign in " \\#")


def shard_of(api_key: str) -> str | None:
    """Return the shard after the last hyphen of a key, the default without a hyphen, or None if it is invalid."""
    _, hyphen, suffix = api_key.rpartition("-")
    if not hyphen:
        return DEFAULT_SHARD
    return suffix if SHARD.fullmatch(suffix) else None


def is_email(text: str) -> bool:
    """Return whether a string looks like an e-mail address."""
    return text.isascii() and text.isprintable() and _EMAIL.fullmatch(text) is not None


def is_id(value: str) -> bool:
    """Return whether a string is an id of the API: 1 to `ID_DIGITS` digits."""
    return _ID.fullmatch(value) is not None


def is_unicode(text: str) -> bool:
    """Return whether a string can be encoded, as it has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def as_object(value: object) -> dict[str, Any] | None:
    """Return a JSON value if it is an object, otherwise None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
