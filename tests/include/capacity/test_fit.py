"""Room on nodes and in quotas while a change is rolled out."""

from __future__ import annotations

from typing import Any

import pytest

from include.capacity.fit import Change, Fit, check_fit
from include.capacity.live import Seen

POD = {"containers": [{"name": "web", "resources": {"requests": {"memory": "300Mi", "cpu": "100m"}}}]}


def node(name: str, memory: str = "1Gi", cpu: str = "4", pods: str = "110", **more: Any) -> dict[str, Any]:
    status = {
        "allocatable": {"memory": memory, "cpu": cpu, "pods": pods},
        "conditions": [{"type": "Ready", "status": more.pop("ready", "True")}],
    }
    return {"metadata": {"name": name, "labels": more.pop("labels", {})}, "spec": more, "status": status}


def pod(where: str, memory: str = "300Mi", namespace: str = "ours", app: str = "web") -> dict[str, Any]:
    spec = {"nodeName": where, "containers": [{"name": "c", "resources": {"requests": {"memory": memory}}}]}
    return {
        "metadata": {"name": "p", "namespace": namespace, "labels": {"app": app}},
        "spec": spec,
        "status": {"phase": "Running"},
    }


def web(replicas: int = 2, spec: dict[str, Any] | None = None, **rolling: Any) -> dict[str, Any]:
    update = rolling or {"maxSurge": 1, "maxUnavailable": 0}
    return {
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": update},
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec or POD},
        },
    }


def fits(
    nodes: list[dict[str, Any]] | None,
    pods: list[dict[str, Any]],
    wanted: dict[str, Any],
    quotas: list[dict[str, Any]] | None = None,
    jobs: list[tuple[str, dict[str, Any]]] | None = None,
    ranges: list[dict[str, Any]] | None = None,
    unchanged: bool = False,
) -> Fit:
    own = [each for each in pods if each["metadata"]["namespace"] == "ours"]
    live = {"web": web()} if any(each["metadata"]["labels"] == {"app": "web"} for each in own) else {}
    seen = Seen(nodes, pods, own, quotas or [], ranges or [], live)
    same = frozenset({"web"}) if unchanged else frozenset()
    return check_fit(Change("ours", [wanted], jobs or [], same), seen, None, "https://cluster")


def found(fit: Fit) -> str:
    assert len(fit.problems) == 1
    return fit.problems[0].found


def test_a_new_workload_that_fits():
    fit = fits([node("a")], [], web(3))
    assert fit.problems == []
    assert "Pods at once, at most: web 3" in fit.lines
    # 1024 - 3 x 300
    assert (
        "Free on a after the change: 124 MiB of 1024 MiB memory, 3700m of 4000m cpu, 107 of 110 pods"
        in fit.lines
    )


def test_the_pod_of_the_surge_has_to_fit_beside_the_old_ones():
    # Three old pods of 300 MiB leave 124 MiB for the first new one.
    pods = [pod("a") for _ in range(3)]
    text = found(fits([node("a")], pods, web(3)))
    assert text.startswith(
        "pod 1 of the 3 of web, beside 3 old pods needs 300 MiB memory, 100m cpu and fits on no node "
        "(a: memory 124 MiB free of 1024 MiB, short by 176 MiB)"
    )
    # Without a surge an old pod makes room first.
    assert fits([node("a")], pods, web(3, maxSurge=0, maxUnavailable=1)).problems == []
    # And what runs already is not rolled out again.
    assert fits([node("a")], pods, web(3), unchanged=True).problems == []


def test_room_that_is_there_in_all_but_on_no_single_node_is_no_room():
    # 200 MiB are free on each of three nodes.
    nodes = [node(name) for name in "abc"]
    others = [pod(name, "824Mi", "theirs") for name in "abc"]
    text = found(fits(nodes, others, web(2)))
    assert "(a: memory 200 MiB free of 1024 MiB, short by 100 MiB; b: memory 200 MiB" in text
    assert text.endswith("2 of its pods find no room in all")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"unschedulable": True}, "b: takes no new pods (cordoned)"),
        ({"ready": "Unknown"}, "b: is not ready"),
        (
            {"taints": [{"key": "gpu", "effect": "NoSchedule"}]},
            "b: taint gpu, which the pod does not tolerate",
        ),
    ],
)
def test_nodes_that_take_no_pods_do_not_count(more, why):
    nodes = [node("a", "512Mi"), node("b", "8Gi", **more)]
    assert why in found(fits(nodes, [], web(3)))


def test_a_toleration_opens_a_tainted_node_and_a_selector_closes_the_others():
    tainted = node("b", "8Gi", taints=[{"key": "gpu", "effect": "NoSchedule"}], labels={"disk": "ssd"})
    tolerant = {**POD, "tolerations": [{"key": "gpu", "operator": "Exists"}]}
    assert fits([node("a", "512Mi"), tainted], [], web(3, tolerant)).problems == []
    choosy = {**POD, "nodeSelector": {"disk": "ssd"}}
    text = found(fits([node("a"), tainted], [], web(1, choosy)))
    assert "a: its labels are not those of the pod's nodeSelector" in text


def test_cpu_and_the_number_of_pods_count_too():
    assert "cpu 250m free of 250m" not in str(fits([node("a", cpu="250m")], [], web(2)).problems)
    assert "a: cpu 50m free of 250m, short by 50m" in found(fits([node("a", cpu="250m")], [], web(3)))
    assert "a: pods 0 free of 2, short by 1" in found(fits([node("a", pods="2")], [], web(3)))


def test_the_jobs_run_beside_the_old_pods():
    job = (
        "the Job of migration first",
        {"containers": [{"name": "m", "resources": {"requests": {"memory": "200Mi"}}}]},
    )
    text = found(fits([node("a")], [pod("a"), pod("a"), pod("a")], web(3), jobs=[job], unchanged=True))
    assert text.startswith("the pod of the Job of migration first needs 200 MiB memory")


def quota(used: dict[str, str] | None = None, scopes: list[str] | None = None, **hard: str) -> dict[str, Any]:
    named = {key.replace("_", "."): value for key, value in hard.items()}
    return {
        "metadata": {"name": "team"},
        "spec": {"hard": named, "scopes": scopes},
        "status": {"hard": named, "used": used or {}},
    }


def test_a_quota_counts_the_surge_and_gets_back_what_the_old_pods_had():
    pods = [pod("a") for _ in range(2)]
    big = [node("a", "8Gi")]
    used = {"requests.memory": "600Mi"}
    # At most 3 pods of 300 MiB at once, in the end 2.
    assert fits(big, pods, web(2), [quota(used, requests_memory="900Mi")]).problems == []
    text = found(fits(big, pods, web(2), [quota(used, requests_memory="899Mi")]))
    assert text == (
        "requests.memory: 600 MiB used now, 900 MiB needed during the update, 899 MiB allowed: short by 1 MiB"
    )


def test_the_quota_is_checked_where_nodes_may_not_be_seen():
    text = found(fits(None, [pod("a") for _ in range(2)], web(2), [quota({"pods": "2"}, pods="2")]))
    assert text == "pods: 2 used now, 3 needed during the update, 2 allowed: short by 1"


def test_a_quota_of_other_pods_does_not_count():
    assert fits([node("a")], [], web(2), [quota(pods="0", scopes=["BestEffort"])]).problems == []
    assert fits([node("a")], [], web(2), [quota(pods="0", scopes=["Terminating"])]).problems == []


def test_a_limit_range_fills_in_what_the_quota_counts():
    counted = [quota(limits_memory="1Gi", requests_cpu="1")]
    missing = fits([node("a")], [], web(2), counted)
    assert "does not say limits.memory of container web" in found(missing)
    ranges = [{"spec": {"limits": [{"type": "Container", "default": {"memory": "600Mi"}}]}}]
    assert "limits.memory: 0 MiB used now, 1200 MiB needed" in found(
        fits([node("a", "4Gi")], [], web(2), counted, ranges=ranges)
    )


def test_what_the_loss_of_a_node_means_is_a_notice():
    one = fits([node("a", "4Gi")], [], web(2)).notices
    assert one == [
        "There is one node that takes pods: no spread is possible, and while it is out nothing is served."
    ]
    two = fits([node("a", "4Gi"), node("b", "4Gi")], [], web(4)).notices
    assert two == [
        "If node b fails, 2 of 4 pods of web are gone at once and 2 are left; the other nodes have room for them."
    ]
    tight = fits([node("a"), node("b")], [], web(6)).notices
    assert tight == [
        "If node b fails, 3 of 6 pods of web are gone at once and 3 are left; the other nodes have room for 0 of those 3."
    ]


def test_spread_pods_go_to_different_nodes_though_one_is_emptier():
    spread = {**POD, "topologySpreadConstraints": [{"topologyKey": "kubernetes.io/hostname"}]}
    nodes = [node("a", "64Gi"), node("b", "2Gi")]
    others = [pod("b", "1Gi", "theirs")]
    assert (
        "1 of 2 pods of web is gone at once and 1 is left" in fits(nodes, others, web(2, spread)).notices[0]
    )
    assert "2 of 2 pods of web are gone at once and 0 are left" in fits(nodes, others, web(2)).notices[0]


def test_pods_that_have_ended_or_end_hold_no_place_in_the_update():
    done = pod("a")
    done["status"]["phase"] = "Succeeded"
    assert fits([node("a")], [done, done, done], web(3)).problems == []


def test_percentages_of_the_strategy_are_rounded_as_kubernetes_does():
    # 25 % of 3: above 1 (up), below 0 (down).
    fit = fits([node("a", "8Gi")], [pod("a") for _ in range(3)], web(3, maxSurge="25%", maxUnavailable="25%"))
    assert "Pods at once, at most: web 4" in fit.lines


def test_init_containers_and_overhead_count_as_the_scheduler_counts_them():
    spec = {
        "containers": [{"name": "web", "resources": {"requests": {"memory": "100Mi"}}}],
        "initContainers": [
            {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"memory": "50Mi"}}},
            {"name": "first", "resources": {"limits": {"memory": "400Mi"}}},
        ],
        "overhead": {"memory": "10Mi"},
    }
    # The init container beside the sidecar is the largest moment: 400 + 50, and the overhead: 460 MiB.
    assert "needs 460 MiB memory" in found(fits([node("a", "459Mi")], [], web(1, spec)))
    assert fits([node("a", "460Mi")], [], web(1, spec)).problems == []


def test_a_size_that_a_limit_range_refuses_is_named():
    ranges = [
        {"spec": {"limits": [{"type": "Container", "max": {"memory": "256Mi"}, "min": {"cpu": "200m"}}]}}
    ]
    fit = fits([node("a")], [], web(1), ranges=ranges)
    assert [each.found for each in fit.problems] == [
        "Deployment web: 300 MiB memory of container web, at most 256Mi is allowed",
        "Deployment web: 100m cpu of container web, at least 200m is asked for",
    ]


def test_a_slip_of_the_pen_is_refused_before_it_is_played_through():
    assert found(fits([node("a")], [], web(2_000_000_000))) == "2000000000 pods"
