"""A watch against the stand-in: it decides from the list and what it kept, whatever happens to it in between."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.release.kube import KubeError
from include.restarts import explaining
from include.restarts import hub as hubs
from include.restarts.cause import Finding
from include.restarts.hub import hub_count
from include.restarts.state import AsyncKeeper, Conflict, Keeper, Kept, ledger_name
from include.restarts.stream import Pace
from tests.include.restarts.watch.conftest import Watch, connect_to
from tests.include.restarts.watch.shown import Shown, restart_status
from tests.include.restarts.watch.wire import wire_to
from tests.standin import Standin

Make = Callable[..., Watch]


async def restarts(
    shown: Shown, times: int, message: str = "dial tcp: connection refused", pause: float = 0.05
) -> None:
    for _ in range(times):
        await asyncio.to_thread(shown.restart, message)
        await asyncio.sleep(pause)


async def test_it_decides_within_a_moment_of_the_restart_too_many(shown: Shown, watch: Make):
    shown.create()
    it = watch().start()
    await it.says("no restart")
    await restarts(shown, 3)
    await asyncio.sleep(0.3)
    assert it.task is not None
    assert not it.task.done()
    began = time.monotonic()
    await restarts(shown, 1, pause=0)
    found = await it.decided()
    assert time.monotonic() - began < 4
    assert found["action"] == "press"
    assert found["counts"] == {"main": {"network": 4}}
    assert [each["number"] for each in found["restarts"]] == [1, 2, 3, 4]
    assert all("refused" in each["evidence"] for each in found["restarts"])
    assert datetime.fromisoformat(found["decided_at"]) - datetime.now(UTC) < timedelta(seconds=5)
    assert found["crossed_at"] == found["restarts"][3]["at"]
    assert "4 restarts" in found["text"]


async def test_the_ledger_is_kept_in_the_namespace_and_can_be_read_by_a_task(
    shown: Shown, watch: Make, namespace: str
):
    shown.create()
    it = watch().start()
    await it.says("no restart")
    await restarts(shown, 2)
    await it.says("main 2 network")
    config_map = shown.client.get("ConfigMap", namespace, ledger_name("guard"))
    assert config_map is not None
    assert config_map["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "plan-reduce-repeat"}
    assert len(json.loads(config_map["data"]["ledger"])["restarts"]) == 2
    kept = Keeper(shown.client, namespace, "guard", 15).read()
    assert [each.cause for each in kept.ledger.restarts] == ["network", "network"]


async def test_it_is_written_only_when_something_is_new(shown: Shown, watch: Make, namespace: str):
    shown.create()
    it = watch().start()
    await it.says("no restart")
    await restarts(shown, 1)
    await it.says("main 1 network")

    def revision() -> str:
        found = shown.client.get("ConfigMap", namespace, ledger_name("guard"))
        return str(found and found["metadata"]["resourceVersion"])

    before = revision()
    pod = shown.pods()[0]
    for number in range(3):
        await asyncio.to_thread(shown.event, pod, "Pulled", f"already there {number}")
    await asyncio.sleep(0.3)
    assert revision() == before


async def test_nothing_is_missed_while_the_watch_is_down(shown: Shown, watch: Make):
    """It counted two, was down for the next two, and presses when it is back."""
    shown.create()
    first = watch().start()
    await first.says("no restart")
    await restarts(shown, 2)
    await first.says("main 2 network")
    await first.stop()
    assert hub_count() == 0
    await restarts(shown, 2)
    found = await watch().start().decided()
    assert found["action"] in ("press", "ask_upstream")
    causes = sorted((each["number"], each["seen"], each["cause"]) for each in found["restarts"])
    # Of two at once only the last one's end is still to be seen.
    assert causes == [(1, True, "network"), (2, True, "network"), (3, False, "unknown"), (4, True, "network")]


async def test_nothing_is_missed_while_the_watch_is_down_and_a_pod_was_replaced(shown: Shown, watch: Make):
    shown.create()
    first = watch().start()
    await first.says("no restart")
    await restarts(shown, 3)
    await first.says("main 3 network")
    await first.stop()
    old = shown.pods()[0]["metadata"]["name"]
    shown.client.delete("Pod", shown.namespace, old)
    while not [pod for pod in shown.pods() if pod["metadata"]["name"] != old]:
        await asyncio.sleep(0.05)
    await restarts(shown, 1)
    found = await watch().start().decided()
    assert found["action"] == "press"
    assert len({each["pod"] for each in found["restarts"]}) == 2


async def test_a_cut_every_moment_loses_nothing_and_counts_nothing_twice(
    cluster: Standin, shown: Shown, watch: Make, tmp_path: Path
):
    shown.create()
    async with wire_to(cluster.kubeconfig, tmp_path) as (wire, through):
        it = watch(through, threshold=7).start()
        await it.says("no restart")
        for _ in range(8):
            wire.cut()
            await restarts(shown, 1, pause=0.15)
        found = await it.decided()
        await it.stop()
    assert found["action"] == "press"
    assert sum(found["counts"]["main"].values()) == 8
    assert [each["number"] for each in found["restarts"]] == list(range(1, 9))


async def test_an_api_server_that_goes_away_and_comes_back(
    cluster: Standin, shown: Shown, watch: Make, tmp_path: Path
):
    shown.create()
    async with wire_to(cluster.kubeconfig, tmp_path) as (wire, through):
        it = watch(through).start()
        await it.says("no restart")
        await restarts(shown, 3)
        await it.says("main 3 network")
        await wire.down()
        await restarts(shown, 1)
        await asyncio.sleep(0.5)
        assert it.task is not None
        assert not it.task.done()
        await wire.up()
        found = await it.decided()
        await it.stop()
    assert (found["action"], found["counts"]) == ("press", {"main": {"network": 4}})


async def test_a_watch_that_silently_died_is_made_good_by_the_relist(
    cluster: Standin, shown: Shown, watch: Make, tmp_path: Path
):
    shown.create()
    async with wire_to(cluster.kubeconfig, tmp_path) as (wire, through):
        it = watch(through, Pace(relist_seconds=2, first_pause=0.02, silent_seconds=0.2)).start()
        await it.says("no restart")
        await restarts(shown, 3)
        await it.says("main 3 network")
        wire.silence()
        await restarts(shown, 1)
        found = await it.decided(20)
        await it.stop()
    assert found["action"] == "press"


async def test_a_cluster_that_is_down_at_start_is_waited_for_and_said(
    cluster: Standin, shown: Shown, watch: Make, tmp_path: Path
):
    shown.create()
    await restarts(shown, 1)
    async with wire_to(cluster.kubeconfig, tmp_path, up=False) as (wire, through):
        it = watch(through, threshold=1).start()
        line = await it.says("does not answer")
        assert f"127.0.0.1:{wire.port}" in line
        await wire.up()
        await it.says("main 1 network")
        await restarts(shown, 1)
        assert (await it.decided())["action"] == "press"
        await it.stop()


async def test_without_permission_it_says_what_is_missing(
    cluster: Standin, namespace: str, watch: Make, tmp_path: Path
):
    # A user of another namespace.
    kubeconfig = cluster.user("stranger", "view", tmp_path / "stranger.yaml", "default")
    it = watch(kubeconfig).start()
    line = await it.says("No permission")
    assert f'Grant list and watch on deployments (API group "apps") in namespace {namespace}' in line
    assert "stranger" in line
    assert it.task is not None
    assert not it.task.done()


async def test_without_permission_to_keep_counts_it_counts_in_memory_and_says_so(
    cluster: Standin, shown: Shown, watch: Make, namespace: str, tmp_path: Path
):
    shown.create()
    it = watch(cluster.user("reader", "view", tmp_path / "reader.yaml", namespace)).start()
    await it.says("no restart")
    await restarts(shown, 4)
    assert (await it.decided())["counts"] == {"main": {"network": 4}}
    assert any("configmaps" in line for line in it.said), it.said


async def test_a_deployment_that_is_not_there_yet_is_waited_for(shown: Shown, watch: Make, namespace: str):
    it = watch().start()
    line = await it.says("not there")
    assert f"{namespace}/swype-app" in line
    await asyncio.to_thread(shown.create)
    await it.says("no restart")
    await restarts(shown, 4)
    assert (await it.decided())["action"] == "press"


async def test_a_namespace_that_is_not_there_is_waited_for(cluster: Standin, watch: Make):
    it = watch()
    it.spec = it.spec.model_copy(update={"namespace": "no-such-namespace"})
    it.start()
    await it.says("not there")


async def test_pods_without_container_statuses_are_no_reason_to_stop(shown: Shown, watch: Make):
    shown.replicas = 2
    shown.create()
    names = sorted(each["metadata"]["name"] for each in shown.pods())
    shown.status(names[0], {"phase": "Pending", "containerStatuses": None})
    it = watch().start()
    await it.says("no restart")
    for count in range(1, 5):
        shown.status(names[1], restart_status(count, "connection refused"))
        await asyncio.sleep(0.05)
    assert (await it.decided())["action"] == "press"


async def test_an_event_of_a_pod_explains_its_restart(shown: Shown, watch: Make):
    """The status says nothing; what the kubelet wrote about the pod a moment later does."""
    shown.create()
    it = watch().start()
    await it.says("no restart")
    await restarts(shown, 1, message="")
    await asyncio.to_thread(
        shown.event,
        shown.pods()[0],
        "Unhealthy",
        'Liveness probe failed: Get "http://10.0.0.7:5003/healthz": dial tcp 10.0.0.7:5003: connect: connection refused',
    )
    await asyncio.to_thread(
        shown.event, shown.pods()[0], "Killing", "Container main failed liveness probe, will be restarted"
    )
    await it.says("main 1 ")
    await asyncio.sleep(1)
    kept = Keeper(shown.client, shown.namespace, "guard", 15).read().ledger.restarts
    assert kept[0].cause != "unknown", it.said


async def test_what_explains_a_restart_a_moment_later_is_waited_for(
    shown: Shown, watch: Make, monkeypatch: pytest.MonkeyPatch
):
    """Else a person would be asked about what the next Event says."""

    def by_events(pod: Any, container: str, events: Any, logs: Any) -> Finding:
        return Finding("network" if events else "unknown", "main", "said by an event")

    monkeypatch.setattr(explaining, "classify", by_events)
    shown.create()
    it = watch(threshold=1).start()
    await it.says("no restart")
    await restarts(shown, 2)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(shown.event, shown.pods()[0], "Unhealthy", "connection refused")
    found = await it.decided()
    assert found["action"] in ("press", "ask_upstream")
    assert found["restarts"][-1]["cause"] == "network"


async def test_two_triggerers_with_the_same_watch_do_not_count_twice(
    shown: Shown, watch: Make, namespace: str
):
    shown.create()
    one = watch(connection="one").start()
    two = watch(connection="two").start()
    await one.says("no restart")
    await two.says("no restart")
    assert hub_count() == 2
    await restarts(shown, 4)
    found = await asyncio.gather(one.decided(), two.decided())
    assert [each["counts"] for each in found] == [{"main": {"network": 4}}] * 2
    kept = Keeper(shown.client, namespace, "guard", 15).read()
    assert len(kept.ledger.restarts) == 4


async def test_a_pod_that_cannot_be_classified_is_counted_as_unknown(
    shown: Shown, watch: Make, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise KeyError("spec password=hunter2")

    monkeypatch.setattr(explaining, "classify", fail)
    shown.create()
    it = watch().start()
    await it.says("no restart")
    await restarts(shown, 4)
    found = await it.decided()
    assert found["action"] == "ask_upstream"
    assert "could not be classified: KeyError" in found["restarts"][0]["evidence"]
    assert "hunter2" not in json.dumps(found)


async def test_a_ledger_that_somebody_broke_is_begun_anew_and_said(shown: Shown, watch: Make, namespace: str):
    shown.create()
    await restarts(shown, 1)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ledger_name("guard")}}
    shown.client.create({**body, "data": {"ledger": "{"}}, namespace)
    it = watch().start()
    line = await it.says("main 1 network")
    assert "cannot be read" in line


async def test_counts_that_cannot_be_read_are_in_the_sign_of_life_and_the_watch_is_not_named(
    shown: Shown, watch: Make, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: Any) -> Kept:
        raise KubeError(
            500, "etcdserver: leader changed", "GET /api/v1/namespaces/x/configmaps/restarts-guard"
        )

    read = AsyncKeeper.read
    monkeypatch.setattr(AsyncKeeper, "read", fail)
    shown.create()
    it = watch().start()
    await it.says("The kept counts cannot be read")
    hub = next(iter(hubs._hubs.values()))[0]
    assert hub.beat().watches == frozenset()
    assert "etcdserver: leader changed" in hub.beat().troubles["guard"]
    monkeypatch.setattr(AsyncKeeper, "read", read)
    await restarts(shown, 1)
    await it.says("main 1 network")
    assert (hub.beat().watches, hub.beat().troubles) == ({"guard"}, {})


async def test_counts_that_cannot_be_written_are_in_the_sign_of_life(
    shown: Shown, watch: Make, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: Any) -> None:
        raise KubeError(422, "must have at most 1048576 bytes", "PUT ...")

    monkeypatch.setattr(AsyncKeeper, "write", fail)
    shown.create()
    it = watch().start()
    await it.says("no restart")
    beat = next(iter(hubs._hubs.values()))[0].beat()
    assert beat.watches == {"guard"}
    assert beat.troubles["guard"].startswith("The counts cannot be kept for now: ")


async def test_a_write_over_what_another_wrote_is_refused(shown: Shown, namespace: str, cluster: Standin):
    keeper = Keeper(shown.client, namespace, "guard", 15)
    first, second = keeper.read(), keeper.read()
    keeper.write(first)
    with pytest.raises(Conflict):
        keeper.write(second)
    third, fourth = keeper.read(), keeper.read()
    third.ledger.note_alert("other causes", datetime.now(UTC))
    keeper.write(third)
    async with connect_to(cluster.kubeconfig)() as api:
        asynchronous = AsyncKeeper(api, namespace, "guard", 15)
        with pytest.raises(Conflict):
            await asynchronous.write(fourth)
        fifth = await asynchronous.read()
        await asynchronous.write(fifth)
        shown.client.delete("ConfigMap", namespace, ledger_name("guard"))
        with pytest.raises(Conflict):
            await asynchronous.write(fifth)
