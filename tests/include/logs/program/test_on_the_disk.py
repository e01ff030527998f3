"""What others count on is on the disk before they do: a machine that loses its power loses no log."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.include.logs.program.cleaned import Volume


def recorded(patch: pytest.MonkeyPatch, events: Path, root: Path) -> None:
    """Note each of the calls that matter, from whatever process, in their order: ``fsync PATH``, ``name PATH``, ``unlink PATH``.

    Paths are those below the root.
    """
    log = os.open(events, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def of(descriptor: int) -> Path:
        return Path(f"/proc/self/fd/{descriptor}").readlink()

    def note(kind: str, path: str | Path) -> None:
        os.write(log, f"{kind} {os.path.relpath(path, root)}\n".encode())

    def noted(name: str, kind: str, path_of: Callable[..., str | Path]) -> None:
        call = getattr(os, name)

        def noting(*arguments: Any, **more: Any) -> Any:
            path = path_of(*arguments, **more)
            found = call(*arguments, **more)
            note(kind, path)
            return found

        patch.setattr(os, name, noting)

    noted("fsync", "fsync", of)
    noted("rename", "name", lambda _, path, **__: path)
    noted("replace", "name", lambda _, path, **__: path)
    noted(
        "unlink", "unlink", lambda path, dir_fd=None: (of(dir_fd) if dir_fd else Path()) / os.fsdecode(path)
    )


def test_archives_are_on_the_disk_before_anything_counts_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Volume(tmp_path)
    volume.write("a.log", b"line\n")
    volume.step("plan")
    events = tmp_path / "events"
    with monkeypatch.context() as patch:
        recorded(patch, events, volume.state)
        for command in ("archive", "verify", "delete"):
            volume.step(command)
    found = events.read_text().splitlines()
    (archive,) = (str(path.relative_to(volume.state)) for path in volume.archives)
    (manifest,) = (str(path.relative_to(volume.state)) for path in volume.manifests)
    run = "runs/run-1"
    (verified,) = (f"{run}/verified/{path.name}" for path in (volume.state / run / "verified").iterdir())

    def at(event: str, after: int = -1) -> int:
        assert event in found[after + 1 :], f"{event} not after line {after}:\n" + "\n".join(found)
        return found.index(event, after + 1)

    named = []
    for path in (archive, manifest):
        written = at(f"fsync {path}.partial")
        month = Path(path).parent
        named.append(at(f"fsync {month}", at(f"name {path}", written)))
        # Directories that were made for it, up to the one that was there.
        for above in month.parents:
            assert at(f"fsync {above}") < written
    note = at(f"name {run}/archived/0000.json", at(f"fsync {run}/archived/0000.json.partial", max(named)))
    read_back = at(f"name {verified}", at(f"fsync {verified}.partial", at(f"fsync {run}/archived", note)))
    begun = at(f"fsync {run}", at(f"fsync {run}/verified", read_back))
    at("unlink ../a.log", begun)
    assert found.count("unlink ../a.log") == 1


def test_a_volume_that_fills_up_when_one_archive_is_whole_has_none_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two classes in one chunk one has its archive, under its name, when there is no room for the other's."""
    names = ("first", "second")
    volume = Volume(tmp_path, classes=[{"name": n, "globs": [f"{n}.log"], "keep_days": 7} for n in names])
    for name in names:
        volume.write(f"{name}.log", b"line\n")
    volume.step("plan")
    whole = tmp_path / "whole"
    fsync = os.fsync

    def full(descriptor: int) -> None:
        there = [path.name for path in volume.archives if path.suffix != ".partial"]
        if there and Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".partial":
            whole.write_text("\n".join(there))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        answer = volume.step("archive", expect=4)
    assert len(whole.read_text().splitlines()) == 1
    assert "What this run had archived is removed again" in answer.text
    assert volume.archives == volume.manifests == []
    assert volume.live() == ["first.log", "second.log"]
    for command in ("archive", "verify"):
        volume.step(command)
    assert volume.step("delete").facts["deleted"] == 2
