"""The Node object and its lease."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import uuid
from pathlib import Path
from typing import Any

from include.cluster.errors import ApiError
from include.cluster.node.runtime import NO_NAMESPACES
from include.cluster.registry import Registry, WriteOptions
from include.cluster.registry.clock import micro_stamp, stamp

Object = dict[str, Any]

LEASES = "kube-node-lease"
_PERIOD = 10.0
_LEASE_SECONDS = 40
_VERSION = "v1.36.2"


def _conditions(namespaces: bool) -> list[Object]:
    moment = stamp()
    rows = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
    if not namespaces:
        rows.append(("PathsMapped", "True", "NoMountNamespaces", NO_NAMESPACES))
    return [
        {"type": kind, "status": value, "lastHeartbeatTime": moment, "lastTransitionTime": moment,
         "reason": reason, "message": message}
        for kind, value, reason, message in rows
    ]  # fmt: skip


def _os_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/etc/os-release").read_text().splitlines():
            if line.startswith("PRETTY_NAME="):
                return line.partition("=")[2].strip('"')
    return "Linux"


def _status(registry: Registry, address: str, namespaces: bool) -> Object:
    settings = registry.settings
    amount = {
        "cpu": settings.allocatable_cpu,
        "memory": settings.allocatable_memory,
        "pods": str(settings.allocatable_pods),
        "ephemeral-storage": "100Gi",
    }
    machine = Path("/etc/machine-id")
    return {
        "capacity": amount,
        "allocatable": dict(amount),
        "conditions": _conditions(namespaces),
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": settings.node_name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {
            "machineID": machine.read_text().strip() if machine.is_file() else "",
            "systemUUID": "",
            "bootID": str(uuid.uuid4()),
            "kernelVersion": platform.release(),
            "osImage": _os_name(),
            "containerRuntimeVersion": "standin://1",
            "kubeletVersion": _VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(
                os.uname().machine, os.uname().machine
            ),
        },
    }


def register(registry: Registry, address: str, namespaces: bool) -> None:
    """Makes the node known, or brings what is known of it up to date."""
    name = registry.settings.node_name
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "standin.local/node": "true"}
    status = _status(registry, address, namespaces)
    if registry.find("nodes", "", name) is None:
        body = {"metadata": {"name": name, "labels": labels}, "spec": {}}
        registry.create("nodes", "", body, WriteOptions(manager="kubelet", trusted=True))

    def change(node: Object) -> None:
        node["status"] = status

    registry.edit("nodes", "", name, change, manager="kubelet", subresource="status")
    if registry.find("namespaces", "", LEASES) is None:
        registry.create(
            "namespaces", "", {"metadata": {"name": LEASES}}, WriteOptions("kubelet", trusted=True)
        )


def renew(registry: Registry) -> None:
    """Renews the node's lease."""
    name = registry.settings.node_name
    if registry.find("leases", LEASES, name) is None:
        spec = {"holderIdentity": name, "leaseDurationSeconds": _LEASE_SECONDS, "renewTime": micro_stamp()}
        body = {"metadata": {"name": name}, "spec": spec}
        registry.create("leases", LEASES, body, WriteOptions(manager="kubelet", trusted=True))
        return

    def change(lease: Object) -> None:
        lease["spec"]["renewTime"] = micro_stamp()

    registry.edit("leases", LEASES, name, change, manager="kubelet")


async def beat(registry: Registry) -> None:
    """Renews the lease for as long as the node lives."""
    while True:
        with contextlib.suppress(ApiError):  # somebody deleted the namespace: the node lives on
            renew(registry)
        await asyncio.sleep(_PERIOD)
