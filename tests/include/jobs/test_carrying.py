"""Carrying Jobs on a running cluster."""

from __future__ import annotations

import pytest

from include.jobs import carrying
from include.jobs.carrying import StopJobError
from include.jobs.ending import JobError
from include.release.kube import KubeError

TWO_LINES = "print('one'); print('2026-11-21T04:00:00Z two')"


def test_each_line_is_handed_on_and_the_last_one_kept(carrier, load_of):
    carry, said = carrier
    lines: list[str] = []
    load = load_of(TWO_LINES)
    done = carry.carry(load, lines.append)
    assert lines == done.lines == ["one", "2026-11-21T04:00:00Z two"]
    assert (done.job, done.said, done.stopped) == (load.name, "two", "")
    assert said == [f"work: does something. Job {load.name}: python3 -uc {TWO_LINES}"]


def test_a_retry_goes_on_with_the_job_of_the_try_before_it(carrier, load_of, cluster, namespace):
    carry, said = carrier
    load = load_of(TWO_LINES)
    first = carry.carry(load)
    said.clear()
    assert carry.carry(load).lines == first.lines
    assert said[0] == f"work: Job {load.name} of an earlier try has ended; going on with it"
    assert carry.carry(load_of(TWO_LINES, by="dag/run/1")).job != first.job
    assert len(cluster.connect().list("Job", namespace)) == 2


def test_whoever_reads_the_log_may_end_the_job(carrier, load_of, cluster, namespace):
    carry, said = carrier

    def read(line: str) -> None:
        if "12" in line:
            raise StopJobError("error 12 on every order")

    load = load_of("import time; print('ok'); print('Error #12'); time.sleep(60)")
    done = carry.carry(load, read)
    assert done.stopped == "error 12 on every order"
    assert done.lines == ["ok", "Error #12"]
    assert said[-1] == f"work: ending Job {load.name}: error 12 on every order"
    client = cluster.connect()
    assert client.list("Job", namespace) == [] == client.list("Pod", namespace)


def test_a_failure_has_its_exit_code_the_last_lines_and_what_to_do(carrier, load_of):
    carry, _ = carrier
    load = load_of("print('held by another'); raise SystemExit(3)")
    with pytest.raises(JobError) as raised:
        carry.carry(load)
    assert raised.value.exit_code == 3
    assert raised.value.lines == ("held by another",)
    head, *rest = str(raised.value).splitlines()
    assert head.startswith("The work failed with exit code 3 (BackoffLimitExceeded")
    assert rest == ["Last lines of its log:", "    held by another",
                    f"What now: look at Job {load.name} and clear this task"]  # fmt: skip


def test_a_claim_that_is_missing_is_named(carrier, load_of, cluster, namespace):
    carry, _ = carrier
    volumes = [{"name": "logs", "persistentVolumeClaim": {"claimName": "not-there"}}]
    load = load_of("print(1)", pod={"volumes": volumes}, cannot_start="correct claim and clear this task")
    with pytest.raises(JobError) as raised:
        carry.carry(load)
    text = str(raised.value)
    assert text.startswith("The work cannot start: ")
    assert 'persistentvolumeclaim "not-there" not found' in text
    assert text.endswith("What now: correct claim and clear this task.")
    assert cluster.connect().list("Job", namespace) == []


def test_a_node_that_does_not_fit_is_told(carrier, load_of):
    carry, _ = carrier
    load = load_of("print(1)", container={"resources": {"requests": {"memory": "900Ti"}}})
    with pytest.raises(JobError, match=r"cannot start: .*Insufficient memory"):
        carry.carry(load)


def test_a_quota_that_refuses_the_pod_is_told(carrier, load_of, cluster, namespace):
    carry, _ = carrier
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"},
             "spec": {"hard": {"pods": "0"}}}  # fmt: skip
    cluster.connect().create(quota, namespace)
    with pytest.raises(JobError, match=r"cannot start: FailedCreate: .*exceeded quota: small"):
        carry.carry(load_of("print(1)"))


def test_a_log_line_that_never_ends_is_cut(carrier, load_of):
    carry, _ = carrier
    done = carry.carry(load_of("print('x' * 300_000); print('after')"))
    assert [len(line) < 70_000 for line in done.lines] == [True, True]
    assert done.lines[0].endswith(" [the rest of this line is left out]")
    assert done.lines[1] == "after"


def test_who_follows_a_job_hears_of_its_silence_and_that_it_was_suspended(
    carrier, load_of, cluster, namespace
):
    from include.jobs.carrying import SuspendedError

    carry, _ = carrier
    client = cluster.connect()
    load = load_of("import time; print('one'); time.sleep(60)", silence=0.5)
    silent: list[float] = []

    def stop(seconds: float) -> None:
        silent.append(seconds)
        client.patch("Job", namespace, load.name, {"spec": {"suspend": True}})

    with pytest.raises(SuspendedError, match="is suspended") as raised:
        carry.follow(load, carry.start(load), on_line=lambda _: None, on_silence=stop)
    assert 0.5 <= silent[0] < 3
    assert raised.value.job["metadata"]["name"] == load.name


LINES = "import time\nfor n in range(8): print(n, 'of the same words'); time.sleep(0.15)"


def test_a_log_whose_stream_ends_while_its_container_runs_is_read_on(carrier, load_of, monkeypatch):
    """As where a proxy between here and the node ends what is open for long, or the node rotates the log."""
    monkeypatch.setattr(carrying, "SAYS_WITHIN", 0.05)
    carry, said = carrier
    whole, opened = carry.cluster.follow_log, []

    def ends_early(*given, **options):
        opened.append(options["since"])
        for line in whole(*given, **options):
            if len(opened) == 1 and " 3 of" in line:
                return
            if len(opened) == 2 and " 5 of" in line:
                raise KubeError(0, "Read timed out.", "log of pod work")
            yield line

    monkeypatch.setattr(carry.cluster, "follow_log", ends_early)
    lines: list[str] = []
    done = carry.carry(load_of(LINES), lines.append)
    assert lines == done.lines == [f"{n} of the same words" for n in range(8)]
    assert opened[0] == "" < opened[1]
    assert "work: the log stream ended while its container runs; reading on" in said
