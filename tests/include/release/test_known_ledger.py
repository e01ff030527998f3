"""What a dry run knows of the ledger, which it does not ask."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.release.applying import stored_spec
from include.release.frozen import LABEL_BASE, Frozen
from include.release.known_ledger import known_ledger
from include.release.lease import RELEASED, ROLLED_BACK, Journal, LockState, written
from include.release.saved import SavedState, base_of_saved

STEPS = ("r2-203-exotic-catalog", "r2-202-menu-catalog", "r2-201-orders", "r2-201-order-problems")
BEFORE, NEW = "r1-101-middle-names", STEPS[-1]
WHEN = "2026-03-04T05:06:07+00:00"


class Memory:
    """A cluster that only answers what is in it."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = objects

    def get(self, kind: str, _namespace: str, name: str) -> dict[str, Any] | None:
        found = (each for each in self.objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
        return next(found, None)

    def list(self, kind: str, _namespace: str, labels: str) -> list[dict[str, Any]]:
        key, _, value = labels.partition("=")
        return [
            each
            for each in self.objects
            if each["kind"] == kind and each["metadata"].get("labels", {}).get(key) == value
        ]


def ran(frozen: Frozen, *, stored: bool = True, kind: Any = "release", **journal: str) -> Any:
    """A run of the release that found one migration applied."""
    namespace, app = frozen.environment.namespace, frozen.release.app
    saved = SavedState(run="release/a", kind=kind, app=app, release=frozen.release.name, digest=frozen.digest,
                       objects=[], absent=[], applied=[BEFORE], taken_at=WHEN)  # fmt: skip
    kept = {"kind": "ConfigMap", "metadata": {"name": saved.name, "labels": {LABEL_BASE: base_of_saved(app)}},
            "data": {"state.json": saved.model_dump_json()}}  # fmt: skip
    state = LockState(journal=Journal(run="release/a", **journal))
    lease = written(state, app, namespace, f"release-lock-{app}", datetime.now(UTC))
    return Memory(kept, lease, *([stored_spec(frozen)] if stored else []))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"stage": "deploy", "reached": RELEASED}, "applied"),
        ({"stage": "deploy", "reached": ROLLED_BACK}, "not known"),
        ({"stage": "migrate"}, "not known"),
        ({}, "would run"),
    ],
)
def test_what_the_last_run_found_and_did(frozen, run, expected):
    known = known_ledger(ran(frozen, **run), frozen)
    assert known is not None
    assert (known.state(BEFORE), known.state(NEW)) == ("applied", expected)
    assert known.since == "run release/a, 2026-03-04 05:06:07 UTC"


@pytest.mark.parametrize("run", [{"stored": False, "stage": "deploy"}, {"kind": "rollback"}, None])
def test_nothing_is_known(frozen, run):
    cluster: Any = ran(frozen, **run) if run is not None else Memory()
    assert known_ledger(cluster, frozen) is None
