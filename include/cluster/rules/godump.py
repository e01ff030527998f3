"""Specs as the API server's own Go structs, which its answers to a change of something settled show.

``Job ... spec.template: Invalid value: {...}: field is immutable`` prints the new template that way, and a refused change of a pod
or of a claim comes with a diff of two such prints. Field order and zero values are those of Kubernetes 1.36.
"""

from __future__ import annotations

import difflib
import json
from typing import Any

Object = dict[str, Any]

# One struct a line: each field with what stands for nothing there. s: "", b: false, i: 0, p: null (pointers, lists, maps);
# (X a struct, always there; *X a struct or null; [X a list of structs or null.
_STRUCTS = {
    "PodSpec": (
        "Volumes[Volume InitContainers[Container Containers[Container EphemeralContainers:p RestartPolicy:s "
        "TerminationGracePeriodSeconds:p ActiveDeadlineSeconds:p DNSPolicy:s NodeSelector:p ServiceAccountName:s "
        "AutomountServiceAccountToken:p NodeName:s SecurityContext*PodSecurityContext ImagePullSecrets[Reference "
        "Hostname:s Subdomain:s SetHostnameAsFQDN:p Affinity:p SchedulerName:s Tolerations[Toleration "
        "HostAliases[HostAlias PriorityClassName:s Priority:p PreemptionPolicy:p DNSConfig:p ReadinessGates:p "
        "RuntimeClassName:p Overhead:p EnableServiceLinks:p TopologySpreadConstraints:p OS:p SchedulingGates:p "
        "ResourceClaims:p Resources:p HostnameOverride:p SchedulingGroup:p"
    ),
    "Container": (
        "Name:s Image:s Command:p Args:p WorkingDir:s Ports[ContainerPort EnvFrom[EnvFromSource Env[EnvVar "
        "Resources(ResourceRequirements ResizePolicy:p RestartPolicy:p RestartPolicyRules:p VolumeMounts[VolumeMount "
        "VolumeDevices:p LivenessProbe*Probe ReadinessProbe*Probe StartupProbe*Probe Lifecycle*Lifecycle "
        "TerminationMessagePath:s TerminationMessagePolicy:s ImagePullPolicy:s SecurityContext*SecurityContext Stdin:b "
        "StdinOnce:b TTY:b"
    ),
    "PodSecurityContext": (
        "HostNetwork:b HostPID:b HostIPC:b ShareProcessNamespace:p HostUsers:p SELinuxOptions:p WindowsOptions:p "
        "RunAsUser:p RunAsGroup:p RunAsNonRoot:p SupplementalGroups:p SupplementalGroupsPolicy:p FSGroup:p "
        "FSGroupChangePolicy:p Sysctls:p SeccompProfile*SeccompProfile AppArmorProfile:p SELinuxChangePolicy:p"
    ),
    "SecurityContext": (
        "Capabilities*Capabilities Privileged:p SELinuxOptions:p WindowsOptions:p RunAsUser:p RunAsGroup:p "
        "RunAsNonRoot:p ReadOnlyRootFilesystem:p AllowPrivilegeEscalation:p ProcMount:p SeccompProfile*SeccompProfile "
        "AppArmorProfile:p"
    ),
    "Capabilities": "Add:p Drop:p",
    "SeccompProfile": "Type:s LocalhostProfile:p",
    "ContainerPort": "Name:s HostPort:i ContainerPort:i Protocol:s HostIP:s",
    "EnvFromSource": "Prefix:s ConfigMapRef*OptionalReference SecretRef*OptionalReference",
    "EnvVar": "Name:s Value:s ValueFrom*EnvVarSource",
    "EnvVarSource": (
        "FieldRef*FieldSelector ResourceFieldRef*ResourceSelector ConfigMapKeyRef*KeySelector SecretKeyRef*KeySelector "
        "FileKeyRef:p"
    ),
    "FieldSelector": "APIVersion:s FieldPath:s",
    "ResourceSelector": "ContainerName:s Resource:s Divisor:s",
    "KeySelector": "Name:s Key:s Optional:p",
    "OptionalReference": "Name:s Optional:p",
    "Reference": "Name:s",
    "ResourceRequirements": "Limits:p Requests:p Claims:p",
    "VolumeMount": "Name:s ReadOnly:b RecursiveReadOnly:p MountPath:s SubPath:s MountPropagation:p SubPathExpr:s",
    "Probe": (
        "Exec*ExecAction HTTPGet*HTTPGetAction TCPSocket*TCPSocketAction GRPC:p InitialDelaySeconds:i TimeoutSeconds:i "
        "PeriodSeconds:i SuccessThreshold:i FailureThreshold:i TerminationGracePeriodSeconds:p"
    ),
    "Lifecycle": "PostStart*Handler PreStop*Handler StopSignal:p",
    "Handler": "Exec*ExecAction HTTPGet*HTTPGetAction TCPSocket*TCPSocketAction Sleep*SleepAction",
    "ExecAction": "Command:p",
    "HTTPGetAction": "Path:s Port:p Host:s Scheme:s HTTPHeaders[HTTPHeader",
    "HTTPHeader": "Name:s Value:s",
    "TCPSocketAction": "Port:p Host:s",
    "SleepAction": "Seconds:i",
    "Toleration": "Key:s Operator:s Value:s Effect:s TolerationSeconds:p",
    "HostAlias": "IP:s Hostnames:p",
    "Volume": (
        "Name:s HostPath*HostPath EmptyDir*EmptyDir GCEPersistentDisk:p AWSElasticBlockStore:p GitRepo:p "
        "Secret*SecretVolume NFS:p ISCSI:p Glusterfs:p PersistentVolumeClaim*ClaimVolume RBD:p Quobyte:p FlexVolume:p "
        "Cinder:p CephFS:p Flocker:p DownwardAPI*DownwardVolume FC:p AzureFile:p ConfigMap*ConfigMapVolume "
        "VsphereVolume:p AzureDisk:p PhotonPersistentDisk:p Projected*ProjectedVolume PortworxVolume:p ScaleIO:p "
        "StorageOS:p CSI:p Ephemeral:p Image:p"
    ),
    "HostPath": "Path:s Type:p",
    "EmptyDir": "Medium:s SizeLimit:p",
    "SecretVolume": "SecretName:s Items[KeyToPath DefaultMode:p Optional:p",
    "ConfigMapVolume": "Name:s Items[KeyToPath DefaultMode:p Optional:p",
    "ClaimVolume": "ClaimName:s ReadOnly:b",
    "DownwardVolume": "Items[DownwardFile DefaultMode:p",
    "ProjectedVolume": "Sources[Projection DefaultMode:p",
    "Projection": (
        "Secret*ProjectedKeys DownwardAPI*ProjectedFields ConfigMap*ProjectedKeys ServiceAccountToken*Token "
        "ClusterTrustBundle:p PodCertificate:p"
    ),
    "ProjectedKeys": "Name:s Items[KeyToPath Optional:p",
    "ProjectedFields": "Items[DownwardFile",
    "Token": "Audience:s ExpirationSeconds:i Path:s",
    "KeyToPath": "Key:s Path:s Mode:p",
    "DownwardFile": "Path:s FieldRef*FieldSelector ResourceFieldRef*ResourceSelector Mode:p",
    "ClaimSpec": (
        "AccessModes:p Selector:p Resources(ClaimResources VolumeName:s StorageClassName:p VolumeMode:p DataSource:p "
        "DataSourceRef:p VolumeAttributesClassName:p"
    ),
    "ClaimResources": "Limits:p Requests:p",
}  # fmt: skip
_NOTHING = {"s": "", "b": False, "i": 0, "p": None}
# Names that do not come from Go's by a lower first letter.
_JSON_NAMES = {
    "DNSPolicy": "dnsPolicy", "DNSConfig": "dnsConfig", "OS": "os", "TTY": "tty", "HTTPGet": "httpGet", "IP": "ip",
    "TCPSocket": "tcpSocket", "HTTPHeaders": "httpHeaders", "APIVersion": "apiVersion", "FSGroup": "fsGroup",
    "FSGroupChangePolicy": "fsGroupChangePolicy", "SELinuxOptions": "seLinuxOptions",
    "SELinuxChangePolicy": "seLinuxChangePolicy",
}  # fmt: skip
# In the pod's security context there, fields of the pod's spec here.
_MOVED = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")


def template(found: Object) -> Object:
    """A pod template."""
    meta = {key: value for key, value in (found.get("metadata") or {}).items() if value}
    return {**meta, "Spec": pod(found.get("spec") or {})}


def pod(spec: Object) -> Object:
    """A pod's spec."""
    moved = {name: spec[name] for name in _MOVED if name in spec}
    context = {**(spec.get("securityContext") or {}), **moved}
    return _struct("PodSpec", {**spec, "securityContext": context})


def pod_difference(old: Object, new: Object) -> str:
    """The diff of two pods' specs."""
    return _difference(pod(old), pod(new))


def claim_difference(old: Object, new: Object) -> str:
    """The diff of two claims' specs."""
    return _difference(_struct("ClaimSpec", old), _struct("ClaimSpec", new))


def _difference(old: Object, new: Object) -> str:
    before, after = (json.dumps(one, indent=1, ensure_ascii=False).splitlines() for one in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]  # without file names
    return "".join(f"{line}\n" for line in lines)


def _struct(name: str, value: Object) -> Object:
    result: Object = {}
    for field in _STRUCTS[name].split():
        mark = next(char for char in field if char in ":(*[")
        go_name, _, kind = field.partition(mark)
        found = value.get(_JSON_NAMES.get(go_name, go_name[0].lower() + go_name[1:]))
        if mark == ":":
            result[go_name] = _NOTHING[kind] if found is None else found
        elif mark == "[":
            result[go_name] = [_struct(kind, entry) for entry in found] if found else None
        elif mark == "(":
            result[go_name] = _struct(kind, found or {})
        else:
            result[go_name] = None if found is None else _struct(kind, found)
    return result
