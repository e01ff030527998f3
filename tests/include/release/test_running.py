"""Is what runs what was recorded?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.records.models import Change
from include.release.frozen import LABEL_APP, NOTE_DIGEST, NOTE_RELEASE
from include.release.running import Build, Live, Workload, compare, observe, settled, shown, unsettled

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SPEC_1, SPEC_2 = "a" * 64, "b" * 64


def change(
    number: int, outcome: str = "released", kind: str = "release", hour: int = 0, **more: Any
) -> Change:
    digest, spec = (ONE, SPEC_1) if number == 1 else (TWO, SPEC_2)
    values = {
        "run": f"{kind}/{hour}", "kind": kind, "app": "shop", "environment": "qa", "release": f"release-{number}",
        "number": number, "spec_digest": spec, "started": NOON + timedelta(hours=hour), "outcome": outcome,
        "images": {f"shop:{number}.0.0": f"standin.local/shop:{number}.0.0@{digest}"},
    }  # fmt: skip
    return Change(**(values | more))


def workload(number: int, pods: int = 3, **more: Any) -> Workload:
    digest, spec = (ONE, SPEC_1) if number == 1 else (TWO, SPEC_2)
    values: dict[str, Any] = {
        "name": "app-deployment", "release": f"release-{number}", "spec_digest": spec, "wanted": pods,
        "builds": (Build(f"shop:{number}.0.0", digest, pods),) if pods else (),
    }  # fmt: skip
    return Workload(**(values | more))


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], None),
        ([change(2)], "release/0"),
        ([change(2, "refused", hour=1), change(1)], "release/0"),
        ([change(2, "rolled back", hour=1), change(1)], "release/0"),
        ([change(2, "failed", hour=1), change(1)], "release/0"),
        ([change(2, "running", hour=1), change(1)], "release/0"),
        ([change(1, "rolled back", "rollback", hour=2), change(2, hour=1)], "rollback/2"),
        ([change(1, "failed", "rollback", hour=2), change(2, hour=1)], "release/1"),
        ([change(2, "refused")], None),
    ],
)
def test_the_last_change_that_went_out(history, expected):
    found = settled(history)
    assert (found.run if found else None) == expected


def test_changes_since_then_that_may_have_left_something():
    history = [
        change(2, "running", hour=4), change(2, "refused", hour=3), change(2, "failed", hour=2), change(1, hour=1),
        change(1, "interrupted", hour=0),
    ]  # fmt: skip
    assert [each.outcome for each in unsettled(history)] == ["running", "failed"]


@pytest.mark.parametrize(
    ("history", "running", "expected"),
    [
        ([change(1)], [workload(1)], Live("yes", "3 pods with the recorded digests")),
        ([change(2)], [workload(1)],
         Live("no", "runs shop:1.0.0 sha256:111111111111 of release-1 (app-deployment, 3 pods)")),
        ([change(1)], [], Live("no", "nothing of it is deployed")),
        ([change(1)], [workload(1, 0)], Live("no", "app-deployment is scaled to 0")),
        ([change(1)], [workload(1), workload(1, 0, name="orders", wanted=1)],
         Live("no", "orders has no serving pod; the rest runs as recorded")),
        ([change(1)], [workload(1, spec_digest=SPEC_2, release="release-1")],
         Live("no", "the builds are the same, but not the objects: app-deployment of release-1")),
        ([change(1)], [workload(1, spec_digest="")], Live("yes", "3 pods with the recorded digests")),
        ([change(1)], [workload(1, builds=(Build("shop:1.0.0", "", 3),))],
         Live("no", "runs shop:1.0.0 without a digest of release-1 (app-deployment, 3 pods)")),
        ([], [workload(1)],
         Live("unknown", "no release went out yet; runs shop:1.0.0 sha256:111111111111 of release-1 (app-deployment, 3 pods)")),
        ([change(1, images={})], [],  Live("no", "nothing of it is deployed")),
        ([change(1, images={})], [workload(1)],
         Live("unknown", "release/0 recorded no builds; runs shop:1.0.0 sha256:111111111111 of release-1 (app-deployment, 3 pods)")),
    ],
)  # fmt: skip
def test_the_answer(history, running, expected):
    assert compare(history, running) == expected


class FakeCluster:
    """Lists what it was given."""

    def __init__(self, deployments: list[Any], pods: list[Any]) -> None:
        self.objects = {"Deployment": deployments, "Pod": pods}
        self.asked: list[tuple[str, str, str]] = []

    def list(self, kind: str, namespace: str, labels: str = "") -> list[Any]:
        self.asked.append((kind, namespace, labels))
        return self.objects[kind]


def pod(
    name: str, image_id: str, *, ready: bool = True, image: str = "standin.local/shop:1.0.0", app: str = "a"
) -> Any:
    return {
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {"containers": [{"name": "main", "image": image}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "main", "imageID": image_id}],
        },
    }  # fmt: skip


def test_what_runs_is_what_the_serving_pods_report_not_what_their_specs_ask_for():
    deployment = {
        "metadata": {
            "name": "app-deployment",
            "annotations": {NOTE_RELEASE: "release-1", NOTE_DIGEST: SPEC_1},
        },
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "a"}}},
    }
    pinned = f"standin.local/shop:1.0.0@{ONE}"
    pods = [
        pod("p1", f"standin.local/shop@{ONE}", image=pinned),
        pod("p2", f"standin.local/shop@{TWO}", image=pinned),
        pod("p3", f"standin.local/shop@{TWO}", image=pinned, ready=False),
        pod("p4", f"standin.local/shop@{TWO}", image=pinned, app="other"),
        pod("p5", "docker://no-digest", image=pinned),
    ]
    cluster: Any = FakeCluster([deployment], pods)
    (found,) = observe(cluster, "course4", "shop")
    assert found == Workload(
        "app-deployment", "release-1", SPEC_1, 3, (Build("shop:1.0.0", ONE, 2), Build("shop:1.0.0", TWO, 1))
    )
    assert cluster.asked[0] == ("Deployment", "course4", f"{LABEL_APP}=shop")
    assert compare([change(1)], [found]).answer == "no"
    assert "shop:1.0.0 sha256:222222222222 of release-1 (app-deployment, 1 pod)" in shown([found])
