"""Reading inodes ahead of the plan: half of its time goes into that where they are not in the page cache.

A process walks the directories as the plan does, some thousand names ahead of it, and looks at each name, so that the
kernel has its inode when the plan comes to it; nothing else. Where the plan has caught up, it goes on with what comes
next. What goes wrong with it costs the plan time, nothing more.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from contextlib import suppress
from mmap import mmap
from typing import Deque, List, Tuple

from .walking import Walk, batches, open_directory
from .workers import count, end_with_parent

FROM = 4096
"""Names after which it begins: smaller volumes are looked at before it would be of use."""
AHEAD = 16_384
"""Names that it may be ahead, about; the kernel keeps some 1200 bytes of each."""
PAUSE_S = 0.001


class ReadAhead:
    """A context in which the inodes of a walk are read ahead by a process, where there is a core for it."""

    def __init__(self, walk: Walk, workers: int) -> None:
        self._walk = walk
        self._wanted = count(workers) > 1
        self._names = 0
        self._child = 0

    def __enter__(self) -> ReadAhead:
        self._walk.reached = self._reached
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._child, signal.SIGKILL)
                os.waitpid(self._child, 0)

    def _reached(self, batch: int, names: int) -> None:
        """The plan looks at these names now."""
        if self._child:
            self._place[0] = _place(self._walk.directories, batch)
            return
        self._names += names
        if self._wanted and self._names > FROM:
            self._wanted = False
            with suppress(OSError):
                self._begin(batch)

    def _begin(self, batch: int) -> None:
        self._place = memoryview(mmap(-1, 8)).cast("Q")
        self._place[0] = _place(self._walk.directories, batch)
        sys.stdout.flush()
        parent = os.getpid()
        self._child = os.fork()
        if self._child:
            return
        try:
            end_with_parent()
            _Reader(self._walk, self._place, parent).run()
        finally:
            os._exit(0)


class _Reader:
    """What the process does. It has the walk as it was when the process began."""

    def __init__(self, walk: Walk, place: memoryview, parent: int) -> None:
        self._walk = walk
        self._plan = place
        self._parent = parent
        self._left = walk.rest()
        self._directories = walk.directories - 1
        self._ahead: Deque[Tuple[int, int]] = deque()
        self._names = 0

    def run(self) -> None:
        """Until the plan's last directory."""
        while self._left:
            path = self._left.pop()
            with suppress(OSError):
                descriptor = open_directory(self._walk.root, path)
                try:
                    if os.fstat(descriptor).st_dev == self._walk.dev:
                        self._directories += 1
                        self._directory(path, descriptor)
                finally:
                    os.close(descriptor)

    def _directory(self, path: bytes, descriptor: int) -> None:
        prefix = path + b"/" if path else b""
        with os.scandir(descriptor) as listing:
            for batch, some in enumerate(batches(listing)):
                self._batch(prefix, some, _place(self._directories, batch))

    def _batch(self, prefix: bytes, some: List[os.DirEntry[str]], place: int) -> None:
        self._wait()
        plan = self._plan
        for entry in some:
            if entry.is_dir(follow_symlinks=False):
                within = prefix + os.fsencode(entry.name)
                if self._walk.enters(within):
                    self._left.append(within)
            elif plan[0] < place:
                with suppress(OSError):
                    entry.stat(follow_symlinks=False)
        self._ahead.append((place, len(some)))
        self._names += len(some)

    def _wait(self) -> None:
        """Until the plan has come near."""
        while True:
            if os.getppid() != self._parent:
                os._exit(0)
            while self._ahead and self._ahead[0][0] <= self._plan[0]:
                self._names -= self._ahead.popleft()[1]
            if self._names <= AHEAD:
                return
            time.sleep(PAUSE_S)


def _place(directories: int, batch: int) -> int:
    """How far a walk has come, as a number that grows."""
    return directories << 32 | batch
