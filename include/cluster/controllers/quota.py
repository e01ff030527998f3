"""ResourceQuotas: refusing pods beyond what a namespace may use, and telling what is used."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.cluster.controllers import pods
from include.cluster.controllers.base import Controller, Key
from include.cluster.errors import ApiError, forbidden
from include.cluster.resources import RESOURCES
from include.cluster.rules import quantity
from include.cluster.store import Change

if TYPE_CHECKING:
    from include.cluster.registry import Registry

Object = dict[str, Any]
Amounts = dict[str, Decimal]

_COMPUTE = {
    "cpu": ("requests", "cpu"),
    "requests.cpu": ("requests", "cpu"),
    "limits.cpu": ("limits", "cpu"),
    "memory": ("requests", "memory"),
    "requests.memory": ("requests", "memory"),
    "limits.memory": ("limits", "memory"),
}
_PODS = ("pods", "count/pods")


def admit(registry: Registry, pod: Object) -> ApiError | None:
    """The refusal of a new pod that a quota of its namespace does not allow; None when all allow it."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    for quota in registry.list("resourcequotas", namespace):
        if not _in_scope(quota, pod):
            continue
        hard = {key: quantity.parse(value) for key, value in (quota["spec"].get("hard") or {}).items()}
        title = quota["metadata"]["name"]
        missing = _missing(hard, pod)
        if missing:
            return forbidden("pods", "", name, f"failed quota: {title}: must specify {missing}")
        asked = {key: amount for key, amount in _of_pod(pod, hard).items() if amount > 0}
        used = _used(registry, quota, asked)
        over = sorted(key for key, amount in asked.items() if used[key] + amount > hard[key])
        if over:
            why = (
                f"exceeded quota: {title}, requested: {_texts(asked, over)}, used: {_texts(used, over)}, "
                f"limited: {_texts(hard, over)}"
            )
            return forbidden("pods", "", name, why)
    return None


class ResourceQuotas(Controller):
    """Keeps ``status.hard`` and ``status.used`` of quotas up to date."""

    name = "resourcequota-controller"

    def initial(self) -> Iterable[Key]:
        """All quotas."""
        for quota in self.registry.list("resourcequotas"):
            yield quota["metadata"]["namespace"], quota["metadata"]["name"]

    def observe(self, change: Change) -> None:
        """Quotas, and what comes and goes in a namespace that has one."""
        plural, namespace, name = change.key
        if plural == "resourcequotas":
            if change.type != "DELETED":
                self.enqueue((namespace, name))
        elif namespace and plural != "events" and (change.type != "MODIFIED" or _ended(change)):
            for quota in self.registry.list("resourcequotas", namespace):
                self.enqueue((namespace, quota["metadata"]["name"]))

    async def reconcile(self, key: Key) -> float | None:
        """Counts, and writes the status."""
        quota = self.registry.find("resourcequotas", *key)
        if quota is None:
            return None
        hard = dict(quota["spec"].get("hard") or {})
        counted = _used(self.registry, quota, hard)
        used = {name: _text(counted[name], name) for name in hard if name in counted}
        self.registry.edit(
            "resourcequotas",
            *key,
            lambda new: new.update(status={"hard": hard, "used": used}),
            manager=self.name,
            subresource="status",
        )
        return None


def _ended(change: Change) -> bool:
    """Whether a pod has just finished: from then on it uses nothing."""
    return (
        change.key[0] == "pods"
        and change.old is not None
        and pods.phase(change.old) not in pods.FINISHED
        and pods.phase(change.object) in pods.FINISHED
    )


def _used(registry: Registry, quota: Object, names: Iterable[str]) -> Amounts:
    """What the namespace uses of each named resource that can be counted here."""
    namespace, wanted = quota["metadata"]["namespace"], set(names)
    used = {name: Decimal(0) for name in wanted if name in _PODS or name in _COMPUTE}
    if used:
        for pod in registry.list("pods", namespace):
            if pods.phase(pod) in pods.FINISHED or not _in_scope(quota, pod):
                continue
            for name, amount in _of_pod(pod, used).items():
                used[name] += amount
    for name in wanted - set(used):
        plural = name.removeprefix("count/").partition(".")[0]
        if plural in RESOURCES and RESOURCES[plural].namespaced:
            used[name] = Decimal(len(registry.list(plural, namespace)))
        elif name == "requests.storage":
            claims = registry.list("persistentvolumeclaims", namespace)
            asked = [
                ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0")
                for claim in claims
            ]
            used[name] = sum((quantity.parse(one) for one in asked), Decimal(0))
    return used


def _of_pod(pod: Object, names: Iterable[str]) -> Amounts:
    found: Amounts = {}
    for name in names:
        if name in _PODS:
            found[name] = Decimal(1)
        elif name in _COMPUTE:
            found[name] = _compute(pod, *_COMPUTE[name])
    return found


def _compute(pod: Object, kind: str, resource: str) -> Decimal:
    def amount(container: Object) -> Decimal:
        return quantity.parse(((container.get("resources") or {}).get(kind) or {}).get(resource, "0"))

    inits = pod["spec"].get("initContainers") or []
    sidecars = sum((amount(one) for one in inits if one.get("restartPolicy") == "Always"), Decimal(0))
    running = sum((amount(one) for one in pod["spec"].get("containers", [])), Decimal(0)) + sidecars
    return max([running, *(amount(one) for one in inits if one.get("restartPolicy") != "Always")])


def _missing(hard: Amounts, pod: Object) -> str:
    """Which containers leave out what a quota counts, as Kubernetes lists them."""
    lacking = []
    for name in sorted(set(hard) & set(_COMPUTE)):
        kind, resource = _COMPUTE[name]
        containers = [*pod["spec"].get("containers", []), *(pod["spec"].get("initContainers") or [])]
        without = sorted(
            one["name"]
            for one in containers
            if resource not in ((one.get("resources") or {}).get(kind) or {})
        )
        if without:
            lacking.append(f"{name} for: {','.join(without)}")
    return "; ".join(lacking)


def _in_scope(quota: Object, pod: Object) -> bool:
    best_effort = (pod.get("status") or {}).get("qosClass") == "BestEffort"
    ends = pod["spec"].get("activeDeadlineSeconds") is not None
    holds = {
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
        "Terminating": ends,
        "NotTerminating": not ends,
    }
    return all(holds.get(scope, True) for scope in quota["spec"].get("scopes") or [])


def _texts(amounts: Amounts, names: list[str]) -> str:
    return ",".join(f"{name}={_text(amounts[name], name)}" for name in names)


def _text(amount: Decimal, name: str) -> str:
    binary = "memory" in name or "storage" in name
    return quantity.format_value(amount, "binary" if binary else "decimal")
