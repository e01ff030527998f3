"""EndpointSlices and Endpoints: the pods behind each service, for whoever asks the API.

The stand-in's own proxy does not read them: it looks at the pods themselves, as late as if it did.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from include.cluster.controllers import owners, services
from include.cluster.controllers.base import Controller, Key
from include.cluster.controllers.services import Backend
from include.cluster.errors import ApiError
from include.cluster.registry.options import DeleteOptions, WriteOptions
from include.cluster.store import Change

Object = dict[str, Any]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

SERVICE_NAME = "kubernetes.io/service-name"
_SLICE_MANAGER = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
_MANAGER = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
_HEADLESS = "service.kubernetes.io/headless"
_RESERVED = (SERVICE_NAME, *_SLICE_MANAGER, _HEADLESS)


class Endpoints(Controller):
    """The endpointslice controller and the endpoints controller in one."""

    name = "endpoint-controller"
    manager = "kube-controller-manager"

    def initial(self) -> Iterable[Key]:
        """All services, and what is left of those that went unnoticed."""
        for plural in ("services", "endpoints"):
            for obj in self.registry.list(plural):
                if plural == "services" or _MANAGER.items() <= (obj["metadata"].get("labels") or {}).items():
                    yield obj["metadata"]["namespace"], obj["metadata"]["name"]

    def observe(self, change: Change) -> None:
        """Services, the pods they select or selected, and what others do to what is written here."""
        plural, namespace, name = change.key
        if plural == "services" or (plural == "endpoints" and change.type == "DELETED"):
            self.enqueue((namespace, name))
        elif plural == "endpointslices":
            labels = change.object["metadata"].get("labels") or {}
            if _SLICE_MANAGER.items() <= labels.items() and labels.get(SERVICE_NAME):
                self.enqueue((namespace, labels[SERVICE_NAME]))
        elif plural == "pods":
            self._pod(change)

    def _pod(self, change: Change) -> None:
        if not services.concerns(change):
            return
        seen = [obj["metadata"].get("labels") for obj in (change.old, change.object) if obj]
        for service in self.registry.list("services", change.key[1]):
            if any(services.selects(service, labels) for labels in seen):
                self.enqueue((change.key[1], service["metadata"]["name"]))

    async def reconcile(self, key: Key) -> float | None:
        """Writes what is not as it should be. A service without a selector is left to its owner."""
        service = self.registry.find("services", *key)
        if service is None:
            # Its slices name it as their owner: the garbage collector takes them.
            self._delete("endpoints", self.registry.find("endpoints", *key))
            return None
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return None
        found = services.backends(service, self.registry.list("pods", key[0]))
        self._slices(service, found)
        self._endpoints(service, found)
        return None

    def _slices(self, service: Object, found: list[Backend]) -> None:
        wanted = slices(service, found)
        present = [
            one
            for one in self.index.controlled("endpointslices", service["metadata"]["uid"])
            if not one["metadata"].get("deletionTimestamp")
        ]
        fixed = {
            "generateName": f"{service['metadata']['name']}-",
            "ownerReferences": [owners.controller_reference(service)],
        }
        for body in wanted:
            # A slice with these ports goes on; one with ports that nobody has any more is used for others.
            same = [one for one in present if one.get("ports") == body["ports"]]
            spare = [one for one in present if all(one.get("ports") != other["ports"] for other in wanted)]
            chosen = next(iter([*same, *spare]), None)
            if chosen is not None:
                present.remove(chosen)
            self._write("endpointslices", service, chosen, fixed, {"labels": _slice_labels(service)}, body)
        for one in present:
            self._delete("endpointslices", one)

    def _endpoints(self, service: Object, found: list[Backend]) -> None:
        name = service["metadata"]["name"]
        present = self.registry.find("endpoints", service["metadata"]["namespace"], name)
        labels = {**_service_labels(service, (_HEADLESS,)), **_MANAGER}
        body = {"subsets": subsets(service, found)}
        self._write("endpoints", service, present, {"name": name}, {"labels": labels}, body)

    def _write(
        self, plural: str, service: Object, present: Object | None, fixed: Object, meta: Object, body: Object
    ) -> None:
        """Creates an object with ``fixed`` in its metadata, or keeps ``meta`` and ``body`` of one up to date."""
        namespace = service["metadata"]["namespace"]
        if present is not None:

            def change(new: Object) -> None:
                new["metadata"].update(meta)
                new.update(body)
                for name in [name for name, value in body.items() if value == []]:
                    del new[name]

            self.registry.edit(plural, namespace, present["metadata"]["name"], change, manager=self.manager)
            return
        if service["metadata"].get("deletionTimestamp"):
            # The garbage collector may be taking away what would be made anew here.
            return
        made = {"metadata": {**fixed, **meta}, **{name: value for name, value in body.items() if value != []}}
        try:
            self.registry.create(plural, namespace, made, WriteOptions(manager=self.manager, trusted=True))
        except ApiError as error:
            causes = (error.details or {}).get("causes") or []
            if not any(cause["reason"] == "NamespaceTerminating" for cause in causes):
                raise

    def _delete(self, plural: str, obj: Object | None) -> None:
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            return
        meta = obj["metadata"]
        self.registry.delete(
            plural, meta["namespace"], meta["name"], DeleteOptions("Background", uid=meta["uid"])
        )


def slices(service: Object, found: list[Backend]) -> list[Object]:
    """The EndpointSlices of a service without their metadata: one for each set of ports that pods have.

    With no pod there still is one, which says so.
    """
    groups: list[tuple[list[Object], list[Object]]] = []
    for backend in found:
        ports = _ports(service, backend.pod)
        if ports or not service["spec"].get("ports"):
            _add(groups, ports, _endpoint(service, backend))
    # What is empty is null there: stored, Go makes no difference between the two.
    written = [{"endpoints": members, "ports": ports or None} for ports, members in groups]
    return [{"addressType": "IPv4", **one} for one in written or [{"endpoints": None, "ports": None}]]


def subsets(service: Object, found: list[Backend]) -> list[Object]:
    """The subsets of a service's Endpoints: ports that the same pods have are together, and so are their pods."""
    unready = bool(service["spec"].get("publishNotReadyAddresses"))
    behind: list[tuple[Object, list[Backend]]] = []
    for backend in sorted(found, key=lambda one: one.address):
        if backend.terminating and not unready:
            continue
        portless: list[Object] = [] if service["spec"].get("ports") else [{}]
        for port in _ports(service, backend.pod) or portless:
            _add(behind, port, backend)
    groups: list[tuple[list[Backend], list[Object]]] = []
    for port, members in behind:
        _add(groups, members, {name: value for name, value in port.items() if value != ""})
    made = []
    for members, ports in groups:
        parts = {
            "addresses": [_address(service, one) for one in members if one.ready],
            "notReadyAddresses": [_address(service, one) for one in members if not one.ready],
            "ports": [port for port in ports if port],
        }
        made.append({name: value for name, value in parts.items() if value})
    return made


def _add(groups: list[tuple[_Key, list[_Value]]], key: _Key, value: _Value) -> None:
    """Puts a value to those with the same key; keys need not be hashable."""
    for known, values in groups:
        if known == key:
            values.append(value)
            return
    groups.append((key, [value]))


def _ports(service: Object, pod: Object) -> list[Object]:
    """The ports of the service that the pod has, by the pod's numbers."""
    found = []
    for port in service["spec"].get("ports") or []:
        number = services.target_port(pod, port)
        if number is not None:
            entry = {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
            found.append(
                {**entry, **({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})}
            )
    return found


def _endpoint(service: Object, backend: Backend) -> Object:
    conditions = {"ready": backend.ready, "serving": backend.serving, "terminating": backend.terminating}
    return {"addresses": [backend.address], "conditions": conditions, **_who(service, backend.pod)}


def _address(service: Object, backend: Backend) -> Object:
    return {"ip": backend.address, **_who(service, backend.pod)}


def _who(service: Object, pod: Object) -> Object:
    meta, spec = pod["metadata"], pod["spec"]
    found: Object = {}
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        found["hostname"] = spec["hostname"]
    if spec.get("nodeName"):
        found["nodeName"] = spec["nodeName"]
    target = {name: meta[name] for name in ("namespace", "name", "uid")}
    return {**found, "targetRef": {"kind": "Pod", **target}}


def _service_labels(service: Object, without: Iterable[str]) -> dict[str, str]:
    labels = service["metadata"].get("labels") or {}
    kept = {key: value for key, value in labels.items() if key not in without}
    return {**kept, **({_HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {})}


def _slice_labels(service: Object) -> dict[str, str]:
    own = {SERVICE_NAME: service["metadata"]["name"], **_SLICE_MANAGER}
    return {**_service_labels(service, _RESERVED), **own}
