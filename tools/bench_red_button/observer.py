"""Seeing Deployments go to zero: a watch of the benchmark's own, beside the one that is measured."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import urllib3

from include.release.kube import path_of
from include.release.pressed import NOTE_PRESSED
from tools.demo.options import DemoError

AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class Zero:
    """A Deployment was seen at zero replicas, ``at`` in seconds since the epoch, with the note of the press."""

    name: str
    at: float
    note: dict[str, Any]

    @property
    def run(self) -> str:
        """``dag_id/run_id`` of the press."""
        return str(self.note.get("run", ""))


class Observer:
    """Watches the Deployments of a namespace until it is closed; resumes where it was when a connection ends.

    Args:
        client: an ApiClient of its own.
        namespace: which.
    """

    def __init__(self, client: Any, namespace: str) -> None:
        self._client, self._path = client, path_of("Deployment", namespace)
        self._replicas: dict[str, int] = {}
        self._zeros: list[Zero] = []
        self._news = threading.Condition()
        self._ending = False
        self._broken: Exception | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._ending = True

    @property
    def zeros(self) -> list[Zero]:
        """Every time that a Deployment went to zero."""
        with self._news:
            return list(self._zeros)

    def wait_zero(self, name: str, after: float, seconds: float) -> Zero | None:
        """The first time that it went to zero after a moment; None when it does not in so many seconds.

        Raises:
            DemoError: nothing can be seen any more.
        """
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                if self._broken is not None:
                    raise DemoError(f"the Deployments cannot be watched: {self._broken}")
                found = next((each for each in self._zeros if each.name == name and each.at >= after), None)
                left = deadline - time.monotonic()
                if found or left <= 0:
                    return found
                self._news.wait(min(left, 1.0))

    def _follow(self) -> None:
        while not self._ending:
            try:
                listed = json.loads(self._ask([]).data)
                for item in listed.get("items") or []:
                    self._note(item)
                self._watch(listed["metadata"]["resourceVersion"])
            except (urllib3.exceptions.HTTPError, OSError):  # the connection ended, or the API server is away
                time.sleep(AGAIN_SECONDS)
            except Exception as error:
                if not isinstance(getattr(error, "status", None), int):  # an answer of the API server
                    self._broken = error
                    return
                time.sleep(AGAIN_SECONDS)

    def _watch(self, version: str) -> None:
        raw = self._ask([("watch", "true"), ("resourceVersion", version), ("timeoutSeconds", "300")])
        try:
            for line in _lines(raw):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._note(event["object"])
                if self._ending:
                    return
        finally:
            raw.close()

    def _note(self, item: dict[str, Any]) -> None:
        at = time.time()
        name, replicas = item["metadata"]["name"], item["spec"].get("replicas", 0)
        notes = item["metadata"].get("annotations") or {}
        with self._news:
            if replicas == 0 and self._replicas.get(name):
                self._zeros.append(Zero(name, at, _read(notes.get(NOTE_PRESSED))))
                self._news.notify_all()
            self._replicas[name] = replicas

    def _ask(self, query: list[tuple[str, str]]) -> Any:
        return self._client.call_api(
            self._path,
            "GET",
            query_params=query,
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=(5, 330 if query else 30),
        )


def _lines(raw: urllib3.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in raw.stream(amt=None):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())


def _read(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
