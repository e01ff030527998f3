"""The proxy to pods and services. Each request is sent once: a retry could do a thing twice."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from include.cluster.http.backends import Target, unavailable

_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_NOT_FOR_BACKENDS = {"authorization", "host", "content-length", "impersonate-user", "impersonate-group"}
_CONNECT_TIMEOUT = 30.0


class Proxy:
    """Sends requests on, body and answer as streams."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Opens the client."""
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        # A fresh connection for each request: none can go stale between two of them.
        connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=unchecked)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        # aiohttp sends a GET or PUT again when the server hangs up, and has no public setting against it.
        self._session._retry_connection = False

    async def stop(self) -> None:
        """Closes the client and what it has open."""
        if self._session is not None:
            await self._session.close()

    async def send(self, request: web.Request, target: Target, rest: str, prefix: str) -> web.StreamResponse:
        """Sends a request on and streams the answer back.

        Args:
            request: as it came.
            target: the backend.
            rest: the path behind ``/proxy/``, percent-encoded as it came.
            prefix: the path up to and with ``/proxy``, for redirects.

        Raises:
            ApiError: 503 when the backend cannot be reached or gives no answer.
        """
        if self._session is None:
            raise RuntimeError("the proxy is not started")
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        url = URL(f"{target.scheme}://{target.address}/{rest}{query}", encoded=True)
        body = _body(request) if request.body_exists else None
        headers = _forwarded(request, prefix, rest)
        headers["Host"] = target.address
        if request.content_length is not None and body is not None:
            headers["Content-Length"] = str(request.content_length)
        try:
            upstream = await self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unavailable(f"error trying to reach service: {_words(error, target)}") from None
        async with upstream:
            answer = web.StreamResponse(status=upstream.status, reason=upstream.reason)
            for key, value in upstream.headers.items():
                if key.lower() == "location":
                    answer.headers[key] = _relocated(value, target, prefix)
                elif key.lower() not in _HOP_BY_HOP:
                    answer.headers.add(key, value)
            await answer.prepare(request)
            try:
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
            except (aiohttp.ClientPayloadError, ConnectionResetError):
                # The backend broke off in the middle: the client must see that, not a clean end.
                if request.transport is not None:
                    request.transport.abort()
                raise asyncio.CancelledError from None
            await answer.write_eof()
            return answer


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        yield chunk


def _forwarded(request: web.Request, prefix: str, rest: str) -> CIMultiDict[str]:
    dropped = _HOP_BY_HOP | _NOT_FOR_BACKENDS
    dropped |= {name.strip().lower() for name in request.headers.get("Connection", "").split(",")}
    headers: CIMultiDict[str] = CIMultiDict()
    for key, value in request.headers.items():
        if key.lower() not in dropped:
            headers.add(key, value)
    headers["X-Forwarded-For"] = request.remote or ""
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Proto"] = "https"
    headers["X-Forwarded-Uri"] = f"{prefix}/{rest}"
    return headers


def _relocated(location: str, target: Target, prefix: str) -> str:
    """A redirect of the backend, as seen through the proxy."""
    parts = urlsplit(location)
    if parts.netloc not in ("", target.address):
        return location
    tail = f"?{parts.query}" if parts.query else ""
    return f"{prefix}/{parts.path.lstrip('/')}{tail}" if parts.path.startswith("/") else location


def _words(error: BaseException, target: Target) -> str:
    """What a Go client says of such an error."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        reasons = {
            errno.ECONNREFUSED: "connect: connection refused",
            errno.EHOSTUNREACH: "connect: no route to host",
        }
        return f"dial tcp {target.address}: {reasons.get(number, 'connect: ' + os.strerror(number).lower())}"
    if isinstance(error, ConnectionResetError | aiohttp.ClientOSError):
        return f"read tcp {target.address}: read: connection reset by peer"
    if isinstance(error, TimeoutError):
        return f"dial tcp {target.address}: i/o timeout"
    return str(error) or type(error).__name__
