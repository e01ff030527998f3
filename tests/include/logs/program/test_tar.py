"""The tar members we write are read by GNU tar and by Python."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from include.logs.program import tar

NAMES = [
    b"app/app.log",
    b"with blanks and \n a new line.log",
    b"not-utf8-\xff\xfe.log",
    b"d" * 100,
    b"d" * 60 + b"/" + b"n" * 80,
    b"d" * 150 + b"/" + b"n" * 100,
    b"d" * 120 + b"/" + b"n" * 120,
    b"\xff" * 150,
    "größe/übel.log".encode(),
    b"/".join([b"deep"] * 200),
]


def archive(path: Path, *members: bytes) -> Path:
    path.write_bytes(b"".join(members) + tar.END)
    return path


def member(name: bytes, data: bytes = b"hello\n", **more: int) -> bytes:
    about = {"mtime": 1_700_000_000, "mode": 0o640, "uid": 1000, "gid": 1000, **more}
    return tar.header(name, len(data), **about) + data + tar.padding(len(data))


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_byte_by_byte(name: bytes, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", member(b"before"), member(name), member(b"after"))
    with tarfile.open(path, errors="surrogateescape") as found:
        names = [each.name.encode("utf-8", "surrogateescape") for each in found]
        assert names == [b"before", name, b"after"]
        opened = found.extractfile(found.getmembers()[1])
        assert opened is not None
        assert opened.read() == b"hello\n"
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", path, "-C", tmp_path / "out"], check=True, capture_output=True)
    import os

    with open(os.path.join(os.fsencode(tmp_path / "out"), name), "rb") as back:  # noqa: PTH118, PTH123
        assert back.read() == b"hello\n"


def test_times_owners_and_modes(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar",
        member(b"plain"),
        member(b"large", uid=3_000_000, gid=2**31),
        member(b"before 1970", mtime=-86400),
    )
    with tarfile.open(path) as found:
        plain, large, before = found.getmembers()
    assert (plain.mtime, plain.mode, plain.uid, plain.gid) == (1_700_000_000, 0o640, 1000, 1000)
    assert (large.uid, large.gid) == (3_000_000, 2**31)
    assert before.mtime == -86400
    listing = subprocess.check_output(["tar", "tvf", path, "--numeric-owner"], text=True, env={"TZ": "UTC"})
    assert "3000000/2147483648" in listing
    assert "1969-12-31" in listing


def test_a_size_above_8_gib(tmp_path: Path) -> None:
    size = 9 * 2**30 + 5
    path = tmp_path / "a.tar"
    with path.open("wb") as file:  # a hole stands for the bytes
        file.write(tar.header(b"huge", size, 1, 0o644, 0, 0))
        file.seek(size + len(tar.padding(size)), 1)
        file.write(member(b"after") + tar.END)
    with tarfile.open(path) as found:
        assert [(each.name, each.size) for each in found] == [("huge", size), ("after", 6)]
    listing = subprocess.check_output(["tar", "tvf", path], text=True)
    assert str(size) in listing
    assert "after" in listing


def test_another_name_of_the_same_file(tmp_path: Path) -> None:
    first = b"x" * 130 + b"/first"
    link = tar.header(b"second", 0, 1, 0o644, 0, 0, link=first)
    path = archive(tmp_path / "a.tar", member(first), link)
    with tarfile.open(path) as found:
        assert found.getmember("second").islnk()
        opened = found.extractfile("second")
        assert opened is not None
        assert opened.read() == b"hello\n"
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", path, "-C", tmp_path / "out"], check=True)
    assert (tmp_path / "out/second").read_bytes() == b"hello\n"


@pytest.mark.parametrize(
    "segments", [[], [(0, 5)], [(4096, 5)], [(0, 512), (1_000_000, 512)], [(999_995, 5)]]
)
def test_a_file_with_holes(segments: list[tuple[int, int]], tmp_path: Path) -> None:
    length = 1_000_512 if segments[-1:] == [(1_000_000, 512)] else 1_000_000
    data = b"".join(b"x" * count for _, count in segments)
    head = tar.sparse_header(b"dir/holes.log", length, segments, 1, 0o644, 0, 0)
    path = archive(tmp_path / "a.tar", head, data, tar.padding(len(data)), member(b"after"))
    expected = bytearray(length)
    for offset, count in segments:
        expected[offset : offset + count] = b"x" * count
    with tarfile.open(path) as found:
        assert found.getnames() == ["dir/holes.log", "after"]
        opened = found.extractfile("dir/holes.log")
        assert opened is not None
        assert opened.read() == expected
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", path, "-C", tmp_path / "out"], check=True)
    assert (tmp_path / "out/dir/holes.log").read_bytes() == expected
    assert (tmp_path / "out/after").read_bytes() == b"hello\n"
