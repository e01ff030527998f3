"""Both codecs: what they write, the tools of their names read; what is damaged is told."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from include.logs.program import codecs, libzstd
from include.logs.program.codecs import GZIP, ZSTD
from include.logs.program.compressed import PIECE
from include.logs.program.problems import StepError

needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not installed")
BOTH = [pytest.param(ZSTD, marks=needs_zstd), GZIP]
COMMAND = "zstd by its command"
ALL = [*BOTH, pytest.param(COMMAND, marks=needs_zstd)]
TEXT = b"".join(b"line %d of a log\n" % number for number in range(50_000))


@pytest.fixture
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A codec, in one of the ways there are to it."""
    if request.param == COMMAND:
        _no_zstd_but_the_command(monkeypatch)
        return ZSTD
    return str(request.param)


def _no_zstd_but_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_python_zstd", lambda: None)
    monkeypatch.setattr(libzstd, "library", lambda: None)


def written(path: Path, codec: str, data: bytes = TEXT) -> Path:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    sink = codecs.sink(codec, descriptor)
    for start in range(0, len(data), 100_000):
        sink.write(data[start : start + 100_000])
    assert sink.close() == hashlib.sha256(path.read_bytes()).hexdigest()
    os.close(descriptor)
    return path


def read(path: Path, codec: str) -> bytes:
    source = codecs.source(codec, str(path))
    found = b""
    while True:
        data = source.read(70_000)
        if not data:
            break
        found += data
    source.close()
    return found


@pytest.mark.parametrize("codec", ALL, indirect=True)
def test_what_is_written_is_read_and_by_the_tool_too(codec: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"a{codecs.SUFFIXES[codec]}", codec)
    assert path.stat().st_size < len(TEXT) // 4
    assert read(path, codec) == TEXT
    assert subprocess.check_output([codec, "-dc", path]) == TEXT


@pytest.mark.parametrize("codec", ALL, indirect=True)
@pytest.mark.parametrize("damage", ["cut", "bit"])
def test_damage_is_told(codec: str, damage: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a", codec)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[-20:]
    else:
        data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(codecs.DamagedError):
        read(path, codec)


@pytest.mark.parametrize("codec", ALL, indirect=True)
def test_a_full_disk_is_told_as_such(codec: str) -> None:
    descriptor = os.open("/dev/full", os.O_RDWR)
    noise = os.urandom(1 << 20)
    with pytest.raises(OSError, match="No space left") as raised:
        sink = codecs.sink(codec, descriptor)
        for _ in range(50):
            sink.write(noise)
        sink.close()
    os.close(descriptor)
    assert raised.value.errno == errno.ENOSPC
    assert codecs.out_of_space(raised.value)


def test_gzip_is_taken_where_there_is_no_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    _no_zstd_but_the_command(monkeypatch)
    assert codecs.choose("auto") == GZIP
    assert codecs.choose("gzip") == GZIP
    with pytest.raises(StepError, match="does not have"):
        codecs.choose("zstd")


@pytest.mark.parametrize("codec", ALL, indirect=True)
def test_a_file_of_zeros_does_not_fill_the_memory(codec: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a", codec, bytes(20 * PIECE))
    source = codecs.source(codec, str(path))
    sizes = [len(piece) for piece in source.pieces()]
    assert sum(sizes) == 20 * PIECE
    assert max(sizes) <= PIECE
    assert source.checksum() == hashlib.sha256(path.read_bytes()).hexdigest()
    source.close()


@pytest.mark.parametrize("codec", ALL, indirect=True)
def test_one_after_the_other_is_read_as_one(codec: str, tmp_path: Path) -> None:
    first = written(tmp_path / "a", codec, b"first\n").read_bytes()
    path = written(tmp_path / "b", codec, os.urandom(1 << 18))
    path.write_bytes(first + path.read_bytes() + first)
    assert len(read(path, codec)) == (1 << 18) + 12
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(codecs.DamagedError):
        read(path, codec)


def test_the_library_reads_what_ends_with_its_buffer(tmp_path: Path) -> None:
    if libzstd.library() is None:
        pytest.skip("the library is not installed")
    for size in (libzstd._READ - 1, libzstd._READ, libzstd._READ + 1, 2 * libzstd._READ):
        path, data = tmp_path / "a", os.urandom(size)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        sink = libzstd.LibrarySink(descriptor, 2)  # several threads
        sink.write(data)
        sink.close()
        os.close(descriptor)
        assert b"".join(bytes(piece) for piece in libzstd.LibrarySource(str(path)).pieces()) == data


@needs_zstd
def test_zstd_is_taken_where_it_is() -> None:
    assert codecs.choose("auto") == ZSTD
    assert codecs.choose("gzip") == GZIP


def test_what_the_name_tells() -> None:
    assert codecs.codec_of("a.tar.zst") == ZSTD
    assert codecs.codec_of("a.tar.gz") == GZIP
    with pytest.raises(StepError, match="no archive"):
        codecs.codec_of("a.tar")
