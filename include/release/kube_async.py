"""What a trigger asks a cluster for: lists, logs, and to be woken when something changes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

import aiohttp

from include.release.kube import CONNECT_SECONDS, READ_SECONDS, KubeError, Objects, error_of, path_of

WATCH_SECONDS = 240


class AsyncApiClient(Protocol):
    """What is used of ``kubernetes_asyncio.client.ApiClient``."""

    configuration: Any

    async def call_api(self, resource_path: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Send one request."""


class AsyncCluster:
    """One cluster, for use in an event loop. Methods raise KubeError."""

    def __init__(self, client: AsyncApiClient) -> None:
        self._client = client

    async def items(self, kind: str, namespace: str, *, labels: str = "", fields: str = "") -> Objects:
        """All objects of a kind that match the selectors."""
        query = [pair for pair in (("labelSelector", labels), ("fieldSelector", fields)) if pair[1]]
        async with self._ask(path_of(kind, namespace), query) as answer:
            found: Objects = (json.loads(await answer.read())).get("items") or []
            return found

    async def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, tail: int = 20
    ) -> str:
        """The last lines of a container's log."""
        query = [("container", container), ("tailLines", str(tail))]
        query += [("previous", "true")] if previous else []
        async with self._ask(path_of("Pod", namespace, pod, "log"), query) as answer:
            text: str = (await answer.read()).decode("utf-8", "replace")
            return text

    async def changes(self, kind: str, namespace: str, *, labels: str = "") -> AsyncGenerator[str]:
        """The type of every change to a kind (ADDED, MODIFIED, DELETED), until the server ends the watch.

        It says that something changed, not what: whoever is woken lists again, so nothing is missed.
        """
        query = [("watch", "true"), ("timeoutSeconds", str(WATCH_SECONDS))]
        query += [("labelSelector", labels)] if labels else []
        asked = self._ask(path_of(kind, namespace), query, read_seconds=WATCH_SECONDS + 30)
        async with asked as answer, contextlib.aclosing(_lines(answer)) as lines:
            async for line in lines:
                kind_of_change = json.loads(line).get("type", "")
                if kind_of_change == "ERROR":
                    return
                yield kind_of_change

    @contextlib.asynccontextmanager
    async def _ask(
        self, path: str, query: list[tuple[str, str]], read_seconds: float = READ_SECONDS
    ) -> AsyncIterator[Any]:
        request = f"GET {path}"
        timeout = aiohttp.ClientTimeout(connect=CONNECT_SECONDS, sock_read=read_seconds)
        try:
            answer = await self._client.call_api(
                path,
                "GET",
                query_params=query,
                header_params={"Accept": "application/json, */*"},
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=timeout,
            )
            try:
                if answer.status >= 300:
                    raise error_of(answer.status, await answer.read(), request)
                yield answer
            finally:
                answer.close()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            host = self._client.configuration.host
            raise KubeError(
                0, f"{host} does not answer: {str(error) or type(error).__name__}", request
            ) from error


async def _lines(answer: Any) -> AsyncGenerator[bytes]:
    """Lines of a stream. An object may be longer than the reader's own limit for a line."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
