"""One release both ways: by the DAG, asked over the REST API, and by the script."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from tools.bench.figures import DagTime, Pair, ScriptTime, dag_time
from tools.bench.stage import Stage
from tools.demo.api import DAG, FINISHED
from tools.demo.options import ROOT, DemoError

POLL_SECONDS = 0.5
RUN_WITHIN = 300.0


def by_dag(stage: Stage, release: str, environment: str) -> DagTime:
    """Release by the DAG. Raises DemoError when the run fails."""
    return run_dag(stage, DAG, f"{environment}-{release}", params_of(environment, release=release))


def params_of(environment: str, **more: str) -> dict[str, Any]:
    """The params of a run."""
    return {"environment": environment, "dry_run": False, "reason": "benchmark", **more}


def run_dag(stage: Stage, dag: str, run_id: str, conf: dict[str, Any]) -> DagTime:
    """Run a DAG to its end. Raises DemoError when the run fails, or had to try a task twice."""
    stage.airflow.trigger(run_id, conf, dag)
    accepted = time.time()
    path = f"/dags/{dag}/dagRuns/{run_id}"
    deadline = time.monotonic() + RUN_WITHIN
    while (run := stage.airflow.get(path))["state"] not in FINISHED:
        stage.supervisor.check()
        if time.monotonic() > deadline:
            raise DemoError(f"{dag}/{run_id} has not ended after {RUN_WITHIN:.0f} s")
        time.sleep(POLL_SECONDS)
    rows = stage.airflow.get(f"{path}/taskInstances", limit=100)["task_instances"]
    logs = f"see {stage.supervisor.home / 'airflow' / 'logs'}"
    if run["state"] != "success":
        failed = ", ".join(each["task_id"] for each in rows if each["state"] == "failed")
        raise DemoError(f"{dag}/{run_id} failed in {failed}: {logs}")
    if again := ", ".join(each["task_id"] for each in rows if tried_again(each)):
        raise DemoError(f"{dag}/{run_id} tried {again} more than once, so its time says nothing: {logs}")
    return dag_time(accepted, run, rows)


def tried_again(row: dict[str, Any]) -> bool:
    """Whether a task instance needed a second try. A teardown that fails does not fail its run, so all are looked at."""
    return bool(row["state"] == "failed" or (row["try_number"] or 0) > 1)


def by_script(stage: Stage, release: str, environment: str) -> ScriptTime:
    """Run the script to its end. Raises DemoError when it fails."""
    command = [sys.executable, "-m", "tools.bench.script", "--release", release, "--environment", environment]
    log = stage.supervisor.home / "logs" / f"script-{environment}-{release}.log"
    with log.open("wb") as errors:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=stage.supervisor.environment(stage.settings),
            stdout=subprocess.PIPE,
            stderr=errors,
            timeout=RUN_WITHIN,
            check=False,
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise DemoError(f"the script failed with status {done.returncode} ({log}):\n{tail}")
    found: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return ScriptTime(found["seconds"], found["steps"])


def one_round(stage: Stage, number: int, releases: tuple[str, ...]) -> list[Pair]:
    """All releases both ways, each way in a namespace of its own; who begins alternates."""
    times: dict[str, dict[str, Any]] = {}
    ways = [("dag", by_dag), ("script", by_script)]
    for way, run in ways if number % 2 else reversed(ways):
        environment = environment_of(way, number)
        namespace = stage.environment(environment)
        times[way] = {}
        for release in releases:
            times[way][release] = run(stage, release, environment)
            stage.settle(namespace)
        stage.remove(namespace)
    return [Pair(release, times["dag"][release], times["script"][release]) for release in releases]


def environment_of(way: str, number: int) -> str:
    """The environment of one way in one round."""
    return f"{way}-{number}"
