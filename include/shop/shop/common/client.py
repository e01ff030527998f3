"""Calling another HTTP service, one connection per call, never through a proxy."""

from __future__ import annotations

import http.client
import json
from typing import Any, Optional
from urllib.parse import urlsplit


class NetworkError(Exception):
    """No HTTP answer came: refused, reset, timed out, or not HTTP at all.

    Attributes:
        sent: whether the request may have reached the service.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


def call(
    method: str, url: str, body: Optional[dict[str, Any]] = None, timeout: float = 5
) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object of the answer (empty when it is none).

    Raises:
        NetworkError: with the address and the cause in its text.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    sent = False
    try:
        connection.connect()
        sent = True
        payload = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json", "Connection": "close"}
        connection.request(method, parts.path or "/", payload, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        cause = f"{type(error).__name__}: {error}".replace("\r", " ").replace("\n", " ")
        raise NetworkError(f"{method} {url}: {cause}", sent=sent) from error
    finally:
        connection.close()
    try:
        found = json.loads(content)
    except ValueError:
        found = {}
    return answer.status, found if isinstance(found, dict) else {}
