"""One kind listed and watched, against a server that answers what was recorded or written down."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.release.kube import KubeError
from include.release.kube_async import Change
from include.restarts.stream import Pace, SilentError, Stream
from tests.include.restarts.watch.replay import CUT, Answer, Replay, listed, replay, status, thing

RECORDED = Path(__file__).resolve().parents[3] / "data" / "kubernetes-1.36" / "api"
QUICK = Pace(relist_seconds=30, first_pause=0.02, longest_pause=0.2, refused_pause=0.1, silent_seconds=0.1)


class Sink:
    """Keeps what a stream brings."""

    def __init__(self) -> None:
        self.lists: list[list[str]] = []
        self.changes: list[tuple[str, str]] = []

    def replace(self, kind: str, items: list[dict[str, Any]]) -> None:
        self.lists.append([each["metadata"]["name"] for each in items])

    def change(self, kind: str, change: Change) -> None:
        self.changes.append((change.type, change.object["metadata"]["name"]))


class Following:
    """A stream at work."""

    def __init__(self, server: Replay, pace: Pace) -> None:
        self.server, self.sink = server, Sink()
        self.pauses: list[float] = []
        self.stream = Stream("Pod", "shop", self.sink, pace, sleep=self._sleep)
        self.task: asyncio.Task[None] | None = None

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(min(seconds, 0.02))

    async def run(self) -> None:
        async with self.server.connect() as cluster:
            await self.stream.follow(cluster)

    async def until(self, true: Callable[[], object], seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert self.task is not None
            assert not self.task.done(), self.task.exception()
            assert time.monotonic() < deadline, (self.sink.lists, self.sink.changes, self.server.asked)
            await asyncio.sleep(0.01)

    def revisions(self) -> list[str]:
        """From which revisions it has watched."""
        return [each.query["resourceVersion"] for each in self.server.requests("pods", watch=True)]


@contextlib.asynccontextmanager
async def following(server: Replay, pace: Pace = QUICK) -> AsyncIterator[Following]:
    found = Following(server, pace)
    found.task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        found.task.cancel()
        await asyncio.gather(found.task, return_exceptions=True)


def added(name: str, revision: str) -> dict[str, Any]:
    return {"type": "ADDED", "object": thing(name, revision)}


def recorded(file: str, path: str) -> list[dict[str, Any]]:
    """The first recorded stream of a watch in a file, line by line."""
    for line in (RECORDED / file).read_text().splitlines():
        found = json.loads(line)
        stream = found.get("response", {}).get("stream")
        if stream and "watch=" in found["request"]["path"] and path in found["topic"] + found["note"]:
            return [each["line"] for each in stream if "line" in each]
    raise AssertionError(f"no such recording: {path}")


async def test_a_watch_that_the_server_ends_goes_on_from_its_last_revision():
    async with replay() as server:
        server.lists["pods"] = [Answer(listed(thing("a", "7"), revision="10"))]
        server.watches["pods"] = [
            Answer(lines=[added("b", "11"), added("c", "12")]),
            Answer(lines=[added("d", "15")]),
        ]
        async with following(server) as it:
            await it.until(lambda: len(it.revisions()) == 3)
        assert it.sink.lists == [["a"]]
        assert [name for _, name in it.sink.changes] == ["b", "c", "d"]
        assert it.revisions() == ["10", "12", "15"]


async def test_a_bookmark_moves_the_revision_and_is_no_change():
    async with replay() as server:
        bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "99"}}}
        server.watches["pods"] = [Answer(lines=[bookmark])]
        async with following(server) as it:
            await it.until(lambda: len(it.revisions()) == 2)
        assert it.revisions() == ["10", "99"]
        assert it.sink.changes == []
        assert it.stream.event_at is None
        assert all(
            each.query["allowWatchBookmarks"] == "true" for each in server.requests("pods", watch=True)
        )


async def test_a_cut_connection_is_resumed_and_loses_nothing():
    async with replay() as server:
        server.watches["pods"] = [
            Answer(lines=[added("b", "11")], then=CUT),
            Answer(lines=[added("c", "12")], then=CUT),
        ]
        async with following(server) as it:
            await it.until(lambda: len(it.revisions()) == 3)
        assert it.revisions() == ["10", "11", "12"]
        assert len(it.sink.lists) == 1


@pytest.mark.parametrize(("served", "most"), [(0.02, 0.04), (5, 0.2)])
async def test_a_quiet_watch_that_is_cut_again_and_again_is_mended_at_once_if_it_served(served, most):
    """Only one that is cut as soon as it is open is a failing server, and is given more and more time."""
    async with replay() as server:
        server.watches["pods"] = [Answer(then=CUT) for _ in range(6)]
        async with following(server, replace(QUICK, served_seconds=served)) as it:
            await it.until(lambda: len(it.pauses) >= 6)
        assert most / 2 <= max(it.pauses) <= most
        assert bool(it.stream.problem) == (served > 1)


async def test_a_revision_that_is_too_old_is_answered_with_a_new_list():
    """The recorded ERROR 410 of a real server: HTTP 200, one line, end of the stream."""
    gone = recorded("expired.jsonl", "")
    assert [(each["type"], each["object"]["code"]) for each in gone] == [("ERROR", 410)]
    async with replay() as server:
        server.lists["pods"] = [
            Answer(listed(thing("a", "7"), revision="10")),
            Answer(listed(thing("b", "40"), revision="50")),
        ]
        server.watches["pods"] = [Answer(lines=gone)]
        async with following(server) as it:
            await it.until(lambda: len(it.revisions()) == 2)
        assert it.sink.lists == [["a"], ["b"]]
        assert it.revisions() == ["10", "50"]
        assert it.stream.problem == ""


async def test_a_server_that_answers_410_to_everything_is_not_asked_in_a_loop():
    async with replay() as server:
        server.lists["pods"] = [Answer(status(410, "Expired", "too old"), 410)]
        async with following(server) as it:
            await it.until(lambda: len(it.pauses) >= 5)
        assert it.pauses[0] == 0
        assert all(pause > 0 for pause in it.pauses[1:])


async def test_the_recorded_stream_of_a_real_server_is_taken():
    lines = recorded("watch.jsonl", "")
    named = [line for line in lines if line["type"] != "BOOKMARK"]
    assert named
    async with replay() as server:
        server.watches["pods"] = [Answer(lines=lines)]
        async with following(server) as it:
            await it.until(lambda: len(it.sink.changes) == len(named))
        assert [kind for kind, _ in it.sink.changes] == [line["type"] for line in named]


async def test_a_watch_that_silently_died_is_for_a_new_client():
    """The connection stays open and says nothing any more. Others of that client may be dead too."""
    pace = Pace(relist_seconds=0.3, first_pause=0.02, silent_seconds=0.1)
    async with replay() as server:
        began = time.monotonic()
        with pytest.raises(SilentError, match="the watch of Pod went silent"):
            await Following(server, pace).run()
        assert time.monotonic() - began < 10


async def test_it_lists_again_at_an_interval():
    pace = Pace(relist_seconds=0.2, first_pause=0.02, silent_seconds=5)
    async with replay() as server:
        server.lists["pods"] = [
            Answer(listed(thing("a", "7"), revision="10")),
            Answer(listed(thing("a", "7"), thing("missed", "11"), revision="12")),
        ]
        server.watches["pods"] = [Answer() for _ in range(100)]
        async with following(server, pace) as it:
            await it.until(lambda: len(it.sink.lists) >= 2)
        assert it.sink.lists[1] == ["a", "missed"]


async def test_failures_are_answered_with_pauses_that_grow_and_differ():
    async with replay() as server:
        server.lists["pods"] = [Answer("down", 503)]
        async with following(server) as it:
            await it.until(lambda: len(it.pauses) >= 12)
            assert "does not answer" in it.stream.problem
        most = [min(QUICK.longest_pause, QUICK.first_pause * 2.0 ** (turn + 1)) for turn in range(12)]
        assert all(0.5 * top <= pause <= top for pause, top in zip(it.pauses, most, strict=False))
        assert len({round(pause / top, 3) for pause, top in zip(it.pauses, most, strict=False)}) > 6


async def test_no_permission_says_what_is_missing_and_goes_on_trying():
    text = 'pods is forbidden: User "dev" cannot list resource "pods" in API group "" in the namespace "shop"'
    async with replay() as server:
        server.lists["pods"] = [Answer(status(403, "Forbidden", text), 403), Answer(listed(thing("a", "7")))]
        async with following(server) as it:
            await it.until(lambda: it.stream.problem)
            assert it.stream.problem == (
                f'No permission: {text}. Grant list and watch on pods (API group "") in namespace shop to the '
                "connection's user; it is tried again every 0.1 s."
            )
            await it.until(lambda: it.sink.lists)
            assert it.stream.problem == ""
        assert it.pauses == [QUICK.refused_pause]


@pytest.mark.parametrize("line", ["{not json", "[]", '{"type": "ADDED"}', '{"type": "ADDED", "object": 3}'])
async def test_bad_json_in_a_stream_is_a_cut(line):
    async with replay() as server:
        server.watches["pods"] = [Answer(lines=[added("b", "11"), line]), Answer(lines=[added("c", "12")])]
        async with following(server) as it:
            await it.until(lambda: len(it.sink.changes) == 2)
        assert it.revisions()[:2] == ["10", "11"]


async def test_a_list_that_is_no_json_is_said():
    async with replay() as server:
        server.lists["pods"] = [Answer("<html>busy</html>")]
        async with following(server) as it:
            await it.until(lambda: it.stream.problem)
        assert "the answer is no JSON" in it.stream.problem
        assert "<html>busy" in it.stream.problem


async def test_a_list_comes_page_by_page():
    async with replay() as server:
        first = listed(thing("a", "7"), revision="10", **{"continue": "more"})
        server.lists["pods"] = [Answer(first), Answer(listed(thing("b", "8"), revision="10"))]
        async with following(server) as it:
            await it.until(lambda: it.sink.lists)
        assert it.sink.lists == [["a", "b"]]
        assert [each.query.get("continue") for each in server.requests("pods", watch=False)] == [None, "more"]


async def test_an_unknown_user_is_for_a_new_client():
    async with replay() as server:
        server.lists["pods"] = [Answer(status(401, "Unauthorized", "Unauthorized"), 401)]
        with pytest.raises(KubeError) as caught:
            await Following(server, QUICK).run()
        assert caught.value.status == 401


async def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop():
    async with replay() as server:
        server.watches["pods"] = [Answer() for _ in range(5)]
        async with following(server) as it:
            await it.until(lambda: len(it.revisions()) >= 4)
        assert it.pauses[:3] == [QUICK.first_pause] * 3
