"""Clean-ups, restores and the look at what is overdue meet the other procedures: a cell of docs/procedures.md each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from include.release.kube import Cluster
from include.release.lock import Holder, Lock, RunFate
from plugins.operators.log_meeting import held_by
from plugins.operators.log_restore import RestoreOperator
from plugins.operators.log_steps import StepOperator
from tests.dagtasks import bag
from tests.include.logs.conftest import fill
from tests.plugins.conftest import Handover, make_context
from tests.standin import make_namespace

CLEANUP, RESTORE, LOOK = "log_cleanup", "log_restore", "overdue"
WORK = (CLEANUP, RESTORE)
BACK = "rollback"
OTHERS = ("release", "swype_guard", "swype_rearm", "guards_alive", "order_processor", "order_backlog")
ALL = (*WORK, LOOK, BACK, *OTHERS)
CLASSES = [{"name": "rotated", "globs": ["app.log.*"], "keep_days": 7}]


def pairs(*found: tuple[str, str]) -> Any:
    return pytest.mark.parametrize(("first", "second"), found, ids=[f"{a}-{b}" for a, b in found])


@pytest.fixture
def volumes(project: Path, tmp_path: Path) -> Callable[..., dict[str, Path]]:
    """Directories of the worker as volumes, each with a file that is due."""

    def make(*names: str) -> dict[str, Path]:
        roots = {name: tmp_path / "volumes" / name for name in names}
        for root in roots.values():
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir(parents=True)
            fill(root, app_DOT_log_DOT_1=30)
        listed = [
            {"name": name, "title": name, "path": str(root), "classes": CLASSES}
            for name, root in roots.items()
        ]
        (project / "config" / "log_retention.yaml").write_text(json.dumps({"volumes": listed}, indent=1))
        return roots

    return make


class Mapped(Handover):
    """The same for a task of a mapped group."""

    map_index = -1

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self.tasks: dict[str, str] = {}

    def get_task_states(self, dag_id: str, run_ids: list[str], task_ids: Any = None) -> dict[str, Any]:
        if task_ids:
            return super().get_task_states(dag_id, task_ids, run_ids)
        return {run_id: self.tasks for run_id in run_ids}

    def xcom_pull(self, task_ids: str, key: str = "return_value", map_indexes: int = -1, **_: Any) -> Any:
        return self.values.get((task_ids, key))


def context(dag_id: str, run_id: str = "run-1", **params: Any) -> Any:
    """Of a task of a run by hand."""
    made = make_context(**params)
    made["ti"] = Mapped(f"{dag_id}/{run_id}")
    made["dag_run"] = SimpleNamespace(
        dag_id=dag_id, run_id=run_id, clear_number=0, triggering_user_name="oncall", conf={}
    )
    return made


def first_step(dag_id: str, volume: str, made: Any) -> Any:
    """The task of a DAG that takes the volume."""
    if dag_id == CLEANUP:
        return StepOperator(task_id="measure", command="measure", volume=volume).execute(made)
    made["ti"].values["check", "return_value"] = {"globs": ["nothing"]}
    return RestoreOperator(task_id="restore", volume=volume).execute(made)


def begin(dag_id: str, volume: str, made: Any) -> None:
    """Take the volume, as the first of two; that there is nothing to restore does not matter here."""
    try:
        first_step(dag_id, volume, made)
    except Exception as error:
        assert dag_id == RESTORE, error
        assert "No archive of this volume has what is asked for" in str(error)


@pairs(*[(a, b) for a in WORK for b in WORK])
def test_the_second_on_one_volume_is_refused_and_names_the_first(volumes, first, second, capsys):
    root = volumes("here")["here"]
    begin(first, "here", context(first, "one"))
    made = context(second, "two")
    made["ti"].runs[f"{first}/one"] = "running"
    with pytest.raises(AirflowFailException):
        first_step(second, "here", made)
    said = capsys.readouterr().out
    assert f"here is held by {first}/one (running) since 20" in said
    assert "This run has changed nothing there." in said
    assert made["ti"].values["", "held"].startswith(f"{first}/one (running) since ")
    assert json.loads((root / ".log-cleanup" / "holder.json").read_text())["run"] == f"{first}/one"


@pytest.mark.parametrize(
    ("task", "asks"),
    [("volume.approve_0", True), ("window", True), ("volume.archive_0", False), ("approved", False)],
)
def test_of_a_run_that_waits_for_an_answer_both_the_log_and_the_message_say_so(volumes, task, asks, capsys):
    volumes("here")
    begin(CLEANUP, "here", context(CLEANUP, "one"))
    made = context(RESTORE, "two")
    made["ti"].runs[f"{CLEANUP}/one"] = "running"
    made["ti"].tasks = {"volume.plan_0": "success", task: "deferred"}
    with pytest.raises(AirflowFailException):
        first_step(RESTORE, "here", made)
    said, held = capsys.readouterr().out, made["ti"].values["", "held"]
    state = "(running, a question of it waits for an answer)" if asks else "(running)"
    assert held.startswith(f"{CLEANUP}/one {state} since ")
    now = "answer its question, or wait until it has ended" if asks else "wait until it has ended"
    assert f"What now: {now}, and clear this task." in said


def test_a_volume_whose_holder_has_ended_is_taken_over(volumes, capsys):
    """airflow-maintenance-dags leaves a lock file that blocks for ever."""
    root = volumes("here")["here"]
    begin(CLEANUP, "here", context(CLEANUP, "long-ago"))
    begin(CLEANUP, "here", context(CLEANUP, "now"))
    assert f"here was held by {CLEANUP}/long-ago, which is deleted: taking it over" in capsys.readouterr().out
    assert json.loads((root / ".log-cleanup" / "holder.json").read_text())["run"] == f"{CLEANUP}/now"


@pairs(*[(a, b) for a in WORK for b in WORK])
def test_on_another_volume_both_work(volumes, first, second):
    roots = volumes("here", "there")
    begin(first, "here", context(first, "one"))
    begin(second, "there", context(second, "two"))
    held = [json.loads((root / ".log-cleanup" / "holder.json").read_text())["run"] for root in roots.values()]
    assert held == [f"{first}/one", f"{second}/two"]


@pytest.fixture(scope="module")
def place(cluster: Any) -> Iterator[tuple[Cluster, str]]:
    """A namespace that these tests share; each has an application of its own there."""
    client = cluster.connect()
    yield client, make_namespace(client, "log-meetings")
    client.delete("Namespace", "", "log-meetings")


def runs(_: object) -> RunFate:
    return RunFate("running", holds=True)


@pairs(*[(BACK, each) for each in WORK], *[(each, BACK) for each in WORK])
def test_log_work_waits_for_a_rollback_of_the_volumes_application(place, first, second):
    """Whichever was there first: each step that changes something looks again."""
    client, namespace = place
    app = f"shop-{first}-{second}".replace("_", "-")
    lock = Lock(client, namespace, app)
    work = first if second == BACK else second
    made = context(work)
    assert held_by(client, namespace, [app], made) == ""
    lock.take(Holder("rollback/first", BACK, user="jane"), runs)
    made["ti"].runs["rollback/first"] = "running"
    said = held_by(client, namespace, [app], made)
    assert said.startswith(
        "rollback/first (rollback, asked for by jane, running) holds the lock release-lock-shop-"
    )
    made["ti"].runs["rollback/first"] = "success"
    assert held_by(client, namespace, [app], made) == ""


@pairs(
    *[(a, b) for a in WORK for b in OTHERS],
    *[(a, b) for a in OTHERS for b in WORK],
    *[(a, b) for a in (*WORK, BACK) for b in (*WORK, BACK) if (a == BACK) != (b == BACK)],
)
def test_log_work_and_what_it_does_not_wait_for_run_beside_each_other(place, volumes, first, second):
    """No lock of one is one of the other: work on logs holds its volume alone, and a rollback elsewhere is no matter."""
    volumes("here")
    work, other = (first, second) if first in WORK else (second, first)
    client, namespace = place
    app = f"beside-{first}-{second}".replace("_", "-")
    lock = Lock(client, namespace, app)
    if other in ("release", "swype_rearm"):
        lock.take(Holder(f"{other}/first", other), runs)
    before = lock.read()
    made = context(work)
    made["ti"].runs[f"{other}/first"] = "running"
    assert held_by(client, namespace, [app], made) == ""
    begin(work, "here", made)
    assert lock.read() == before
    if other == BACK:
        Lock(client, namespace, f"other-{app}").take(Holder("rollback/x", BACK), runs)
        assert held_by(client, namespace, [app], made) == ""


@pairs(*[(LOOK, each) for each in ALL], *[(each, LOOK) for each in ALL if each != LOOK])
def test_a_look_at_what_is_overdue_changes_nothing_and_waits_for_nobody(first, second, monkeypatch, project):
    from include.overdue.duties import duties
    from include.release.loading import Sources

    wrote: list[str] = []
    monkeypatch.setattr(Cluster, "_write", lambda *found, **_: wrote.append(str(found)))
    found = duties(Sources.from_environment())
    assert {each.dag_id for each in found.duties} == {CLEANUP, "order_processor", "order_backlog"}
    assert found.problems == []
    assert wrote == []
    assert bag().dags[LOOK].task_ids == ["judge"]  # no task that takes a lock


def test_a_rollback_defers_the_step_that_changes_something(guards, project, monkeypatch, capsys):
    """It holds no worker while it waits, looks again, and goes on when the rollback is over."""
    from plugins.operators import log_steps
    from plugins.operators.log_steps import ChangingStepOperator

    path = project / "config" / "environments.yaml"
    path.write_text(path.read_text().replace("namespace: course4\n", f"namespace: {guards.namespace}\n"))
    lock = Lock(guards.client, guards.namespace, "shop")
    lock.take(Holder("rollback/first", BACK), runs)
    made = context(CLEANUP)
    made["ti"].runs["rollback/first"] = "running"
    started: list[str] = []
    monkeypatch.setattr(
        log_steps.StepOperator, "run_step", lambda self, *_, **__: started.append(self.command) or {}
    )
    task = ChangingStepOperator(task_id="archive", command="archive", volume="shop-logs", approved_by="")
    with pytest.raises(TaskDeferred) as waits:
        task.execute(made)
    assert waits.value.method_name == "look_again"
    assert (
        "Waiting: rollback/first (rollback, running) holds the lock release-lock-shop"
        in capsys.readouterr().out
    )
    with pytest.raises(TaskDeferred):
        task.look_again(made)
    assert started == []
    lock.release(Holder("rollback/first", BACK))
    task.look_again(made)
    assert started == ["archive"]
