"""Freeing ranges within a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.logs.program import punching

LINE = b"a line of a log\n"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "app.log"
    path.write_bytes(LINE * 100_000)
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    yield descriptor
    os.close(descriptor)


def test_the_space_comes_back_and_the_rest_stays(log: int) -> None:
    before, size = os.fstat(log).st_blocks, os.fstat(log).st_size
    end = 80_001 * len(LINE)
    freed = punching.punch(log, 0, end)
    assert freed >= end - 4096 - 512
    assert os.fstat(log).st_blocks == before - freed // 512
    assert os.fstat(log).st_size == size
    assert os.pread(log, size, end) == LINE * (100_000 - 80_001)
    assert not os.pread(log, end, 0).strip(b"\0")


def test_punching_again_frees_nothing_more(log: int) -> None:
    punching.punch(log, 0, 16_000)
    assert punching.punch(log, 0, 16_000) == 0


def test_the_first_byte_is_found_within_a_block(log: int) -> None:
    assert punching.first_byte(log, 1_000_000) == 0
    punching.punch(log, 0, 10_000 * len(LINE))
    assert punching.first_byte(log, 1_000_000) == 10_000 * len(LINE)
    assert punching.first_byte(log, 10_000 * len(LINE)) == 10_000 * len(LINE)
    assert punching.first_byte(log, 100) == 100


def test_the_end_of_the_last_whole_line(log: int) -> None:
    assert punching.line_end(log, 0, 20) == 16
    assert punching.line_end(log, 0, 32) == 32
    assert punching.line_end(log, 16, 31) == 16
    assert punching.line_end(log, 0, 0) == 0


def test_a_line_longer_than_what_is_read_at_once_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_bytes(b"short\n" + b"x" * (3 * punching.CHUNK))
    with path.open("rb") as file:
        assert punching.line_end(file.fileno(), 0, path.stat().st_size) == 6
