"""A volume with logs, and the steps of a clean-up on it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from include.logs.program import history
from include.logs.program.__main__ import step
from include.logs.program.entries import Entry, Plan
from include.logs.program.request import DAY, Request, parse_request

APP: dict[str, Any] = {"name": "app", "globs": ["**/*.log", "**/*.log.*"], "keep_days": 7}
DELETED: dict[str, Any] = {**APP, "archive": False}


class Volume:
    """Files below ``root``, and one run's steps."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def file(self, path: str | bytes, days: float = 0, content: bytes = b"a line\n") -> Path:
        """A file that was last changed so many days ago. Returns its path."""
        full = self.root / os.fsdecode(path)
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content)
        self.age(path, days)
        return full

    def age(self, path: str | bytes, days: float) -> None:
        """Let a file have been changed so many days ago."""
        moment = time.time() - days * DAY
        os.utime(self.root / os.fsdecode(path), (moment, moment), follow_symlinks=False)

    def noted(self, path: str, days: float) -> None:
        """Let the file's present length have been noted so many days ago."""
        with (self.root / path).open("rb") as file:
            found = os.fstat(file.fileno())
            tail = history.tail_of(file.fileno(), found.st_size)
        mark = history.Mark(time.time() - days * DAY, path.encode(), found.st_ino, found.st_size, tail)
        layout = self.request().layout
        layout.prepare()
        history.append(layout.history, [history.mark_line(mark)])

    def request(self, *classes: dict[str, Any], run: str = "r1", **more: Any) -> Request:
        """A request; ``dry_run``, ``take_over``, ``link`` and ``as_of`` are the run's."""
        asked = {key: more.pop(key) for key in ("dry_run", "take_over", "link", "as_of") if key in more}
        return parse_request(
            {
                "volume": "logs",
                "root": str(self.root),
                "run": {"name": f"log_cleanup/{run}", "slug": run, **asked},
                "classes": list(classes) or [APP],
                "lock_wait_seconds": 0,
                **more,
            }
        )

    def plan(self, *classes: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The answer of ``plan``."""
        return step("plan", self.request(*classes, **more))

    def entries(self, run: str = "r1") -> dict[str, Entry]:
        """The planned entries, by path."""
        plan = Plan(str(self.root / ".log-cleanup" / "runs" / run / "plan"))
        return {os.fsdecode(entry.path): entry for entry in plan}

    def actions(self, run: str = "r1") -> dict[str, str]:
        """What is planned, by path."""
        return {path: entry.action for path, entry in self.entries(run).items()}
