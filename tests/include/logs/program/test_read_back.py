"""What is read back from the disk is compared with what was written: each comparison finds what no other does."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.include.logs.program.cleaned import Answer, Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Two classes with a file each, of one length: an archive for each, in gzip, which the tests can write."""
    volume = Volume(tmp_path, more={"compression": "gzip"})
    volume.classes = [{"name": name, "globs": [f"{name}.log"], "keep_days": 7} for name in ("one", "two")]
    for name in ("one", "two"):
        volume.write(f"{name}.log", os.urandom(5000))
    for command in ("plan", "archive"):
        volume.step(command)
    return volume


def other_bytes(archive: Path) -> None:
    """An archive that is right in itself, of the same length, with another byte in its file."""
    tar = bytearray(gzip.decompress(archive.read_bytes()))
    tar[512 + 2500] ^= 1
    archive.write_bytes(gzip.compress(tar))


def edited(manifest: Path, line: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Another manifest, right in itself, of which one line is different."""
    lines = [json.loads(each) for each in gzip.decompress(manifest.read_bytes()).splitlines()]
    lines[line] = {**lines[line], **change(lines[line])}
    manifest.write_bytes(gzip.compress(b"".join(json.dumps(each).encode() + b"\n" for each in lines)))


def swapped(paths: list[Path]) -> None:
    """Each one's contents in the other's place."""
    contents = [path.read_bytes() for path in paths]
    for path, data in zip(paths, reversed(contents), strict=True):
        path.write_bytes(data)


def refused(volume: Volume, why: str, archives: int = 1) -> Answer:
    answer = volume.step("verify", expect=1)
    assert [why in each["why"] for each in answer.facts["damaged"]] == [True] * archives
    assert "not verified" in volume.step("delete", expect=1).text
    assert volume.live() == ["one.log", "two.log"]
    return answer


def test_an_archive_of_other_bytes_that_is_right_in_itself(volume: Volume) -> None:
    other_bytes(volume.archives[0])
    refused(volume, "its checksum is wrong")


def test_an_archive_in_the_place_of_another(volume: Volume) -> None:
    swapped(volume.archives)
    refused(volume, "its checksum is wrong", archives=2)


def test_an_archive_and_its_manifest_in_the_place_of_others(volume: Volume) -> None:
    swapped(volume.archives)
    swapped(volume.manifests)
    refused(volume, "its manifest belongs to", archives=2)


def test_an_archive_of_another_length_than_was_noted(volume: Volume) -> None:
    edited(volume.manifests[0], -1, lambda last: {"stored": last["stored"] + 512})
    refused(volume, "it has 6656 bytes instead of 7168")


def test_a_manifest_of_fewer_files_than_it_says(volume: Volume) -> None:
    edited(volume.manifests[0], -1, lambda last: {"entries": last["entries"] + 1})
    assert "is not whole" in volume.step("verify", expect=1).facts["damaged"][0]["why"]


def test_what_is_damaged_is_written_again_and_then_deleted(volume: Volume) -> None:
    other_bytes(volume.archives[0])
    volume.step("verify", expect=1)
    for command in ("archive", "verify"):
        volume.step(command)
    assert volume.step("delete").facts["deleted"] == 2


@pytest.mark.parametrize("what", ["archive", "manifest"])
def test_a_file_whose_bytes_are_not_those_of_its_checksum_is_not_restored(what: str, volume: Volume) -> None:
    for command in ("verify", "delete"):
        volume.step(command)
    if what == "archive":
        other_bytes(volume.archives[0])
    else:
        edited(volume.manifests[0], 1, lambda record: {"sha256": "0" * 64})
    volume.next_run("restore-1")
    answer = volume.step("restore", expect=1, restore={"globs": ["**"], "to": "back"})
    assert "the checksum of one.log is wrong" in answer.facts["damaged"][0]
    assert volume.live() == ["back/two.log"]
