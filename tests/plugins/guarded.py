"""Guards over Deployments whose pods' statuses a test writes, and their tasks run as a DAG run would."""

from __future__ import annotations

import http.server
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import yaml
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from include.release.kube import Cluster
from plugins.operators.approve_press import ApprovePressOperator
from plugins.operators.confirm import ConfirmOperator, SaveEvidenceOperator
from plugins.operators.press import PressOperator
from plugins.operators.tell_guard import TellGuardOperator
from plugins.params import rearm_params
from tests.include.restarts.watch.shown import Shown

REFUSED = "dial tcp 192.0.2.10:5010: connect: connection refused"


class Ti:
    """What a task asks Airflow for."""

    def __init__(self, run: Run, task_id: str) -> None:
        self.run, self.task_id, self.try_number = run, task_id, 1

    def xcom_push(self, key: str, value: Any) -> None:
        self.run.values[self.task_id, key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, key: str = "return_value", **_: Any) -> Any:
        return self.run.values.get((task_ids, key))

    def get_task_breadcrumbs(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return [{"task_id": name, "state": state} for name, state in self.run.states.items()]

    def get_dr_count(self, dag_id: str, run_ids: list[str]) -> int:
        return sum(f"{dag_id}/{run_id}" in self.run.others for run_id in run_ids)

    def get_dagrun_state(self, dag_id: str, run_id: str) -> str:
        return self.run.others[f"{dag_id}/{run_id}"]

    def get_task_states(self, **_: Any) -> dict[str, Any]:
        return {}


class Run:
    """One run of a DAG: executes tasks, and keeps what they hand on and how they ended."""

    def __init__(self, dag_id: str, run_id: str = "run-1", user: str | None = None, **params: Any) -> None:
        self.dag_id, self.run_id = dag_id, run_id
        self.values: dict[tuple[str, str], Any] = {}
        self.states: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.others: dict[str, str] = {}
        self.conf: dict[str, Any] = dict(params)
        self.params, self.user = params, user
        self.dag = DAG(dag_id, schedule=None, params=rearm_params())

    def context(self, task_id: str) -> Any:
        dag_run = SimpleNamespace(
            dag_id=self.dag_id,
            run_id=self.run_id,
            clear_number=0,
            conf=self.conf,
            triggering_user_name=self.user,
        )
        return {
            "ti": Ti(self, task_id),
            "dag_run": dag_run,
            "params": self.params,
            "dag": self.dag,
        }

    def execute(self, task: Any) -> Any:
        """Run a task; its state is kept, its error too."""
        return self._ended(task, lambda: task.execute(self.context(task.task_id)))

    def answer(self, task: Any, **event: Any) -> Any:
        """Resume a task that has asked somebody."""
        return self._ended(task, lambda: task.execute_complete(self.context(task.task_id), event))

    def _ended(self, task: Any, call: Any) -> Any:
        self.errors.pop(task.task_id, None)
        try:
            result = call()
        except AirflowSkipException as error:
            self.states[task.task_id], self.errors[task.task_id] = "skipped", str(error)
            return None
        except AirflowException as error:
            self.states[task.task_id], self.errors[task.task_id] = "failed", str(error)
            return None
        self.states[task.task_id] = "success"
        self.values[task.task_id, "return_value"] = result
        return result


class Guards:
    """Guards of one namespace, as their configuration says."""

    def __init__(self, client: Cluster, namespace: str, project: Path) -> None:
        self.client, self.namespace, self.project = client, namespace, project
        self.path = project / "config" / "guards.yaml"
        value = {"storm": {"guards": 3, "minutes": 10, "nodes": True}, "guards": []}
        self.path.write_text(yaml.safe_dump(value))
        self.place(
            namespace=namespace, tell=[{"kind": "log"}], may_trigger=["oncall", "boss"], may_approve=["boss"]
        )
        self.shown: dict[str, Shown] = {}

    def place(self, **changes: Any) -> None:
        """Change the guards' environment."""
        path = self.project / "config" / "environments.yaml"
        value = yaml.safe_load(path.read_text())
        (found,) = [each for each in value["environments"] if each["name"] == "payments"]
        found.update(changes)
        path.write_text(yaml.safe_dump(value, sort_keys=False))

    def add(self, name: str = "web", *, deploy: bool = True, **facts: Any) -> Shown | None:
        """A guard, and its Deployment."""
        value = yaml.safe_load(self.path.read_text())
        guard = {"name": name, "title": "a test", "environment": "payments", "deployment": f"{name}-app"}
        value["guards"].append(guard | facts)
        self.path.write_text(yaml.safe_dump(value, sort_keys=False))
        if not deploy:
            return None
        self.shown[name] = Shown(self.client, self.namespace, f"{name}-app").create()
        return self.shown[name]

    def change(self, name: str = "web", **facts: Any) -> None:
        """Change a guard's configuration."""
        value = yaml.safe_load(self.path.read_text())
        for each in value["guards"]:
            if each["name"] == name:
                each.update(facts)
        self.path.write_text(yaml.safe_dump(value, sort_keys=False))

    def trip(self, name: str = "web", message: str = REFUSED, times: int = 4) -> None:
        """The container restarts so often; the watch looks after each."""
        for _ in range(times):
            self.shown[name].restart(message)
            self.look(name)

    def look(self, name: str = "web") -> None:
        """What the watch does with every change: count, and keep."""
        from datetime import UTC, datetime

        from include.release.loading import Sources
        from include.restarts.confirming import _decide
        from include.restarts.loading import read_guard
        from include.restarts.looking import look

        now = datetime.now(UTC)
        guard, _, _ = read_guard(Sources.from_environment(), name)
        view, _ = look(self.client, self.namespace, guard.deployment, now)
        _decide(self.client, guard, self.namespace, view, now)

    def live(self, name: str = "web") -> dict[str, Any]:
        """The guarded Deployment."""
        found = self.client.get("Deployment", self.namespace, f"{name}-app")
        assert found is not None
        return found

    def replicas(self, name: str = "web") -> int:
        """What it is scaled to."""
        return int(self.live(name)["spec"]["replicas"])

    def begin(self, name: str = "web", run_id: str = "run-1") -> Run:
        """A run of the guard."""
        return Run(f"{name}_guard", run_id)

    def confirm(self, run: Run) -> Any:
        """Its first tasks."""
        name = run.dag_id.removesuffix("_guard")
        run.execute(ConfirmOperator(task_id="confirm", guard=name))
        if run.states["confirm"] == "success":
            run.execute(SaveEvidenceOperator(task_id="save_evidence", guard=name))
        return run.values.get(("confirm", "return_value"))

    def press(self, run: Run, *, approved_by: str = "") -> Any:
        """The press."""
        task = PressOperator(
            task_id="press", guard=run.dag_id.removesuffix("_guard"), approved_by=approved_by
        )
        return run.execute(task)

    def tell(self, run: Run) -> Any:
        """The message."""
        return run.execute(TellGuardOperator(task_id="tell", guard=run.dag_id.removesuffix("_guard")))

    def approve(self, run: Run) -> ApprovePressOperator:
        """The task that asks."""
        return ApprovePressOperator(task_id="approve", guard=run.dag_id.removesuffix("_guard"))

    def whole(self, name: str = "web", run_id: str = "run-1") -> Run:
        """A run from the end of its watch on."""
        run = self.begin(name, run_id)
        self.confirm(run)
        if run.states["confirm"] == "success":
            self.press(run)
        self.tell(run)
        return run


class Chat(http.server.BaseHTTPRequestHandler):
    """An incoming webhook, which can be broken."""

    told: ClassVar[list[str]] = []
    status: ClassVar[list[int]] = [200]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.status[0] == 200:
            self.told.append(json.loads(body)["text"])
        self.send_response(self.status[0])
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        pass


UPSTREAM = {"kind": "service", "service": "gateway-service", "port": 5010, "path": "/ping"}


def service(guards: Guards) -> None:
    """A Service with nobody behind it."""
    spec = {"selector": {"app": "nobody"}, "ports": [{"port": 5010}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gateway-service"}, "spec": spec}
    guards.client.create(body, guards.namespace)
