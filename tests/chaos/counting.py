"""Counts what changes something, and kills the client just before or just after one of these changes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

When = Literal["before", "after"]


@dataclass(frozen=True)
class Change:
    """One call that changes something: its number in the run, who made it, and what it is."""

    number: int
    task: str
    what: str
    nth: int = 1
    """Of the calls of this kind that the task makes."""

    @property
    def key(self) -> tuple[str, str, int]:
        """The same in every run, also where one run waits once more than another."""
        return self.task, kind_of(self.what), self.nth


def kind_of(what: str) -> str:
    """What a call changes, without the names of namespace and object."""
    return re.sub(r"/namespaces/[^/]+(/[^/]+).*", r"\1", what)


@dataclass
class Counter:
    """Numbers the changes of one run. The client dies at one of them, once, when ``at`` is given."""

    at: tuple[str, str, int] | None = None
    when: When = "before"
    kill: Callable[[], None] = lambda: None
    task: Callable[[], str] = lambda: ""
    changes: list[Change] = field(default_factory=list)
    killed: Change | None = None
    told: list[str] = field(default_factory=list)
    """What people were told in the chat."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begins(self, what: str) -> tuple[Change, bool]:
        """Number a change that is about to happen; False when the client is dead and it shall not happen."""
        with self._lock:
            task = self.task()
            before = [each for each in self.changes if each.key[:2] == (task, kind_of(what))]
            change = Change(len(self.changes) + 1, task, what, len(before) + 1)
            self.changes.append(change)
        return change, not self._kill(change, "before")

    def has_happened(self, change: Change) -> bool:
        """False when the client is dead and shall not hear that the change has happened."""
        return not self._kill(change, "after")

    def _kill(self, change: Change, when: When) -> bool:
        if self.killed or change.key != self.at or when != self.when:
            return False
        self.killed = change
        self.kill()
        return True
