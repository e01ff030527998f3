"""Steps of a clean-up where the logs are: as Jobs on the stand-in cluster, and on the worker."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.jobs.ending import Ended
from include.logs.job_manifest import step_load
from include.logs.program_map import LABEL_PART, program_map
from include.logs.refusing import refusal
from include.logs.requesting import request_of
from include.logs.running import answered, carry_step, failed, run_here, settle_step, start_step
from include.logs.summary import Answer, StepError
from include.release.kube import KubeError
from include.release.problems import RejectedError
from tests.include.logs.conftest import fill

STEPS = ("measure", "plan", "archive", "verify", "delete", "space", "report")
FILES = {"app_DOT_log": 0, "app_DOT_log_DOT_1": 3, "app_DOT_log_DOT_2": 30, "order_processing_DOT_log": 1}


def test_a_job_with_the_claim_mounted_plans_a_small_tree(claimed):
    fill(claimed.root, **FILES)
    said: list[str] = []
    asker = claimed.asker()
    answer = carry_step(
        claimed.cluster, claimed.placed, "plan", request_of(claimed.placed, asker), asker, said.append
    )
    assert (answer.facts["entries"], answer.facts["volume"]) == (1, "shop-logs")
    assert answer.where.startswith("Job logs-plan-shop-logs-")
    assert said[0].startswith(
        "shop-logs: plan: plans what goes, and changes nothing. Job logs-plan-shop-logs-"
    )
    assert "    Plan: 1 file to clean up, 4.0 KiB to free." in said
    assert not any("SUMMARY" in line for line in said)


@pytest.fixture(params=["job", "worker"])
def steps(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs steps of one run, on the stand-in or here, after filling the volume."""
    if request.param == "job":
        claimed = request.getfixturevalue("claimed")
        placed, root, cluster = claimed.placed, claimed.root, claimed.cluster
    else:
        placed, cluster = request.getfixturevalue("on_worker"), None
        root = placed.volume.path
    from include.logs.requesting import Asker

    fill(Path(root), **FILES)

    def run(command: Any, run: str = "log_cleanup/run-1", **changes: Any) -> Answer:
        asker = replace(Asker(run), **changes)
        wanted = request_of(placed, asker)
        if cluster is None:
            return run_here(placed, command, wanted, lambda _: None)
        return carry_step(cluster, placed, command, wanted, asker, lambda _: None)

    run.root = Path(root)  # type: ignore[attr-defined]
    return run


def test_all_steps_of_a_run_one_after_the_other(steps):
    answers = {command: steps(command) for command in STEPS}
    assert sorted(path.name for path in steps.root.iterdir()) == [
        ".log-cleanup", "app.log", "app.log.1", "order_processing.log",
    ]  # fmt: skip
    assert answers["archive"].facts["files"] == answers["delete"].facts["deleted"] == 1
    assert answers["report"].facts["released"] is True
    assert not (steps.root / ".log-cleanup" / "holder.json").exists()
    again = steps("delete", clear_number=1)
    assert again.done_before
    assert again.facts["deleted"] == 1


def test_a_second_run_is_refused_and_told_who_holds_the_volume(steps):
    steps("plan")
    with pytest.raises(StepError) as raised:
        steps("plan", "log_cleanup/run-2")
    assert raised.value.exit_code == 3
    assert raised.value.holder["run"] == "log_cleanup/run-1"
    assert not raised.value.working
    text = str(raised.value)
    assert text.startswith("Planning the clean-up of shop-logs failed with exit code 3 (")
    assert "    Volume shop-logs is held by log_cleanup/run-1 since " in text
    assert text.endswith("What now: nothing was changed. Put the cause right and clear this task.")
    taken = steps("plan", "log_cleanup/run-2", take_over="log_cleanup/run-1")
    assert taken.facts["run"] == "log_cleanup/run-2"


def test_a_dry_run_changes_nothing(steps):
    answer = steps("plan", dry_run=True)
    assert answer.facts["entries"] == 1
    with pytest.raises(StepError, match="this is a dry run"):
        steps("archive", dry_run=True)
    assert (steps.root / "app.log.2").exists()
    assert not (steps.root / ".log-cleanup" / "archives").exists()


def test_a_wait_in_the_triggerer_is_answered_like_one_in_a_worker(claimed):
    fill(claimed.root, **FILES)
    asker = claimed.asker()
    request = request_of(claimed.placed, asker)
    answer = carry_step(claimed.cluster, claimed.placed, "measure", request, asker, lambda _: None)
    load, job = start_step(claimed.cluster, claimed.placed, "measure", request, asker, lambda _: None)
    lines = [f"SUMMARY {json.dumps(answer.facts)}"]
    ended = Ended(**Ended(job, "complete", lines=lines, seconds=answer.seconds).as_event())
    settled = settle_step(claimed.cluster, claimed.placed, "measure", load, ended, lambda _: None)
    assert settled == answer


def test_a_retry_goes_on_with_the_job_of_the_try_before_it(claimed):
    fill(claimed.root, **FILES)
    asker = claimed.asker()
    request = request_of(claimed.placed, asker)
    names = {
        start_step(claimed.cluster, claimed.placed, "plan", request, asker, lambda _: None)[1] for _ in "ab"
    }
    cleared = replace(asker, clear_number=1)
    names.add(start_step(claimed.cluster, claimed.placed, "plan", request, cleared, lambda _: None)[1])
    assert len(names) == 2


def test_the_program_is_there_once_immutable_and_named_by_its_digest(claimed):
    for run in ("a/1", "a/2"):
        asker = claimed.asker(run)
        start_step(
            claimed.cluster,
            claimed.placed,
            "measure",
            request_of(claimed.placed, asker),
            asker,
            lambda _: None,
        )
    namespace = claimed.placed.environment.namespace
    (program,) = claimed.cluster.list("ConfigMap", namespace, labels=f"{LABEL_PART}=program")
    assert program["metadata"]["name"] == program_map()["metadata"]["name"]
    assert program["immutable"] is True
    assert program["data"]["planning.py"].startswith('"""The command ``plan``')
    assert len(claimed.cluster.list("ConfigMap", namespace, labels=f"{LABEL_PART}=request")) == 2


def test_a_claim_that_is_missing_is_named_with_those_there_are(claimed):
    volume = claimed.placed.volume.model_copy(update={"claim": "course-logs"})
    placed = replace(claimed.placed, volume=volume)
    asker = claimed.asker()
    with pytest.raises(RejectedError) as raised:
        start_step(claimed.cluster, placed, "plan", request_of(placed, asker), asker, print)
    (problem,) = raised.value.problems
    namespace = placed.environment.namespace
    assert problem.found == f"no PersistentVolumeClaim course-logs in namespace {namespace}"
    assert problem.expected == "one of course4-logs"


REFUSALS = {
    "quota": (
        KubeError(403, 'configmaps "log-cleanup-1" is forbidden: exceeded quota: small, requested: count/configmaps=1, '
                  "used: count/configmaps=5, limited: count/configmaps=5", "POST .../configmaps", "Forbidden"),
        "raise the quota, or lower resources: of the volume",
    ),
    "namespace": (
        KubeError(404, 'namespaces "course5" not found', "POST .../jobs", "NotFound"),
        "correct namespace: of the environment, or create it",
    ),
    "admission": (
        KubeError(422, 'Job.batch "x" is invalid: spec.template.spec.containers[0].image: Required value', "POST"),
        "correct what it names, under the volume in log_retention.yaml",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_cluster_refuses_is_told_with_what_to_do(claimed, name):
    error, fix = REFUSALS[name]
    raised = refusal(error, claimed.placed)
    assert isinstance(raised, RejectedError)
    assert raised.problems[0].fix == fix
    assert error.message in raised.problems[0].found


def test_a_cluster_that_does_not_answer_for_now_is_tried_again(claimed):
    error = KubeError(0, "https://cluster does not answer", "GET")
    assert refusal(error, claimed.placed) is error


def test_a_user_who_may_not_is_told_what_it_takes(claimed, cluster, tmp_path):
    from kubernetes.config import new_client_from_config

    from include.release.kube import Cluster

    namespace = claimed.placed.environment.namespace
    config = cluster.user("reader", "view", tmp_path / "config", namespace)
    asker = claimed.asker()
    client = Cluster(new_client_from_config(str(config)))
    with pytest.raises(RejectedError) as raised:
        start_step(client, claimed.placed, "plan", request_of(claimed.placed, asker), asker, print)
    (problem,) = raised.value.problems
    assert "is forbidden" in problem.found
    assert problem.expected.startswith(f"a user who may create jobs and configmaps in namespace {namespace}")


def test_a_step_on_the_worker_that_takes_too_long_is_ended(on_worker, monkeypatch, tmp_path):
    from include.logs import running

    (tmp_path / "__main__.py").write_text("import time\nprint('working', flush=True)\ntime.sleep(60)\n")
    monkeypatch.setattr(running, "FOLDER", tmp_path)
    monkeypatch.setattr(running, "SECONDS_OF_A_MINUTE", 0.02)
    said: list[str] = []
    with pytest.raises(StepError, match="ended after 60 minutes, its time limit") as raised:
        run_here(on_worker, "plan", {}, said.append)
    assert raised.value.exit_code is None
    assert said[-1] == "    working"


SHARING = """
import os, time
from .workers import share

def work(number):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(60)
    return {}

os.write(1, b"%d\\n" % os.getpid())
list(share(2, work, 2))
"""
"""A step whose two workers are in the midst of a large file."""


@pytest.fixture
def sharing(tmp_path, monkeypatch):
    from include.logs import running
    from include.logs.program_map import FOLDER

    (tmp_path / "__main__.py").write_text(SHARING)
    for name in ("workers.py", "problems.py"):
        (tmp_path / name).symlink_to(FOLDER / name)
    monkeypatch.setattr(running, "FOLDER", tmp_path)


def ends(pids: list[int], seconds: float = 5) -> bool:
    """Whether these processes end in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}/cmdline").exists() and running_still(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def running_still(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_the_time_limit_ends_the_workers_of_a_step_too(on_worker, monkeypatch, sharing):
    from include.logs import running

    monkeypatch.setattr(running, "SECONDS_OF_A_MINUTE", 1.5 / 60)
    said: list[str] = []
    began = time.monotonic()
    with pytest.raises(StepError, match="ended after 60 minutes, its time limit"):
        run_here(on_worker, "archive", {}, said.append)
    assert time.monotonic() - began < 10
    pids = [int(line) for line in said[1:]]
    assert len(pids) == 3
    assert ends(pids)


def test_no_process_of_a_step_outlives_its_task(on_worker, sharing):
    reading, writing = os.pipe()
    task = os.fork()
    if not task:
        try:
            run_here(on_worker, "archive", {}, lambda line: os.write(writing, f"{line}\n".encode()) and None)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as lines:
        lines.readline()
        pids = [int(lines.readline()) for _ in range(3)]
        os.kill(task, signal.SIGKILL)
        os.waitpid(task, 0)
    assert ends(pids)


def test_a_step_that_is_out_of_time_is_told_which_setting_it_is(claimed):
    asker = claimed.asker()
    load = step_load(claimed.placed, "plan", request_of(claimed.placed, asker), asker)
    ended = Ended(load.name, "failed", "DeadlineExceeded: Job was active longer than specified deadline")
    with pytest.raises(StepError) as raised:
        settle_step(claimed.cluster, claimed.placed, "plan", load, ended, print)
    assert str(raised.value).endswith("and clear this task. Is timeout_minutes of the volume too low?")


def test_a_step_that_ends_well_without_an_answer_is_an_error():
    with pytest.raises(StepError) as raised:
        answered("plan", "shop-logs", "Job x", ["nearly done"], 1.0)
    assert str(raised.value) == (
        "Planning the clean-up of shop-logs: Job x ended well, but its last line is 'nearly done', not SUMMARY and its "
        "data. What now: clear this task; a step that is done answers again."
    )


def test_a_step_that_is_killed_is_told_with_its_last_lines():
    error = failed("archive", "shop-logs", "Job x", "exit code 137 (OOMKilled)", ["chunk 1", "chunk 2"], 137)
    assert str(error).splitlines() == [
        "Archiving logs of shop-logs failed with exit code 137 (OOMKilled) (Job x)",
        "Last lines of its log:",
        "    chunk 1",
        "    chunk 2",
        "What now: nothing was deleted. Put the cause right and clear this task: what is archived already is not "
        "archived again. Is resources.memory_limit of the volume too low?",
    ]
