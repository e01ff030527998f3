"""On which node a clean-up runs: a claim that one node may use is there where its user is.

What the user's pod needs to be on that node, the clean-up's needs too: tolerations, and secrets for the registry.
"""

from __future__ import annotations

from typing import Any

from include.logs.loading import PlacedVolume
from include.release.kube import Cluster
from include.release.problems import Problem, RejectedError

SHARED, ONE_POD = "ReadWriteMany", "ReadWriteOncePod"
_HOSTNAME = "kubernetes.io/hostname"
_ALIKE = ("tolerations", "imagePullSecrets")


def beside_user(cluster: Cluster, placed: PlacedVolume) -> dict[str, Any]:
    """What the pod that mounts the claim has beside its own fields: affinity and tolerations. Empty when any node will do.

    Raises:
        RejectedError: the claim is missing, or one pod alone may use it and one does.
        KubeError: the cluster does not answer, or refuses.
    """
    volume, environment = placed.volume, placed.environment
    if environment is None:
        return {}
    namespace, name = environment.namespace, str(volume.claim)
    claim = cluster.get("PersistentVolumeClaim", namespace, name)
    if claim is None:
        raise _missing(cluster, placed)
    modes = (claim.get("status") or {}).get("accessModes") or claim["spec"].get("accessModes") or []
    users = [pod for pod in cluster.list("Pod", namespace) if _uses(pod, name) and not _own(pod)]
    if modes == [ONE_POD] and users:
        raise _taken(placed, str(users[0]["metadata"]["name"]))
    if not users:
        return {}
    found = {key: value for key in _ALIKE if (value := users[0]["spec"].get(key))}
    return (
        found
        if SHARED in modes
        else {**found, "affinity": _affinity(cluster, namespace, volume.used_by, users)}
    )


def _affinity(
    cluster: Cluster, namespace: str, used_by: str | None, users: list[dict[str, Any]]
) -> dict[str, Any]:
    """Beside a pod of the Deployment that is named, else on the node of any pod that mounts the claim."""
    live = cluster.get("Deployment", namespace, used_by) if used_by else None
    labels = (((live or {}).get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if labels and any(_has(pod, labels) for pod in users):
        term = {"labelSelector": {"matchLabels": labels}, "topologyKey": _HOSTNAME}
        return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    # A term names one node; one of several terms is enough.
    nodes = sorted({str(pod["spec"]["nodeName"]) for pod in users})
    terms = [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]} for node in nodes
    ]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def _uses(pod: dict[str, Any], claim: str) -> bool:
    """Whether a pod that is on a node, and has not ended, mounts the claim."""
    if not pod["spec"].get("nodeName") or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    volumes = pod["spec"].get("volumes") or []
    return any((each.get("persistentVolumeClaim") or {}).get("claimName") == claim for each in volumes)


def _own(pod: dict[str, Any]) -> bool:
    """Whether it is a pod of a clean-up that is just ending."""
    return bool(pod["metadata"].get("deletionTimestamp")) and "job-name" in (
        pod["metadata"].get("labels") or {}
    )


def _has(pod: dict[str, Any], labels: dict[str, str]) -> bool:
    found = pod["metadata"].get("labels") or {}
    return all(found.get(key) == value for key, value in labels.items())


def _missing(cluster: Cluster, placed: PlacedVolume) -> RejectedError:
    namespace = placed.environment.namespace if placed.environment else ""
    known = sorted(str(each["metadata"]["name"]) for each in cluster.list("PersistentVolumeClaim", namespace))
    problem = Problem(
        "include/config/log_retention.yaml",
        f"{placed.name}.claim",
        f"no PersistentVolumeClaim {placed.volume.claim} in namespace {namespace}",
        f"one of {', '.join(known)}" if known else "a claim; the namespace has none",
        "correct claim: or environment:, or create it",
    )
    return RejectedError([problem], subject=f"volume {placed.name}")


def _taken(placed: PlacedVolume, pod: str) -> RejectedError:
    problem = Problem(
        "include/config/log_retention.yaml",
        f"{placed.name}.claim",
        f"{placed.volume.claim} is {ONE_POD}, and pod {pod} has it",
        "a claim that a second pod on its node may mount",
        "make it ReadWriteOnce; or run the clean-up when its user is stopped",
    )
    return RejectedError([problem], subject=f"volume {placed.name}")
