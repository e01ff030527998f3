"""``python -m tools.bench.script``: a release by a plain Python script, to compare the DAG with.

One process does the DAG's steps one after the other: the same code, client, calls and waits, without scheduler,
metadata database, API server and a process per task. Its last line of output is JSON: seconds in all and per step. The
clock starts when everything is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from tools.demo.options import ROOT

RAN, SKIPPED = "success", "skipped"


class Handover:
    """What steps hand to each other: variables, where Airflow has XCom."""

    def __init__(self, states: dict[str, dict[str, Any]]) -> None:
        self.values: dict[tuple[str, str], Any] = {}
        self.task_id, self.map_index, self.try_number = "", -1, 1
        self._states = states

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value of the step that runs."""
        self.values[self.task_id, key] = value

    def xcom_pull(self, task_ids: Any = None, key: str = "return_value", **_: Any) -> Any:
        """A value of an earlier step, or a list for a list of steps."""
        if isinstance(task_ids, str):
            return self.values.get((task_ids, key))
        return [self.values.get((each, key)) for each in task_ids or ()]

    def get_task_breadcrumbs(self, *_: Any) -> list[dict[str, Any]]:
        """State and seconds of the steps so far."""
        return [{"task_id": name, **state} for name, state in self._states.items()]

    def get_dr_count(self, *_: Any, **__: Any) -> int:
        """How many runs of a name there are: scripts before this one are the only other runs."""
        return 1

    def get_dagrun_state(self, *_: Any) -> str:
        """State of another run: a script before this one, which has ended."""
        return RAN


class Script:
    """The steps of the release DAG, in their order.

    Args:
        params: the params of a run.
        user: who asks.
    """

    def __init__(self, params: dict[str, Any], user: str) -> None:
        self.dag: Any = DagBag(str(ROOT / "dags")).dags["release"]
        self.states: dict[str, dict[str, Any]] = {}
        self.ti = Handover(self.states)
        now = datetime.now(UTC)
        run = SimpleNamespace(
            dag_id="release",
            run_id=f"script-{params['environment']}-{params['release']}",
            clear_number=0,
            conf=params,
            triggering_user_name=user,
            run_after=now,
            start_date=now,
            logical_date=None,
        )
        defaults = {name: param for name, param in self.dag.params.dump().items() if param is not None}
        self.context: Any = {
            "params": {**defaults, **params},
            "dag_run": run,
            "ti": self.ti,
            "run_id": run.run_id,
            "dag": self.dag,
        }

    def run(self) -> float:
        """Do all steps; returns the seconds. A step that fails ends the script with its error."""
        begun = time.monotonic()
        for task in self.dag.topological_sort():
            if self._reached(task):
                self._step(task)
            else:
                self.states[task.task_id] = {"state": SKIPPED, "duration": None}
        return time.monotonic() - begun

    def _reached(self, task: Any) -> bool:
        """Whether the step is due when nothing has failed."""
        before = [self.states[name]["state"] for name in task.upstream_task_ids]
        rule = str(getattr(task.trigger_rule, "value", task.trigger_rule))
        if rule in ("one_failed", "all_failed", "all_done_min_one_failed"):
            return False
        if rule == "all_success":
            return SKIPPED not in before
        if rule in ("none_failed_min_one_success", "one_success"):
            return RAN in before or not before
        return True

    def _step(self, task: Any) -> None:
        begun = time.monotonic()
        self.ti.task_id = task.task_id
        self.context["task"] = task
        state = RAN
        try:
            found = self._executed(task)
        except AirflowSkipException:
            found, state = None, SKIPPED
        self.ti.values[task.task_id, "return_value"] = found
        self.states[task.task_id] = {"state": state, "duration": time.monotonic() - begun}

    def _executed(self, task: Any) -> Any:
        """The step's result; what the DAG would wait for in the triggerer is waited for here."""
        try:
            return task.execute(self.context)
        except TaskDeferred as error:
            deferred = error
        while True:
            event = asyncio.run(_first_event(deferred.trigger))
            method = getattr(task, deferred.method_name)
            try:
                return method(self.context, event, **(deferred.kwargs or {}))
            except TaskDeferred as error:
                deferred = error


async def _first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise RuntimeError(f"{type(trigger).__name__} ended without an event")


def main() -> int:
    """Run one release; 0 when it went out."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.script")
    parser.add_argument("--release", required=True)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--user", default="oncall")
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    # What the long-lived processes of Airflow have imported before a task starts.
    from plugins.preload import warm_up  # noqa: PLC0415

    warm_up()
    params = {
        "release": options.release,
        "environment": options.environment,
        "dry_run": False,
        "reason": "benchmark",
    }
    script = Script(params, options.user)
    seconds = script.run()
    steps = {
        name: state["duration"] for name, state in script.states.items() if state["duration"] is not None
    }
    print(json.dumps({"seconds": seconds, "steps": steps}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
