"""The request of a run: the volume, its classes and holds, as ``request.json`` has them.

Whoever writes it has checked the policy already; here it is checked again that nothing contradicts the
compliance minimum, since what follows deletes.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from .fields import Fields
from .globs import compiled
from .layout import Layout
from .problems import RequestError

DAY = 86400


@dataclass(frozen=True)
class LogClass:
    """Files that are kept alike. Days are days of 24 hours, sizes are bytes."""

    name: str
    globs: Tuple[str, ...]
    keep_days: Optional[float] = None
    """Live time; None: age alone takes nothing away."""
    keep_size: Optional[int] = None
    """The newest bytes that stay live; None: size alone takes nothing away."""
    archive: bool = True
    archive_keep_days: Optional[float] = None
    """From the archiving on; None: archives are kept for ever."""
    minimum_days: float = 0
    """Live time and archive time together are never less (Compliance)."""
    accept_loss: str = ""
    """Why a file of this class may be truncated, with the loss of what is written meanwhile; empty: never."""


@dataclass(frozen=True)
class Hold:
    """Nothing that matches is changed, whatever the policy says."""

    case: str
    owner: str
    globs: Tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """What a run is asked to do."""

    volume: str
    root: str
    run: str
    """``dag_id/run_id``, as the holder names it."""
    slug: str
    classes: Tuple[LogClass, ...]
    holds: Tuple[Hold, ...] = ()
    title: str = ""
    link: str = ""
    as_of: Optional[float] = None
    """The moment ages are counted from (seconds since 1970): a rerun decides as the first try did."""
    dry_run: bool = False
    take_over: str = ""
    """The run whose hold may be taken over: whoever asks knows that it has ended."""
    archive_to: str = ""
    """Directory for archives and manifests; empty: on the volume."""
    size: Optional[int] = None
    """Bytes the directory may use, where it is no volume of its own; None: the file system's size."""
    floor_percent: float = 20
    target_percent: float = 25
    open_days: float = 2
    """A file whose openness is unknown counts as open when it changed within so many days."""
    workers: int = 2
    keep_runs: int = 10
    lock_wait_seconds: float = 20
    compression: str = "auto"
    restore: Dict[str, Any] = field(default_factory=dict)
    scratch: str = ""
    """Directory for the notes of a run that may write nothing to the volume; no part of ``request.json``."""

    @property
    def layout(self) -> Layout:
        """Where the clean-up keeps its own things."""
        return Layout(self.root, self.slug, self.archive_to, self.scratch)

    def now(self) -> float:
        """The moment ages are counted from: never later than the clock, so that nothing goes too early."""
        clock = time.time()
        return clock if self.as_of is None else min(self.as_of, clock)

    def holds_facts(self) -> List[Dict[str, Any]]:
        """The holds as JSON has them."""
        return [{"case": hold.case, "owner": hold.owner, "globs": list(hold.globs)} for hold in self.holds]

    def log_class(self, name: str) -> Optional[LogClass]:
        """The class of a name; None when the policy has it no more."""
        return next((found for found in self.classes if found.name == name), None)


def read_request(path: str) -> Request:
    """The request of a file. Raises RequestError."""
    try:
        with open(path, "rb") as file:
            value = json.load(file)
    except OSError as error:
        raise RequestError(path, error.strerror, "a file that can be read") from error
    except ValueError as error:
        raise RequestError(path, str(error), "JSON") from error
    return parse_request(value)


def parse_request(value: Any) -> Request:
    """The request of a JSON object. Raises RequestError."""
    top = Fields(value, "request")
    run = top.inner("run")
    request = Request(
        volume=top.slug("volume"),
        root=_absolute(top, "root", top.text("root")),
        run=run.text("name"),
        slug=run.slug("slug"),
        link=run.text("link", ""),
        as_of=run.moment("as_of"),
        dry_run=run.flag("dry_run", False),
        take_over=run.text("take_over", ""),
        title=top.text("title", ""),
        classes=top.objects("classes", _class),
        holds=top.objects("holds", _hold),
        archive_to=_absolute(top, "archive_to", top.text("archive_to", "")),
        size=top.optional_whole("size", 1),
        floor_percent=top.number("floor_percent", 20, 0, 99),
        target_percent=top.number("target_percent", 25, 0, 99),
        open_days=top.number("open_days", 2, 0, 3650),
        workers=top.whole("workers", 2, 1, 64),
        keep_runs=top.whole("keep_runs", 10, 1, 1000),
        lock_wait_seconds=top.number("lock_wait_seconds", 20, 0, 3600),
        compression=top.one_of("compression", ("auto", "zstd", "gzip"), "auto"),
        restore=top.raw("restore"),
    )
    run.end()
    top.end()
    if request.target_percent < request.floor_percent:
        raise RequestError("request.target_percent", request.target_percent, "no less than floor_percent")
    names = [found.name for found in request.classes]
    for name in names:
        if names.count(name) > 1:
            raise RequestError("request.classes", name, "each name once")
    return request


def _class(fields: Fields) -> LogClass:
    found = LogClass(
        name=fields.slug("name"),
        globs=_globs(fields),
        keep_days=fields.optional_number("keep_days", 0, 36500),
        keep_size=fields.optional_whole("keep_size"),
        archive=fields.flag("archive", True),
        archive_keep_days=fields.optional_number("archive_keep_days", 0, 36500),
        minimum_days=fields.number("minimum_days", 0, 0, 36500),
        accept_loss=fields.text("accept_loss", ""),
    )
    _refuse_contradiction(found, fields.where)
    return found


def _refuse_contradiction(found: LogClass, where: str) -> None:
    """Live time and archive time may not add up to less than the compliance minimum."""
    live = found.keep_days if found.keep_days is not None else found.minimum_days
    if not found.archive:
        if live < found.minimum_days:
            raise RequestError(f"{where}.keep_days", live, f"at least minimum_days, {found.minimum_days:g}")
    elif found.archive_keep_days is not None and live + found.archive_keep_days < found.minimum_days:
        raise RequestError(
            f"{where}.archive_keep_days",
            found.archive_keep_days,
            f"with keep_days at least minimum_days, {found.minimum_days:g}",
        )


def _hold(fields: Fields) -> Hold:
    return Hold(case=fields.text("case"), owner=fields.text("owner"), globs=_globs(fields))


def _globs(fields: Fields) -> Tuple[str, ...]:
    globs = fields.texts("globs")
    for glob in globs:
        if glob.startswith("/") or glob.endswith("/") or "//" in glob or "\0" in glob or not _compiles(glob):
            raise RequestError(
                f"{fields.where}.globs", glob, "a pattern of paths below the root, such as app/**/*.log"
            )
    return globs


def _compiles(glob: str) -> bool:
    try:
        compiled([[glob]])
    except re.error:  # [z-a]
        return False
    return True


def _absolute(fields: Fields, key: str, path: str) -> str:
    if path and not path.startswith("/"):
        raise RequestError(f"{fields.where}.{key}", path, "an absolute path")
    return path.rstrip("/") or path
