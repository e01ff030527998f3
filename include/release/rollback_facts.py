"""What a rollback is decided from, and which applied migrations are whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.release.applying import spec_name
from include.release.frozen import NOTE_DIGEST, Frozen
from include.release.saved import SavedState
from include.release.spec import Migration

Rows = Mapping[str, int]


@dataclass(frozen=True)
class Layer:
    """One release that is undone.

    Args:
        frozen: the release.
        applied_before: ids that were applied before it; None when not known.
        aside: it was gone back from before; of it only migrations are left, which that rollback had kept.
    """

    frozen: Frozen
    applied_before: frozenset[str] | None
    aside: bool = False

    @property
    def spec(self) -> str:
        """The ConfigMap that keeps it."""
        return spec_name(self.frozen.release.name, self.frozen.digest)


@dataclass(frozen=True)
class Facts:
    """Everything that the decision rests on.

    Args:
        layers: the releases to undo, newest first.
        target: the frozen release to go back to; None for what was there before the first release.
        before: what the oldest layer found.
        live: the objects as they are now.
        applied: ids that the ledger has now; None when it cannot be asked.
        rows: per migration, what taking it back would destroy now; an id that is missing could not be counted.
        drop_data: somebody said that rows may be destroyed.
    """

    layers: Sequence[Layer]
    target: Frozen | None
    before: SavedState | None
    live: Sequence[dict[str, Any]]
    applied: Sequence[str] | None
    rows: Mapping[str, Rows] = field(default_factory=dict)
    drop_data: bool = False

    @property
    def undoing(self) -> Frozen | None:
        """The release that is gone back from: the newest that is live, of what is undone."""
        notes = [(each["metadata"].get("annotations") or {}) for each in self.live]
        live = {each.get(NOTE_DIGEST) for each in notes}
        own = [each.frozen for each in self.layers if not each.aside]
        return next(iter([*(each for each in own if each.digest in live), *own]), None)

    @property
    def nothing_ran(self) -> bool:
        """No pods come back that a migration could trouble."""
        return self.target is None and self.before is not None and not _ran(self.before)

    def candidates(self) -> list[tuple[Layer, Migration]]:
        """The migrations that came with the undone releases and are applied, newest first."""
        found = []
        for layer in self.layers:
            for step in reversed(layer.frozen.release.steps):
                was_there = layer.applied_before is not None and step.id in layer.applied_before
                if not was_there and (self.applied is None or step.id in self.applied):
                    found.append((layer, step))
        return found

    def strays(self) -> list[str]:
        """Applied migrations that nobody can say anything of: no undone release brought them, the target has not got
        them, and they were not there when it ran.

        Such as one that an earlier rollback kept, because the release that it went to could live with it.
        """
        if self.applied is None or not self.layers or self.nothing_ran:
            return []
        known = {step.id for _, step in self.candidates()}
        known |= {step.id for step in self.target.release.steps} if self.target else set()
        known |= self.layers[-1].applied_before or set()
        known |= set((self.before.applied if self.before else None) or ())
        return [each for each in self.applied if each not in known]


def _ran(before: SavedState) -> bool:
    return any(each["kind"] == "Deployment" for each in before.objects)
