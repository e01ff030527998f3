"""The page of operations, behind Airflow's own login."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.operations.procedures import DagFact, Facts, procedures
from include.overdue.duties import Duties
from include.overdue.judging import Duty
from include.overdue.ticks import Every
from include.records.looks import Look
from include.records.problems import Entry, OpenProblem
from plugins.operations_app import airflow_facts, gathering
from plugins.operations_app import app as page
from plugins.operations_page import OPERATIONS_PREFIX, OperationsPlugin
from tests.plugins.pages import mounted

PAGE = f"{OPERATIONS_PREFIX}/operations"
NOW = datetime.now(UTC)
ENTRY = (
    "2026-11-21 11:00 CET -- *Outstanding orders too high*\n\nTroubleshooting\n\n- 1,203 orders <b>wait</b>\n\n"
    "Resolution\n\n- Ran it again\n- In the end: no order waits.\n"
)


airflow = mounted(OperationsPlugin)


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What the database of Airflow says."""

    def say(**dags: DagFact) -> None:
        watch = {"overdue": DagFact(True)}
        monkeypatch.setattr(gathering, "ask_airflow", lambda _: Facts({**watch, **dags}, looked=NOW))

    say()
    return say


@pytest.fixture
def kept(records: Any) -> Any:
    """A clean-up, a look at the orders, an open problem and an entry of the on-call log."""
    space = {
        "size": 1 << 30,
        "free": 1 << 28,
        "free_percent": 25.0,
        "floor_percent": 20.0,
        "target_percent": 30.0,
    }
    volume = {**space, "state": "cleaned up", "text": "shop-logs: 7 files <i>deleted</i>", "freed": 4096}
    orders = {"waiting": 12, "in_work": 4, "oldest_minutes": 3, "drain_minutes": 1, "raised": False}
    for kind, subject, figures, run in (
        ("volume", "shop-logs", volume, "log_cleanup/scheduled__1"),
        ("orders", "production", orders, "order_backlog/scheduled__2"),
    ):
        records.looks.keep(Look(kind=kind, subject=subject, at=NOW, run=run, figures=figures))
    same = {"procedure": "order_processor", "environment": "production"}
    problem = {
        "key": "k",
        "title": "Error #12",
        "text": "order 4 & 5",
        "opened": NOW,
        "updated": NOW,
        "run": "order_processor/r",
    }
    records.problems.save(OpenProblem(**same, **problem))
    records.problems.save(
        OpenProblem(**same, **{**problem, "key": "over", "title": "Was over", "resolved": NOW})
    )
    entry = {"started": NOW, "ended": NOW, "good": True, "outcome": "processed"}
    details = {"processed": 1203, "left": 0}
    records.problems.write(
        Entry(run="order_processor/r", text=ENTRY, document="file:///x.md", details=details, **same, **entry)
    )
    return records


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}.json", f"{OPERATIONS_PREFIX}/docs/orders"])
def test_without_a_login_nothing_is_shown(airflow, kept, facts, path):
    answer = airflow.get(path)
    assert answer.status_code == 401
    assert "shop-logs" not in answer.text
    assert airflow.get(path, headers={"Authorization": "Bearer x"}).status_code == 403
    assert airflow.get(path, headers={"Accept": "text/html"}).status_code == 303


def test_the_page_shows_what_is_kept_with_its_runs_and_what_to_do(airflow, kept, facts):
    answer = airflow.get(PAGE, headers=airflow.reader)
    assert answer.status_code == 200
    text = answer.text
    assert '<span class="badge below-target">below target</span>' in text
    assert "25.0 % are free, 256.0 MiB of 1.0 GiB, as measured" in text
    assert 'role="img" aria-label="Free space of shop-logs since' in text
    assert "shop-logs: 7 files &lt;i&gt;deleted&lt;/i&gt;" in text
    assert "12 wait, 4 in work, as seen" in text
    assert "<h3>Error #12 (production)</h3>" in text
    assert "Was over" not in text
    for run in ("log_cleanup/runs/scheduled__1", "order_backlog/runs/scheduled__2", "order_processor/runs/r"):
        assert f'href="/dags/{run}" target="_top"' in text
    assert 'href="docs/orders"' in text
    assert 'href="docs/log-cleanup"' in text
    assert "all times are UTC" in text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert airflow.get(f"{PAGE}.js").headers["content-type"].startswith("text/javascript")


def test_an_entry_of_the_on_call_log_has_its_four_parts(airflow, kept, facts):
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert '<th role="rowheader" scope="row">2026-11-21 11:00 CET<br>' in text
    assert "<strong>Outstanding orders too high</strong>" in text
    assert (
        '<td role="cell" data-name="Troubleshooting"><ul><li>1,203 orders &lt;b&gt;wait&lt;/b&gt;</li></ul></td>'
        in text
    )
    assert (
        '<td role="cell" data-name="Resolution"><ul><li>Ran it again</li><li>In the end: no order waits.</li></ul></td>'
        in text
    )
    entry = kept.problems.entry("order_processor/r").model_copy(update={"text": "in <another> form"})
    kept.problems.write(entry)
    assert "in &lt;another&gt; form" in airflow.get(PAGE, headers=airflow.reader).text


def test_the_same_as_data(airflow, kept, facts):
    found = airflow.get(f"{PAGE}.json", headers=airflow.reader).json()
    assert found["volumes"][0]["state"] == "below target"
    assert "chart" not in found["volumes"][0]
    assert found["orders"]["batches"][0]["processed"] == "1,203"
    assert {each["title"] for each in found["needs"]} >= {"Error #12 (production)", "log_cleanup: unknown"}
    assert found["entries"][0]["run"] == "order_processor/r"


def test_before_anything_was_kept_it_says_which_dag_to_trigger(airflow, records, facts):
    text = airflow.get(PAGE, headers=airflow.reader).text
    for said in (
        "No clean-up has measured it yet. Trigger <a",
        "looks every few minutes: unpause it, or trigger it.",
        "No batch is on record yet. Trigger <a",
        "No run has written an entry yet.",
    ):
        assert said in text


def test_records_that_are_away_are_one_sentence_and_the_rest_is_shown(airflow, facts, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", "postgres://shop:geheim@127.0.0.1:1/x")
    answer = airflow.get(PAGE, headers=airflow.reader)
    assert answer.status_code == 200
    assert answer.text.count("cannot be used") == 1
    assert "geheim" not in answer.text
    assert "What clean-ups have measured cannot be read." in answer.text
    assert "Scheduled procedures" in answer.text
    monkeypatch.delenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS")
    answer = airflow.get(PAGE, headers=airflow.reader)
    assert (
        "What was kept cannot be read: connection plan_reduce_repeat_records: no such connection."
        in answer.text
    )


def test_files_that_are_wrong_are_named_and_the_rest_is_shown(airflow, kept, facts, project):
    for name in ("log_retention.yaml", "orders.yaml"):
        (project / "config" / name).write_text("volumes: [\n")
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert "log_retention.yaml:" in text
    assert "orders.yaml:" in text
    assert "25.0 % are free" in text, "of volumes that were cleaned up before"


def test_everybody_sees_what_concerns_the_dags_that_they_may_see(airflow, kept, facts, monkeypatch):
    allowed: set[str] = set()

    class Manager:
        def is_authorized_dag(self, *, method: str, details: Any, user: Any) -> bool:
            assert (method, user.get_name()) == ("GET", "ro")
            return details.id in allowed

    monkeypatch.setattr(page, "get_auth_manager", Manager)
    answer = airflow.get(PAGE, headers=airflow.reader)
    assert answer.status_code == 403
    assert "you may see none of the DAGs log_cleanup, " in answer.text
    allowed.add("log_cleanup")
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert "25.0 % are free" in text
    assert not any(each in text for each in ("Error #12", "12 wait", "1,203", "order_backlog: "))
    allowed.clear()
    allowed.add("order_processor")
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert "25.0 % are free" not in text
    assert all(each in text for each in ("Error #12", "12 wait", "1,203"))


def test_only_pages_for_on_call_are_served(airflow, facts):
    answer = airflow.get(f"{OPERATIONS_PREFIX}/docs/orders", headers=airflow.reader)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.text.startswith("# Order processing")
    for name in ("verdicts", "..%2FREADME", "nothing"):
        assert airflow.get(f"{OPERATIONS_PREFIX}/docs/{name}", headers=airflow.reader).status_code == 404


def duty(dag_id: str) -> Duty:
    """A procedure that is due every hour, in two parts; somebody may leave it at its first task, its last one tells."""
    return Duty(
        dag_id, "a procedure", Every(60), timedelta(minutes=90), [], "a file.yaml",
        part_param="volumes", parts=["a", "b"], left_by="window", told_by="tell",
    )  # fmt: skip


def flat(tasks: dict[str, list[str | None]]) -> list[tuple[str, int, str | None]]:
    """Each copy of each task: name, index, state."""
    return [(name, index, word) for name, states in tasks.items() for index, word in enumerate(states)]


@pytest.fixture
def runs(airflow: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Runs of DAGs of this test's own, in Airflow's database."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    monkeypatch.setattr(airflow_facts, "CLEANUP", "a_cleanup")
    monkeypatch.setattr(airflow_facts, "RESTORE", "a_restore")
    names = ("a_cleanup", "a_restore")

    def task(run: DagRun, task_id: str, index: int, state: str | None) -> Any:
        return TaskInstance.__table__.insert().values(
            id=uuid.uuid4(), task_id=task_id, dag_id=run.dag_id, run_id=run.run_id, map_index=index, state=state,
            pool="default_pool", pool_slots=1, priority_weight=1, try_number=1, max_tries=0, custom_operator_name="",
            executor_config=b"",
        )  # fmt: skip

    def chose(run: DagRun, volumes: list[str]) -> Any:
        return XComModel.__table__.insert().values(
            dag_run_id=run.id, task_id="choose", map_index=-1, key="return_value", dag_id=run.dag_id, run_id=run.run_id,
            value=volumes, timestamp=NOW,
        )  # fmt: skip

    def question(session: Any, run: DagRun) -> Any:
        ti = select(TaskInstance.id).where(
            TaskInstance.run_id == run.run_id, TaskInstance.state == "awaiting_input"
        )
        values = {
            "ti_id": session.scalars(ti).one(),
            "options": ["Approve", "Reject"],
            "subject": "Clean up <shop-logs>?",
        }
        return HITLDetail.__table__.insert().values(multiple=False, params={}, **values)

    def make(
        dag_id: str,
        run_id: str,
        state: str,
        minutes: int,
        conf: Any = None,
        volumes: list[str] | None = None,
        kind: str = "manual",
        alone: tuple[str, str] | None = None,
        **tasks: list[str | None],
    ) -> None:
        at = NOW - timedelta(minutes=minutes)
        dag = DagModel(dag_id=dag_id, bundle_name="operations-of-a-test", is_paused=False, is_stale=False)
        run = DagRun(
            dag_id=dag_id,
            run_id=run_id,
            run_type=kind,
            state=state,
            run_after=at,
            start_date=at,
            conf=conf,
        )
        run.end_date = at if state in ("success", "failed") else None
        with create_session() as session:
            for each in (DagBundleModel(name="operations-of-a-test"), dag):
                session.merge(each)
                session.flush()
            session.add(run)
            session.flush()
            if volumes is not None:
                session.execute(task(run, "choose", -1, "success"))
                session.execute(chose(run, volumes))
            if alone:
                session.execute(task(run, alone[0], -1, alone[1]))
            for name, index, word in flat(tasks):
                session.execute(task(run, f"clean.{name}", index, word))
            session.execute(question(session, run)) if "approve" in tasks else None

    yield make
    with create_session() as session:
        for model in (XComModel, TaskInstance, DagRun, DagModel):
            session.execute(delete(model).where(model.dag_id.in_(names)))


def test_a_volume_is_held_by_the_run_that_works_on_it_until_its_report(runs):
    runs("a_cleanup", "old", "success", 90)
    runs(
        "a_cleanup", "now", "running", 3,
        volumes=["shop-logs", "web-logs", "late-logs", "not-begun"],
        plan=["success", "success", "success", None],
        approve=["awaiting_input", "success", None, None],
        report=[None, "success", None, None],
    )  # fmt: skip
    runs("a_restore", "manual__1", "running", 1, {"volume": "db-logs"})
    found = airflow_facts.ask_airflow([duty("a_cleanup")])
    assert {name: (each.run.name, each.doing) for name, each in found.holders.items()} == {
        "shop-logs": ("a_cleanup/now", "approve waits for somebody's answer"),
        "late-logs": ("a_cleanup/now", "between two steps"),
        "db-logs": ("a_restore/manual__1", "brings lines back"),
    }
    (asked,) = found.questions
    assert (asked.run.run_id, asked.subject) == ("now", "Clean up <shop-logs>?")
    assert asked.place == "tasks/clean.approve/mapped/0/required_actions"


def test_of_the_runs_those_in_earnest_are_judged(runs):
    runs("a_cleanup", "good", "success", 60)
    runs("a_cleanup", "bad", "failed", 30, {"dry_run": False})
    runs("a_cleanup", "dry", "success", 10, {"dry_run": True})
    dag = airflow_facts.ask_airflow([duty("a_cleanup")]).dag("a_cleanup")
    assert (dag.known, dag.paused, dag.last.run_id, dag.last.dry_run) == (True, False, "dry", True)
    assert (dag.seen.newest.run_id, dag.seen.good.run_id) == ("bad", "good")
    assert not airflow_facts.ask_airflow([]).dag("a_restore").known


def test_a_run_of_a_part_or_one_that_was_left_is_none_that_ended_well(runs):
    runs("a_cleanup", "good", "success", 60, {"volumes": ["a", "b"]})
    runs("a_cleanup", "part", "success", 30, {"volumes": ["a"]})
    runs("a_cleanup", "left", "success", 10, alone=("window", "skipped"))
    seen = airflow_facts.ask_airflow([duty("a_cleanup")]).dag("a_cleanup").seen
    assert (seen.newest.run_id, seen.newest.state) == ("left", "left for the next run")
    assert seen.good.run_id == "good"


@pytest.mark.parametrize(
    ("kind", "task", "state"),
    [
        ("scheduled", ("tell", "success"), "on time"),
        ("scheduled", ("tell", "failed"), "failed"),
        ("manual", ("tell", "success"), "failed"),
    ],
)
def test_a_scheduled_run_that_failed_and_told_why_itself_is_no_news(runs, kind, task, state):
    runs("a_cleanup", "old", "success", 600)
    runs("a_cleanup", "bad", "failed", 20, kind=kind, alone=task)
    facts = airflow_facts.ask_airflow([duty("a_cleanup")])
    a_minute_later = NOW - timedelta(minutes=19)  # later, the next run may be due
    (found,) = procedures(Duties([duty("a_cleanup")], [], []), facts, a_minute_later)
    assert found.state == state
