"""UpCommerce, Swype and the gateway, installed in a namespace of a cluster; what tests do with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import yaml

from include.payments.shop import read_answer
from include.release.kube import Cluster
from include.release.pressed import NOTE_PRESSED
from tests.standin import ROOT, make_namespace

MANIFESTS = ROOT / "include" / "shop" / "manifests" / "upcommerce"


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """The condition's first true value."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


class UpCommerce:
    """The three programs in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        make_namespace(cluster, namespace)
        for name in ("gateway", "swype", "upcommerce"):
            for manifest in yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text()):
                if manifest["kind"] == "Deployment":
                    spec = manifest["spec"]["template"]["spec"]
                    spec["containers"][0]["readinessProbe"]["periodSeconds"] = 1
                    del spec["containers"][0]["lifecycle"]
                cluster.apply(manifest, namespace, manager="tests", force=True)
        for name in ("gateway", "swype", "upcommerce"):
            self.ready(f"{name}-app")

    def ready(self, deployment: str) -> None:
        """Wait until a Deployment is there."""

        def available() -> bool:
            found = self.cluster.get("Deployment", self.namespace, deployment) or {}
            return bool((found.get("status") or {}).get("availableReplicas"))

        wait_for(available, f"{deployment} is ready")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask UpCommerce."""
        reply = self.cluster.ask_service(
            self.namespace, "upcommerce-service", 5000, path, method=method, body=body
        )
        assert reply.status < 300, reply
        return yaml.safe_load(reply.text)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control port of the gateway."""
        reply = self.cluster.ask_service(
            self.namespace, "gateway-service", 5011, path, method=method, body=body
        )
        assert reply.status == 200, reply
        return yaml.safe_load(reply.text)

    def mode(self, mode: str) -> None:
        """Break the gateway, or mend it."""
        self.control("POST", "/mode", {"mode": mode})

    def order(self, name: str, cents: int) -> None:
        """Pay for an order."""
        self.call("POST", "/payments", {"order": name, "amount_cents": cents})

    def states(self) -> dict[str, str]:
        """The state of each order's payment."""
        return {each["order_name"]: each["state"] for each in self.call("GET", "/payments")["payments"]}

    def state(self, name: str) -> str:
        """Of one."""
        return self.states()[name]

    def reason(self, name: str) -> str:
        """Why one is in its state."""
        found = {each["order_name"]: each["reason"] for each in self.call("GET", "/payments")["payments"]}
        return str(found[name])

    def counts(self) -> dict[str, int]:
        """Payments per state."""
        states = read_answer(self.call("GET", "/queue")).states
        return {name: each.payments for name, each in states.items() if each.payments}

    def charges(self) -> list[str]:
        """The orders that were charged, by the gateway's own book; one name per charge."""
        orders = {
            each["charge_key"]: each["order_name"] for each in self.call("GET", "/payments")["payments"]
        }
        return sorted(orders[each["key"]] for each in self.control("GET", "/charges")["charges"])

    def press(self, note: str = '{"run": "swype_guard/run-1", "reason": "network failure"}') -> None:
        """Scale swype to zero, with the note."""
        change = {"metadata": {"annotations": {NOTE_PRESSED: note}}, "spec": {"replicas": 0}}
        self.cluster.patch("Deployment", self.namespace, "swype-app", change)

        def gone() -> bool:
            return not self.cluster.list("Pod", self.namespace, labels="app=swype-app")

        wait_for(gone, "swype is gone")
        time.sleep(1.5)  # the rules that send connections to it go a moment later

    def rearm(self) -> None:
        """Bring swype back."""
        change = {"metadata": {"annotations": {NOTE_PRESSED: None}}, "spec": {"replicas": 1}}
        self.cluster.patch("Deployment", self.namespace, "swype-app", change)
        self.ready("swype-app")
