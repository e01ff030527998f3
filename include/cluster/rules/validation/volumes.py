"""A pod's volumes, and where containers mount them."""

from __future__ import annotations

from typing import Any

from include.cluster.rules import names, quantity
from include.cluster.rules.validation.environment import field_reference, resource_reference
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_DOWNWARD_FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)


def check(errors: Errors, field: str, volumes: list[Object]) -> set[str]:
    """All volumes of a pod.

    Returns:
        The names that containers can mount: those of the volumes without a fault.
    """
    known: set[str] = set()
    for index, volume in enumerate(volumes):
        where = f"{field}[{index}]"
        found = Errors()
        _source(found, where, volume)
        name = volume.get("name") or ""
        if not name:
            found.required(f"{where}.name")
        else:
            found.each(f"{where}.name", name, names.dns_label(name))
        if name in known:
            found.duplicate(f"{where}.name", name)
        if not found.causes:
            known.add(name)
        errors.causes += found.causes
    return known


def _source(errors: Errors, where: str, volume: Object) -> None:
    kinds = [name for name in volume if name != "name"]
    if not kinds:
        errors.required(where, "must specify a volume type")
        return
    for extra in kinds[1:]:
        errors.forbidden(f"{where}.{extra}", "may not specify more than 1 volume type")
    checker = _SOURCES.get(kinds[0])
    if checker is not None:
        checker(errors, f"{where}.{kinds[0]}", volume[kinds[0]] or {})


def _host_path(errors: Errors, where: str, source: Object) -> None:
    path = source.get("path") or ""
    if not path:
        errors.required(f"{where}.path")
        return
    if ".." in path.split("/"):
        errors.invalid(f"{where}.path", path, "must not contain '..'")
    if source.get("type", "") not in _HOST_PATH_TYPES:
        errors.unsupported(f"{where}.type", source["type"], _HOST_PATH_TYPES)


def _empty_dir(errors: Errors, where: str, source: Object) -> None:
    limit = source.get("sizeLimit")
    if limit is not None and quantity.parse(limit) < 0:
        errors.forbidden(f"{where}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _config_map(errors: Errors, where: str, source: Object) -> None:
    if not source.get("name"):
        errors.required(f"{where}.name")
    _mode(errors, f"{where}.defaultMode", source.get("defaultMode"))
    _items(errors, where, source)


def _secret(errors: Errors, where: str, source: Object) -> None:
    if not source.get("secretName"):
        errors.required(f"{where}.secretName")
    _mode(errors, f"{where}.defaultMode", source.get("defaultMode"))
    _items(errors, where, source)


def _items(errors: Errors, where: str, source: Object) -> None:
    for index, item in enumerate(source.get("items") or []):
        field = f"{where}.items[{index}]"
        if not item.get("key"):
            errors.required(f"{field}.key")
        if not item.get("path"):
            errors.required(f"{field}.path")
        _relative(errors, f"{field}.path", item.get("path") or "")
        _mode(errors, f"{field}.mode", item.get("mode"))


def _mode(errors: Errors, field: str, mode: int | None) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        errors.invalid(field, mode, _MODE)


def _relative(errors: Errors, field: str, path: str) -> None:
    if path.startswith("/"):
        errors.invalid(field, path, "must be a relative path")
    parts = path.split("/")
    if ".." in parts:
        errors.invalid(field, path, "must not contain '..'")
    elif parts[0].startswith(".."):
        errors.invalid(field, path, "must not start with '..'")


def _claim(errors: Errors, where: str, source: Object) -> None:
    if not source.get("claimName"):
        errors.required(f"{where}.claimName")


def _downward(errors: Errors, where: str, source: Object) -> None:
    _mode(errors, f"{where}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or []):
        field = f"{where}.items[{index}]"
        if not item.get("path"):
            errors.required(f"{field}.path")
        _relative(errors, f"{field}.path", item.get("path") or "")
        if item.get("fieldRef"):
            field_reference(errors, f"{field}.fieldRef", item["fieldRef"], _DOWNWARD_FIELDS)
            if item.get("resourceFieldRef"):
                errors.invalid(
                    field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"
                )
        elif item.get("resourceFieldRef"):
            resource_reference(errors, f"{field}.resourceFieldRef", item["resourceFieldRef"], named=True)
        else:
            errors.required(field, "one of fieldRef and resourceFieldRef is required")
        _mode(errors, f"{field}.mode", item.get("mode"))


def _projected(errors: Errors, where: str, source: Object) -> None:
    _mode(errors, f"{where}.defaultMode", source.get("defaultMode"))
    for index, one in enumerate(source.get("sources") or []):
        field = f"{where}.sources[{index}]"
        kinds = list(one)
        if not kinds:
            errors.required(field, "must specify a volume type")
            continue
        for extra in kinds[1:]:
            errors.forbidden(f"{field}.{extra}", "may not specify more than 1 volume type")
        inner = f"{field}.{kinds[0]}"
        if kinds[0] in ("configMap", "secret"):
            if not one[kinds[0]].get("name"):
                errors.required(f"{inner}.name")
            _items(errors, inner, one[kinds[0]])
        elif kinds[0] == "downwardAPI":
            _downward(errors, inner, one[kinds[0]])
        elif kinds[0] == "serviceAccountToken":
            _token(errors, inner, one[kinds[0]])


def _token(errors: Errors, where: str, source: Object) -> None:
    seconds = source.get("expirationSeconds", 3600)
    if seconds < 600:
        errors.invalid(
            f"{where}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"
        )
    if seconds > 2**32:
        errors.invalid(
            f"{where}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"
        )
    if not source.get("path"):
        errors.required(f"{where}.path")
    else:
        _relative(errors, f"{where}.path", source["path"])


_SOURCES = {
    "hostPath": _host_path,
    "emptyDir": _empty_dir,
    "configMap": _config_map,
    "secret": _secret,
    "persistentVolumeClaim": _claim,
    "downwardAPI": _downward,
    "projected": _projected,
}


def check_mounts(errors: Errors, field: str, mounts: list[Object], known: set[str]) -> None:
    """One container's mounts."""
    paths: set[str] = set()
    for index, mount in enumerate(mounts):
        where = f"{field}[{index}]"
        name, path = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            errors.required(f"{where}.name")
        if name not in known:
            errors.not_found(f"{where}.name", name)
        if not path:
            errors.required(f"{where}.mountPath")
        if path in paths:
            errors.invalid(f"{where}.mountPath", path, "must be unique")
        paths.add(path)
        if mount.get("subPath"):
            _sub_path(errors, f"{field}.subPath", mount["subPath"])  # without the index, as Kubernetes has it
        if mount.get("subPathExpr"):
            if mount.get("subPath"):
                errors.invalid(
                    f"{where}.subPathExpr",
                    mount["subPathExpr"],
                    "subPathExpr and subPath are mutually exclusive",
                )
            _sub_path(errors, f"{where}.subPathExpr", mount["subPathExpr"])
        propagation = mount.get("mountPropagation")
        if propagation and propagation not in ("Bidirectional", "HostToContainer", "None"):
            errors.unsupported(
                f"{where}.mountPropagation", propagation, ("Bidirectional", "HostToContainer", "None")
            )


def _sub_path(errors: Errors, field: str, path: str) -> None:
    if path.startswith("/"):
        errors.invalid(field, path, "must be a relative path")
    if ".." in path.split("/"):
        errors.invalid(field, path, "must not contain '..'")
