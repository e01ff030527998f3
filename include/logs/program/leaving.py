"""What a step left as it is, and why: counted, with a few examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .summary import shown

GONE = "gone"
CHANGED = "changed"
UNREADABLE = "unreadable"
OPEN = "open"
HELD = "held"
NOT_FREED = "not_freed"
REASONS = {
    GONE: "not there any more",
    CHANGED: "changed since the plan was made; the next run looks again",
    UNREADABLE: "could not be read or changed by this user",
    OPEN: "open in another process: its space would not come back; the next run looks again",
    HELD: "under a hold that came after the plan",
    NOT_FREED: "open, and this file system frees no ranges within a file",
}
EXAMPLES = 5


@dataclass
class Left:
    """Counts and examples by reason."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, path: bytes, more: str = "") -> None:
        """One more file; ``more`` is added to its example."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        kept = self.examples.setdefault(reason, [])
        if len(kept) < EXAMPLES:
            kept.append(shown(path) + (f": {more}" if more else ""))

    def merge(self, facts: dict[str, Any]) -> None:
        """Add what another process found."""
        for reason, found in facts.items():
            self.counts[reason] = self.counts.get(reason, 0) + found["files"]
            kept = self.examples.setdefault(reason, [])
            kept += found["examples"][: EXAMPLES - len(kept)]

    def facts(self) -> dict[str, Any]:
        """As an answer has it: by reason, the number of files and a few of them."""
        return {
            reason: {"files": count, "examples": self.examples[reason]}
            for reason, count in sorted(self.counts.items())
        }

    def lines(self) -> list[str]:
        """A line for people for each reason."""
        return [
            f"{count} left, {REASONS[reason]}: {', '.join(self.examples[reason])}{', ...' if count > len(self.examples[reason]) else ''}"
            for reason, count in sorted(self.counts.items())
        ]
