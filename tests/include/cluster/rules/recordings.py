"""The recorded requests of a real cluster, as cases for the rules that can be computed without a server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlparse

from include.cluster.resources import RESOURCES, Resource

Object = dict[str, Any]

_FOLDER = Path(__file__).parents[3] / "data" / "kubernetes-1.36" / "api"


@dataclass(frozen=True)
class Recorded:
    """One request and its answer."""

    topic: str
    number: int
    note: str
    request: Object
    response: Object

    @property
    def id(self) -> str:
        return f"{self.topic}-{self.number}-{self.note[:60]}"

    @property
    def method(self) -> str:
        return str(self.request["method"])

    @property
    def code(self) -> int:
        return int(self.response["code"])

    @property
    def answer(self) -> Any:
        return self.response.get("body")

    @property
    def path(self) -> str:
        return urlparse(self.request["path"]).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlparse(self.request["path"]).query))

    @property
    def content_type(self) -> str:
        return str(self.request["headers"].get("Content-Type", ""))

    @property
    def body(self) -> Any:
        body = self.request.get("body")
        return json.loads(body) if isinstance(body, str) and body.startswith("{") else body

    @property
    def warnings(self) -> list[str]:
        found = self.response.get("headers", {}).get("Warning") or []
        return [found] if isinstance(found, str) else list(found)

    def _parts(self) -> list[str]:
        parts = self.path.strip("/").split("/")[2:]
        return parts[1:] if self.path.startswith("/apis") else parts

    @property
    def namespace(self) -> str:
        parts = self._parts()
        return parts[1] if parts[0] == "namespaces" and len(parts) > 2 else ""

    @property
    def target(self) -> list[str]:
        """Kind, name and subresource, as far as there are."""
        parts = self._parts()
        return parts[2:] if self.namespace else parts

    @property
    def resource(self) -> Resource | None:
        return RESOURCES.get(self.target[0]) if self._parts() else None


def load(topic: str) -> list[Recorded]:
    """All requests of one file, in order."""
    lines = (_FOLDER / f"{topic}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        Recorded(topic, number, row["note"], row["request"], row["response"])
        for number, row in enumerate(rows)
        if "request" in row and row["request"]["path"].startswith(("/api/v1/", "/apis/"))
    ]


def without(obj: Object, *names: str) -> Object:
    """The object without some of its metadata."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in names}
    return {**obj, "metadata": metadata}
