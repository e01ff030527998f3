"""Where the clean-up keeps its own things on the volume.

    <root>/.log-cleanup/
        lock, holder.json          who cleans this volume up (see holder)
        reserve                    room for a day without any (see full)
        history.jsonl              space used, sizes of growing files, what was punched (see history)
        runs/<run slug>/           one directory for each run; the newest few are kept
            plan                   see entries
            <command>.json         what a finished step answered: a rerun answers it again
            ...                    progress of the changing steps
        archives/YYYY/MM/          archives, and beside them
        manifests/YYYY/MM/         what is in them

Archives and manifests may lie in another directory (``archive_to``); those from before that was configured stay here.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from .problems import OUT_OF_SPACE, StepError

STATE = ".log-cleanup"
ARCHIVES, MANIFESTS = "archives", "manifests"
_GONE, _DRY = ".gone-", "dry-run"


@dataclass(frozen=True)
class Layout:
    """Absolute paths. ``root`` is the volume's, ``slug`` a run's name that is safe as a file name."""

    root: str
    slug: str
    archive_to: str = ""
    scratch: str = ""
    """Has the run's files where nothing may be written to the volume."""

    @property
    def state(self) -> str:
        """The clean-up's own directory; no class ever matches anything in it."""
        return os.path.join(self.root, STATE)

    @property
    def runs(self) -> str:
        """A directory for each run."""
        return os.path.join(self.state, "runs")

    @property
    def run(self) -> str:
        """This run's directory."""
        return self.scratch or os.path.join(self.runs, self.slug)

    @property
    def plan(self) -> str:
        """This run's plan."""
        return os.path.join(self.run, "plan")

    @property
    def history(self) -> str:
        """What was measured, run by run."""
        return os.path.join(self.state, "history.jsonl")

    @property
    def archive_base(self) -> str:
        """The directory that has ``archives`` and ``manifests`` of what is archived now."""
        return self.archive_to or self.state

    @property
    def archive_bases(self) -> tuple[str, ...]:
        """Every directory that has some: those from before ``archive_to`` was configured lie on the volume."""
        return tuple(dict.fromkeys((self.archive_base, self.state)))

    @property
    def archives(self) -> str:
        """Where new archives go."""
        return os.path.join(self.archive_base, ARCHIVES)

    def answer(self, command: str) -> str:
        """What a finished step answered."""
        return os.path.join(self.run, command + ".json")

    def prepare(self) -> None:
        """Make the directories. Raises OSError when there is no room, StepError when a link lies where they belong."""
        require_directory(self.root, "the volume's root")
        for path in (self.state, self.runs, self.run):
            try:
                os.mkdir(path, 0o750)
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno in OUT_OF_SPACE:
                    raise  # a volume that is full is no wrong request
                raise StepError(f"{path} cannot be made: {error.strerror}") from error
            require_directory(path, "a directory of the clean-up")

    def mark_dry(self) -> None:
        """Note that this run is a dry one. Raises OSError."""
        os.close(os.open(os.path.join(self.run, _DRY), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o640))

    def drop_old_runs(self, keep: int, *, dry: bool = False) -> int:
        """Remove the directories of all but the newest ``keep`` runs (this one stays). Returns how many.

        A dry run has no hold on the volume: it counts dry runs, and leaves those alone that may be at work (``dry``).
        """
        found = []
        with os.scandir(self.runs) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and entry.name.startswith(_GONE):
                    _remove(entry.path)  # what an earlier removal has left
                elif dry and not os.path.lexists(os.path.join(entry.path, _DRY)):
                    continue
                elif entry.is_dir(follow_symlinks=False) and entry.name != self.slug:
                    found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
        old = [path for _, path in sorted(found, reverse=True)[max(keep - 1, 0) :]]
        for path in old:
            # At once: a run with a part of its notes would say that nobody counts on its archives.
            gone = os.path.join(self.runs, _GONE + os.path.basename(path))
            with suppress(OSError):
                os.rename(path, gone)
                _remove(gone)
        return len(old)


def require_directory(path: str, what: str) -> None:
    """Raises StepError unless a directory, and no link to one, lies there."""
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        raise StepError(f"{path}, {what}, cannot be read: {error.strerror}") from error
    if not stat.S_ISDIR(mode):
        raise StepError(f"{path}, {what}, is no directory; links are not followed")


def _remove(path: str) -> None:
    """Remove a directory of our own with what is in it; what cannot be removed stays for the next time."""
    for folder, folders, files in os.walk(path, topdown=False):
        with suppress(OSError):
            for name in files:
                os.unlink(os.path.join(folder, name))
            for name in folders:
                os.rmdir(os.path.join(folder, name))
    with suppress(OSError):
        os.rmdir(path)
