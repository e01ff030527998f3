"""Both codecs: what they write, the tools of their names read; what is damaged is told."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from include.logs.program import codecs
from include.logs.program.codecs import GZIP, ZSTD
from include.logs.program.problems import StepError

needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not installed")
BOTH = [pytest.param(ZSTD, marks=needs_zstd), GZIP]
TEXT = b"".join(b"line %d of a log\n" % number for number in range(50_000))


def written(path: Path, codec: str, data: bytes = TEXT) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    sink = codecs.sink(codec, descriptor)
    for start in range(0, len(data), 100_000):
        sink.write(data[start : start + 100_000])
    sink.close()
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


@pytest.mark.parametrize("codec", BOTH)
def test_what_is_written_is_read_and_by_the_tool_too(codec: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"a{codecs.SUFFIXES[codec]}", codec)
    assert path.stat().st_size < len(TEXT) // 4
    assert read(path, codec) == TEXT
    assert subprocess.check_output([codec, "-dc", path]) == TEXT


@pytest.mark.parametrize("codec", BOTH)
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


@pytest.mark.parametrize("codec", BOTH)
def test_a_full_disk_is_told_as_such(codec: str) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
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
    monkeypatch.setattr(codecs, "_python_zstd", lambda: None)
    assert codecs.choose("auto") == GZIP
    assert codecs.choose("gzip") == GZIP
    with pytest.raises(StepError, match="does not have"):
        codecs.choose("zstd")


@needs_zstd
def test_zstd_is_taken_where_it_is() -> None:
    assert codecs.choose("auto") == ZSTD
    assert codecs.choose("gzip") == GZIP


def test_what_the_name_tells() -> None:
    assert codecs.codec_of("a.tar.zst") == ZSTD
    assert codecs.codec_of("a.tar.gz") == GZIP
    with pytest.raises(StepError, match="no archive"):
        codecs.codec_of("a.tar")
