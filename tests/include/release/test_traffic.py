"""Requests during updates and rollbacks: the shop answers every one, and a program that does not drain loses some."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from include.release.applying import apply_object, ensure_immutable
from include.release.draining import wait_for_leaving_pods
from include.release.frozen import Frozen, freeze
from include.release.kube import Cluster
from include.release.loading import Sources
from include.release.migrating import Runner
from include.release.restoring import restore, wait_until_gone
from include.release.rollback_plan import Facts, Layer, plan_rollback
from include.release.saved import live_objects
from include.release.undoing import ask_ledger, undo
from tests.standin import install_shop
from tools.bench.traffic import LEAST, drive, drive_control, explained, wait_rolled_out

PODS = 2


@pytest.fixture
def shop(cluster: Any, namespace: str, sources: Sources) -> Callable[[str], Frozen]:
    """Installs the shop; freezes its releases for the test's namespace, with few pods."""
    install_shop(cluster.connect(), namespace)
    environment = sources.environments().environments[0].model_copy(update={"namespace": namespace})

    def frozen(name: str) -> Frozen:
        found = freeze(sources.read_release(name), environment, sources.image_lock(environment))
        for manifest in found.deployments():
            manifest["spec"]["replicas"] = min(manifest["spec"]["replicas"], PODS)
        return found

    return frozen


def roll_out(client: Cluster, frozen: Frozen) -> None:
    namespace = frozen.environment.namespace
    for manifest in frozen.config_maps:
        ensure_immutable(client, manifest, namespace)
    for manifest in frozen.objects:
        apply_object(client, manifest, frozen, "traffic", dry_run=False)
    for manifest in frozen.deployments():
        wait_rolled_out(client, namespace, manifest["metadata"]["name"])


def migrate(client: Cluster, frozen: Frozen) -> None:
    assert frozen.release.migrations is not None
    for step in frozen.release.migrations.steps:
        Runner(client, frozen, "traffic", ignore).run(step)


def go_back(client: Cluster, newer: Frozen, older: Frozen) -> None:
    """A rollback as its tasks do it: the pods first, then the migrations, by the newer build."""
    namespace, app = newer.environment.namespace, newer.release.app
    ledger = ask_ledger(client, [newer], "traffic/plan", ignore, rows=True)
    assert older.release.migrations is not None
    before = frozenset(step.id for step in older.release.migrations.steps)
    plan = plan_rollback(
        Facts(
            layers=[Layer(newer, before)],
            target=older,
            before=None,
            live=live_objects(client, newer),
            applied=ledger.applied,
            rows=ledger.rows,
            drop_data=True,
        )
    )
    assert (plan.stop, plan.order, len(plan.undo)) == ("", "pods first", len(newer.release.steps)), plan.text
    restore(client, plan, older, None, namespace, app, "traffic", requested_at="")
    client.delete("Deployment", namespace, "order-processor")
    wait_rolled_out(client, namespace, "app-deployment")
    assert wait_for_leaving_pods(client, namespace, newer.deployments(), ignore) == []
    assert wait_until_gone(client, ["order-processor"], namespace) == []
    undo(client, plan, lambda spec: newer, "traffic", ignore)


def ignore(line: str) -> None:
    """What is said is for a task's log."""


def orders(client: Cluster, namespace: str) -> int:
    """How many orders the shop has."""
    pods = client.list("Pod", namespace, labels="app=app-deployment")
    status, text = client.ask_pod(namespace, pods[0]["metadata"]["name"], 8080, "/orders")
    assert status == 200, text
    return sum(json.loads(text).values())


def test_every_request_is_answered_during_an_update_and_a_rollback(cluster, namespace, shop):
    client = cluster.connect()
    first, second = shop("release-1"), shop("release-2")
    migrate(client, first)
    roll_out(client, first)

    def there_and_back() -> None:
        migrate(client, second)
        roll_out(client, second)
        go_back(client, second, first)

    before = orders(client, namespace)
    report = drive(client, namespace, there_and_back)
    assert report.failed == 0, explained(report, client.list("Event", namespace))
    assert report.requests >= LEAST
    for call in ("GET /menu", "POST /orders", "POST /users"):
        assert report.answered(call) > 100, report.text()
    assert orders(client, namespace) - before == report.answered("POST /orders")


def test_a_program_that_does_not_drain_loses_requests(cluster, namespace, shop):
    """The control: the test above sees what is lost."""
    client = cluster.connect()
    first = shop("release-1")
    migrate(client, first)
    roll_out(client, first)
    for _ in range(4):  # (that a pod ends while a request is under way is chance)
        report = drive_control(client, namespace)
        if report.failed:
            break
    assert report.failed > 0, report.text()
    assert report.requests > report.failed
    outcomes = {failure.outcome for failure in report.failures}
    assert outcomes <= {"closed without an answer", "reset", "refused", "broken off"}, report.text()
