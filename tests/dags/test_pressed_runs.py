"""A whole release and a rollback over a Deployment whose red button is pressed."""

from __future__ import annotations

import pytest

from include.release.pressed import wanted_replicas
from include.restarts.press import PressNote, press, read_note
from include.restarts.rearm import RearmNote, restore
from tests.dags.test_rollback_runs import NAMESPACE, shop  # noqa: F401

pytestmark = pytest.mark.long


def test_a_release_and_a_rollback_go_their_way_over_a_press_and_leave_it_at_zero(shop):  # noqa: F811
    client = shop.client
    uid = client.get("Deployment", NAMESPACE, "app-deployment")["metadata"]["uid"]
    note = PressNote(run="app_guard/1", by="app", reason="a test")
    assert press(client, NAMESPACE, "app-deployment", uid, note).outcome == "pressed"
    states = shop.release("release-2")
    assert states["run"] == "success", states
    live = client.get("Deployment", NAMESPACE, "app-deployment")
    assert live["spec"]["replicas"] == 0
    assert read_note(live) is not None
    assert wanted_replicas(live) == 1
    assert live["metadata"]["annotations"]["plan-reduce-repeat/release"] == "release-2"
    states = shop.rollback(drop_data=True)
    assert states["run"] == "success", states
    live = client.get("Deployment", NAMESPACE, "app-deployment")
    assert (live["spec"]["replicas"], live["metadata"]["annotations"]["plan-reduce-repeat/release"]) == (
        0,
        "release-1",
    )
    back = RearmNote(run="app_rearm/1", by="oncall", reason="a test", replicas=wanted_replicas(live))
    assert restore(client, NAMESPACE, "app-deployment", back).outcome == "re-armed"
    assert client.get("Deployment", NAMESPACE, "app-deployment")["spec"]["replicas"] == 1
