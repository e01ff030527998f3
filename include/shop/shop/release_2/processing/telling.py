"""The lines of the order log, as on-call knows them, and what standard output has beside them."""

from __future__ import annotations

import sys
import threading

from ...common.logs import LogFile, say
from .problems import one_line


class Teller:
    """Writes for the threads of one process.

    The log has the lines that on-call knows, and nothing else. They do not say whose they are, and those of several
    workers lie between each other: on standard output each ends with its worker, `[name]`, and a line with the
    details follows an error.
    """

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._named = threading.local()

    def order(self, order: int, worker: str) -> None:
        """An order is begun. When this thread had it just before, its line is there already."""
        if getattr(self._named, "order", None) != order:
            self._named.order = order
            self.line(f"Processing Order {order}", worker)

    def processed(self, worker: str) -> None:
        """The order is processed."""
        self.line("Order Processed", worker)

    def error(self, order: int, code: int, worker: str, what: str, text: str) -> None:
        """The order could not be processed: what becomes of it, and why it failed."""
        self.line(f"Error Processing Order. Error #{code}", worker)
        say(f"order processor: order {order}: error {code}, {what} [{worker}]: {one_line(text)}")

    def line(self, line: str, worker: str = "") -> None:
        """Write a line that on-call knows, whole, whoever else writes."""
        self._log.write(line)
        sys.stdout.write(f"{line} [{worker}]\n" if worker else f"{line}\n")
        sys.stdout.flush()
