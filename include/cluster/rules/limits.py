"""What the stand-in does not do, as data: fields that are kept without effect, and fields that are refused.

A path has ``[*]`` for every entry of a list and ``.*`` for every key of a map. A field counts when it is set to something; values
in ``fine`` do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limit:
    """One field that the stand-in treats otherwise than Kubernetes does."""

    path: str
    why: str
    fine: tuple[Any, ...] = ()


_CONTAINERS = ("containers", "initContainers")


def _each(path: str, why: str, *fine: Any) -> list[Limit]:
    return [Limit(f"{kind}[*].{path}", why, fine) for kind in _CONTAINERS]


_ONE_NODE = "there is one node"
_NO_PRIVILEGES = "containers are processes of an unprivileged user"
_HOST_NETWORK = "all pods share the host's network, each with a loopback address of its own"
_BY_SELECTOR = "connections go to the pods that the Service selects"
_NO_ATTACH = "attach is not served, nothing could ever be written to it"

# Kept, with a Warning. Paths of pods start at the pod's spec.
POD_WITHOUT_EFFECT: tuple[Limit, ...] = (
    Limit("affinity", _ONE_NODE),
    Limit("nodeSelector", _ONE_NODE),
    Limit("topologySpreadConstraints", _ONE_NODE),
    Limit("priorityClassName", "pods are not preempted"),
    Limit("preemptionPolicy", "pods are not preempted", ("PreemptLowerPriority",)),
    Limit("overhead", "there are no runtime classes"),
    Limit("hostNetwork", _HOST_NETWORK),
    Limit("hostIPC", "there is no IPC namespace of a pod to leave"),
    Limit("hostUsers", _NO_PRIVILEGES),
    Limit("dnsConfig", "names are resolved as on the host"),
    Limit("dnsPolicy", "names are resolved as on the host", ("ClusterFirst", "Default")),
    Limit("subdomain", "there is no cluster DNS"),
    Limit("setHostnameAsFQDN", "there is no cluster DNS"),
    Limit("imagePullSecrets", "images come from the local store, no registry is asked"),
    Limit("securityContext.fsGroup", _NO_PRIVILEGES),
    Limit("securityContext.fsGroupChangePolicy", _NO_PRIVILEGES),
    Limit("securityContext.supplementalGroups", _NO_PRIVILEGES),
    Limit("securityContext.supplementalGroupsPolicy", _NO_PRIVILEGES),
    Limit("securityContext.sysctls", _NO_PRIVILEGES),
    Limit("securityContext.seccompProfile", "no system call filter is loaded"),
    Limit("securityContext.appArmorProfile", "no profile is loaded"),
    Limit("securityContext.seLinuxOptions", "no label is set"),
    Limit("securityContext.seLinuxChangePolicy", "no label is set"),
    Limit("volumes[*].emptyDir.sizeLimit", "the size of a directory is not limited"),
    Limit("volumes[*].emptyDir.medium", "the directory is on disk"),
    *_each("securityContext.seccompProfile", "no system call filter is loaded"),
    *_each("securityContext.appArmorProfile", "no profile is loaded"),
    *_each("securityContext.seLinuxOptions", "no label is set"),
    *_each("securityContext.capabilities.add", _NO_PRIVILEGES),
    *_each("securityContext.privileged", _NO_PRIVILEGES),
    *_each("securityContext.procMount", _NO_PRIVILEGES),
    *_each("resources.limits.cpu", "CPU time is not limited"),
    *_each("resources.limits.ephemeral-storage", "the size of a directory is not limited"),
    *_each("resizePolicy", "pods are not resized in place"),
    *_each("volumeMounts[*].mountPropagation", "mounts are not passed on", "None"),
    *_each("volumeMounts[*].recursiveReadOnly", "a volume has no mounts below it", "Disabled"),
)

# Refused by name: valid, and what runs would not be what is asked for.
POD_REFUSED: tuple[Limit, ...] = (
    Limit("hostPID", "each container has its own view of processes"),
    Limit("shareProcessNamespace", "each container has its own view of processes"),
    Limit("runtimeClassName", "there are no runtime classes"),
    Limit("os.name", "containers are Linux processes", ("linux",)),
    Limit("resources", "resources are those of containers"),
    Limit("resourceClaims", "there is no dynamic resource allocation"),
    Limit("schedulingGroup", "pods are scheduled one by one"),
    Limit("hostnameOverride", "a pod's host name is its name or spec.hostname"),
    Limit("ephemeralContainers", "a pod's containers are those it is created with"),
    Limit("securityContext.windowsOptions", "containers are Linux processes"),
    *_each("securityContext.windowsOptions", "containers are Linux processes"),
    *_each("stdin", _NO_ATTACH),
    *_each("tty", "a container's output is a file"),
    *_each("volumeDevices", "there are no block devices"),
    *_each("restartPolicyRules", "restarts go by the pod's restartPolicy"),
    Limit("containers[*].restartPolicy", "restarts go by the pod's restartPolicy"),
    Limit("initContainers[*].restartPolicy", "restarts go by the pod's restartPolicy", ("Always",)),
    *_each("lifecycle.stopSignal", "containers are stopped with TERM"),
    *_each("ports[*].hostPort", "containers are reached at their pod's address"),
    *_each("env[*].valueFrom.fileKeyRef", "values come from fields, resources, ConfigMaps and Secrets"),
    *_each("resources.claims", "there is no dynamic resource allocation"),
    *(limit for probe in ("liveness", "readiness", "startup") for limit in _each(f"{probe}Probe.grpc", "probes are exec, httpGet and tcpSocket")),
    Limit("volumes[*].projected.sources[*].clusterTrustBundle", "sources are configMap, secret, downwardAPI and serviceAccountToken"),
    Limit("volumes[*].projected.sources[*].podCertificate", "sources are configMap, secret, downwardAPI and serviceAccountToken"),
)  # fmt: skip

# The kinds of volumes that there are; all others are refused.
VOLUMES = ("configMap", "downwardAPI", "emptyDir", "hostPath", "persistentVolumeClaim", "projected", "secret")

# Paths of the other kinds start at the object.
WITHOUT_EFFECT: dict[str, tuple[Limit, ...]] = {
    "services": (
        Limit("spec.externalTrafficPolicy", _ONE_NODE, ("Cluster",)),
        Limit("spec.trafficDistribution", _ONE_NODE),
    ),
    "endpoints": (Limit("subsets", _BY_SELECTOR),),
    "endpointslices": (Limit("endpoints", _BY_SELECTOR),),
    "persistentvolumeclaims": (Limit("spec.volumeAttributesClassName", "a claim is a directory"),),
    "leases": (
        Limit("spec.strategy", "there is no coordinated leader election"),
        Limit("spec.preferredHolder", "there is no coordinated leader election"),
    ),
}

REFUSED: dict[str, tuple[Limit, ...]] = {
    "nodes": (
        Limit("spec.taints", "pods go to the one node whatever its taints; cordon keeps new ones away"),
    ),
    "services": (
        Limit("spec.type", "types are ClusterIP and NodePort", ("ClusterIP", "NodePort")),
        Limit("spec.sessionAffinity", "each connection goes to any ready pod", ("None",)),
        Limit("spec.externalIPs", "a Service has its cluster address only"),
        Limit("spec.ports[*].protocol", "the proxy serves TCP", ("TCP",)),
        Limit("spec.ipFamilyPolicy", "addresses are IPv4", ("SingleStack", "PreferDualStack")),
        Limit("spec.ipFamilies[*]", "addresses are IPv4", ("IPv4",)),
    ),
    "persistentvolumeclaims": (
        Limit("spec.volumeMode", "a claim is a directory", ("Filesystem",)),
        Limit("spec.dataSource", "a claim begins as an empty directory"),
        Limit("spec.dataSourceRef", "a claim begins as an empty directory"),
        Limit("spec.selector", "a claim gets a new directory, there are no volumes to choose from"),
    ),
    "jobs": (
        Limit("spec.successPolicy", "a Job has succeeded when its completions are reached"),
        Limit("spec.managedBy", "there is one Job controller", ("kubernetes.io/job-controller",)),
    ),
    "resourcequotas": (
        Limit("spec.scopes", "a quota counts all objects of its namespace"),
        Limit("spec.scopeSelector", "a quota counts all objects of its namespace"),
    ),
}
