"""Beside which changes a clean-up goes on, and for which it waits."""

from __future__ import annotations

import pytest

from include.logs.meeting import keeps_waiting
from include.release.lease import Journal


@pytest.mark.parametrize(
    ("kind", "stage", "waits"),
    [
        ("release", "deploy", False),
        ("release", "roll_back.restore", True),
        ("rollback", "", True),
        ("swype_rearm", "restore", False),
        ("", "", True),  # a person wrote a name into the Lease
    ],
)
def test_a_clean_up_waits_for_whoever_goes_back(kind: str, stage: str, waits: bool):
    assert keeps_waiting(Journal(run="a/b", kind=kind, stage=stage)) is waits


def test_a_free_lock_keeps_nobody_waiting():
    assert not keeps_waiting(Journal())
