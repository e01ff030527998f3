"""Order processing meets releases, rollbacks, guards and itself: a cell of docs/procedures.md each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.release.batches import held_by
from include.release.kube import Cluster
from include.release.lock import Holder, Lock, RunFate
from include.release.pressed import NOTE_PRESSED
from include.release.rollback_plan import RollbackPlan, Undo
from include.restarts.press import PressNote, press
from plugins.operators import roll_back
from plugins.operators.migrate import MigrateOperator
from plugins.operators.orders_backlog import LookAtBacklogOperator
from tests.dagtasks import bag
from tests.include.orders.running import GOOD, HEAD, Course, wait_for
from tests.plugins.conftest import make_context
from tests.standin import make_namespace

CHANGES = ("release", "rollback")
GUARD, REARM, ALIVE = "swype_guard", "swype_rearm", "guards_alive"
BATCH, LOOK = "order_processor", "order_backlog"
OTHERS = (*CHANGES, GUARD, REARM, ALIVE)


def pairs(*found: tuple[str, str]) -> Any:
    return pytest.mark.parametrize(("first", "second"), found, ids=[f"{a}-{b}" for a, b in found])


def runs(_: object) -> RunFate:
    return RunFate("running", holds=True)


@pytest.fixture
def course(cluster, namespace) -> Course:
    return Course(cluster.connect(), namespace)


@pytest.fixture
def elsewhere(cluster, namespace) -> Iterator[str]:
    """A namespace of another environment in the same cluster."""
    client: Cluster = cluster.connect()
    name = make_namespace(client, f"{namespace}-b")
    yield name
    client.delete("Namespace", "", name)


def batch_at_work(course: Course, app: str = "small") -> str:
    """A batch that works on for a minute, unless it is told to end; its Job's name."""
    stay = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n"
    course.deploy(HEAD + stay + "say('Processing Order 1'); time.sleep(60)")
    world = course.world()
    from include.orders.running import Batches

    job = Batches(course.world(orders=world.orders.model_copy(update={"app": app})))._prepared(1)
    assert isinstance(job, dict)
    wait_for(lambda: [each for each in pods(course) if each["status"].get("phase") == "Running"])
    return str(job["metadata"]["name"])


def pods(course: Course) -> list[dict[str, Any]]:
    return course.client.list("Pod", course.namespace, labels="plan-reduce-repeat/order-batch")


def changing(frozen: Any, kind: str) -> Any:
    """The context of a task of a release or rollback that runs now and has the lock."""
    context = make_context(interrupted="stop", outside_window="")
    context["dag_run"].dag_id = kind
    context["ti"].values["freeze_and_check", "return_value"] = frozen.to_json()
    context["ti"].values["preflight", "return_value"] = {"applied": []}
    return context


@pairs((BATCH, "release"))
def test_migrations_have_a_batch_give_way(course, small, connection, cluster, first, second, capsys):
    connection(cluster.kubeconfig)
    name = batch_at_work(course)
    MigrateOperator(task_id="migrate", approved_by=None).execute(changing(small(), second))
    assert held_by(course.jobs()[0]).startswith("release/run-1 at 20")
    assert pods(course) == []
    said = capsys.readouterr().out
    assert said.index(f"Order batch {name} of order_processor/run-1/0 gives way") < said.index(
        "first: Says something"
    )


@pairs((BATCH, "rollback"))
def test_migrations_that_are_taken_back_have_a_batch_give_way(
    course, small, connection, cluster, first, second, monkeypatch
):
    connection(cluster.kubeconfig)
    batch_at_work(course)
    working: list[int] = []
    monkeypatch.setattr(roll_back, "undo", lambda *_: working.append(len(pods(course))) or [])
    undo = Undo(id="first", title="t", spec="s", keep_rows=False, rows={}, old_build_compatible=False)
    plan = RollbackPlan(undoing="b", target="a", order="migrations first", undo=[undo])
    context = changing(small(), second)
    context["ti"].values["plan", "return_value"] = plan.model_dump(mode="json")
    task = roll_back.UndoMigrationsOperator(
        task_id="undo_first", when="first", plan_by="plan", approved_by=None
    )
    task.execute(context)
    assert working == [0]
    assert held_by(course.jobs()[0]).startswith("rollback/run-1 at 20")


@pairs(*[(each, BATCH) for each in CHANGES])
def test_no_batch_starts_while_a_change_goes_on_and_one_does_when_it_has_ended(course, first, second):
    course.deploy(GOOD)
    lock, holder = Lock(course.client, course.namespace, "shop"), Holder(f"{first}/run-9", first)
    lock.take(holder, runs)
    lock.require(holder, runs, "migrate")
    jobs: list[int] = []

    def say(line: str) -> None:
        course.said.append(line)
        if line.startswith(f"Waiting, 30 min at most: {first}/run-9"):
            jobs.append(len(course.jobs()))
            lock.reach(holder, "released")

    (ran,) = course.run(say=say)
    assert jobs == [0]
    assert ran.ended.end.end == "complete"


@pairs((GUARD, BATCH))
def test_a_pressed_processor_runs_no_batch(course, first, second):
    from include.orders.job import NoProcessorError

    course.deploy(GOOD, **{NOTE_PRESSED: "{}"})
    with pytest.raises(NoProcessorError, match="scaled to zero by the red button"):
        course.run()
    assert course.jobs() == []


@pairs((BATCH, GUARD), (BATCH, REARM), (REARM, BATCH))
def test_a_batch_is_no_pod_of_a_deployment_and_holds_no_lock(course, first, second):
    batch_at_work(course, app="shop")
    change = {"spec": {"replicas": 1}}
    live = course.client.patch("Deployment", course.namespace, "order-processor", change).object
    selector = live["spec"]["selector"]["matchLabels"]
    for pod in pods(course):
        assert not selector.items() <= pod["metadata"]["labels"].items()
    note = PressNote(run=f"{GUARD}/1")
    assert (
        press(course.client, course.namespace, "order-processor", live["metadata"]["uid"], note).outcome
        == "pressed"
    )
    assert Lock(course.client, course.namespace, "shop").read().holder == ""
    assert len(pods(course)) == 1  # a press ends what serves, not a batch


@pairs((BATCH, BATCH))
def test_a_second_run_goes_on_with_the_batch_that_works(course, first, second):
    dag = bag().dags[BATCH]
    assert dag.max_active_runs == 1
    name = batch_at_work(course, app="shop")
    course.waiting = [1, 0]
    stopped: list[str] = []

    def say(line: str) -> None:
        course.said.append(line)
        if "still works" in line:
            course.client.delete("Job", course.namespace, name)
            stopped.append(line)

    course.run("order_processor/run-2/0", say=say)
    assert stopped == [f"Job {name} of order_processor/run-1/0 still works: this run goes on with it"]
    assert course.jobs() == []


@pairs(*[pair for each in (*OTHERS, BATCH, LOOK) for pair in dict.fromkeys([(each, LOOK), (LOOK, each)])])
def test_a_look_at_the_backlog_asks_no_cluster_and_waits_for_nobody(
    project, records, monkeypatch, tmp_path, first, second
):
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", f"sqlite:///{tmp_path}/absent.db")
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_SHOP", "")
    asked: list[str] = []
    monkeypatch.setattr(Cluster, "_once", lambda *found, **_: asked.append(str(found)))
    context = make_context()
    context["dag_run"].dag_id = LOOK
    LookAtBacklogOperator(task_id="look").execute(context)
    assert asked == []
    assert bag().dags[LOOK].task_ids == ["look"]


@pairs((ALIVE, BATCH), (BATCH, ALIVE))
def test_a_look_at_the_guards_and_a_batch_share_nothing(course, first, second):
    batch_at_work(course, app="shop")
    from include.release.loading import Sources
    from include.restarts.loading import read_guards
    from include.restarts.surveying import survey

    sources = Sources.from_environment()
    seen = survey(read_guards(sources), sources.environments(), lambda _: course.client)
    assert seen["payments"].problem == ""
    assert len(pods(course)) == 1


@pairs(*[pair for each in OTHERS[:-1] for pair in ((each, BATCH), (BATCH, each))], (BATCH, BATCH))
def test_a_batch_elsewhere_is_left_alone(course, elsewhere, first, second):
    other = Course(course.client, elsewhere)
    batch_at_work(other, app="shop")
    lock, holder = Lock(course.client, course.namespace, "shop"), Holder("release/run-9", "release")
    lock.take(holder, runs)
    lock.require(holder, runs, "migrate")
    from include.release.batches import hold_batches, why_not_now

    assert hold_batches(course.client, course.namespace, "shop", "release/run-9", print) == []
    assert why_not_now(course.client, elsewhere, "shop", runs) == ""
    lock.reach(holder, "released")
    course.deploy(GOOD)
    assert [each.ended.end.end for each in course.run()] == ["complete"]
    assert len(pods(other)) == 1
