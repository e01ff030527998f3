"""Requests, responses and routes of the shop's HTTP programs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Optional
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Request:
    """One HTTP request.

    Attributes:
        path: decoded path without the query.
        query: first value of each query parameter.
        values: what the route's `{placeholders}` matched.
    """

    method: str
    path: str
    query: dict[str, str]
    body: bytes = b""
    values: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises:
            HttpError: 400 when it is none.
        """
        try:
            content = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise HttpError(400, "the body is not JSON") from None
        if not isinstance(content, dict):
            raise HttpError(400, "the body is not a JSON object")
        return content

    def number(self, name: str) -> int:
        """Return a placeholder as a number; anything else does not exist (404)."""
        value = self.values[name]
        if not re.fullmatch(r"[0-9]{1,18}", value):
            raise HttpError(404, f"no {name} {value!r}")
        return int(value)


@dataclass
class Response:
    """One HTTP response; `content` is sent as JSON unless it is text."""

    status: int
    content: Any
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        """Return the body and its content type."""
        if isinstance(self.content, str):
            return self.content.encode(), "text/plain; charset=utf-8"
        return json.dumps(self.content).encode() + b"\n", "application/json"


class HttpError(Exception):
    """Ends a request with this status and message."""

    def __init__(self, status: int, message: str, **details: Any) -> None:
        super().__init__(message)
        self.response = Response(status, {"error": message, **details})


Handler = Callable[[Request], Response]


class Router:
    """Finds the handler of a request. A route that is added again replaces the earlier one."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], tuple[re.Pattern[str], Handler]] = {}

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Serve `method pattern` with the handler; `{name}` in the pattern matches one path segment."""
        expression = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
        self._routes[(method, pattern)] = (re.compile(expression), handler)

    def answer(self, method: str, target: str, body: bytes = b"") -> Response:
        """Return the response to one request; HttpErrors become responses, other errors pass."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        request = Request(method, unquote(parts.path), query, body)
        allowed = set()
        best: Optional[tuple[Handler, dict[str, str]]] = None
        for (route_method, _), (expression, handler) in self._routes.items():
            match = expression.fullmatch(request.path)
            if not match:
                continue
            allowed.add(route_method)
            # A path without placeholders is the more exact one, whatever the order of registration.
            if route_method == method and (best is None or not match.groupdict()):
                best = handler, match.groupdict()
        if best is None:
            if allowed:
                headers = {"Allow": ", ".join(sorted(allowed))}
                return Response(405, {"error": f"{method} is not allowed here"}, headers)
            return Response(404, {"error": f"no such page: {request.path}"})
        request.values = best[1]
        try:
            return best[0](request)
        except HttpError as error:
            return error.response
