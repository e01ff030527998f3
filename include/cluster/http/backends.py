"""Where a proxied request to a pod or a service goes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from include.cluster.controllers import services
from include.cluster.errors import ApiError, bad_request, not_found
from include.cluster.registry import Registry

Object = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """The address of one backend."""

    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """Host and port: ``127.1.2.3:8080``."""
        return f"{self.host}:{self.port}"


def split(name: str) -> tuple[str, str, str]:
    """``[scheme:]name[:port]`` in its parts.

    Raises:
        ApiError: 400.
    """
    parts = name.split(":")
    if len(parts) == 1:
        return "http", parts[0], ""
    if len(parts) == 2:
        return "http", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in ("", "http", "https"):
        return parts[0] or "http", parts[1], parts[2]
    raise bad_request(f'invalid request "{name}"')


def pod_target(registry: Registry, namespace: str, name: str) -> Target:
    """The pod's own address, and the port named or its first.

    Raises:
        ApiError: 404 when there is no such pod, 400 when it has no address yet.
    """
    scheme, pod_name, port = split(name)
    pod = registry.get("pods", namespace, pod_name)
    if not port:
        port = next(
            (
                str(one["containerPort"])
                for container in pod["spec"]["containers"]
                for one in container.get("ports") or []
            ),
            "443" if scheme == "https" else "80",
        )
    host = (pod.get("status") or {}).get("podIP")
    if not host:
        raise bad_request("address not allowed")
    if not port.isdigit():
        # As on Kubernetes, a pod's proxy takes numbers; names are for services.
        raise unavailable(f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")
    return Target(scheme, host, int(port))


def service_target(registry: Registry, namespace: str, name: str) -> Target:
    """One of the service's ready pods, at the port asked for by number or name.

    Raises:
        ApiError: 404 when there is no such service, 503 when it has no such port or no ready pod.
    """
    scheme, service_name, wanted = split(name)
    service = registry.get("services", namespace, service_name)
    if not service["spec"].get("selector"):
        raise not_found("services", "", service_name)  # it has no endpoints, in Kubernetes' words
    port = services.find_port(service, wanted)
    if port is None:
        if wanted.isdigit():
            raise unavailable(f'no service port {wanted} found for service "{service_name}"')
        raise unavailable(f'no endpoints available for service "{name}"')
    found = services.addresses(service, port, registry.list("pods", namespace))
    if not found:
        raise unavailable(f'no endpoints available for service "{service_name}"')
    return Target(scheme, *random.choice(found))  # noqa: S311 - any of them will do


def unavailable(message: str) -> ApiError:
    """503."""
    return ApiError(503, "ServiceUnavailable", message)
