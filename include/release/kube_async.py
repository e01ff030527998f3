"""What a trigger asks a cluster for: lists, logs, and to be woken when something changes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from include.release.kube import CONNECT_SECONDS, READ_SECONDS, KubeError, Objects, error_of, path_of
from include.release.log_lines import LogLines

WATCH_SECONDS = 240
PAGE = 500
"""Objects of one page of a list: what is read between two turns of the event loop stays small."""
MERGE_PATCH = "application/merge-patch+json"

Query = list[tuple[str, str]]


class AsyncApiClient(Protocol):
    """What is used of ``kubernetes_asyncio.client.ApiClient``."""

    configuration: Any

    async def call_api(self, resource_path: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Send one request."""


@dataclass(frozen=True)
class Listing:
    """Every object of a kind, and the revision from which a watch goes on without a gap."""

    items: Objects
    revision: str


@dataclass(frozen=True)
class Change:
    """One line of a watch: ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""

    type: str
    object: dict[str, Any]

    @property
    def revision(self) -> str:
        """Where a watch that was cut here goes on."""
        return str((self.object.get("metadata") or {}).get("resourceVersion", ""))


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

    async def listing(self, kind: str, namespace: str | None, *, fields: str = "") -> Listing:
        """All objects of a kind, page by page. Raises KubeError 410 when they changed too fast to be read so."""
        items: Objects = []
        token = ""
        while True:
            query = [("limit", str(PAGE))]
            query += [("fieldSelector", fields)] if fields else []
            query += [("continue", token)] if token else []
            found = await self._json("GET", path_of(kind, namespace), query)
            items += found.get("items") or []
            about = found.get("metadata") or {}
            token = str(about.get("continue") or "")
            if not token:
                return Listing(items, str(about.get("resourceVersion", "")))

    @contextlib.asynccontextmanager
    async def watching(
        self, kind: str, namespace: str | None, *, revision: str, seconds: float, fields: str = ""
    ) -> AsyncIterator[AsyncGenerator[Change]]:
        """The changes after a revision, bookmarks too; the server ends them after ``seconds``.

        Raises KubeError: what the server says in the stream (410: the revision is too old), and with status 0 when
        the connection is cut or what comes is no JSON.
        """
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", revision)]
        query += [("timeoutSeconds", str(max(1, round(seconds))))]
        query += [("fieldSelector", fields)] if fields else []
        path = path_of(kind, namespace)
        async with (
            self._ask(path, query, read_seconds=seconds + READ_SECONDS) as answer,
            contextlib.aclosing(_changes(answer, f"GET {path} (watch)")) as changes,
        ):
            yield changes

    async def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        try:
            return await self._json("GET", path_of(kind, namespace, name))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
        """Create an object; the object as it is then. KubeError 409 when there is one of that name."""
        return await self._json("POST", path_of(manifest["kind"], namespace), _MANAGER, body=manifest)

    async def replace(self, manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
        """Put an object in place of the one there is; KubeError 409 when its resourceVersion is another by now."""
        path = path_of(manifest["kind"], namespace, manifest["metadata"]["name"])
        return await self._json("PUT", path, _MANAGER, body=manifest)

    async def merge(self, kind: str, namespace: str, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Merge a patch into an object (None removes a key); the object as it is then."""
        path = path_of(kind, namespace, name)
        return await self._json("PATCH", path, _MANAGER, body=patch, content_type=MERGE_PATCH)

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail: int = 20,
        limit_bytes: int | None = None,
    ) -> str:
        """The last lines of a container's log."""
        query = [("container", container), ("tailLines", str(tail))]
        query += [("previous", "true")] if previous else []
        query += [("limitBytes", str(limit_bytes))] if limit_bytes else []
        async with self._ask(path_of("Pod", namespace, pod, "log"), query) as answer:
            text: str = (await answer.read()).decode("utf-8", "replace")
            return text

    async def follow_log(
        self, namespace: str, pod: str, container: str, *, timeout: float, since: str = ""
    ) -> AsyncGenerator[str]:
        """The lines of a container's log as they are written, as ``Cluster.follow_log``."""
        query = [("container", container), ("follow", "true"), ("timestamps", "true")]
        query += [("sinceTime", since)] if since else []
        lines = LogLines()
        asked = self._ask(path_of("Pod", namespace, pod, "log"), query, read_seconds=timeout)
        async with asked as answer:
            async for chunk in answer.content.iter_any():
                for line in lines.feed(chunk):
                    yield line
        for line in lines.end():
            yield line

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

    async def _json(
        self, method: str, path: str, query: Query | None = None, **options: Any
    ) -> dict[str, Any]:
        async with self._ask(path, query or [], method=method, **options) as answer:
            found: dict[str, Any] = _parsed(await answer.read(), f"{method} {path}")
            return found

    @contextlib.asynccontextmanager
    async def _ask(
        self,
        path: str,
        query: Query,
        read_seconds: float = READ_SECONDS,
        *,
        method: str = "GET",
        body: Any = None,
        content_type: str = "application/json",
    ) -> AsyncIterator[Any]:
        request = f"{method} {path}"
        timeout = aiohttp.ClientTimeout(connect=CONNECT_SECONDS, sock_read=read_seconds)
        try:
            answer = await self._client.call_api(
                path,
                method,
                query_params=query,
                header_params={"Accept": "application/json, */*", "Content-Type": content_type},
                body=body,
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


_MANAGER: Query = [("fieldManager", "plan-reduce-repeat")]


async def _changes(answer: Any, request: str) -> AsyncGenerator[Change]:
    async with contextlib.aclosing(_lines(answer)) as lines:
        async for line in lines:
            found = _parsed(line, request)
            kind, thing = str(found.get("type", "")), found.get("object")
            if kind == "ERROR":
                status = thing if isinstance(thing, dict) else {}
                raise KubeError(
                    int(status.get("code") or 500),
                    str(status.get("message", "")),
                    request,
                    str(status.get("reason", "")),
                )
            if not isinstance(thing, dict):
                raise KubeError(0, f"a {kind or 'nameless'} change without an object", request)
            yield Change(kind, thing)


def _parsed(text: bytes, request: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise KubeError(0, f"the answer is no JSON ({error}): {text[:80]!r}", request) from error
    if not isinstance(found, dict):
        raise KubeError(0, f"the answer is no JSON object: {text[:80]!r}", request)
    return found
