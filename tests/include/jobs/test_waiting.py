"""Waiting for Jobs in an event loop, as the trigger does."""

from __future__ import annotations

import pytest

from include.jobs import waiting
from include.jobs.ending import Ended, JobError, bounded
from include.jobs.waiting import Awaited, Wait
from include.release.kube import KubeError
from include.release.kube_async import AsyncCluster


@pytest.fixture
def wait(cluster, namespace, monkeypatch):
    """Waits for a started Job; returns its end and what was said."""
    from kubernetes_asyncio.config import new_client_from_config

    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.2)

    async def run(load, name: str) -> tuple[Ended, list[str]]:
        said: list[str] = []
        awaited = Awaited(namespace, name, load.container, load.seconds, load.start_grace, load.place_grace)
        async with await new_client_from_config(str(cluster.kubeconfig)) as client:
            found = await Wait(AsyncCluster(client), awaited, said.append).end()
        # As Airflow hands it on.
        return Ended(**found.as_event()), said

    return run


async def test_the_lines_are_said_and_the_end_is_what_following_it_answers(carrier, load_of, wait):
    carry, _ = carrier
    load = load_of("import time; print('one'); time.sleep(1); print('SUMMARY {}')")
    ended, said = await wait(load, carry.start(load))
    assert (ended.phase, ended.exit_code, ended.lines) == ("complete", 0, ["one", "SUMMARY {}"])
    assert said == ["    one", "    SUMMARY {}"]
    assert carry.settle(load, ended).lines == carry.follow(load, load.name).lines


async def test_a_log_whose_stream_ends_while_its_container_runs_is_read_on(
    carrier, load_of, wait, monkeypatch
):
    monkeypatch.setattr(waiting, "SAYS_WITHIN", 0.05)
    whole, opened = AsyncCluster.follow_log, []

    async def ends_early(self, *given, **options):
        opened.append(options["since"])
        async for line in whole(self, *given, **options):
            if len(opened) < 3 and line.endswith(f" {3 * len(opened)}"):
                return
            yield line

    monkeypatch.setattr(AsyncCluster, "follow_log", ends_early)
    load = load_of("import time\nfor n in range(8): print(n); time.sleep(0.15)")
    ended, said = await wait(load, carrier[0].start(load))
    assert (ended.phase, said) == ("complete", [f"    {n}" for n in range(8)])
    assert opened[0] == "" < opened[1]


async def test_a_failure_reads_the_same_as_when_a_worker_follows_it(carrier, load_of, wait):
    carry, _ = carrier
    load = load_of("print('no space left'); raise SystemExit(4)")
    ended, _ = await wait(load, carry.start(load))
    with pytest.raises(JobError) as told:
        carry.settle(load, ended)
    with pytest.raises(JobError) as followed:
        carry.follow(load, load.name)
    assert str(told.value) == str(followed.value)
    assert told.value.exit_code == followed.value.exit_code == 4


async def test_a_job_that_does_not_start_is_removed(carrier, load_of, wait, cluster, namespace):
    carry, _ = carrier
    load = load_of("print(1)", container={"image": "standin.local/gone:1"})
    ended, said = await wait(load, carry.start(load))
    assert ended.phase == "stuck"
    assert said[0].startswith(f"Job {load.name} does not start: ")
    with pytest.raises(JobError, match=r"The work cannot start: .*gone:1"):
        carry.settle(load, ended)
    assert cluster.connect().list("Job", namespace) == []


async def test_a_job_that_somebody_deletes_is_told(carrier, load_of, wait):
    carry, _ = carrier
    load = load_of("print(1)")
    ended, _ = await wait(load, "never-was")
    with pytest.raises(JobError, match="Job never-was is gone, somebody deleted it"):
        carry.settle(load, ended)


async def test_a_cluster_that_does_not_answer_is_a_reason_to_try_again(carrier, load_of, monkeypatch):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "LOST_AFTER", 0.05)

    class Silent:
        asked = 0

        async def get(self, *_: object) -> None:
            self.asked += 1
            raise KubeError(0, "https://cluster does not answer", "GET")

    silent = Silent()
    ended = await Wait(silent, Awaited("ns", "work", "work", 60, 1, 1), print).end()  # type: ignore[arg-type]
    assert ended.phase == "lost"
    assert silent.asked > 1
    with pytest.raises(KubeError) as raised:
        carrier[0].settle(load_of("print(1)"), ended)
    assert raised.value.transient


def test_an_event_holds_a_bounded_end_of_the_log():
    assert bounded([str(number) for number in range(50)]) == [str(number) for number in range(30, 50)]
    assert bounded(["a" * 90_000, "b" * 60_000, "SUMMARY"]) == ["b" * 60_000, "SUMMARY"]
