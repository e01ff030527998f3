"""The log of a pod's container."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from aiohttp import web

from include.cluster.errors import ApiError, Cause, bad_request, invalid
from include.cluster.http.answers import raw
from include.cluster.http.info import is_true
from include.cluster.http.negotiation import AVAILABLE, JSON, YAML, clauses
from include.cluster.http.params import number
from include.cluster.registry import Registry, clock

Object = dict[str, Any]
_PLAIN = "text/plain"
_FIRST_PIECE = 1.0
"""Seconds that a followed log may be silent before the answer begins."""


class LogReader(Protocol):
    """The node, as far as logs are concerned."""

    def read_log(
        self,
        pod: Object,
        container: str,
        *,
        previous: bool,
        follow: bool,
        tail_lines: int | None,
        since_seconds: int | None,
        since_time: datetime | None,
        timestamps: bool,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:
        """The log in pieces."""


async def respond(
    request: web.Request, registry: Registry, node: LogReader | None, namespace: str, name: str
) -> web.StreamResponse:
    """Answers ``GET pods/<name>/log``.

    Raises:
        ApiError: 400, 404, 406, 422 as Kubernetes answers.
    """
    _acceptable(request.headers.get("Accept", ""))
    pod = registry.get("pods", namespace, name)
    query = request.query
    options = _options(name, query)
    container = _container(pod, query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        return web.Response(status=204)
    if node is None:
        raise ApiError(503, "ServiceUnavailable", f"node {pod['spec']['nodeName']} is not running")
    pieces = node.read_log(pod, container, **options)
    iterator = aiter(pieces)
    # Errors come before the first piece; a quiet container that is followed is a 200 all the same.
    beginning = asyncio.ensure_future(_next(iterator))
    try:
        await asyncio.wait([beginning], timeout=_FIRST_PIECE)
        if beginning.done() and beginning.result() is None:
            return raw(b"", _PLAIN)
        response = web.StreamResponse(headers={"Content-Type": _PLAIN, "Cache-Control": "no-cache, private"})
        await response.prepare(request)
        first = await beginning
    finally:
        beginning.cancel()
    if first is not None:
        await response.write(first)
    async for piece in iterator:
        await response.write(piece)
    await response.write_eof()
    return response


async def _next(iterator: AsyncIterator[bytes]) -> bytes | None:
    return await anext(iterator, None)


def _acceptable(accept: str) -> None:
    media = [name for name, _ in clauses(accept)]
    if media and not any(
        name in (JSON, YAML, "*/*", "application/*") or "protobuf" in name for name in media
    ):
        text = f"only the following media types are accepted: {AVAILABLE}"
        raise ApiError(406, "NotAcceptable", text)


def _container(pod: Object, wanted: str) -> str:
    spec, name = pod["spec"], pod["metadata"]["name"]
    everything = [*(spec.get("initContainers") or []), *spec["containers"]]
    names = [one["name"] for one in everything]
    if wanted:
        if wanted not in names:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(spec["containers"]) == 1 and len(names) == 1:
        return str(names[0])
    annotated = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if annotated in names:
        return str(annotated)
    regular = " ".join(one["name"] for one in spec["containers"])
    text = f"a container name must be specified for pod {name}, choose one of: [{regular}]"
    if spec.get("initContainers"):
        text += f" or one of the init containers: [{' '.join(one['name'] for one in spec['initContainers'])}]"
    raise bad_request(text)


def _options(name: str, query: Mapping[str, str]) -> dict[str, Any]:
    causes = []
    tail = number(query, "tailLines") if "tailLines" in query else None
    since = number(query, "sinceSeconds") if "sinceSeconds" in query else None
    limit = number(query, "limitBytes") if "limitBytes" in query else None
    if tail is not None and tail < 0:
        causes.append(_wrong("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(_wrong("limitBytes", limit, "must be greater than 0"))
    if since is not None and "sinceTime" in query:
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(Cause("FieldValueForbidden", why, "[]"))
    elif since is not None and since < 1:
        causes.append(_wrong("sinceSeconds", since, "must be greater than 0"))
    if "stream" in query:
        causes.append(Cause("FieldValueForbidden", "Forbidden: may not be specified", "stream"))
    if causes:
        raise invalid("PodLogOptions", "", name, causes)
    moment = None
    if query.get("sinceTime"):
        try:
            moment = clock.parse(query["sinceTime"])
        except ValueError:
            text = query["sinceTime"]
            raise bad_request(
                f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
            ) from None
    return {
        "previous": is_true(query.get("previous")),
        "follow": is_true(query.get("follow")),
        "tail_lines": tail,
        "since_seconds": since,
        "since_time": moment,
        "timestamps": is_true(query.get("timestamps")),
        "limit_bytes": limit,
    }


def _wrong(field: str, value: int, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {value}: {why}", field)
