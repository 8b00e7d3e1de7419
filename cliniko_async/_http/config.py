"""Validates the API key, the User-Agent and the base URL."""

from yarl import URL

from .._messages import SHARD, is_email, is_loopback, shard_of
from ..errors import ConfigurationError

_BASE_URL = "https://api.{}.cliniko.com/v1"


def checked_key(api_key: str) -> str:
    """Return the API key if it is valid.

    Raises:
        ConfigurationError: It is empty, or contains a character that no key can contain.
    """
    if not isinstance(api_key, str) or not api_key:
        raise ConfigurationError("the API key is empty")
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key or ":" in api_key:
        raise ConfigurationError("the API key has an invalid character (a space, a line end, a colon, …)")
    return api_key


def user_agent(app_name: str, contact_email: str) -> str:
    """Return the User-Agent header.

    Raises:
        ConfigurationError: The name or the e-mail address is not valid.
    """
    if not isinstance(app_name, str) or not app_name.strip() or not app_name.isprintable() or not app_name.isascii():
        raise ConfigurationError("app_name must be the name of your application, in printable ASCII")
    if not isinstance(contact_email, str) or not is_email(contact_email):
        raise ConfigurationError("contact_email must be an e-mail address at which you can be reached")
    return f"{app_name.strip()} ({contact_email})"


def base_url_for(api_key: str, shard: str | None, base_url: str | None) -> str:
    """Return the base URL: `base_url` if given, otherwise that of the shard.

    Raises:
        ConfigurationError: The shard or the URL is not valid.
    """
    if base_url is not None:
        if shard is not None:
            raise ConfigurationError("give shard or base_url, not both")
        return _checked_base_url(base_url)
    if shard is not None and (not isinstance(shard, str) or not SHARD.fullmatch(shard)):
        raise ConfigurationError("shard must be two letters and a number, such as 'au2'")
    shard = shard or shard_of(api_key)
    if shard is None:
        raise ConfigurationError(
            "the API key does not end in a shard, such as -au2: check that it is complete, or give shard or base_url"
        )
    return _BASE_URL.format(shard.lower())


def _checked_base_url(base_url: str) -> str:
    try:
        url = URL(base_url)
        host = url.host or ""
        host.encode("idna")  # As in a DNS lookup, which rejects empty and overlong labels.
    except (ValueError, TypeError):
        raise ConfigurationError("base_url is not a valid URL") from None
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        raise ConfigurationError("base_url must start with https, unless its host is this machine")
    if not host or url.user is not None or url.password is not None or url.query_string or url.fragment:
        raise ConfigurationError("base_url must be a scheme, a host and a path, and nothing else")
    return str(url).rstrip("/")
