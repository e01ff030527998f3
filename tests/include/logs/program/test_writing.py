"""An archive's two ways to take a small file, the quick one for many and the other for one, write the same."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from include.logs.program import codecs
from include.logs.program.entries import ARCHIVE_DELETE, Entry, record
from include.logs.program.layout import Layout
from include.logs.program.manifests import Manifest, Place
from include.logs.program.walking import open_root
from include.logs.program.writing import BUFFER, SMALL, ArchiveWriter

FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/app").mkdir(parents=True)
    return tmp_path / "root"


def entry_of(root: Path, name: bytes) -> Entry:
    found = os.lstat(os.fsencode(root) + b"/" + name)
    size = found.st_size
    about = (found.st_ino, size, found.st_blocks, found.st_mtime_ns, found.st_nlink, found.st_nlink)
    return Entry(name, found.st_dev, *about, "app", ARCHIVE_DELETE, 0, size)


def written(root: Path, entries: list[Entry], quick: bool) -> tuple[Place, list[bytes]]:
    """The archive, and the names that it left to others."""
    place = Place(
        Layout(str(root.parent), "quick" if quick else "one", str(root.parent / str(quick))), "a.tar.gz"
    )
    writer = ArchiveWriter(place, codecs.GZIP, {"class": "app"})
    others: list[bytes] = []
    if quick:
        folder = open_root(str(root / "app"))
        others = writer.ordinary(folder, b"app/", [record(each, 0) for each in entries], FLAGS | os.O_NOATIME)
        os.close(folder)
    else:
        for each in entries:
            path = os.fsencode(root) + b"/" + each.path
            writer.small(each, os.lstat(path), Path(os.fsdecode(path)).read_bytes())
    writer.finish()
    return place, [each.rpartition(b" ")[2] for each in others]


def test_both_ways_write_the_same(root: Path) -> None:
    names = [b"app/a.log", b"app/odd\n.log", 'app/größe"\\.log'.encode(), b"app/empty.log"]
    for number, name in enumerate(names):
        path = root / os.fsdecode(name)
        path.write_bytes(os.urandom(BUFFER // 3) if name == b"app/a.log" else b"line\n" * number)
        path.chmod(0o640)
    (root / "app/empty.log").write_bytes(b"")
    entries = [entry_of(root, name) for name in names if entry_of(root, name).size <= SMALL]
    (quick, others), (one, _) = written(root, entries, True), written(root, entries, False)
    assert others == []
    assert list(Manifest(quick.manifest)) == list(Manifest(one.manifest))
    plain = [subprocess.check_output(["gzip", "-dc", place.archive]) for place in (quick, one)]
    assert plain[0] == plain[1]
    for found in Manifest(quick.manifest):
        assert plain[0][found.at : found.at + found.size] == (root / os.fsdecode(found.path)).read_bytes()


def test_what_is_not_ordinary_is_left_to_the_other_way(root: Path) -> None:
    for name in ("a.log", "large.log", "link.log", "longer.log", "later.log", "swapped.log", "n" * 120):
        (root / "app" / name).write_bytes(b"line\n")
    (root / "app/large.log").write_bytes(bytes(SMALL + 1))
    (root / os.fsdecode(b"app/\xff.log")).write_bytes(b"line\n")
    os.link(root / "app/link.log", root / "link.log")
    names = sorted(os.fsencode(path.name) for path in (root / "app").iterdir())
    entries = [entry_of(root, b"app/" + name) for name in names]
    (root / "app/longer.log").write_bytes(b"line\nline\n")
    os.utime(root / "app/later.log", (1, 1))
    (root / "app/swapped.log").unlink()
    (root / "app/swapped.log").symlink_to("a.log")
    place, others = written(root, entries, True)
    assert [found.path for found in Manifest(place.manifest)] == [b"app/a.log"]
    assert sorted(others) == sorted(set(names) - {b"a.log"})
    assert stat.S_ISLNK(os.lstat(root / "app/swapped.log").st_mode)
