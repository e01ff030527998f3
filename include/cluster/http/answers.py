"""Answers as bytes: JSON or YAML, with warnings."""

from __future__ import annotations

import json
from typing import Any

import yaml
from aiohttp import web
from multidict import CIMultiDict

from include.cluster.errors import ApiError
from include.cluster.http.negotiation import JSON, Form
from include.cluster.registry import WriteOptions

Object = dict[str, Any]
OPTIONS = web.RequestKey("options", WriteOptions)
"""A write's options, kept with its request: what it was warned of goes out with a refusal too."""

_NO_CACHE = "no-cache, private"


class _Dumper(yaml.SafeDumper):
    """YAML without aliases and with lists at their key's own depth, as Kubernetes writes it."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is the library's
        return True


def json_text(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def encoded(value: Any, form: Form) -> bytes:
    """The value in the form asked for."""
    if form.media_type == JSON:
        return (json_text(value) + "\n").encode("utf-8", "replace")
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True)
    return text.encode()


def answer(
    value: Any, form: Form | None = None, code: int = 200, warnings: list[str] | None = None
) -> web.Response:
    """A whole answer."""
    form = form or Form()
    return raw(encoded(value, form), form.media_type, code, warnings)


def raw(body: bytes, content_type: str, code: int = 200, warnings: list[str] | None = None) -> web.Response:
    """An answer whose body is ready."""
    headers: CIMultiDict[str] = CIMultiDict({"Content-Type": content_type, "Cache-Control": _NO_CACHE})
    for text in dict.fromkeys(warnings or ()):
        headers.add("Warning", warning(text))
    return web.Response(body=body, status=code, headers=headers)


def warning(text: str) -> str:
    """One warning as a header's value: ``299 - "text"``."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'299 - "{quoted}"'


def failure(error: ApiError, warnings: list[str] | None = None) -> web.Response:
    """An error's Status, always as JSON."""
    response = answer(error.status(), code=error.code, warnings=warnings)
    retry = (error.details or {}).get("retryAfterSeconds")
    if retry is not None:
        response.headers["Retry-After"] = str(retry)
    return response


def page(text: str, code: int = 200) -> web.Response:
    """Plain text, as health checks and unknown paths answer."""
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=text.encode(), status=code, headers=headers)


def not_found_page() -> web.Response:
    """What an unknown path or group answers."""
    return page("404 page not found\n", 404)


def no_such_resource() -> ApiError:
    """404 for an unknown resource of a known group."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def not_allowed() -> ApiError:
    """405."""
    text = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", text, {})
