"""One list and watch for all watchers of a namespace; its signs of life; how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from include.release.kube_async import AsyncCluster
from include.restarts import hub as hubs
from include.restarts.beating import value_of, write_beat
from include.restarts.guards import Guards
from include.restarts.heartbeat import HEARTBEAT, Beat, read_beats
from include.restarts.hub import Hub, Seat, hub_count, seat_at
from include.restarts.liveness import live_triggerers
from include.restarts.stream import Pace, Stream
from tests.include.restarts.watch.replay import Answer, Replay, listed, replay, status, thing

PACE = Pace(relist_seconds=30, first_pause=0.02, longest_pause=0.1, refused_pause=0.1, silent_seconds=0.1)


@pytest.fixture
async def server() -> AsyncIterator[Replay]:
    async with replay() as found:
        yield found


def fill(server: Replay, *names: str) -> None:
    server.lists["deployments"] = [Answer(listed(*(thing(name, "1") for name in names)))]
    sets = [thing(f"{name}-rs", "1", ("Deployment", name)) for name in names]
    server.lists["replicasets"] = [Answer(listed(*sets))]
    pods = [thing(f"{name}-pod", "1", ("ReplicaSet", f"{name}-rs")) for name in names]
    server.lists["pods"] = [Answer(listed(*pods))]


@contextlib.asynccontextmanager
async def running(server: Replay, beat_seconds: float = 0.05) -> AsyncIterator[Hub]:
    hub = Hub(server.connect, "shop", identity="me", pace=PACE, beat_seconds=beat_seconds)
    task = asyncio.create_task(hub.run())
    try:
        yield hub
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def beats(server: Replay) -> list[Beat]:
    return read_beats(server.objects.get(HEARTBEAT))


async def seat_of(server: Replay, name: str, stack: contextlib.AsyncExitStack) -> Seat:
    return await stack.enter_async_context(seat_at("c", server.connect, "shop", name, name, PACE))


async def test_a_hundred_watchers_share_one_list_and_watch(server):
    names = [f"app-{number}" for number in range(100)]
    fill(server, *names)
    async with contextlib.AsyncExitStack() as stack:
        seats = [await seat_of(server, name, stack) for name in names]
        await until(lambda: all(seat.view for seat in seats))
        assert hub_count() == 1
        for plural in ("deployments", "replicasets", "pods", "events", "nodes"):
            assert len(server.requests(plural, watch=False)) == 1, plural
            await until(lambda plural=plural: server.requests(plural, watch=True))
            assert len(server.requests(plural, watch=True)) == 1, plural
        assert {seat.view.pods[0]["metadata"]["name"] for seat in seats} == {f"{name}-pod" for name in names}


async def test_a_change_wakes_only_the_watchers_of_its_deployment(server):
    fill(server, "a", "b")
    async with contextlib.AsyncExitStack() as stack:
        a, b, also_a = [await seat_of(server, name, stack) for name in ("a", "b", "a")]
        await until(lambda: a.view)
        await asyncio.sleep(0.1)
        for seat in (a, b, also_a):
            seat.changed.clear()
        hub = next(iter(hubs._hubs.values()))[0]
        hub.index._put("Pod", thing("a-pod", "2", ("ReplicaSet", "a-rs")))
        assert (a.changed.is_set(), b.changed.is_set(), also_a.changed.is_set()) == (True, False, True)


async def test_the_last_who_leaves_ends_it_and_its_connections(server):
    async with contextlib.AsyncExitStack() as first:
        await seat_of(server, "a", first)
        async with contextlib.AsyncExitStack() as second:
            seat = await seat_of(server, "b", second)
            await until(lambda: seat.view)
        assert hub_count() == 1
        hub, task = next(iter(hubs._hubs.values()))
    assert hub_count() == 0
    await asyncio.wait([task], timeout=2)
    assert task.cancelled()
    assert hub.cluster is None


async def test_a_watcher_that_fails_takes_nobody_with_it(server):
    fill(server, "a", "b")
    async with contextlib.AsyncExitStack() as stack:
        b = await seat_of(server, "b", stack)
        with pytest.raises(RuntimeError, match="a bug"):
            async with seat_at("c", server.connect, "shop", "a", "a", PACE):
                raise RuntimeError("a bug")
        await until(lambda: b.view)
        assert hub_count() == 1
        assert b.problem == ""


async def test_a_hub_is_of_one_connection_and_namespace(server):
    async with contextlib.AsyncExitStack() as stack:
        for connection, namespace in [("c", "shop"), ("c", "sre"), ("d", "shop"), ("c", "shop")]:
            await stack.enter_async_context(seat_at(connection, server.connect, namespace, "w", "d", PACE))
        assert hub_count() == 3


async def test_signs_of_life_say_who_watches_and_since_when_it_knows(server):
    fill(server, "a")
    async with running(server) as hub:
        hub.join("guard-a", "a").decided()
        hub.join("soak-b", "b").decided()
        hub.join("has-not-decided", "a")
        await until(lambda: beats(server))
        (beat,) = beats(server)
    assert (beat.triggerer, beat.problem) == ("me", "")
    assert beat.watches == {"guard-a", "soak-b"}
    assert beat.deployments == {"guard-a": "a", "soak-b": "b"}
    assert beat.last_relist is not None
    assert abs(beat.at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_a_watcher_that_has_stalled_is_not_named_as_watching(server):
    async with running(server) as hub:
        hub.join("lives", "a").decided()
        stalled = hub.join("stalled", "b")
        stalled.decided()
        stalled.decided_at = time.monotonic() - hubs.STALLED_SECONDS - 1
        await until(lambda: beats(server))
        assert hub.beat().watches == {"lives"}


async def test_kopf_1276_a_watch_that_only_looks_and_never_decides_is_not_named(server):
    fill(server, "a")
    async with running(server) as hub:
        seat = hub.join("guard", "a")
        await until(lambda: seat.view)
        for _ in range(3):
            await seat.news(0.05)
        assert hub.beat().watches == frozenset()
        seat.decided()
        assert hub.beat().watches == {"guard"}


async def test_a_first_decision_is_said_before_the_next_sign_of_life_is_due(server):
    fill(server, "a")
    async with running(server, beat_seconds=20) as hub:
        seat = hub.join("guard", "a")
        await until(lambda: beats(server))
        seat.decided()
        await until(lambda: beats(server)[0].watches == {"guard"}, 3)


async def test_what_keeps_a_watch_from_deciding_is_in_the_signs_of_life_until_it_decides(server):
    fill(server, "a", "b")
    async with contextlib.AsyncExitStack() as stack:
        b = await seat_of(server, "b", stack)
        b.decided()
        hub = next(iter(hubs._hubs.values()))[0]
        for _ in range(2):  # it is tried again, and fails again
            with pytest.raises(ZeroDivisionError):
                async with seat_at("c", server.connect, "shop", "a", "a", PACE):
                    raise ZeroDivisionError("password=hunter2")
        beat = hub.beat()
        assert beat.watches == {"b"}
        assert "The watch failed (ZeroDivisionError;" in beat.troubles["a"]
        assert "hunter2" not in beat.troubles["a"]
        a = await seat_of(server, "a", stack)
        assert "a" in hub.beat().troubles
        a.decided()
        assert (hub.beat().troubles, hub.beat().watches) == ({}, {"a", "b"})


async def test_what_was_listed_before_the_connection_failed_is_not_decided_on(server):
    fill(server, "a")
    async with running(server) as hub:
        seat = hub.join("guard", "a")
        await until(lambda: seat.view)
        # Now the cluster does not answer, and the client is made anew.
        down = Answer(status(503, "ServiceUnavailable", "down"), 503)
        server.lists["pods"] = [down] * 100
        pod = next(each for each in hub.streams if each.kind == "Pod")
        pod._listed -= 10_000
        await until(lambda: seat.view is None)
        assert not hub.synced


async def test_kopf_1276_no_dead_watch_that_looks_alive_when_a_stream_stands_still(server, monkeypatch):
    """The task is there, the process lives, nothing comes: then there are no signs of life either."""

    async def nothing(self: Stream, cluster: AsyncCluster) -> None:
        if self.kind == "Pod":
            await asyncio.sleep(3600)
        await follow(self, cluster)

    follow = Stream.follow
    monkeypatch.setattr(Stream, "follow", nothing)
    fill(server, "a")
    async with running(server) as hub:
        seat = hub.join("guard", "a")
        await asyncio.sleep(0.3)
        assert beats(server) == []
        assert seat.view is None  # and nothing is decided on half of the facts


async def test_kopf_1276_a_stream_that_went_silent_stops_the_signs_of_life(server):
    fill(server, "a")
    async with running(server) as hub:
        hub.join("guard", "a")
        await until(lambda: beats(server))
        pod = next(each for each in hub.streams if each.kind == "Pod")
        pod._listed -= 10_000
        await until(lambda: "stands still" in hub._trouble)  # and everything begins again
        pod._listed = time.monotonic()
        await until(lambda: hub._trouble == "")


async def test_kopf_1276_a_stream_that_died_is_started_again_and_said_until_then(server, monkeypatch):
    died: list[str] = []

    async def die_once(self: Stream, cluster: AsyncCluster) -> None:
        if self.kind == "Pod" and not died:
            died.append("Pod")
            raise ZeroDivisionError("a bug")
        await follow(self, cluster)

    follow = Stream.follow
    monkeypatch.setattr(Stream, "follow", die_once)
    fill(server, "a")
    async with running(server) as hub:
        seat = hub.join("guard", "a")
        await until(lambda: seat.problem)
        assert seat.problem == ("The watch of the cluster ended and begins again: ZeroDivisionError: a bug")
        await until(lambda: seat.view and not seat.problem)
        assert len(server.requests("deployments", watch=False)) >= 1


async def test_a_connection_that_failed_for_long_is_no_stream_that_stands_still(server):
    fill(server, "a")
    hub = Hub(server.connect, "shop", identity="me", pace=PACE, beat_seconds=0.05)
    for stream in hub.streams:
        stream._listed -= 10_000
    task = asyncio.create_task(hub.run())
    seat = hub.join("guard", "a")
    await until(lambda: seat.view)
    assert hub.problem == ""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_client_whose_token_ran_out_is_made_anew(server):
    unknown = Answer(status(401, "Unauthorized", "Unauthorized"), 401)
    server.lists["pods"] = [unknown, Answer(listed(thing("p", "1")))]
    async with running(server) as hub:
        seat = hub.join("guard", "a")
        await until(lambda: "does not know the connection's user" in seat.problem)
        await until(lambda: seat.view and not seat.problem)


async def test_without_permission_for_nodes_and_events_it_watches_and_says_what_it_does_without(server):
    fill(server, "a")
    for plural in ("nodes", "events"):
        server.lists[plural] = [Answer(status(403, "Forbidden", f"{plural} is forbidden"), 403)]
    async with running(server) as hub:
        seat = hub.join("guard", "a")
        await until(lambda: seat.view)
        assert seat.problem == ""
        assert [note.partition(".")[0] for note in seat.notes] == [
            "No permission: events is forbidden",
            "No permission: nodes is forbidden",
        ]


async def test_without_permission_for_pods_the_signs_of_life_say_so(server):
    server.lists["pods"] = [Answer(status(403, "Forbidden", "pods is forbidden"), 403)]
    async with running(server) as hub:
        seat = hub.join("guard", "a")
        await until(lambda: beats(server))
        assert "Grant list and watch on pods" in beats(server)[0].problem
        assert beats(server)[0].last_relist is None
        assert seat.view is None


async def test_two_connections_of_one_triggerer_do_not_overwrite_each_others_sign_of_life(server):
    fill(server, "a", "b")
    async with contextlib.AsyncExitStack() as stack:
        for connection, name in (("one", "a"), ("two", "b")):
            seat = await stack.enter_async_context(
                seat_at(connection, server.connect, "shop", name, name, PACE)
            )
            seat.decided()
        await until(lambda: {name for each in beats(server) for name in each.watches} == {"a", "b"})
        assert len({each.triggerer for each in beats(server)}) == 2
        assert live_triggerers(beats(server), Guards(), datetime.now(UTC)) == 1


async def test_signs_of_life_that_cannot_be_written_are_said(server, monkeypatch):
    monkeypatch.setattr(
        server, "_config_map", lambda *_: server._plain(Answer(status(403, "Forbidden", "no"), 403))
    )
    async with running(server) as hub:
        seat = hub.join("guard", "a")
        await until(lambda: seat.problem)
        assert seat.problem.startswith("No sign of life can be written in namespace shop: ")
        assert seat.view is not None  # it watches all the same


async def test_each_triggerer_has_its_own_sign_and_those_long_gone_are_removed(server):
    now = datetime.now(UTC)
    async with server.connect() as cluster:
        await write_beat(cluster, "shop", Beat("gone", now - timedelta(hours=2)))
        await write_beat(cluster, "shop", Beat("other", now - timedelta(minutes=2)))
        await write_beat(cluster, "shop", Beat("me", now))
    left = {name: text for name, text in server.objects[HEARTBEAT]["data"].items() if text is not None}
    assert set(left) == {"other", "me"}


def test_a_sign_of_life_is_read_as_it_was_written():
    now = datetime.now(UTC).replace(microsecond=0)
    beat = Beat(
        "me", now, now - timedelta(seconds=5), now, frozenset({"a", "b"}), "none", {"a": "x"}, {"a": "d"}
    )
    assert read_beats({"data": {"me": value_of(beat)}}) == [beat]
