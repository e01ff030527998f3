"""A container's environment, its command, and where ``$(NAME)`` in them is replaced."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from include.cluster.node.fields import FieldError, field_value, resource_value
from include.cluster.registry import Registry

Object = dict[str, Any]

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")
_DEFAULT_PATH = "/opt/standin/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ConfigError(Exception):
    """The container cannot be configured (CreateContainerConfigError); worded as the kubelet's."""


@dataclass(frozen=True)
class Place:
    """Where a pod runs: its address, and the API server it finds in its environment."""

    address: str
    host: str
    api_host: str
    api_port: int


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replaces ``$(NAME)``; an unknown name stays as it is, ``$$`` is one dollar sign."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else values.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


def service_variables(registry: Registry, pod: Object, place: Place) -> dict[str, str]:
    """``{NAME}_SERVICE_HOST`` and what else Kubernetes sets for each service of the namespace."""
    found = _of_service("KUBERNETES", place.api_host, [{"name": "https", "port": place.api_port}])
    if pod["spec"].get("enableServiceLinks") is False:
        return found
    for service in registry.list("services", pod["metadata"]["namespace"]):
        spec = service["spec"]
        address = spec.get("clusterIP")
        if not address or address == "None" or not spec.get("ports"):
            continue
        name = service["metadata"]["name"].upper().replace("-", "_")
        found |= _of_service(name, address, spec["ports"])
    return found


def _of_service(name: str, address: str, ports: list[Object]) -> dict[str, str]:
    first = ports[0]
    found = {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(first["port"])}
    for port in ports:
        if port.get("name"):
            found[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    for index, port in enumerate(ports):
        protocol = port.get("protocol", "TCP").lower()
        url = f"{protocol}://{address}:{port['port']}"
        prefix = f"{name}_PORT_{port['port']}_{protocol.upper()}"
        if index == 0:
            found[f"{name}_PORT"] = url
        found |= {
            prefix: url,
            f"{prefix}_PROTO": protocol,
            f"{prefix}_PORT": str(port["port"]),
            f"{prefix}_ADDR": address,
        }
    return found


class Environment:
    """Works out the environment of one container.

    Args:
        registry: where ConfigMaps, Secrets and services are.
        pod: the pod.
        place: where it runs.
    """

    def __init__(self, registry: Registry, pod: Object, place: Place) -> None:
        self._registry = registry
        self._pod = pod
        self._place = place
        self._namespace = pod["metadata"]["namespace"]

    def of(self, container: Object, image_env: list[str], uid: int) -> dict[str, str]:
        """The whole environment; later sources win: image, services, envFrom, env.

        Raises:
            ConfigError: a ConfigMap, Secret or key that is not optional is missing.
        """
        services = service_variables(self._registry, self._pod, self._place)
        own: dict[str, str] = {}
        for source in container.get("envFrom") or []:
            own |= self._all_of(source)
        for entry in container.get("env") or []:
            value = self._value(entry, container["name"], {**services, **own})
            if value is not None:
                own[entry["name"]] = value
        base = {
            "PATH": _DEFAULT_PATH,
            "HOME": "/root" if uid == 0 else "/",
            "HOSTNAME": self._pod["metadata"]["name"],
        }
        image = dict(entry.split("=", 1) for entry in image_env)
        return base | image | services | own

    def _all_of(self, source: Object) -> dict[str, str]:
        prefix = source.get("prefix", "")
        if "configMapRef" in source:
            data = self._config_map(source["configMapRef"])
        else:
            data = self._secret(source.get("secretRef") or {})
        return {prefix + key: value for key, value in (data or {}).items()}

    def _config_map(self, reference: Object) -> dict[str, str] | None:
        found = self._registry.find("configmaps", self._namespace, reference["name"])
        if found is None:
            if reference.get("optional"):
                return None
            raise ConfigError(f'configmap "{reference["name"]}" not found')
        return dict(found.get("data") or {})

    def _secret(self, reference: Object) -> dict[str, str] | None:
        found = self._registry.find("secrets", self._namespace, reference["name"])
        if found is None:
            if reference.get("optional"):
                return None
            raise ConfigError(f'secret "{reference["name"]}" not found')
        data = found.get("data") or {}
        return {key: base64.b64decode(value).decode(errors="surrogateescape") for key, value in data.items()}

    def _value(self, entry: Object, container: str, known: Mapping[str, str]) -> str | None:
        source = entry.get("valueFrom")
        if not source:
            return expand(entry.get("value") or "", known)
        if "fieldRef" in source or "resourceFieldRef" in source:
            return self._own_value(source, container)
        if "configMapKeyRef" in source:
            return self._key(source["configMapKeyRef"], self._config_map, "ConfigMap")
        if "secretKeyRef" in source:
            return self._key(source["secretKeyRef"], self._secret, "Secret")
        raise ConfigError(f'env variable "{entry["name"]}" has a source that is not served here')

    def _own_value(self, source: Object, container: str) -> str:
        try:
            if "fieldRef" in source:
                path = source["fieldRef"]["fieldPath"]
                return field_value(self._pod, path, self._place.address, self._place.host)
            return resource_value(self._pod, source["resourceFieldRef"], container, self._registry.settings)
        except FieldError as error:
            raise ConfigError(str(error)) from error

    def _key(
        self, reference: Object, read: Callable[[Object], dict[str, str] | None], kind: str
    ) -> str | None:
        data = read(reference)
        if data is not None and reference["key"] in data:
            return data[reference["key"]]
        if reference.get("optional"):
            return None
        where = f"{self._namespace}/{reference['name']}"
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {where}")


def command(container: Object, image: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
    """What to execute: ``command`` replaces the image's ENTRYPOINT and CMD, ``args`` only its CMD.

    Raises:
        ConfigError: neither the pod nor the image says.
    """
    own = [expand(word, values) for word in container.get("command") or []]
    args = [expand(word, values) for word in container.get("args") or []]
    if own:
        return own + args
    found = list(image.get("Entrypoint") or []) + (args or list(image.get("Cmd") or []))
    if not found:
        raise ConfigError("no command specified")
    return found
