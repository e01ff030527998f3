"""A pod's volumes: directories below the pod's own, kept equal to what they are made of, and their mounts."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from include.cluster.auth import Tokens
from include.cluster.node.env import Place, expand
from include.cluster.node.fields import FieldError, field_value, resource_value
from include.cluster.node.process import Mount
from include.cluster.registry import Registry
from include.cluster.registry.clock import now
from include.cluster.settings import Settings

Object = dict[str, Any]
Files = dict[str, tuple[bytes, int]]
"""Content and mode by path below the volume."""

_READ_ONLY = ("configMap", "secret", "downwardAPI", "projected")


class VolumeError(Exception):
    """A volume cannot be set up; the text is that of the FailedMount event."""


def claim_directory(settings: Settings, claim: Object) -> Path:
    """The directory behind a bound PersistentVolumeClaim."""
    return settings.state_dir / "volumes" / str(claim["spec"]["volumeName"])


class Volumes:
    """The volumes of one pod.

    Args:
        registry: where ConfigMaps, Secrets and claims are.
        pod: the pod.
        place: where it runs.
        root: the directory for the volumes that end with the pod.
    """

    def __init__(self, registry: Registry, pod: Object, place: Place, root: Path) -> None:
        self._registry = registry
        self._pod = pod
        self._place = place
        self._root = root
        self._namespace = pod["metadata"]["namespace"]
        self._specs: dict[str, Object] = {entry["name"]: entry for entry in pod["spec"].get("volumes") or []}
        self._sources: dict[str, Path] = {}
        self._signer = Tokens(registry.settings.state_dir)
        self._tokens: dict[str, tuple[datetime | None, str]] = {}

    def prepare(self) -> None:
        """Makes every volume, and brings those made of other objects up to date. May be called at any time.

        Raises:
            VolumeError: what a volume is made of is missing.
        """
        for name, spec in self._specs.items():
            try:
                self._sources[name] = self._prepare(name, spec)
            except (VolumeError, FieldError, OSError) as error:
                raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error

    def mounts(self, container: Object, values: Mapping[str, str]) -> list[Mount]:
        """The mounts of one container.

        Args:
            container: its spec.
            values: its environment, for ``subPathExpr``.

        Raises:
            VolumeError: a subPath leads nowhere.
        """
        found = []
        for entry in container.get("volumeMounts") or []:
            source = self._sources[entry["name"]]
            below = entry.get("subPath") or expand(entry.get("subPathExpr") or "", values)
            read_only = bool(entry.get("readOnly")) or self._is_read_only(entry["name"])
            if below:
                source = self._sub_path(source, below, entry["name"])
            found.append(Mount(source, entry["mountPath"], read_only))
        return found

    def _is_read_only(self, name: str) -> bool:
        spec = self._specs[name]
        return any(kind in spec for kind in _READ_ONLY) or bool(
            (spec.get("persistentVolumeClaim") or {}).get("readOnly")
        )

    def _sub_path(self, source: Path, below: str, name: str) -> Path:
        place = source / below
        if not place.resolve().is_relative_to(source.resolve()):
            raise VolumeError(
                f'failed to prepare subPath for volumeMount "{name}": it leads out of the volume'
            )
        if not place.exists():
            if any(kind in self._specs[name] for kind in _READ_ONLY):
                raise VolumeError(f'failed to prepare subPath for volumeMount "{name}"')
            place.mkdir(parents=True)
        return place

    def _prepare(self, name: str, spec: Object) -> Path:
        place = self._root / name
        if "hostPath" in spec:
            return _host_path(spec["hostPath"])
        if "persistentVolumeClaim" in spec:
            return self._claim(spec["persistentVolumeClaim"]["claimName"])
        if "emptyDir" in spec:
            if not place.exists():
                place.mkdir(parents=True)
                place.chmod(0o777)
            return place
        files = self._files(spec)
        if files is None:
            raise VolumeError("this kind of volume is not served by the stand-in")
        _write_all(place, files)
        return place

    def _files(self, spec: Object) -> Files | None:
        if "configMap" in spec:
            return self._config_map(spec["configMap"], spec["configMap"].get("defaultMode"))
        if "secret" in spec:
            source = {**spec["secret"], "name": spec["secret"]["secretName"]}
            return self._secret(source, source.get("defaultMode"))
        if "downwardAPI" in spec:
            return self._downward(spec["downwardAPI"], spec["downwardAPI"].get("defaultMode"))
        if "projected" in spec:
            return self._projected(spec["projected"])
        return None

    def _projected(self, spec: Object) -> Files:
        found: Files = {}
        mode = spec.get("defaultMode")
        for source in spec.get("sources") or []:
            if "configMap" in source:
                found |= self._config_map(source["configMap"], mode)
            elif "secret" in source:
                found |= self._secret(source["secret"], mode)
            elif "downwardAPI" in source:
                found |= self._downward(source["downwardAPI"], mode)
            elif "serviceAccountToken" in source:
                token = self._token(source["serviceAccountToken"])
                found[source["serviceAccountToken"]["path"]] = (token, 0o600)
        return found

    def _token(self, source: Object) -> bytes:
        """The pod's service account's token; a new one when four fifths of its time are over."""
        lifetime = timedelta(seconds=source.get("expirationSeconds") or 3600)
        key = source["path"]
        made, token = self._tokens.get(key, (None, ""))
        if made is None or now() - made > lifetime * 0.8:
            name = self._pod["spec"].get("serviceAccountName", "default")
            account = self._registry.find("serviceaccounts", self._namespace, name)
            uid = account["metadata"]["uid"] if account else ""
            made = now()
            token = self._signer.account_token(self._namespace, name, uid, made + lifetime)
            self._tokens[key] = (made, token)
        return token.encode()

    def _config_map(self, spec: Object, mode: int | None) -> Files:
        found = self._registry.find("configmaps", self._namespace, spec["name"])
        if found is None:
            if spec.get("optional"):
                return {}
            raise VolumeError(f'configmap "{spec["name"]}" not found')
        data = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        data |= {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        return _chosen(data, spec, mode, "configmap references non-existent config key: ")

    def _secret(self, spec: Object, mode: int | None) -> Files:
        found = self._registry.find("secrets", self._namespace, spec["name"])
        if found is None:
            if spec.get("optional"):
                return {}
            raise VolumeError(f'secret "{spec["name"]}" not found')
        data = {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
        return _chosen(data, spec, mode, "references non-existent secret key: ")

    def _downward(self, spec: Object, mode: int | None) -> Files:
        found: Files = {}
        for item in spec.get("items") or []:
            if "fieldRef" in item:
                path = item["fieldRef"]["fieldPath"]
                value = field_value(self._pod, path, self._place.address, self._place.host)
            else:
                value = resource_value(self._pod, item["resourceFieldRef"], "", self._registry.settings)
            found[item["path"]] = (value.encode(), item.get("mode") or mode or 0o644)
        return found

    def _claim(self, name: str) -> Path:
        claim = self._registry.find("persistentvolumeclaims", self._namespace, name)
        if claim is None:
            raise VolumeError(f'persistentvolumeclaim "{name}" not found')
        if not claim["spec"].get("volumeName"):
            raise VolumeError(f'persistentvolumeclaim "{name}" is not bound')
        place = claim_directory(self._registry.settings, claim)
        if not place.exists():
            place.mkdir(parents=True)
            place.chmod(0o777)
        return place


def _chosen(data: dict[str, bytes], spec: Object, mode: int | None, missing: str) -> Files:
    items = spec.get("items")
    if not items:
        return {key: (value, mode or 0o644) for key, value in data.items()}
    found: Files = {}
    for item in items:
        if item["key"] in data:
            found[item["path"]] = (data[item["key"]], item.get("mode") or mode or 0o644)
        elif not spec.get("optional"):
            raise VolumeError(missing + item["key"])
    return found


def _write_all(place: Path, files: Files) -> None:
    """Makes the directory hold exactly these files; each is replaced in one step."""
    place.mkdir(parents=True, exist_ok=True)
    for path in sorted(place.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(place).as_posix() not in files:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for name, (content, mode) in files.items():
        path = place / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(content)
        temporary.chmod(mode | 0o400)
        temporary.replace(path)


def _host_path(spec: Object) -> Path:
    place, kind = Path(spec["path"]), spec.get("type") or ""
    if kind == "DirectoryOrCreate":
        place.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate" and not place.exists():
        place.touch()
    wanted = {"Directory": place.is_dir, "DirectoryOrCreate": place.is_dir, "File": place.is_file}
    words = {"File": "file", "FileOrCreate": "file"}
    if not place.exists() and kind == "":
        place.mkdir(parents=True)
    if not wanted.get(kind, place.exists)():
        raise VolumeError(f"hostPath type check failed: {place} is not a {words.get(kind, 'directory')}")
    return place


def remove_tree(place: Path) -> None:
    """Removes a directory, also one whose parts the container made unreadable."""

    def retry(function: Any, path: str, _: Any) -> None:
        os.chmod(os.path.dirname(path), 0o700)  # noqa: PTH101, PTH120 - what rmtree hands over is a text
        function(path)

    shutil.rmtree(place, onerror=retry)
