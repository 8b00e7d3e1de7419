"""Why a request got no response, in text that reveals nothing about the request."""

import os
import ssl

import aiohttp

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ServerDisconnectedError, "the server closed the connection"),
    (aiohttp.ServerFingerprintMismatch, "the certificate has another fingerprint"),
    (aiohttp.ClientPayloadError, "the response was cut off"),
    (aiohttp.ClientResponseError, "the response is not HTTP"),
)


class ConnectionLostError(aiohttp.ClientError):
    """A lost connection, raised as an error that does not make aiohttp resend the request."""


def reason_of(error: Exception) -> str:
    """Return why a request failed, without the messages of aiohttp, which may show a URL or a header."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _reason_of_system(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        # A resolver knows only the host. Its error numbers are not `errno` values.
        return error.os_error.strerror or "the name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _reason_of_system(error.os_error)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status}"
    if isinstance(error, aiohttp.ClientResponseError) and error.__cause__ is None:
        # aiohttp chains its own to the error of its parser.
        return f"a middleware raised an error for the status {error.status}"
    known = next((text for kind, text in _REASONS if isinstance(error, kind)), None)
    return known or (str(error) if isinstance(error, ConnectionLostError) else _reason_of_system(error))


def _reason_of_system(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'the handshake failed').lower().replace('_', ' ')}"
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else type(error).__name__
