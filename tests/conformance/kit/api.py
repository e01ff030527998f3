"""HTTP to an API server as it stands in the kubeconfig: the answer's code, headers and body, unchanged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

Object = dict[str, Any]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Answer:
    """What came back. ``warnings`` are the texts of the ``Warning`` headers, one for each."""

    code: int
    headers: urllib3.HTTPHeaderDict
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def message(self) -> str:
        """The Status' message, or the text where the answer is none."""
        try:
            body = self.body
        except ValueError:
            return self.text
        return str(body.get("message", "")) if isinstance(body, dict) else self.text

    @property
    def warnings(self) -> list[str]:
        found = []
        for header in self.headers.getlist("Warning"):
            for part in header.split('299 - "')[1:]:
                found.append(part.rstrip(", ").removesuffix('"').replace('\\"', '"'))
        return found

    def expect(self, *codes: int) -> Any:
        """The body, if the code is one of these."""
        assert self.code in (codes or (200,)), f"answer {self.code}, expected {codes}: {self.text[:2000]}"
        return self.body


class Api:
    """Requests with the kubeconfig's credentials, or with others, or with none."""

    def __init__(self, kubeconfig: str) -> None:
        settings = client.Configuration()
        config.load_kube_config(kubeconfig, client_configuration=settings)
        self.kubeconfig = kubeconfig
        self.settings = settings
        self.client = client.ApiClient(settings)
        self._own = self.client.rest_client.pool_manager
        self._anonymous = urllib3.PoolManager(
            ca_certs=settings.ssl_ca_cert,
            cert_reqs="CERT_REQUIRED" if settings.verify_ssl else "CERT_NONE",
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        token: str | None = None,
        anonymous: bool = False,
        headers: dict[str, str] | None = None,
        timeout: float = 30,
        stream: bool = False,
        **query: Any,
    ) -> Answer:
        """One request. ``body`` goes as it is when it is text, else as JSON; ``query`` values as text."""
        response = self._send(
            method, path, body, content_type, accept, token, anonymous, headers, timeout, stream, query
        )
        return Answer(response.status, response.headers, response.data)

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        content_type: str,
        accept: str,
        token: str | None,
        anonymous: bool,
        headers: dict[str, str] | None,
        timeout: float,
        stream: bool,
        query: dict[str, Any],
    ) -> urllib3.BaseHTTPResponse:
        sent = {"Accept": accept, "User-Agent": "conformance", **(headers or {})}
        pool = self._own
        if anonymous or token is not None:
            pool = self._anonymous
            if token is not None:
                sent["Authorization"] = f"Bearer {token}"
        else:
            for setting in self.settings.auth_settings().values():
                if setting["in"] == "header" and setting["value"]:
                    sent[setting["key"]] = setting["value"]
        data = None
        if body is not None:
            sent["Content-Type"] = content_type
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        if query:
            path += ("&" if "?" in path else "?") + urlencode({k: _text(v) for k, v in query.items()})
        return pool.request(
            method,
            self.settings.host + path,
            body=data,
            headers=sent,
            timeout=timeout,
            retries=False,
            preload_content=not stream,
        )

    def watch(self, path: str, *, seconds: int = 10, accept: str = JSON, **query: Any) -> Iterator[Object]:
        """The events of a watch until the server ends it, which it does after ``seconds``."""
        query = {"watch": "true", "timeoutSeconds": seconds, **query}
        response = self._send(
            "GET", path, None, JSON, accept, None, False, None, seconds + 20, True, query
        )  # fmt: skip
        try:
            assert response.status == 200, f"watch of {path}: {response.status} {response.read()[:2000]!r}"
            pending = b""
            for chunk in response.stream(amt=None):
                *lines, pending = (pending + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        finally:
            response.close()

    def follow(self, path: str, *, seconds: float = 20, **query: Any) -> Iterator[bytes]:
        """The pieces of a streamed answer as they come."""
        response = self._send("GET", path, None, JSON, "*/*", None, False, None, seconds, True, query)
        try:
            assert response.status == 200, f"{path}: {response.status} {response.read()[:2000]!r}"
            yield from response.stream(amt=None)
        finally:
            response.close()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def until(what: str, probe: Any, timeout: float = 60, every: float = 0.1) -> Any:
    """Ask ``probe`` until its answer is true, and return that answer.

    Raises:
        AssertionError: after ``timeout`` seconds, naming ``what`` and the last answer or failed assertion.
    """
    end = time.monotonic() + timeout
    last: Any = None
    while True:
        try:
            last = probe()
            if last:
                return last
        except AssertionError as failed:
            last = failed
        if time.monotonic() >= end:
            raise AssertionError(f"not within {timeout} s: {what}; last seen: {str(last)[:1500]}")
        time.sleep(every)
