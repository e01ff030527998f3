"""Orders of one process beside each other, or one alone: so that a worker's death is blamed on the right order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Company:
    """Who works beside whom in one process.

    When a worker process is killed, every order that it had in work has lost a try, and only one of them may be why.
    Before one is set aside for that, it is tried as the only one: the others end first, and begin after it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = 0
        self._alone = False

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Work beside others; wait while one is alone, or is about to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work alone: whoever works ends first, and nobody begins."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone = True
            self._changed.wait_for(lambda: self._working == 0)
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def wait(self) -> None:
        """Wait while one is alone: an order that is claimed meanwhile would wait with its claim running out."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
