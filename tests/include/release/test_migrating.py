"""Migration Jobs on a running cluster."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from include.jobs.state import job_state
from include.release.frozen import Frozen
from include.release.jobs import apply_errand, job_for
from include.release.migrating import MigrationError, Runner


def runner(cluster: Any, frozen: Frozen, by: str = "run/0") -> tuple[Runner, list[str]]:
    said: list[str] = []
    return Runner(cluster.connect(), frozen, by, said.append), said


def test_the_log_is_streamed_and_the_last_line_kept(cluster, small):
    frozen = small()
    run, said = runner(cluster, frozen)
    step = frozen.release.migrations.steps[0]
    done = run.run(step)
    assert said[0].startswith(f"first: Says something. Job {done.job}: python3 -c")
    assert said[1:] == ["    one", "    2026-11-21T03:00:00Z two"]
    assert done.said == "two"


def test_a_retry_finds_the_job_that_has_ended_and_a_later_run_asks_again(cluster, small, namespace):
    frozen = small()
    step = frozen.release.migrations.steps[0]
    first = runner(cluster, frozen)[0].run(step)
    jobs = cluster.connect().list("Job", namespace)
    run, said = runner(cluster, frozen)
    assert run.run(step).job == first.job
    assert said[0] == f"first: Job {first.job} of an earlier try has ended; going on with it"
    assert cluster.connect().list("Job", namespace) == jobs
    assert runner(cluster, frozen, "run/1")[0].run(step).job != first.job


def test_a_failing_job_is_told_with_its_exit_code_and_last_lines(cluster, small):
    frozen = small(("print('one'); print(", "print('no such table: plants'); raise SystemExit(3); print("))
    with pytest.raises(MigrationError) as raised:
        runner(cluster, frozen)[0].run(frozen.release.migrations.steps[0])
    text = str(raised.value)
    assert text.startswith("Migration first failed with exit code 3 (BackoffLimitExceeded")
    assert "Last lines of its log:\n    no such table: plants" in text
    assert "What now: nothing was deployed; the previous build runs on, and the run takes back" in text


def test_a_retry_runs_a_job_again_that_failed_while_nobody_watched(cluster, small, namespace):
    frozen = small(("print('one'); print(", "print('lost'); raise SystemExit(3); print("))
    step = frozen.release.migrations.steps[0]
    with pytest.raises(MigrationError):
        runner(cluster, frozen)[0].run(step)
    (first,) = cluster.connect().list("Job", namespace)
    run, said = runner(cluster, frozen)
    with pytest.raises(MigrationError, match="exit code 3"):
        run.run(step)
    (second,) = cluster.connect().list("Job", namespace)
    assert second["metadata"]["name"] == first["metadata"]["name"]
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert said[0].endswith("failed while nobody watched (exit code 3); running it again")
    assert said[1].strip() == "lost"


def test_a_job_that_cannot_start_is_removed(cluster, small, namespace):
    policy = {
        "crash_restarts": 3,
        "image_grace_seconds": 1,
        "config_grace_seconds": 1,
        "quota_grace_seconds": 1,
    }
    frozen = small(rollout={**policy, "timeout_seconds": 60})
    frozen.images["python:3"] = "standin.local/gone:1@sha256:" + "0" * 64
    with pytest.raises(MigrationError, match=r"Migration first cannot start: .*ImagePull"):
        runner(cluster, frozen)[0].run(frozen.release.migrations.steps[0])
    deadline = time.monotonic() + 10
    while cluster.connect().list("Job", namespace):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_job_that_still_runs_is_not_started_twice(cluster, small, namespace):
    frozen = small(("print('one');", "import time; print('one', flush=True); time.sleep(3);"))
    step = frozen.release.migrations.steps[0]
    cluster.connect().create(job_for(frozen, step, "run/0"), namespace)
    run, said = runner(cluster, frozen, "run/1")
    other = threading.Thread(target=runner(cluster, frozen, "run/2")[0].run, args=(step,))
    other.start()
    run.run(step)
    other.join(20)
    assert said[0].endswith("of an earlier try still runs; going on with it")
    assert len(cluster.connect().list("Job", namespace)) == 1


def test_a_job_that_is_deleted_half_way_is_told(cluster, small, namespace):
    frozen = small(("print('one');", "import time; print('one', flush=True); time.sleep(30);"))
    run, said = runner(cluster, frozen)
    step = frozen.release.migrations.steps[0]

    def delete() -> None:
        while "    one" not in said:
            time.sleep(0.1)
        cluster.connect().delete("Job", namespace, job_for(frozen, step, "run/0")["metadata"]["name"])

    threading.Thread(target=delete).start()
    with pytest.raises(MigrationError, match="is gone, somebody deleted it"):
        run.run(step)


def test_the_answer_of_a_job_that_ends_between_two_questions_is_not_lost(cluster, small, monkeypatch):
    run, _ = runner(cluster, small())
    step = apply_errand(run.frozen.release.migrations.steps[0])
    asked = run.cluster.list

    def slow_list(kind: str, *args: Any, **options: Any) -> Any:
        found = asked(kind, *args, **options)
        if kind == "Pod":  # what was true when it was answered, heard after the Job has ended
            name = options["labels"].partition("=")[2]
            deadline = time.monotonic() + 20
            while job_state(run.cluster.get("Job", run.namespace, name) or {}).phase == "running":
                assert time.monotonic() < deadline
                time.sleep(0.1)
        return found

    monkeypatch.setattr(run.cluster, "list", slow_list)
    assert run.ask([step]) == ["one\n2026-11-21T03:00:00Z two"]
