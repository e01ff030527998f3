"""What an approver is told of what is there before the change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.records.models import Change
from include.release.frozen import NOTE_DIGEST, NOTE_RELEASE, NOTE_REQUESTED, NOTE_RUN
from include.release.replacing import replaced

OLD = "0123456789abcdef" * 4


def deployment(name: str = "web", **notes: str) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": name, "annotations": notes}}


def noted(
    release: str = "release-1", digest: str = OLD, run: str = "release/one", asked: str = ""
) -> dict[str, Any]:
    notes = {NOTE_RELEASE: release, NOTE_DIGEST: digest, NOTE_RUN: run, NOTE_REQUESTED: asked}
    return deployment(**{key: text for key, text in notes.items() if text})


def change(**more: Any) -> Change:
    values = {"run": "release/one", "kind": "release", "app": "shop", "environment": "production", "user": "dev",
              "release": "release-1", "outcome": "released", "started": datetime(2026, 3, 4, 5, tzinfo=UTC),
              "ended": datetime(2026, 3, 4, 5, 6, tzinfo=UTC)}  # fmt: skip
    return Change(**(values | more))


@pytest.mark.parametrize(
    ("live", "recorded", "changes", "expected"),
    [
        ([None], None, True, "Nothing of shop in production is deployed yet: this replaces nothing."),
        ([noted()], change(), True,
         "Replaces release-1 (sha256:0123456789ab), released 2026-03-04 05:06 UTC by dev."),
        ([noted()], change(), False,
         "Nothing changes: release-1 (sha256:0123456789ab), released 2026-03-04 05:06 UTC by dev is what runs in "
         "production now."),
        ([noted()], change(release="release-2", outcome="rolled back", user=""), True,
         "Replaces release-1 (sha256:0123456789ab), brought back 2026-03-04 05:06 UTC."),
        ([noted()], change(outcome="failed"), True,
         "Replaces release-1 (sha256:0123456789ab), released 2026-03-04 05:06 UTC by dev, which ended as failed."),
        ([noted(asked="2026-03-01T00:00:00+00:00")], None, True,
         "Replaces release-1 (sha256:0123456789ab), asked for 2026-03-01 00:00 UTC by run release/one."),
        ([deployment("old")], None, True, "Replaces Deployment old, which no release had brought."),
    ],
)  # fmt: skip
def test_what_is_there_before(frozen, live, recorded, changes, expected):
    assert replaced(live, frozen, lambda _run: recorded, changes=changes) == expected


def test_the_same_release_again_puts_back_what_somebody_changed(frozen):
    live = [noted(frozen.release.name, frozen.digest)]
    text = replaced(live, frozen, lambda _run: change(release="release-2"), changes=True)
    assert text.startswith(f"Brings the same again: release-2 (sha256:{frozen.digest[:12]}), released 2026")
    assert text.endswith("The differences are below.")
