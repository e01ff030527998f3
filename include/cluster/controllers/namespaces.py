"""Namespaces: what each one has from the start, and emptying those that are deleted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from include.cluster.controllers.base import Controller, Key
from include.cluster.errors import ApiError
from include.cluster.registry.options import DeleteOptions, WriteOptions
from include.cluster.resources import RESOURCES
from include.cluster.store import Change

Object = dict[str, Any]

BUILT_IN = ("default", "kube-node-lease", "kube-public", "kube-system")
ROOT_CA = "kube-root-ca.crt"
_ACCOUNT = "default"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
)


class Namespaces(Controller):
    """The namespace controller, with the parts of those for service accounts and the root CA."""

    name = "namespace-controller"

    def initial(self) -> Iterable[Key]:
        """All namespaces; the built-in ones are made when they are missing."""
        for name in BUILT_IN:
            if self.registry.find("namespaces", "", name) is None:
                self.registry.create("namespaces", "", {"metadata": {"name": name}})
        for namespace in self.registry.list("namespaces"):
            yield "", namespace["metadata"]["name"]

    def observe(self, change: Change) -> None:
        """Namespaces, what each has to have, and all content of those on their way out."""
        plural, namespace, name = change.key
        if plural == "namespaces":
            if change.type != "DELETED":
                self.enqueue(("", name))
        elif change.type == "DELETED" and namespace and self._concerned(plural, namespace, name):
            self.enqueue(("", namespace))

    def _concerned(self, plural: str, namespace: str, name: str) -> bool:
        if (plural, name) in (("serviceaccounts", _ACCOUNT), ("configmaps", ROOT_CA)):
            return True
        found = self.registry.find("namespaces", "", namespace)
        return found is not None and bool(found["metadata"].get("deletionTimestamp"))

    async def reconcile(self, key: Key) -> float | None:
        """Furnishes a namespace, or empties it."""
        namespace = self.registry.find("namespaces", "", key[1])
        if namespace is None:
            return None
        if not namespace["metadata"].get("deletionTimestamp"):
            self._furnish(key[1])
            return None
        if self._empty(key[1]):
            self.registry.edit("namespaces", "", key[1], _finalize, manager=self.name, subresource="finalize")
        return None

    def _furnish(self, name: str) -> None:
        if self.registry.find("serviceaccounts", name, _ACCOUNT) is None:
            self._create("serviceaccounts", name, {"metadata": {"name": _ACCOUNT}})
        authority = self.settings.state_dir / "tls" / "ca.crt"
        if self.registry.find("configmaps", name, ROOT_CA) is None and authority.exists():
            meta = {"name": ROOT_CA, "annotations": {"kubernetes.io/description": _DESCRIPTION}}
            self._create("configmaps", name, {"metadata": meta, "data": {"ca.crt": authority.read_text()}})

    def _create(self, plural: str, namespace: str, obj: Object) -> None:
        options = WriteOptions(manager="kube-controller-manager", trusted=True)
        self.registry.create(plural, namespace, obj, options)

    def _empty(self, name: str) -> bool:
        """Begins the deletion of all that is left. Returns whether nothing is."""
        left = False
        for plural, resource in RESOURCES.items():
            if not resource.namespaced:
                continue
            for obj in self.registry.list(plural, name):
                if not obj["metadata"].get("deletionTimestamp"):
                    self._delete(plural, obj)
                left = left or self.registry.find(plural, name, obj["metadata"]["name"]) is not None
        return not left

    def _delete(self, plural: str, obj: Object) -> None:
        meta = obj["metadata"]
        try:
            self.registry.delete(plural, meta["namespace"], meta["name"], DeleteOptions("Background"))
        except ApiError as error:
            if error.code != 404:
                raise


def _finalize(namespace: Object) -> None:
    rest = [entry for entry in namespace["spec"].get("finalizers") or [] if entry != "kubernetes"]
    if rest:
        namespace["spec"]["finalizers"] = rest
    else:
        namespace["spec"].pop("finalizers", None)
