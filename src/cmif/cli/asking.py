"""What a running gateway or engine says of itself, over TLS that the caller judges by the statement alone."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from cmif.errors import AttestationError, InputError

_MOST = 1 << 20
"""Bytes of an answer."""


def statement(url: str, nonce: bytes) -> tuple[Any, bytes | None]:
    """The statement over ``nonce``, and the certificate (DER) that the connection ended at, None without TLS.

    Raises :class:`AttestationError`, check ``gateway``.
    """
    status, told, der = get(url, f"/attestation?nonce={nonce.hex()}")
    if status == 404:
        raise AttestationError(
            "The gateway gives no statement: it was not started in a TEE (`gateway --sealed`, `serve --tee`).",
            check="gateway",
            expected=200,
            seen=status,
        )
    if status != 200:
        raise AttestationError("The gateway gives no statement.", check="gateway", expected=200, seen=status)
    return told, der


def get(url: str, path: str) -> tuple[int, Any, bytes | None]:
    """Status, JSON (None for what is none) and the certificate the connection ended at. Certificate authorities play no
    part here. Raises :class:`AttestationError` for no answer.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("The gateway's URL must be http(s)://host:port.")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port or 443, timeout=30, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=30)
    try:
        connection.connect()
        sock = connection.sock
        der = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
        connection.request("GET", path)
        answer = connection.getresponse()
        data = answer.read(_MOST)
    except (OSError, http.client.HTTPException):
        raise AttestationError(
            "The gateway does not answer.", check="gateway", expected="an answer", seen=None
        ) from None
    finally:
        connection.close()
    try:
        return answer.status, json.loads(data), der
    except ValueError:
        return answer.status, None, der
