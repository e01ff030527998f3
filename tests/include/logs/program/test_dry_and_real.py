"""What a dry run prints is what a real run then does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from include.logs.program.__main__ import step
from include.logs.program.listing import listing
from tests.include.logs.program.planned import APP, Volume

MIB = 1 << 20
AUDIT: dict[str, Any] = {
    "name": "audit",
    "globs": ["audit/**"],
    "keep_days": 3,
    "archive": False,
    "minimum_days": 3,
}
CLASSES = (AUDIT, {**APP, "keep_size": 3 * MIB})
ASKED: dict[str, Any] = {
    "holds": [{"case": "2026-117", "owner": "Legal", "globs": ["case/**"]}],
    "size": 100 * MIB,
}


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    volume = Volume(tmp_path / "logs")
    for day in range(10):
        volume.file(f"app/app.log.{day}", days=day + 0.5, content=b"a line\n" * 80_000)
        volume.file(f"audit/{day}.out", days=day + 0.5, content=b"x" * 5000)
    volume.file("app/app.log", days=20, content=b"a line\n" * 200_000)
    volume.file("case/a.log", days=30, content=b"x" * 9000)
    volume.file("app/empty.log", days=30, content=b"")
    volume.file(b"app/\xff.log", days=30)
    sparse = volume.file("app/sparse.log", content=b"")
    os.truncate(sparse, 10 * MIB)
    volume.age("app/sparse.log", 30)
    volume.file("app/linked.log", days=30, content=b"x" * 9000)
    os.link(volume.root / "app/linked.log", volume.root / "app/link.log")
    (volume.root / "app/symbolic.log").symlink_to("linked.log")
    return volume


def _there(volume: Volume) -> dict[str, int]:
    """The files and what they take."""
    found = {}
    for path in volume.root.rglob("*"):
        if ".log-cleanup" not in path.parts and not path.is_dir():
            found[str(path.relative_to(volume.root))] = path.lstat().st_blocks * 512
    return found


def test_a_dry_run_prints_what_a_real_run_does(volume: Volume, capsys: pytest.CaptureFixture[str]) -> None:
    before = _there(volume)
    with (volume.root / "app/app.log").open("ab"):
        dry = step("plan", volume.request(*CLASSES, run="dry", dry_run=True, **ASKED))
        printed = capsys.readouterr().out
        assert _there(volume) == before
        real = volume.request(*CLASSES, run="real", **ASKED)
        answers = {
            name: step(name, real) for name in ("measure", "plan", "archive", "verify", "delete", "space")
        }
        assert listing(dry) in printed
        assert listing(answers["plan"]) == listing(dry)
        after = _there(volume)
    planned = volume.actions("dry")
    gone = {path for path in before if path not in after}
    assert gone == {path for path, action in planned.items() if action in ("delete", "archive_delete")}
    assert {path for path, action in planned.items() if action == "archive_punch"} == {"app/app.log"}
    assert {path for path in gone if path.startswith("audit")} == {f"audit/{day}.out" for day in range(3, 10)}
    freed = sum(before.values()) - sum(after.values()) - before["app/linked.log"]  # counted twice, freed once
    assert freed == pytest.approx(dry["freed"], abs=8192)
    assert answers["delete"]["freed_bytes"] == pytest.approx(dry["freed"], abs=8192)
    assert answers["delete"]["left"] == {}
