"""Bringing many files back: some at a time, in memory that does not grow with them; a killed restore goes on."""

from __future__ import annotations

import gc
import gzip
import os
import signal
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.logs.program import restoring, selecting
from include.logs.program.entries import ARCHIVE_DELETE
from include.logs.program.manifests import ManifestWriter, Place, Record
from include.logs.program.request import Request
from tests.include.logs.program import planned
from tests.include.logs.program.cleaned import Volume
from tests.include.logs.program.test_restoring import moment, restore


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def test_some_files_at_a_time_come_back_as_all_at_once(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranges, several names, one name on several days, and paths that look like what a restore makes of these."""
    monkeypatch.setattr(selecting, "AT_ONCE", 2)
    whole = b""
    with (volume.root / "app.log").open("ab", buffering=0) as log:
        for number in (1, 2):
            lines = b"".join(b"%d %07d\n" % (number, line) for line in range(20_000))
            log.write(lines)
            whole += lines
            volume.age(volume.root / "app.log", 30)
            for each in range(3):
                volume.write(f"single-{number}-{each}.log", b"%d %d\n" % (number, each))
            day = volume.write("day.log", b"day %d\n" % number, days=30 - number)
            moment_of = datetime.fromtimestamp(int(day.stat().st_mtime), UTC)
            volume.write(f"day.log.{moment_of:%Y%m%dT%H%M%SZ}", b"in the way %d\n" % number)
            if number == 1:
                os.link(volume.root / "single-1-0.log", volume.root / "other-1.log")
            volume.clean()
            volume.next_run(f"run-{number + 1}")
    answer = restore(volume, globs=["**"], to="back")
    assert answer.facts["files"] == 1 + 6 + 1 + 4
    back = {path.name: path.read_bytes() for path in (volume.root / "back").iterdir()}
    assert back.pop("app.log") == whole
    assert back.pop("other-1.log") == b"1 0\n"
    for number in (1, 2):
        for each in range(3):
            assert back.pop(f"single-{number}-{each}.log") == b"%d %d\n" % (number, each)
    assert sorted(back.values()) == [b"day 1\n", b"day 2\n", b"in the way 1\n", b"in the way 2\n"]


def test_a_restore_that_was_killed_goes_on(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noted as restored is not read again, and needs no room any more."""
    monkeypatch.setattr(selecting, "AT_ONCE", 2)
    for number in range(5):
        volume.write(f"{number}.log", os.urandom(100_000))
    volume.clean()
    volume.next_run("restore-1")
    publish, count = restoring._publish, iter(range(5))

    def until_killed(*arguments: Any) -> None:
        if next(count) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        publish(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "_publish", until_killed)
        with pytest.raises((AssertionError, IndexError)):  # no answer
            restore(volume, globs=["**"], to="back")
    assert len([name for name in volume.live() if ".restoring" not in name]) == 3
    room = os.statvfs_result(
        (4096, 4096, 1000, 300, 300, 100, 100, 100, 0, 255)
    )  # of 4 MB, 100 blocks to the floor
    monkeypatch.setattr("include.logs.program.usage.os.statvfs", lambda _path: room)
    answer = restore(volume, globs=["**"], to="back")
    assert "2 files restored already, by an earlier try." in answer.text
    assert (answer.facts["files"], answer.facts["there_already"]) == (4, 1)
    assert volume.live() == [f"back/{number}.log" for number in range(5)]


def test_a_million_files_are_chosen_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays there of each is a few numbers, and so many at a time are put together."""
    monkeypatch.setattr(selecting, "AT_ONCE", 1000)
    volume = planned.Volume(tmp_path)
    request = volume.request(restore={"from": moment(31), "until": moment(29)})
    kept = []
    for count in (1000, 4000):
        _manifest(request, count)
        taken = []
        for _ in range(3):  # (what another thread of the test's process does meanwhile is counted, too)
            gc.collect()
            tracemalloc.start()
            selection = selecting.Selection(request, selecting.wish(request))
            gc.collect()
            taken.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.stop()
        kept.append(min(taken))
    batches = [len(files) for files in selection.batches()]
    assert sum(batches) == selection.files == 5000
    assert max(batches) < 1500
    assert kept[1] - kept[0] < 4000 * 150


def _manifest(request: Request, count: int) -> None:
    """Files of the day that is asked for, or perhaps of it; where they are many, two have one path."""
    place = Place(request.layout, f"2026/01/{count}.tar.gz")
    Path(place.manifest).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place.manifest, os.O_WRONLY | os.O_CREAT, 0o640)
    head = {"archive": place.name, "class": "app", "volume": "logs", "run": "r0", "created": moment(20)}
    writer = ManifestWriter(descriptor, head)
    day = int((time.time() - 30 * 86400) * 1e9)
    for number in range(count):
        path = b"%d/application-%05d.log" % (count, number // (1 + (count > 1000)))
        changed = day + (count > 1000) * number % 2 * 86400 * 10**9
        writer.add(Record(path, number, 9, changed, 1, 0o640, ARCHIVE_DELETE, 0, 9, 512, "0" * 64))
    writer.finish(9, "0" * 64)
    os.close(descriptor)


def test_a_manifest_that_is_damaged_further_on_is_said_and_the_rest_restored(volume: Volume) -> None:
    volume.more["compression"] = "gzip"
    for number in range(2):
        volume.write(f"{number}.log", b"line\n")
        volume.clean()
        volume.next_run(f"run-{number + 2}")
    lines = gzip.decompress(volume.manifests[0].read_bytes()).splitlines(keepends=True)
    volume.manifests[0].write_bytes(gzip.compress(lines[0] + b'{"path":'))
    answer = restore(volume, expect=1, globs=["**"], to="back")
    assert volume.live() == ["back/1.log"]
    assert "cannot be read after 0 files" in answer.facts["damaged"][0]
    volume.next_run("restore-2")
    answer = volume.step("restore", expect=2, restore={"globs": ["0.log"], "to": "back"})
    assert "cannot be read after 0 files" in answer.text
