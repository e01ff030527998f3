"""Airflow's REST API, as the on-call user would use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from tools.demo.options import DemoError

DAG = "release"
FINISHED = {"success", "failed"}
PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before the same request is sent again: on a busy machine Airflow's SQLite is locked now and then."""


@dataclass(frozen=True)
class Task:
    """One task of a run."""

    name: str
    map_index: int
    state: str
    seconds: float | None
    try_number: int
    started: str

    @property
    def label(self) -> str:
        """Its name, with the index of a mapped task."""
        return self.name if self.map_index < 0 else f"{self.name} [{self.map_index}]"


class Airflow:
    """A client with one user's token."""

    def __init__(self, base: str, user: str, password: str) -> None:
        self.base, self.user = base, user
        self._credentials = {"username": user, "password": password}
        self._session = requests.Session()

    def login(self) -> None:
        """Get a token."""
        answer = self._session.post(f"{self.base}/auth/token", json=self._credentials, timeout=30)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _send(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """A request, once more with a new token when the old one has expired, and again while Airflow has an error."""
        answer = self._once(method, path, **kwargs)
        for pause in PAUSES:
            if answer.status_code < 500:
                break
            time.sleep(pause)
            answer = self._once(method, path, **kwargs)
        return answer

    def _once(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        answer = self._session.request(method, f"{self.base}/api/v2{path}", timeout=30, **kwargs)
        if answer.status_code == 401:
            self.login()
            answer = self._session.request(method, f"{self.base}/api/v2{path}", timeout=30, **kwargs)
        return answer

    def get(self, path: str, **params: Any) -> Any:
        """What a GET answers; None for 404."""
        answer = self._send("GET", path, params=params)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """PATCH.

        Raises:
            DemoError: Airflow refuses it; the text has its reason.
        """
        answer = self._send("PATCH", path, json=body)
        if not answer.ok:
            raise DemoError(f"Airflow refuses it to {self.user}: {answer.status_code} {answer.text[:500]}")

    def wait_for_dag(self, watch: Callable[[], None], seconds: float = 60.0) -> None:
        """Wait until the release DAG is parsed.

        Raises:
            DemoError: it cannot be parsed (with the reason), or not in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            watch()
            if self.get(f"/dags/{DAG}") is not None:
                return
            errors = (self.get("/importErrors") or {}).get("import_errors") or []
            if errors:
                stack = errors[0]["stack_trace"].strip().splitlines()
                raise DemoError(f"{errors[0]['filename']} cannot be imported: {stack[-1]}")
            time.sleep(0.3)
        raise DemoError(f"the DAG {DAG} is not there after {seconds:.0f} s; see .demo/logs/dag-processor.log")

    def run_state(self, run_id: str) -> str | None:
        """State of a run, None when there is none of that id."""
        run = self.get(f"/dags/{DAG}/dagRuns/{run_id}")
        return str(run["state"]) if run else None

    def trigger(self, run_id: str, conf: dict[str, Any], dag: str = DAG) -> None:
        """Start a run.

        Raises:
            DemoError: Airflow refuses it; the text has its reason.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self._send("POST", f"/dags/{dag}/dagRuns", json=body)
        # 409: an earlier try was taken, though its answer was an error. Ids are new: nobody else has them.
        if not answer.ok and answer.status_code != 409:
            raise DemoError(f"Airflow refuses the run {run_id}: {answer.status_code} {answer.text[:500]}")

    def tasks(self, run_id: str) -> list[Task]:
        """The tasks of a run, in the order in which they started; those to come last."""
        found = self.get(f"/dags/{DAG}/dagRuns/{run_id}/taskInstances", limit=100)
        rows = [
            Task(
                item["task_id"],
                item["map_index"],
                item["state"] or "",
                _seconds(item["start_date"], item["end_date"]),
                item["try_number"],
                item["start_date"] or "",
            )
            for item in (found or {}).get("task_instances") or []
        ]
        return sorted(rows, key=lambda task: (not task.started, task.started, task.map_index))

    def log(self, run_id: str, task: Task, lines: int = 20) -> list[str]:
        """The last lines of a task's log."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task.name}/logs/{max(task.try_number, 1)}"
        found = self.get(path, map_index=task.map_index, full_content="true") or {}
        texts = [text for entry in found.get("content") or [] for text in _log_lines(entry)]
        return texts[-lines:]

    def result(self, run_id: str, task: str, key: str = "return_value") -> Any:
        """What a task handed on (XCom), None when nothing."""
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/{key}"
        found = self.get(path, deserialize="false", stringify="false")
        return found["value"] if found else None


def _log_lines(entry: Any) -> list[str]:
    """The text of one log entry, with the error it carries; without the marks that fold it in the UI."""
    if not isinstance(entry, dict):
        return str(entry).splitlines()
    lines = [line for line in str(entry.get("event", "")).splitlines() if not line.startswith("::")]
    for error in entry.get("error_detail") or []:
        lines += f"{error.get('exc_type')}: {error.get('exc_value')}".splitlines()
    return lines


def _seconds(start: str | None, end: str | None) -> float | None:
    if not start:
        return None
    begun = datetime.fromisoformat(start)
    ended = datetime.fromisoformat(end) if end else datetime.now(begun.tzinfo)
    return (ended - begun).total_seconds()
