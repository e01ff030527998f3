"""A watch with an end: quiet when nothing came, and blind when nobody could have seen it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.restarts import watching
from tests.include.restarts.watch.conftest import Watch
from tests.include.restarts.watch.shown import Shown, restart_status
from tests.include.restarts.watch.test_watching import restarts
from tests.include.restarts.watch.wire import wire_to
from tests.standin import Standin

Make = Callable[..., Watch]


async def test_a_watch_with_an_end_ends_quietly(shown: Shown, watch: Make):
    shown.create()
    until = datetime.now(UTC) + timedelta(seconds=2)
    it = watch(until=until).start()
    await it.says("no restart")
    await restarts(shown, 1)
    found = await it.decided()
    assert found["action"] == "quiet"
    assert len(found["restarts"]) == 1
    assert datetime.now(UTC) >= until


async def test_a_watch_with_an_end_that_saw_nothing_says_that_it_was_blind(
    cluster: Standin, watch: Make, tmp_path: Path
):
    async with wire_to(cluster.kubeconfig, tmp_path, up=False) as (_, through):
        it = watch(through, until=datetime.now(UTC) + timedelta(seconds=1)).start()
        found = await it.decided()
    assert found["action"] == "blind"
    assert "could not be seen" in found["text"]


async def test_a_watch_with_an_end_that_sees_nothing_new_any_more_is_blind(
    cluster: Standin, shown: Shown, watch: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What it knows from before says nothing of what happened since."""
    monkeypatch.setattr(watching, "BLIND_SECONDS", 0.3)
    shown.create()
    async with wire_to(cluster.kubeconfig, tmp_path) as (wire, through):
        it = watch(through, until=datetime.now(UTC) + timedelta(seconds=2.5)).start()
        await it.says("no restart")
        await wire.down()
        await it.says("does not answer")
        found = await it.decided()
    assert (found["action"], "does not answer" in found["text"]) == ("blind", True)


async def test_looks_while_the_cluster_is_away_do_not_prove_when_an_unseen_restart_was(
    cluster: Standin, shown: Shown, watch: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.1)
    shown.create()
    async with wire_to(cluster.kubeconfig, tmp_path) as (wire, through):
        it = watch(through, threshold=2, causes="any").start()
        await it.says("no restart")
        await wire.down()
        await it.says("does not answer")
        seen = datetime.now(UTC)
        await asyncio.sleep(1)
        (pod,) = await asyncio.to_thread(shown.pods)
        await asyncio.to_thread(shown.status, pod["metadata"]["name"], restart_status(3, "it ended"))
        await wire.up()
        found = await it.decided()
    assert found["action"] == "press"
    unseen = [each["not_before"] for each in found["restarts"] if not each["seen"]]
    assert [datetime.fromisoformat(each) <= seen for each in unseen] == [True, True]


async def test_a_watch_with_an_end_of_a_deployment_that_is_not_there_is_blind(watch: Make):
    found = await watch(until=datetime.now(UTC) + timedelta(seconds=0.5)).start().decided()
    assert found["action"] == "blind"
    assert "is not there" in found["text"]


async def test_a_soak_does_not_fail_on_what_died_before_it(shown: Shown, watch: Make):
    shown.create()
    first = watch(causes="any").start()
    await first.says("no restart")
    await restarts(shown, 4)
    assert (await first.decided())["action"] == "press"
    await asyncio.sleep(1.1)  # nodes tell times to the second
    now = datetime.now(UTC)
    soak = watch(causes="any", begun_at=now.isoformat(), until=now + timedelta(seconds=2)).start()
    found = await soak.decided()
    assert (found["action"], found["restarts"]) == ("quiet", [])
