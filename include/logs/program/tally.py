"""What was seen of each class, counted as it passes: bounded, however many files there are."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple

from .summary import shown

BLOCK = 512
EXAMPLES = 5
LARGEST = 10
DAY_NS = 86400 * 10**9


@dataclass
class Amount:
    """So many files, and the space that goes with them in bytes."""

    files: int = 0
    bytes: int = 0

    def add(self, count: int, freed: int) -> None:
        """Count some more."""
        self.files += count
        self.bytes += freed

    def facts(self) -> Dict[str, int]:
        """As the answer has it."""
        return {"files": self.files, "bytes": self.bytes}


@dataclass
class Tally:
    """One class. Space is what the files take on the disk (blocks), so that a sparse file counts as it is."""

    name: str
    seen: Amount = field(default_factory=Amount)
    actions: Dict[str, Amount] = field(default_factory=dict)
    held: Amount = field(default_factory=Amount)
    examples: Dict[str, List[bytes]] = field(default_factory=dict)
    ages: Dict[int, int] = field(default_factory=dict)
    """Space of what stays, by its age in whole days."""
    least: int = 0
    """What a file must take to be among the largest."""
    _largest: List[Tuple[int, bytes]] = field(default_factory=list)

    def act(self, action: str, count: int, freed: int) -> None:
        """Count files of an action."""
        self.actions.setdefault(action, Amount()).add(count, freed)

    def example(self, action: str, path: bytes) -> None:
        """Keep a few paths of each action."""
        kept = self.examples.setdefault(action, [])
        if len(kept) < EXAMPLES:
            kept.append(path)

    def large(self, space: int, path: bytes) -> None:
        """Keep the largest; to be called where ``space`` is above ``least``."""
        heapq.heappush(self._largest, (space, path))
        if len(self._largest) > LARGEST:
            heapq.heappop(self._largest)
            self.least = self._largest[0][0]

    @property
    def largest(self) -> List[Tuple[int, bytes]]:
        """The largest files, largest first."""
        return sorted(self._largest, reverse=True)

    @property
    def freed(self) -> int:
        """Bytes that the plan frees in this class."""
        return sum(amount.bytes for amount in self.actions.values())

    def facts(self) -> Dict[str, Any]:
        """As the answer has it."""
        return {
            "name": self.name,
            "files": self.seen.files,
            "bytes": self.seen.bytes,
            "actions": {action: amount.facts() for action, amount in sorted(self.actions.items())},
            "freed": self.freed,
            "held": self.held.facts(),
            "examples": {a: [shown(path) for path in paths] for a, paths in sorted(self.examples.items())},
            "largest": largest_facts(self.largest[:5]),
        }


def largest_facts(largest: List[Tuple[int, bytes]]) -> List[Dict[str, Any]]:
    """Paths and what they take, as the answer has them."""
    return [{"path": shown(path), "bytes": space} for space, path in largest]
