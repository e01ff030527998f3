"""PersistentVolumeClaims: bound at once to a directory in the stand-in's state.

Here the stand-in differs from a bare Kubernetes and is like most clusters people run: it has a default provisioner.
A claim that names no storage class gets the class ``standard``; one that names another class waits, as Kubernetes
lets it wait.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.cluster.controllers import pods
from include.cluster.controllers.base import Controller, Key
from include.cluster.settings import Settings
from include.cluster.store import Change

if TYPE_CHECKING:
    from include.cluster.registry import Registry

Object = dict[str, Any]

DEFAULT_CLASS = "standard"
PROTECTION = "kubernetes.io/pvc-protection"
_BOUND = "pv.kubernetes.io/bind-completed"


def volume(claim: Object) -> str:
    """The name of the volume made for a claim."""
    return f"pvc-{claim['metadata']['uid']}"


def directory(settings: Settings, claim: Object) -> Path:
    """The directory that holds a claim's data, for as long as the claim is there."""
    return settings.state_dir / "volumes" / volume(claim)


def used_by(pod: Object) -> list[str]:
    """The names of the claims that a pod mounts."""
    found = []
    for entry in pod["spec"].get("volumes") or []:
        if entry.get("persistentVolumeClaim"):
            found.append(entry["persistentVolumeClaim"]["claimName"])
        elif entry.get("ephemeral"):
            found.append(f"{pod['metadata']['name']}-{entry['name']}")
    return found


def obstacle(registry: Registry, pod: Object) -> str:
    """Why the pod's claims keep it from running, in the scheduler's words; empty when they do not."""
    for name in used_by(pod):
        claim = registry.find("persistentvolumeclaims", pod["metadata"]["namespace"], name)
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if claim["metadata"].get("deletionTimestamp"):
            return f'persistentvolumeclaim "{name}" is being deleted'
        if (claim.get("status") or {}).get("phase") != "Bound":
            return "pod has unbound immediate PersistentVolumeClaims"
    return ""


class Claims(Controller):
    """Binds claims, and lets them go when no pod uses them any more."""

    name = "persistentvolume-controller"

    def initial(self) -> Iterable[Key]:
        """All claims."""
        for claim in self.registry.list("persistentvolumeclaims"):
            yield claim["metadata"]["namespace"], claim["metadata"]["name"]

    def observe(self, change: Change) -> None:
        """Claims, and the end of pods that use one."""
        plural, namespace, name = change.key
        if plural == "persistentvolumeclaims":
            if change.type == "DELETED":
                shutil.rmtree(directory(self.settings, change.object), ignore_errors=True)
            else:
                self.enqueue((namespace, name))
        elif plural == "pods" and (change.type == "DELETED" or pods.phase(change.object) in pods.FINISHED):
            for claim in used_by(change.object):
                self.enqueue((namespace, claim))

    async def reconcile(self, key: Key) -> float | None:
        """Binds a claim, says why it waits, or removes its protection."""
        claim = self.registry.find("persistentvolumeclaims", *key)
        if claim is None:
            return None
        if claim["metadata"].get("deletionTimestamp"):
            self._let_go(key, claim)
            return None
        if (claim.get("status") or {}).get("phase") == "Bound":
            return None
        asked = claim["spec"].get("storageClassName")
        if asked not in (None, DEFAULT_CLASS):
            self._wait(claim, asked)
            return None
        if claim["spec"].get("volumeName") not in (None, volume(claim)):
            # It asks for a volume of its own, and there are none but those made here.
            return None
        path = directory(self.settings, claim)
        await asyncio.to_thread(path.mkdir, parents=True, exist_ok=True)
        present = self.registry.find("persistentvolumeclaims", *key)
        if present is None or present["metadata"]["uid"] != claim["metadata"]["uid"]:
            # Deleted while its directory was being made.
            shutil.rmtree(path, ignore_errors=True)
            return None
        self._bind(key, present)
        return None

    def _bind(self, key: Key, claim: Object) -> None:
        def spec(new: Object) -> None:
            new["spec"]["storageClassName"] = DEFAULT_CLASS
            new["spec"]["volumeName"] = volume(claim)
            new["metadata"].setdefault("annotations", {})[_BOUND] = "yes"

        def status(new: Object) -> None:
            new["status"] = {
                "phase": "Bound",
                "accessModes": list(new["spec"].get("accessModes") or []),
                "capacity": dict((new["spec"].get("resources") or {}).get("requests") or {}),
            }

        self.registry.edit("persistentvolumeclaims", *key, spec, manager=self.name)
        self.registry.edit("persistentvolumeclaims", *key, status, manager=self.name, subresource="status")
        text = f"Successfully provisioned volume {volume(claim)}"
        self.registry.event(claim, "Normal", "ProvisioningSucceeded", text, component=self.name)

    def _wait(self, claim: Object, asked: str) -> None:
        if asked:
            text = f'storageclass.storage.k8s.io "{asked}" not found'
            self.registry.event(claim, "Warning", "ProvisioningFailed", text, component=self.name)
        else:
            text = "no persistent volumes available for this claim and no storage class is set"
            self.registry.event(claim, "Normal", "FailedBinding", text, component=self.name)

    def _let_go(self, key: Key, claim: Object) -> None:
        namespace, name = key
        for pod in self.registry.list("pods", namespace):
            if pods.phase(pod) not in pods.FINISHED and pod["spec"].get("nodeName") and name in used_by(pod):
                return

        def change(new: Object) -> None:
            rest = [entry for entry in new["metadata"].get("finalizers") or [] if entry != PROTECTION]
            new["metadata"]["finalizers"] = rest

        if PROTECTION in (claim["metadata"].get("finalizers") or []):
            self.registry.edit("persistentvolumeclaims", *key, change, manager=self.name)
