"""What the program is asked to do: a volume's configuration as ``request.json``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.jobs.naming import short_digest
from include.logs.loading import PlacedVolume
from include.logs.mounts import ARCHIVE_MOUNT
from include.logs.retention import Hold, LogClass

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_SLUG = 100


@dataclass(frozen=True)
class Asker:
    """Who asks.

    Attributes:
        run: ``dag_id/run_id``.
        as_of: when the run was asked for, from which ages are counted: the same for every try.
        link: the run's page; empty when not known.
        dry_run: whether nothing may be changed.
        take_over: the run whose hold on the volume this one may take, since it has ended; empty for none.
        clear_number: how often somebody cleared the run.
    """

    run: str
    as_of: datetime | None = None
    link: str = ""
    dry_run: bool = False
    take_over: str = ""
    clear_number: int = 0

    @property
    def asked_by(self) -> str:
        """Part of a Job's name: the same for every retry of a task, another one when somebody clears it."""
        return f"{self.run}/{self.clear_number}"


def request_of(placed: PlacedVolume, asker: Asker, restore: dict[str, Any] | None = None) -> dict[str, Any]:
    """The request for one volume. Keys are sorted, so that the same request has the same digest.

    Args:
        placed: the volume.
        asker: the run.
        restore: what to bring back, for the command ``restore``.
    """
    volume = placed.volume
    run = {
        "name": asker.run,
        "slug": slug_of(asker.run, asker.link),
        "link": asker.link,
        "as_of": asker.as_of.isoformat(timespec="seconds") if asker.as_of else "",
        "dry_run": asker.dry_run or volume.dry_run,
        "take_over": asker.take_over,
    }
    request: dict[str, Any] = {
        "volume": volume.name,
        "title": volume.title,
        "root": volume.path,
        "run": run,
        "classes": [_class(each) for each in volume.classes],
        "holds": [_hold(each) for each in placed.retention.holds_of(volume.name)],
        "archive_to": _archive_to(placed),
        "floor_percent": volume.floor_percent,
        "target_percent": volume.target_percent,
        "open_days": volume.unknown_open_days,
        "workers": volume.workers,
        "compression": volume.compression,
    }
    if volume.bytes_of_size is not None:
        request["size"] = volume.bytes_of_size
    if restore is not None:
        request["restore"] = restore
    return request


def request_text(request: dict[str, Any]) -> str:
    """The request as its file has it."""
    return json.dumps(request, sort_keys=True, indent=1)


def slug_of(run: str, link: str = "") -> str:
    """A run's name that is safe as a file name, and no other run's: not that of another Airflow's run of this name either."""
    safe = _UNSAFE.sub("-", run).strip("-._")[:LONGEST_SLUG].rstrip("-._")
    return f"{safe or 'run'}-{short_digest(f'{run} {link}' if link else run)}"


def _class(each: LogClass) -> dict[str, Any]:
    found = {
        "name": each.name,
        "globs": list(each.globs),
        "keep_days": each.keep_days,
        "keep_size": each.bytes_to_keep,
        "archive": each.archive,
        "archive_keep_days": each.archive_keep_days,
        "minimum_days": each.minimum_days,
        "accept_loss": each.accepts_loss,
    }
    return {key: value for key, value in found.items() if value is not None}


def _hold(each: Hold) -> dict[str, Any]:
    return {"case": each.case, "owner": each.owner, "globs": list(each.globs)}


def _archive_to(placed: PlacedVolume) -> str:
    target = placed.volume.archive_to
    if target is None:
        return ""
    return ARCHIVE_MOUNT if target.claim else str(target.path)
