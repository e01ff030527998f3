from __future__ import annotations

from pathlib import Path

import pytest

from include.logs.program.entries import (
    ARCHIVE_DELETE,
    ARCHIVE_PUNCH,
    DELETE,
    EXPIRE_ARCHIVE,
    FRAME,
    Entry,
    Plan,
    PlanWriter,
    write_plan,
)
from include.logs.program.problems import StepError

HEADER = {"classes": ["app", "audit"], "dev": 7, "archive_dev": 8}
ENTRIES = [
    Entry(b"at the root.log", 7, 1, 10, 8, 5, 1, 1, "app", DELETE, 0, 10),
    Entry(b"a/with \n newline \xff and \t.log", 7, 2, 0, 0, -5, 1, 1, "audit", ARCHIVE_DELETE, 0, 0),
    Entry(b"a/links.log", 7, 3, 10, 8, 5, 3, 2, "app", DELETE, 0, 10),
    Entry(b"a/b/open.log", 7, 4, 10_000, 24, 5, 1, 1, "app", ARCHIVE_PUNCH, 4096, 8192, "d1ce"),
    Entry(b"2026/11/x.tar.gz", 8, 5, 10, 8, 5, 1, 1, "audit", EXPIRE_ARCHIVE, 0, 10),
]


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = str(tmp_path / "plan")
    write_plan(path, HEADER, ENTRIES)
    assert list(Plan(path)) == ENTRIES


def test_readers_share_the_frames(tmp_path: Path) -> None:
    path = str(tmp_path / "plan")
    writer = PlanWriter(path, HEADER)
    writer.frame(b"a", [b"D0 %d 1 8 0 1 f%d" % (n, n) for n in range(2 * FRAME + 1)])
    writer.frame(b"", [b"D0 1 1 8 0 1 g"])
    writer.finish()
    plan = Plan(path)
    parts = [{f.number: plan.entries(f) for f in plan.frames(part, 2)} for part in (0, 1)]
    assert [sorted(part) for part in parts] == [[0, 1], [2, 3]]
    found = [entry.path for part in parts for entries in part.values() for entry in entries]
    assert sorted(found) == sorted([b"g", *(b"a/f%d" % n for n in range(2 * FRAME + 1))])


def test_a_plan_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    write_plan(str(path), HEADER, ENTRIES)
    whole = path.read_bytes()
    for length in range(len(whole) - 1, whole.index(b"\n") + 1, -1):
        path.write_bytes(whole[:length])
        with pytest.raises(StepError, match="plan again"):
            list(Plan(str(path)))


def test_an_unfinished_plan_has_no_name_yet(tmp_path: Path) -> None:
    writer = PlanWriter(str(tmp_path / "plan"), HEADER)
    writer.frame(b"", [b"D0 1 1 8 0 1 g"])
    assert not (tmp_path / "plan").exists()
    writer.finish()
    assert len(list(Plan(str(tmp_path / "plan")))) == 1
