from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.logs.program.layout import Layout
from include.logs.program.walking import Walk, open_directory, open_root


def test_a_file_system_that_is_mounted_within_is_not_entered() -> None:
    root = open_root("/")
    try:
        walk = Walk(Layout("/", "run"), root)
        walk.later(b"proc")
        assert [path for path, _ in walk] == [b""]
    finally:
        os.close(root)
    assert walk.other_file_systems == [b"proc"]


def test_what_another_clean_up_keeps_within_is_not_entered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = open_root(str(tmp_path))
    try:
        walk = Walk(Layout(str(tmp_path), "run"), root)
        walk.later(b"sub/.log-cleanup")
        walk.later(b".log-cleanup")
        assert [path for path, _ in walk] == [b""]
    finally:
        os.close(root)
    said = capsys.readouterr().out
    assert said == "Not looked into: sub/.log-cleanup belongs to another clean-up. Is sub a volume too?\n"


def test_no_part_of_a_path_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    root = open_root(str(tmp_path))
    try:
        os.close(open_directory(root, b"a/b"))
        for path in (b"link", b"link/b"):
            with pytest.raises(OSError):
                open_directory(root, path)
    finally:
        os.close(root)


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"d{number}" / "inner").mkdir(parents=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    root = open_root(str(tmp_path))
    walk = Walk(Layout(str(tmp_path), "run"), root)
    for path, _ in walk:
        if path.count(b"/") < 1:
            for entry in sorted((tmp_path / os.fsdecode(path)).iterdir()):
                walk.later(os.fsencode(entry.relative_to(tmp_path)))
    os.close(root)
    assert walk.directories == 41
    assert len(list(Path("/proc/self/fd").iterdir())) == before
