"""What Kubernetes itself says of an end: tables of its reasons, and what each means here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from include.restarts.cause.events import Event, exactly_then
from include.restarts.cause.rules import Rules
from include.restarts.cause.status import Container, Death
from include.restarts.facts import Cause

IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
MAKING_REASONS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreStartHookError",
        "PreCreateHookError",
        "StartError",
        "ContainerCannotRun",
    }
)
NODE_REASONS = frozenset({"Unknown", "ContainerStatusUnknown", "NodeLost"})
"""Reasons of a death: the runtime lost the process, as after a reboot of the node."""
POD_NODE_REASONS = frozenset(
    {
        "Evicted",
        "Preempting",
        "Preempted",
        "NodeLost",
        "NodeShutdown",
        "Shutdown",
        "Terminated",
        "NodeAffinity",
        "UnexpectedAdmissionError",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
        "OutOfephemeral-storage",
    }
)
NODE_EVENTS = frozenset(
    {
        "Evicted",
        "Preempted",
        "Preempting",
        "NodeNotReady",
        "NodeShutdown",
        "TaintManagerEviction",
        "SandboxChanged",
        "Rebooted",
    }
)
SIGNALS = {
    129: "HUP", 130: "INT", 131: "QUIT", 132: "ILL", 133: "TRAP", 134: "ABRT", 135: "BUS", 136: "FPE", 137: "KILL",
    138: "USR1", 139: "SEGV", 140: "USR2", 141: "PIPE", 142: "ALRM", 143: "TERM", 152: "XCPU", 153: "XFSZ", 159: "SYS",
}  # fmt: skip
"""Exit codes of a process that a signal ended: 128 and the signal's number."""
ABORT = 134
"""A runtime's own way to end after an error that nobody caught: its words come first."""

_OOM = re.compile(r"OOM-killed|out of memory|cannot allocate memory", re.IGNORECASE)
_NODE = re.compile(
    r"context deadline exceeded|failed to reserve (container|sandbox) name|no space left on device|"
    r"device or resource busy|\bcni\b|failed to (setup|set up) network|connection error: desc|code = Unavailable|"
    r"input/output error|failed to create shim task: .*(timed out|deadline)",
    re.IGNORECASE,
)
_NODE_SCHEDULING = re.compile(
    r"untolerated taint \{node\.kubernetes\.io/(not-ready|unreachable|unschedulable|disk-pressure|memory-pressure)|"
    r"were unschedulable"
)
"""Nodes that take no pods just now; else it is the pod that asks for what no node has."""
_CONFIG_MOUNT = re.compile(
    r"not found|references non-existent|forbidden|invalid|is not a directory|no such file"
)


@dataclass(frozen=True)
class Verdict:
    """A cause, and Kubernetes' own words for it."""

    cause: Cause
    evidence: str
    alternatives: tuple[Cause, ...] = ()


def taken_by_node(pod: dict[str, Any], events: list[Event], container: Container) -> Verdict | None:
    """Eviction, preemption, a node that went away: the pod's own status, or events at the time of the death."""
    status = pod.get("status") or {}
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "").strip()
    if reason in POD_NODE_REASONS:
        return Verdict("node", f"pod {reason}: {message}")
    for each in status.get("conditions") or []:
        if each.get("type") == "DisruptionTarget" and each.get("status") == "True":
            return Verdict("node", f"{each.get('reason', 'DisruptionTarget')}: {each.get('message', '')}")
    death = container.death
    if death and death.reason in NODE_REASONS:
        return Verdict(
            "node", f"{death.reason}, exit code {death.exit_code}: {death.message or 'the process was lost'}"
        )
    if death is None or (death.exit_code not in SIGNALS and death.exit_code not in (0, 255)):
        return None
    found = next((each for each in events if each.reason in NODE_EVENTS and exactly_then(each, death)), None)
    return Verdict("node", f"{found.reason}: {found.message}") if found else None


def not_made(container: Container, events: list[Event], rules: Rules) -> Verdict | None:
    """The container could not be made or started: image, settings, command."""
    reason, message = container.waiting, container.waiting_message
    if reason in IMAGE_REASONS:
        return Verdict("image", f"{reason}: {message}")
    if reason == "PostStartHookError":
        return _hook(message, rules)
    death = container.death
    if reason in MAKING_REASONS or (death and death.reason in MAKING_REASONS):
        said = (death.message if death and death.reason in MAKING_REASONS else "") or message
        return _making(reason if reason in MAKING_REASONS else (death.reason if death else ""), said)
    if death is None and reason in ("ContainerCreating", "PodInitializing", ""):
        return _still_waiting(events)
    return None


def _hook(message: str, rules: Rules) -> Verdict:
    pattern = rules.first(message)
    other: Cause = "network" if pattern and pattern.cause == "network" else "application"
    return Verdict("config", f"PostStartHookError: {message}", (other,))


def _making(reason: str, message: str) -> Verdict:
    evidence = f"{reason}: {message}"
    if _OOM.search(message):
        return Verdict("oom", evidence, ("config",))
    if _NODE.search(message):
        return Verdict("node", evidence, ("config",))
    return Verdict("config", evidence)


def _still_waiting(events: list[Event]) -> Verdict | None:
    for each in reversed(events):
        evidence = f"{each.reason}: {each.message}"
        if each.reason == "FailedScheduling":
            return Verdict("node" if _NODE_SCHEDULING.search(each.message) else "config", evidence)
        if each.reason in ("FailedMount", "FailedAttachVolume", "FailedMapVolume"):
            cause: Cause = "config" if _CONFIG_MOUNT.search(each.message) else "node"
            return Verdict(cause, evidence, ("node",) if cause == "config" else ("config",))
        if each.reason in ("FailedCreatePodSandBox", "FailedCreatePodContainer", "FailedPodSandBoxStatus"):
            if _OOM.search(each.message):
                return Verdict("config", evidence, ("oom",))
            return Verdict("node", evidence, ("config",))
        if each.reason in ("Failed", "InspectFailed") and re.search(r"image|ErrImage|pull", each.message):
            return Verdict("image", evidence)
    return None


def signal_name(death: Death) -> str:
    """``SIGKILL`` for 137; empty for an exit code that no signal makes."""
    return f"SIG{SIGNALS[death.exit_code]}" if death.exit_code in SIGNALS else ""
