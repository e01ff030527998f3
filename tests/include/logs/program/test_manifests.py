"""Manifests: every record comes back as it was, and what is not whole is told."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from include.logs.program.entries import ARCHIVE_DELETE, ARCHIVE_PUNCH
from include.logs.program.manifests import Manifest, ManifestWriter, Record
from include.logs.program.problems import StepError

PLAIN = Record(b"app/a.log", 7, 12, 10**18, 1, 0o640, ARCHIVE_DELETE, 0, 12, 512, "ab" * 32)
RECORDS = [
    PLAIN,
    PLAIN._replace(path=b'quote" backslash\\ and \n.log'),
    PLAIN._replace(path=b"not-utf8-\xff.log"),
    PLAIN._replace(path="größe.log".encode()),
    PLAIN._replace(mtime_ns=-(10**9)),
    PLAIN._replace(action=ARCHIVE_PUNCH, start=5, end=9),
    PLAIN._replace(size=10**13, end=10**13, segments=[(0, 4096), (10**12, 17)]),
    PLAIN._replace(nlink=2, link=b"b\xff.log"),
    PLAIN._replace(nlink=2, link=b"b.log"),
    PLAIN._replace(size=0, end=0),
]


def written(path: Path, *records: Record) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = ManifestWriter(descriptor, {"archive": "2026/11/x.tar.gz", "class": "app"})
    for record in records:
        writer.add(record)
    writer.finish(10_240, "cd" * 32)
    os.close(descriptor)
    return path


def test_every_record_comes_back(tmp_path: Path) -> None:
    manifest = Manifest(str(written(tmp_path / "m.jsonl.gz", *RECORDS)))
    assert list(manifest) == RECORDS
    assert (manifest.archive, manifest.class_name) == ("2026/11/x.tar.gz", "app")
    assert manifest.end is not None
    assert manifest.end == manifest.last_line()
    assert (manifest.end["entries"], manifest.end["stored"], manifest.end["sha256"]) == (
        10,
        10_240,
        "cd" * 32,
    )


@pytest.mark.parametrize("keep", [1, 5, 10])
def test_one_that_ends_early_is_told_both_ways(keep: int, tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl.gz", *RECORDS)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:keep])))
    _is_refused(path)


def test_one_that_misses_a_line_or_a_byte_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl.gz", *RECORDS)
    whole = path.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:2] + lines[3:])))
    _is_refused(path)
    path.write_bytes(whole[:-6])
    _is_refused(path)


def _is_refused(path: Path) -> None:
    for read in (Manifest.last_line, lambda manifest: list(manifest)):
        with pytest.raises(StepError, match=r"not whole|cannot be read"):
            read(Manifest(str(path)))


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip at all", gzip.compress(b"[]\n"), gzip.compress(b'{"format": 99}\n')],
    ids=["empty", "no gzip", "no object", "another format"],
)
def test_what_is_no_manifest_is_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(StepError):
        Manifest(str(path))
    with pytest.raises(StepError):
        Manifest(str(tmp_path / "nothing"))
