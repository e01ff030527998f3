"""The tasks lock and unlock, and what the tasks between them ask of the lock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from include.records.models import Change
from include.release.lease import RELEASED
from include.release.lock import Lock
from include.release.policies import ChangeWindow, Freeze
from plugins.operators.base import ReleaseOperator
from plugins.operators.configure import ConfigureOperator
from plugins.operators.lock import LockOperator, UnlockOperator
from tests.standin import make_namespace

BASE = "http://airflow.example"


class Changing(ReleaseOperator):
    """A task that changes something."""

    changes_cluster = True

    def step(self, frozen: Any, cluster: Any, context: Any, *, dry_run: bool) -> str:
        return "done"


class Looking(ReleaseOperator):
    """A task that looks."""

    def step(self, frozen: Any, cluster: Any, context: Any, *, dry_run: bool) -> str:
        return "seen"


@pytest.fixture
def run(cluster: Any, connection: Any, context: Any, small: Any, records: Any, monkeypatch: Any) -> Any:
    """Makes the context of a run, by name and hour of its request; all runs know each other's states."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE)
    connection(cluster.kubeconfig)
    states: dict[str, str] = {}

    def make(
        name: str,
        hour: int = 1,
        state: str = "running",
        frozen: Any = None,
        dag: str = "release",
        **params: Any,
    ) -> Any:
        made = context(**params)
        made["dag_run"].dag_id, made["dag_run"].run_id = dag, name
        made["dag_run"].run_after = datetime(2026, 11, 21, hour, tzinfo=UTC)
        made["ti"].values["freeze_and_check", "return_value"] = (frozen or make.frozen).to_json()
        made["ti"].runs = states
        states[f"{dag}/{name}"] = state
        return made

    make.frozen = small(may_approve=["admin", "oncall"])  # type: ignore[attr-defined]
    make.states = states  # type: ignore[attr-defined]
    make.lock = Lock(cluster.connect(), make.frozen.environment.namespace, "small")  # type: ignore[attr-defined]
    return make


def refusal(task: Any, context: Any) -> str:
    with pytest.raises(AirflowFailException) as raised:
        task.execute(context)
    return str(raised.value)


with DAG("release"):
    LOCK, UNLOCK = LockOperator(task_id="lock"), UnlockOperator(task_id="unlock")
    DEPLOY, CHECK = Changing(task_id="deploy"), Looking(task_id="verify_build", reached=RELEASED)


PAIRS = pytest.mark.parametrize(
    ("first", "second"), [(a, b) for a in ("release", "rollback") for b in ("release", "rollback")]
)


@PAIRS
def test_of_two_changes_to_one_place_the_second_is_refused_with_who_holds_the_lock(run, first, second):
    LOCK.execute(run("a", 1, dag=first))
    text = refusal(LOCK, run("b", 2, dag=second))
    assert f"held by {first}/a ({first} small, asked for by oncall, running) since 20" in text
    assert f"{BASE}/dags/{first}/runs/a" in text
    assert "one release or rollback of small at a time" in text
    assert run.lock.read().holder == f"{first}/a"


@PAIRS
def test_a_change_to_another_environment_has_a_lock_of_its_own(run, small, cluster, first, second):
    client = cluster.connect()
    other = make_namespace(client, f"{run.frozen.environment.namespace}-qa")
    LOCK.execute(run("a", 1, dag=first))
    LOCK.execute(run("b", 2, dag=second, frozen=small(namespace=other, name="qa")))
    assert run.lock.read().holder == f"{first}/a"
    assert Lock(client, other, "small").read().holder == f"{second}/b"
    client.delete("Namespace", "", other)


def test_a_rollback_goes_on_from_an_interrupted_release_without_being_told_to(run):
    made = run("a")
    LOCK.execute(made)
    DEPLOY.execute(made)
    run.states["release/a"] = "failed"
    assert LOCK.execute(run("b", 2, dag="rollback"))["left"] == ["release/a"]


def test_a_whole_run_leaves_a_free_lock_that_says_released(run, capsys):
    made = run("a")
    assert LOCK.execute(made) == {"how": "taken", "left": []}
    for task in (DEPLOY, CHECK):
        task.execute(made)
    assert UNLOCK.execute(made) == "released"
    state = run.lock.read()
    assert (state.holder, state.journal.reached, state.journal.stage) == ("", RELEASED, "deploy")
    assert UNLOCK.execute(made) == "released"
    assert LOCK.execute(run("b", 2))["left"] == []


def test_what_a_run_sees_after_another_has_had_the_lock_is_no_end_of_it(run):
    made = run("a")
    LOCK.execute(made)
    DEPLOY.execute(made)
    LOCK.execute(run("b", 2, break_lock="a hangs", interrupted="go on"))
    text = refusal(CHECK, made)
    assert text.startswith(
        "Another run has had the lock of small since: release/b. What this run has seen may not"
    )
    assert run.lock.read().journal.reached == ""


def test_a_run_that_somebody_ended_by_hand_is_red_though_nothing_was_begun(run):
    made = run("a")
    LOCK.execute(made)
    made["ti"].states["conclude"] = "skipped"
    text = refusal(UNLOCK, made)
    assert text.endswith(
        "state: unchanged. Somebody ended this run by hand before it had concluded; nothing is left to do."
    )
    assert run.lock.read().holder == ""
    assert LOCK.execute(run("b", 2))["left"] == []


def test_a_run_that_is_refused_before_any_change_gives_a_clean_lock_back(run):
    made = run("a")
    LOCK.execute(made)
    DEPLOY.execute(made)
    CHECK.execute(made)
    UNLOCK.execute(made)
    run.states["release/a"] = "success"
    other = run("b", 2)
    LOCK.execute(other)
    assert UNLOCK.execute(other) == "unchanged"  # what the run before it reached is not this one's


def test_a_cleared_run_that_is_refused_says_that_it_changed_nothing_this_time(run, capsys):
    made = run("a")
    for task in (LOCK, DEPLOY, CHECK):
        task.execute(made)
    made["ti"].states["deploy"] = "success"
    UNLOCK.execute(made)
    said = capsys.readouterr().out
    assert "state: released" in said
    assert "this time" not in said
    made["ti"].states["deploy"] = "upstream_failed"
    LOCK.execute(made)
    UNLOCK.execute(made)
    said = capsys.readouterr().out
    assert "state: released, which it was before this run was cleared: nothing was changed this time" in said


def test_a_refused_run_names_the_interrupted_one_whose_state_is_left(run):
    made = run("a")
    LOCK.execute(made)
    DEPLOY.execute(made)
    run.states["release/a"] = "failed"
    other = run("b", 2, interrupted="go on")
    LOCK.execute(other)
    text = refusal(UNLOCK, other)
    assert "but what the run before it, release/a, had begun did not come to an end." in text


def test_a_run_that_is_ended_half_way_fails_at_unlock_and_stops_the_next_one(run, capsys):
    made = run("a")
    LOCK.execute(made)
    DEPLOY.execute(made)
    text = refusal(UNLOCK, made)
    assert text.startswith("Lock release-lock-small given back, but what was begun did not come to an end.")
    assert "`deploy` was the last task begun that changes something" in text
    run.states["release/a"] = "failed"

    text = refusal(LOCK, run("b", 2, interrupted="stop"))
    assert text.startswith(
        "1 problem in what the run before left of small (small) in test. This run has changed nothing."
    )
    assert "release/a was interrupted at `deploy`" in text
    assert "interrupted = 'go on'" in text
    assert "target 'before release/a'" in text
    assert run.lock.read().holder == ""

    assert LOCK.execute(run("c", 3, interrupted="go on"))["left"] == ["release/a"]
    assert "NOTICE: going on from an interrupted run." in capsys.readouterr().out


@pytest.mark.parametrize("state", ["failed", "success", None], ids=["failed", "success", "deleted"])
def test_a_run_that_ended_without_its_unlock_is_noticed(run, state, capsys):
    made = run("a")
    LOCK.execute(made)
    DEPLOY.execute(made)
    if state:
        run.states["release/a"] = state
    else:
        del run.states["release/a"]
    assert "was interrupted at `deploy`" in refusal(LOCK, run("b", 2, interrupted="stop"))
    assert LOCK.execute(run("c", 3, interrupted="go on"))["how"] == "taken over"
    assert "which has ended without giving it back" in capsys.readouterr().out


def test_a_run_goes_on_only_when_no_migration_of_the_interrupted_one_runs(run, small, cluster):
    from include.release.jobs import job_for

    frozen = small(("print('one')", "import time; time.sleep(60)"))
    made = run("a", frozen=frozen)
    LOCK.execute(made)
    Changing(task_id="migrate").execute(made)
    refusal(UNLOCK, made)
    run.states["release/a"] = "failed"
    job = job_for(frozen, frozen.release.migrations.steps[0], "release/a/0")
    cluster.connect().create(job, frozen.environment.namespace)
    text = refusal(LOCK, run("b", 2, frozen=frozen, interrupted="go on"))
    assert f"A migration of it still runs: Job {job['metadata']['name']}" in text
    assert run.lock.read().holder == ""
    run.states["release/a"] = "running"
    LOCK.execute(run("a", frozen=frozen))
    for asked in ({"interrupted": "go on"}, {"dag": "rollback"}):
        text = refusal(LOCK, run("b", 2, frozen=frozen, break_lock="it hangs", **asked))
        assert "A migration of it still runs" in text
        assert run.lock.read().holder == "release/a"
    cluster.connect().delete("Job", frozen.environment.namespace, job["metadata"]["name"])


def test_the_lock_is_broken_with_a_reason_by_who_may_approve(run, capsys):
    LOCK.execute(run("a"))
    text = refusal(LOCK, run("b", 2, user="dev", break_lock="it is stuck"))
    assert "param break_lock  test.may_approve" in text
    assert "found:    asked for by dev\n    expected: one of admin, oncall" in text
    text = refusal(LOCK, run("b", 2, break_lock="x"))
    assert "param break_lock\n    found:    'x'\n    expected: at least 3 characters" in text
    assert LOCK.execute(run("b", 2, break_lock="its worker hangs"))["how"] == "broken"
    said = capsys.readouterr().out
    assert "NOTICE: taken from release/a (running) by oncall, 20" in said
    assert "its next task that changes something is" in said
    first = run("a")
    text = refusal(DEPLOY, first)
    assert "held by release/b" in text
    assert "its worker hangs" in text
    assert UNLOCK.execute(first) == "lost"
    assert run.lock.read().holder == "release/b"


def test_a_run_of_another_airflow_is_not_taken_for_a_deleted_one(run, monkeypatch):
    LOCK.execute(run("a"))
    run.states.clear()
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://other.example")
    assert "a run of another Airflow, at airflow.example" in refusal(LOCK, run("b", 2))


def test_a_holder_that_waits_for_its_approval_is_told_with_since_when(run, capsys):
    LOCK.execute(run("a"))
    other, dry = run("b", 2), run("dry", 3, dry_run=True)
    for ti in (other["ti"], dry["ti"]):
        ti.waits["release/a"] = "awaiting_input"
        ti.of_others["release/a", "approve", "asked"] = {"at": "2026-11-21 01:02 UTC"}
    waits = "(release small, asked for by oncall, waits for an approval since 2026-11-21 01:02 UTC) since 20"
    assert f"held by release/a {waits}" in refusal(LOCK, other)
    LOCK.execute(dry)
    assert f"is held by release/a {waits}" in capsys.readouterr().out


def test_a_dry_run_takes_no_lock_and_says_who_holds_it(run, capsys):
    assert LOCK.execute(run("dry", 1, dry_run=True))["how"] == "not taken: dry run"
    assert "Dry run: the lock release-lock-small is free; it is not taken" in capsys.readouterr().out
    assert run.lock.read().lease is None
    LOCK.execute(run("a"))
    LOCK.execute(run("dry", 2, dry_run=True))
    assert "Dry run: the lock release-lock-small is held by release/a" in capsys.readouterr().out
    assert UNLOCK.execute(run("dry", 2, dry_run=True)) == "dry run"
    assert run.lock.read().holder == "release/a"


def test_a_task_cleared_after_the_end_takes_the_lock_again_and_the_checks_free_it(run):
    made = run("a")
    for task in (LOCK, DEPLOY, CHECK, UNLOCK):
        task.execute(made)
    DEPLOY.execute(made)
    assert run.lock.read().holder == "release/a"
    assert "held by release/a" in refusal(LOCK, run("b", 2))
    CHECK.execute(made)
    assert UNLOCK.execute(made) == "released"
    LOCK.execute(run("b", 2))


def test_a_task_cleared_alone_leaves_a_lock_that_the_next_run_takes_and_asks_about(run):
    made = run("a")
    for task in (LOCK, DEPLOY, CHECK, UNLOCK, DEPLOY):
        task.execute(made)
    run.states["release/a"] = "success"
    assert "was interrupted at `deploy`" in refusal(LOCK, run("b", 2, interrupted="stop"))


def test_a_cleared_run_is_refused_after_a_later_one_even_of_the_same_release(run):
    for name, hour in (("a", 1), ("c", 3)):
        made = run(name, hour)
        for task in (LOCK, ConfigureOperator(task_id="configure"), DEPLOY, CHECK, UNLOCK):
            task.execute(made)
        run.states[f"release/{name}"] = "success"
    for task in (LOCK, DEPLOY):
        text = refusal(task, run("b", 2))
        assert "by run release/c, requested at 2026-11-21T03:00:00+00:00" in text
        assert "trigger a new run of the release that you want" in text
    assert run.lock.read().holder == ""


def test_a_change_begins_on_record_and_one_that_never_ended_is_put_right(run, records):
    old = Change(
        run="release/vanished",
        kind="release",
        app="small",
        environment="test",
        release="small",
        outcome="running",
    )
    records.save_change(old)
    records.save_change(old.model_copy(update={"run": "release/alive"}))
    run("alive")
    LOCK.execute(run("a"))
    mine = records.change("release/a")
    assert (mine.outcome, mine.user, mine.reason, mine.kind) == ("running", "oncall", "a test", "release")
    assert mine.details == {"url": f"{BASE}/dags/release/runs/a"}
    found = records.change("release/vanished")
    assert found.outcome == "interrupted"
    assert found.summary == (
        "Interrupted: the run is deleted and has not said how it ended. Noticed by release/a."
    )
    assert records.change("release/alive").outcome == "running"


def test_a_release_approved_when_the_window_has_closed_does_not_begin_but_one_begun_ends(run, small):
    always = Freeze(start=datetime(2020, 1, 1), end=datetime(2900, 1, 1), reason="closed")
    closed = small(window=ChangeWindow(freezes=[always]))
    late = run("a", frozen=closed, outside_window=None)
    LOCK.execute(late)
    text = refusal(DEPLOY, late)
    assert text.startswith("1 problem in the time of small (small) in test. This run has changed nothing.")
    assert "in the freeze until" in text
    DEPLOY.execute(run("a", frozen=closed, outside_window="the shop is down"))
    DEPLOY.execute(late)
    # It has ended. Clearing it while the window is closed would be another release.
    CHECK.execute(late)
    UNLOCK.execute(late)
    assert "in the freeze until" in refusal(DEPLOY, late)


def test_unlock_does_not_mind_a_lease_that_is_gone(run, cluster, capsys):
    made = run("a")
    LOCK.execute(made)
    cluster.connect().delete("Lease", run.frozen.environment.namespace, run.lock.name)
    assert UNLOCK.execute(made) == "lost"
    assert "The Lease is gone, somebody deleted it: nothing to give back" in capsys.readouterr().out


def test_a_namespace_that_is_not_there_and_rights_that_are_missing_are_said(
    run, small, cluster, connection, tmp_path
):
    text = refusal(LOCK, run("a", frozen=small(namespace="nowhere")))
    assert "namespace nowhere\n    found:    absent\n    expected: an active namespace" in text
    connection(cluster.user("reader", "view", tmp_path / "reader"))
    text = refusal(LOCK, run("a"))
    assert "permission to get, create and update leases (coordination.k8s.io)" in text
