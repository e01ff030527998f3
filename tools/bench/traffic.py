"""The shop under load while it is changed, and a control that is known to lose requests."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from typing import Any

from include.release.draining import leaving_pods
from include.release.kube import Cluster
from include.release.rollout import judge
from tools.bench.load import SHOP_CALLS, USER_CALL, Load, Report, under_load

LEAST = 5_000
MANAGER = "benchmark"
CONTROL = "control"
PROXY_SECONDS = 1.5
"""After a change of pods: until the proxy knows (kube-proxy rewrites its rules once a second)."""
WITHIN = 120.0
_OURS = ("selector", "template", "replicas", "strategy")


def drive(cluster: Cluster, namespace: str, work: Callable[[], None], least: int = LEAST) -> Report:
    """Do the work while the shop is asked and given orders: at least so many requests, to the end of the last old pod."""
    time.sleep(PROXY_SECONDS)
    load = Load(*service_address(cluster, namespace, "app-service"), (*SHOP_CALLS * 4, USER_CALL))
    with under_load(load) as reports:
        work()
        wait_for_ends(cluster, namespace)
        _until(lambda: load.requests >= least, f"{least} requests")
    return reports[0]


def drive_control(cluster: Cluster, namespace: str) -> Report:
    """Roll out the shop's main application without preStop and draining, under the same load of reads."""
    service, deployment = without_drain(
        cluster.get("Service", namespace, "app-service") or {},
        cluster.get("Deployment", namespace, "app-deployment") or {},
    )
    for manifest in (service, deployment):
        cluster.apply(manifest, namespace, manager=MANAGER, force=True)
    wait_rolled_out(cluster, namespace, CONTROL)
    time.sleep(PROXY_SECONDS)
    reads = [call for call in SHOP_CALLS if call.method == "GET"]
    with under_load(Load(*service_address(cluster, namespace, CONTROL), reads)) as reports:
        deployment["spec"]["template"]["metadata"]["annotations"] = {"again": "1"}
        cluster.apply(deployment, namespace, manager=MANAGER, force=True)
        wait_rolled_out(cluster, namespace, CONTROL)
        wait_for_ends(cluster, namespace, CONTROL)
        time.sleep(PROXY_SECONDS)
    return reports[0]


def without_drain(service: dict[str, Any], deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """The shop's Service and Deployment under another name, with pods that end as soon as they are told to."""
    labels = {"app": CONTROL}
    spec = copy.deepcopy({name: value for name, value in deployment["spec"].items() if name in _OURS})
    spec["selector"], spec["replicas"] = {"matchLabels": labels}, 2
    spec["template"]["metadata"] = {"labels": labels}
    for container in spec["template"]["spec"]["containers"]:
        del container["lifecycle"]
        container["env"] = [*container.get("env", []), {"name": "DRAIN_SECONDS", "value": "0"}]
    ports = [{**port, "nodePort": None} for port in service["spec"]["ports"]]
    ports = [{name: value for name, value in port.items() if value is not None} for port in ports]
    meta = {"name": CONTROL}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": labels, "ports": ports},
        },
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": dict(meta), "spec": spec},
    ]


def service_address(cluster: Cluster, namespace: str, name: str) -> tuple[str, int]:
    """Cluster address and first port of a Service."""
    spec = (cluster.get("Service", namespace, name) or {})["spec"]
    return spec["clusterIP"], spec["ports"][0]["port"]


def wait_rolled_out(cluster: Cluster, namespace: str, name: str) -> None:
    """Until all pods of a Deployment are new and serve. Raises TimeoutError."""
    _until(
        lambda: judge(cluster.get("Deployment", namespace, name), name).phase == "complete",
        f"the rollout of {name}",
    )


def wait_for_ends(cluster: Cluster, namespace: str, *names: str) -> None:
    """Until no pod (of these Deployments, else of the namespace) is on its way out. Raises TimeoutError."""
    if names:
        deployments = [cluster.get("Deployment", namespace, name) or {} for name in names]
        _until(lambda: not leaving_pods(cluster, namespace, deployments), "the end of old pods")
        return

    def ended() -> bool:
        return not any(pod["metadata"].get("deletionTimestamp") for pod in cluster.list("Pod", namespace))

    _until(ended, "the end of old pods")


def explained(report: Report, events: Sequence[dict[str, Any]]) -> str:
    """The report, with what happened to pods at that time."""
    told = [
        f"  {each['lastTimestamp'][11:19]}  {each['involvedObject']['name']}: {each['reason']} {each['message']}"
        for each in sorted(events, key=lambda one: str(one.get("lastTimestamp")))
        if each["reason"] in ("Killing", "Started", "Unhealthy") and each.get("lastTimestamp")
    ]
    return "\n".join([report.text(), "Pods meanwhile:", *told])


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {WITHIN:.0f} s: {what}")
        time.sleep(0.2)
