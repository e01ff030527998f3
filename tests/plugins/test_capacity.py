"""The capacity task against the stand-in: what fits, what does not, and what may not be seen."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.release.frozen import freeze
from include.release.loading import Sources
from plugins.operators.capacity import PlanCapacityOperator


def quota(client: Any, namespace: str, **hard: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"hard": {key.replace("_", "."): value for key, value in hard.items()}},
    }
    client.apply(body, namespace, manager="tests", force=True)


@pytest.fixture
def plan_it(cluster, connection, context):
    """Runs the task on a frozen release."""

    def run(frozen: Any, kubeconfig: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        connection(kubeconfig or cluster.kubeconfig)
        given = context()
        given["ti"].values["freeze_and_check", "return_value"] = frozen.to_json()
        plan = PlanCapacityOperator(task_id="plan_capacity").execute(given)
        return plan, given["ti"].values["", "fit"]

    return run


@pytest.fixture
def release_2(namespace):
    """Release 2, frozen for production's policy in the test's namespace."""
    sources = Sources.from_environment()
    production = sources.environments().find("production")
    here = production.model_copy(update={"namespace": namespace})
    return freeze(
        sources.read_release("release-2"), here, sources.image_lock(here), sources.capacity_policy(here)
    )


def test_the_log_has_the_arithmetic_and_whether_it_fits(plan_it, release_2, capsys):
    plan, fit = plan_it(release_2)
    said = capsys.readouterr().out
    assert plan == release_2.plan
    assert fit["fits"] is True
    for text in (
        "app-deployment: 7 x 320Mi, 250m",
        "2600 / 500 = 5.2, so 6, and 1 that may be out: 7.",
        "in production fits into the cluster",
        "Pods at once, at most: app-deployment 7, order-processor 1; before them 4 Jobs, one at a time",
        "NOTICE: There is one node that takes pods: no spread is possible",
    ):
        assert text in said


def test_a_quota_that_is_too_small_for_the_surge_stops_with_the_numbers(
    plan_it, small, cluster, namespace, capsys
):
    client = cluster.connect()
    frozen = small()
    # Two pods of 32Mi run; the update has a third for a moment: 96 MiB, and 80 are allowed.
    for manifest in (*frozen.config_maps, *frozen.objects):
        client.apply(manifest, namespace, manager="plan-reduce-repeat")
    quota(client, namespace, requests_memory="80Mi")
    wait_for_use(client, namespace, "64Mi")
    with pytest.raises(AirflowFailException) as raised:
        plan_it(small(("TEXT: hello", "TEXT: bye")))
    text = str(raised.value)
    assert text.startswith("1 problem in the room for small (small) in test. Nothing has been changed.")
    assert (
        "ResourceQuota team\n    found:    requests.memory: 64 MiB used now, 96 MiB needed during the update, "
        "80 MiB allowed: short by 16 MiB\n    expected: at least 96 MiB of requests.memory"
    ) in text
    assert "fix:      raise the quota" in text
    assert "small has no capacity facts" in capsys.readouterr().out


def wait_for_use(client: Any, namespace: str, memory: str) -> None:
    import time

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = client.get("ResourceQuota", namespace, "team")
        if ((found or {}).get("status") or {}).get("used", {}).get("requests.memory") == memory:
            return
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_quota_that_counts_what_the_pods_leave_out_is_named(plan_it, small, cluster, namespace):
    quota(cluster.connect(), namespace, limits_cpu="4")
    with pytest.raises(AirflowFailException) as raised:
        plan_it(small())
    text = str(raised.value)
    assert "found:    Deployment web does not say limits.cpu of container web" in text
    assert "found:    the Job of migration first does not say limits.cpu of container migrate" in text


def test_a_node_that_is_too_small_stops_with_the_numbers(plan_it, small, cluster):
    with pytest.raises(AirflowFailException) as raised:
        plan_it(small(("requests: {cpu: 10m, memory: 32Mi}", "requests: {cpu: 9, memory: 32Mi}")))
    text = str(raised.value)
    assert (
        "found:    pod 1 of the 2 of web needs 32 MiB memory, 9000m cpu and fits on no node (standin-node: cpu "
        in text
    )
    assert "free of 8000m, short by " in text
    assert "; 2 of its pods find no room in all" in text
    assert "fix:      free or add 64 MiB memory, 18000m cpu on nodes that take pods" in text


def test_who_may_not_list_nodes_is_told_and_quotas_are_checked_all_the_same(
    plan_it, small, cluster, namespace, tmp_path, capsys
):
    kubeconfig = cluster.user("releaser", "edit", tmp_path / "kubeconfig", namespace)
    _, fit = plan_it(small(), kubeconfig)
    said = capsys.readouterr().out
    notice = (
        "The connection's user may not list Node objects of the cluster: "
        "whether the pods fit on the nodes is not checked."
    )
    assert fit["notices"] == [notice]
    assert "small (small) in test fits into the cluster, as far as could be seen" in said
    quota(cluster.connect(), namespace, pods="1")
    with pytest.raises(AirflowFailException, match="short by 1"):
        plan_it(small(), kubeconfig)
