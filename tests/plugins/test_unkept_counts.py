"""Counts that cannot be kept: a ledger that the cluster does not take must not hold up a press."""

from __future__ import annotations

import pytest

from include.release.kube import KubeError
from include.restarts.state import Keeper, Kept
from tests.plugins.guarded import REFUSED


@pytest.mark.parametrize("status", [413, 422, 403])
def test_a_press_does_not_wait_for_counts_that_are_refused(guards, monkeypatch, capsys, status):
    guards.add()
    guards.trip(times=3)
    guards.shown["web"].restart(REFUSED)

    def refused(_: Keeper, kept: Kept) -> None:
        raise KubeError(status, "must have at most 1048576 bytes", "PUT /api/v1/namespaces/sre/configmaps/x")

    monkeypatch.setattr(Keeper, "write", refused)
    run = guards.whole()
    assert run.states["press"] == "success"
    assert guards.replicas() == 0
    assert "the counts of this look cannot be kept" in capsys.readouterr().out
