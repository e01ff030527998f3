"""Runs in the demo: begun, taken up again, and explained when they fail."""

from __future__ import annotations

from typing import Any

from tools.demo import airflow, progress
from tools.demo.api import Task
from tools.demo.options import STEPS


class Api:
    """Airflow's API with some runs."""

    def __init__(self, states: dict[str, str] | None = None, conclusion: Any = None) -> None:
        self.states, self.conclusion = states or {}, conclusion
        self.triggered: list[tuple[str, dict[str, Any]]] = []

    def run_state(self, run_id: str) -> str | None:
        return self.states.get(run_id)

    def trigger(self, run_id: str, conf: dict[str, Any]) -> None:
        self.triggered.append((run_id, conf))

    def result(self, run_id: str, task: str, key: str) -> Any:
        assert (task, key) == ("conclude", "conclusion")
        return self.conclusion

    def log(self, run_id: str, task: Task, lines: int) -> list[str]:
        return [f"the log of {task.name}"]


def task(name: str, state: str) -> Task:
    return Task(name, -1, state, 1.0, 1, "2026-03-01T09:00:00Z")


def test_a_run_is_triggered_with_what_the_form_would_send() -> None:
    api = Api()
    assert progress.begin(api, STEPS[1]) == ("demo-release-1-production", "")  # type: ignore[arg-type]
    assert api.triggered == [
        (
            "demo-release-1-production",
            {
                "release": "release-1",
                "environment": "production",
                "dry_run": False,
                "reason": "demo: release-1 to production",
            },
        )
    ]


def test_a_run_that_has_not_failed_is_taken_up_and_a_failed_one_is_not() -> None:
    api = Api({"demo-release-1-qa": "failed", "demo-release-1-qa-2": "running"})
    assert progress.begin(api, STEPS[0]) == ("demo-release-1-qa-2", "running")  # type: ignore[arg-type]
    api.states["demo-release-1-qa-2"] = "failed"
    assert progress.begin(api, STEPS[0]) == ("demo-release-1-qa-3", "")  # type: ignore[arg-type]


def test_what_an_interrupted_run_waits_for_is_said() -> None:
    tasks = [task("lock", "success"), task("migrate", "running"), task("approve", "awaiting_input")]
    said = progress.interrupted(tasks, airflow.heartbeat_timeout())
    assert said.startswith("migrate was at work when the last demo ended")
    assert said.endswith("has not heard of it for 60 s")
    assert progress.interrupted(tasks[:1], 60) == ""


def test_a_failed_run_is_explained_by_its_conclusion_and_the_log_of_what_failed() -> None:
    tasks = [task("deploy", "failed"), task("conclude", "failed"), task("tell", "success")]
    api = Api(conclusion={"text": "release-1 failed at `deploy`."})
    assert progress.failure(api, "run", tasks).splitlines() == [  # type: ignore[arg-type]
        "release-1 failed at `deploy`.",
        "--- task deploy, last lines of its log",
        "the log of deploy",
    ]
    assert "the log of conclude" in progress.failure(Api(), "run", tasks)  # type: ignore[arg-type]
