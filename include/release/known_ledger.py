"""What is known of the ledger without asking it: a dry run starts no Job that could."""

from __future__ import annotations

from dataclasses import dataclass

from include.release.applying import spec_name
from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.lease import RELEASED
from include.release.lock import Lock
from include.release.saved import SavedState, all_saved, stored_release
from include.release.texts import moment


@dataclass(frozen=True)
class Known:
    """What the last run found and did.

    Args:
        applied: migrations that are applied.
        open: migrations of which that is not known, as the run that began them was not released.
        since: from which run, and when.
    """

    applied: frozenset[str]
    open: frozenset[str]
    since: str

    def state(self, migration: str) -> str:
        """In a word or two."""
        if migration in self.applied:
            return "applied"
        return "not known" if migration in self.open else "would run"


def known_ledger(cluster: Cluster, frozen: Frozen) -> Known | None:
    """What is known of the migrations of an app; None when nothing is.

    Raises:
        KubeError: the cluster does not answer.
        RejectedError: a stored release cannot be read.
    """
    namespace, app = frozen.environment.namespace, frozen.release.app
    last: SavedState | None = next(iter(all_saved(cluster, namespace, app)), None)
    # A rollback may have taken back what it found applied.
    if last is None or last.applied is None or last.kind != "release":
        return None
    since = f"run {last.run}, {moment(last.taken_at)}"
    journal = Lock(cluster, namespace, app).read().journal
    if journal.run == last.run and not journal.stage:
        return Known(frozenset(last.applied), frozenset(), since)
    stored = stored_release(cluster, frozen.environment, spec_name(last.release, last.digest))
    if stored is None:
        return None
    its = frozenset(step.id for step in stored.release.steps)
    if journal.run == last.run and journal.reached == RELEASED:
        return Known(its | set(last.applied), frozenset(), since)
    return Known(frozenset(last.applied), its - set(last.applied), since)
