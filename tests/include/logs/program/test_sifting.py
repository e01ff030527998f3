from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.logs.program import walking


def test_every_entry_comes_once_and_a_few_at_a_time_in_the_order_of_the_inodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "SORTED", 4)
    for number in range(14):
        (tmp_path / f"{number * 5 % 14}.log").touch()
    with os.scandir(tmp_path) as listing:
        found = [entry for some in walking.batches(listing) for entry in some]
    assert sorted(entry.name for entry in found) == sorted(f"{number}.log" for number in range(14))
    inodes = [entry.inode() for entry in found]
    for first in range(0, 14, 4):
        assert inodes[first : first + 4] == sorted(inodes[first : first + 4])
