"""Logs that change while the clean-up is at work on them: nothing counts on what was read of them, and nothing is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.logs.program import chunk, planning
from include.logs.program.manifests import Manifest
from tests.include.logs.program.cleaned import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def while_read(patch: pytest.MonkeyPatch, path: Path, change: Callable[[], Any]) -> None:
    """Let a file be changed, once, just after bytes of it were read."""
    changed: list[bool] = []

    def changing(call: Callable[..., Any]) -> Callable[..., Any]:
        def read(descriptor: int, *more: Any) -> Any:
            found = call(descriptor, *more)
            if not changed and Path(f"/proc/self/fd/{descriptor}").readlink() == path:
                changed.append(True)
                change()
            return found

        return read

    for name in ("read", "readv", "pread", "preadv"):
        patch.setattr(os, name, changing(getattr(os, name)))


@pytest.mark.parametrize("size", [1000, 300_000])
@pytest.mark.parametrize("kind", ["other bytes", "more bytes", "fewer bytes"])
def test_a_file_that_changes_while_it_is_archived_is_left(
    kind: str, size: int, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small files are read at once, large ones piece by piece."""
    monkeypatch.setattr(chunk, "LARGE", 100_000)
    path = volume.write("a.log", b"x" * size)
    volume.write("b.log", b"y" * size)
    after = b"z" * {"other bytes": size, "more bytes": size + 10, "fewer bytes": size - 10}[kind]
    volume.step("plan")
    with monkeypatch.context() as patch:
        while_read(patch, path, lambda: path.write_bytes(after))
        answer = volume.step("archive")
    assert answer.facts["left"] == {"changed": {"files": 1, "examples": ["a.log"]}}
    archived = [record.path for manifest in volume.manifests for record in Manifest(str(manifest))]
    assert archived == [b"b.log"]
    volume.step("verify")
    assert volume.step("delete").facts["deleted"] == 1
    assert path.read_bytes() == after


def test_a_file_that_changes_only_in_what_it_has_is_left(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many systems tell times in steps of some ms: the date may be that of the plan, but the length is not."""
    path = volume.write("a.log", b"x" * 1000)
    found = path.stat()

    def grow() -> None:
        path.write_bytes(b"x" * 1010)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    volume.step("plan")
    with monkeypatch.context() as patch:
        while_read(patch, path, grow)
        assert volume.step("archive").facts["archives"] == 0


@pytest.mark.parametrize("loss_accepted", [False, True])
@pytest.mark.parametrize("longer", [False, True])
def test_a_log_that_was_cut_off_after_its_archive_was_verified_keeps_its_lines(
    longer: bool, loss_accepted: bool, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loss_accepted:
        volume.classes = [{**volume.classes[0], "accept_loss": "nobody reads it"}]
        monkeypatch.setattr(planning, "punchable", lambda _: False)
    path = volume.write("app.log", b"".join(b"old %09d\n" % number for number in range(20_000)))
    fresh = b"".join(b"new %09d\n" % number for number in range(25_000 if longer else 1_000))
    with path.open("ab"):
        actions = volume.step("plan").facts["classes"][0]["actions"]
        assert list(actions) == ["truncate" if loss_accepted else "archive_punch"]
        for command in ("archive", "verify"):
            volume.step(command)
        path.write_bytes(fresh)
        volume.age(path, (time.time() - path.stat().st_mtime) / 86400)
        answer = volume.step("delete")
    assert path.read_bytes() == fresh
    assert answer.facts["left"] == {"changed": {"files": 1, "examples": ["app.log"]}}
    assert (answer.facts["freed_bytes"], answer.facts["lost_bytes"]) == (0, 0)
