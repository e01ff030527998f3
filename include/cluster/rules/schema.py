"""Reads a body as the kind it should be: types checked, unknown fields told, values in the form that is stored.

Kubernetes decodes into Go structs. What that does to a body is done here by hand: the first wrong type is a 400 with Go's
words, unknown and duplicate fields are listed, and what Go leaves out when it writes (``omitempty``) is left out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.cluster.errors import ApiError, bad_request
from include.cluster.resources import BY_KIND, Resource
from include.cluster.rules import quantity
from include.cluster.rules.model import Type, fields, struct_name

Object = dict[str, Any]

# Versions of these groups that a server knows without serving them.
_OLD_VERSIONS = {
    "apps/v1beta1",
    "apps/v1beta2",
    "batch/v1beta1",
    "extensions/v1beta1",
    "coordination.k8s.io/v1beta1",
}
# Pointers in Go: an empty text or a zero is a value there and stays.
_KEPT_EMPTY = {"storageClassName", "volumeAttributesClassName", "holderIdentity", "hostnameOverride"}
_KEPT_EMPTY_OF = {
    ("V1HostPathVolumeSource", "type"),
    ("CoreV1Event", "reportingComponent"),
    ("CoreV1Event", "reportingInstance"),
}
# No pointers, and left out when they are zero.
_DROPPED_ZERO = {
    "minReadySeconds", "hostPort", "nodePort", "healthCheckNodePort", "generation", "observedGeneration",
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold", "count", "signal",
    "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas", "fullyLabeledReplicas",
    "active", "succeeded", "failed", "weight",
}  # fmt: skip
_DROPPED_ZERO_OF = {("V1DeploymentStatus", "replicas"), ("V1ScaleSpec", "replicas")}
_KEPT_ZERO_OF = {("V1SessionAffinityConfig", "timeoutSeconds"), ("V1ClientIPConfig", "timeoutSeconds")}
_DROPPED_FALSE = {
    "hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "paused", "readOnly",
    "publishNotReadyAddresses", "unschedulable",
}  # fmt: skip
_KEPT_NULL = {
    ("V1PodCondition", "lastProbeTime"),
    ("CoreV1Event", "eventTime"),
    ("CoreV1Event", "firstTimestamp"),
    ("CoreV1Event", "lastTimestamp"),
}
_GO_KINDS = {str: "string", bool: "bool", list: "array", dict: "object"}


@dataclass(frozen=True)
class Decoded:
    """What a body says.

    Attributes:
        obj: the object, with kind and apiVersion, in the form that is stored.
        unknown: ``unknown field "spec.Replicas"`` and ``duplicate field "data.a"`` in the body's order.
    """

    obj: Object
    unknown: list[str]


def decode(resource: Resource, raw: Any, duplicates: Sequence[str] = ()) -> Decoded:
    """Reads a parsed body as an object of the given kind.

    Args:
        resource: the kind that the URL names.
        raw: the parsed JSON or YAML.
        duplicates: paths of fields that stood twice (``data.a``); a text ``duplicate field "..."`` is taken as it is.

    Raises:
        ApiError: 400 for another kind or a wrong type, in the words of Kubernetes.
    """
    if not isinstance(raw, dict):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get version/kind; json "
            f"parse error: json: cannot unmarshal {_go_kind(raw)} into Go value of type struct"
        )
    _check_kind(resource, raw)
    reader = _Reader()
    try:
        obj = reader.struct(resource.model, raw, "", [])
    except ApiError as error:
        raise bad_request(_handled(resource, resource.kind, error.message)) from None
    obj.pop("kind", None)
    obj.pop("apiVersion", None)
    doubled = [
        text if text.startswith("duplicate field") else f'duplicate field "{text}"' for text in duplicates
    ]
    return Decoded(
        {"kind": resource.kind, "apiVersion": resource.api_version, **obj}, [*doubled, *reader.unknown]
    )


def normalise(resource: Resource, obj: Object) -> Object:
    """The object in the form that is stored; unknown fields are dropped.

    Raises:
        ApiError: 400 for a wrong type.
    """
    return decode(resource, obj).obj


def strict_error(resource: Resource, unknown: list[str]) -> ApiError:
    """400: the answer to unknown or duplicate fields under ``fieldValidation=Strict``."""
    return bad_request(_handled(resource, resource.kind, "strict decoding error: " + ", ".join(unknown)))


def _handled(resource: Resource, kind: str, why: str) -> str:
    return f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'


def _check_kind(resource: Resource, raw: Object) -> None:
    kind, version = raw.get("kind") or resource.kind, raw.get("apiVersion") or resource.api_version
    for name, value in (("kind", kind), ("apiVersion", version)):
        if not isinstance(value, str):
            raise bad_request(
                f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get version/kind; json "
                f"parse error: json: cannot unmarshal {_go_kind(value)} into Go struct field .{name} of type string"
            )
    known = {one.api_version for one in BY_KIND.values()} | _OLD_VERSIONS | {resource.api_version}
    other = resource if kind == resource.kind else BY_KIND.get(kind)
    group = version.rpartition("/")[0]
    if version not in known or other is None or group not in (other.group, "extensions"):
        why = f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
        short = version.rsplit("/", 1)[-1]
        raise bad_request(f'{kind} in version "{short}" cannot be handled as a {resource.kind}: {why}')
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        )
    if kind != resource.kind:
        group = resource.group.split(".")[0] or "core"
        why = f"converting (v1.{kind}) to ({group}.{resource.kind}): unknown conversion"
        raise bad_request(_handled(resource, kind, why))


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return _GO_KINDS.get(type(value), "null")


class _Reader:
    """Reads one body; ``unknown`` fills with the fields that no struct has."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def struct(self, model: str, raw: Object, path: str, names: list[str]) -> Object:
        known = fields(model)
        result: Object = {}
        for name, value in raw.items():
            where = f"{path}.{name}" if path else str(name)
            type_ = known.get(name)
            if type_ is None:
                self.unknown.append(f'unknown field "{where}"')
                continue
            if value is None:
                if (model, name) in _KEPT_NULL:
                    result[name] = None
                continue
            read = self.value(type_, value, where, model, [*names, name])
            if not _omitted(model, name, type_, read):
                result[name] = read
        return result

    def value(self, type_: Type, value: Any, path: str, model: str, names: list[str]) -> Any:
        if type_.shape == "struct":
            if not isinstance(value, dict):
                raise _wrong(type_, value, model, names)
            return self.struct(type_.model, value, path, names)
        if type_.shape == "list":
            if not isinstance(value, list):
                raise _wrong(type_, value, model, names)
            item = type_.item or Type("any")
            return [
                _zero(item) if entry is None else self.value(item, entry, f"{path}[{index}]", model, names)
                for index, entry in enumerate(value)
            ]
        if type_.shape == "map":
            if not isinstance(value, dict):
                raise _wrong(type_, value, model, names)
            item = type_.item or Type("any")
            return {
                str(key): _zero(item)
                if entry is None
                else self.value(item, entry, f"{path}.{key}", model, names)
                for key, entry in value.items()
            }
        return _scalar(type_, value, model, names)


def _omitted(model: str, name: str, type_: Type, value: Any) -> bool:
    if value == "" and isinstance(value, str):
        return name not in _KEPT_EMPTY and (model, name) not in _KEPT_EMPTY_OF
    if type_.shape in ("list", "map"):
        return not value
    if value is False:
        return name in _DROPPED_FALSE
    if type_.shape in ("int32", "int64") and value == 0:
        if (model, name) in _KEPT_ZERO_OF:
            return False
        return name in _DROPPED_ZERO or (model, name) in _DROPPED_ZERO_OF
    return False


def _zero(type_: Type) -> Any:
    return {
        "string": "",
        "bytes": "",
        "quantity": "0",
        "struct": {},
        "list": [],
        "map": {},
        "bool": False,
    }.get(type_.shape, 0)


def _scalar(type_: Type, value: Any, model: str, names: list[str]) -> Any:
    shape = type_.shape
    if shape == "any":
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if shape in ("int32", "int64") and number:
        return _integer(type_, value, model, names)
    if (shape == "bool" and isinstance(value, bool)) or (shape == "float" and number):
        return value
    if shape == "quantity" and number:
        return quantity.canonical(value)
    if shape == "intorstring" and number and isinstance(value, int):
        return value
    if isinstance(value, datetime) and shape in ("time", "microtime"):  # YAML knows timestamps
        value = value.replace(tzinfo=value.tzinfo or UTC).isoformat(timespec="microseconds")
    if isinstance(value, str) and shape in _TEXTS:
        return _TEXTS[shape](value)
    if shape in ("intorstring", "time", "microtime"):
        wanted = "int32" if shape == "intorstring" else "string"
        raise bad_request(f"json: cannot unmarshal {_go_kind(value)} into Go value of type {wanted}")
    raise _wrong(type_, value, model, names)


def _integer(type_: Type, value: int | float, model: str, names: list[str]) -> int:
    limit = 2**31 if type_.shape == "int32" else 2**63
    if isinstance(value, float) and not value.is_integer():
        raise _wrong(type_, value, model, names, f"number {value}")
    if not -limit <= value < limit:
        raise _wrong(type_, value, model, names, f"number {int(value)}")
    return int(value)


def _wrong(type_: Type, value: Any, model: str, names: list[str], found: str = "") -> ApiError:
    where = f"{struct_name(model)}.{'.'.join(names)}"
    return bad_request(
        f"json: cannot unmarshal {found or _go_kind(value)} into Go struct field {where} of type {type_.go()}"
    )


def _bytes(text: str) -> str:
    plain = text.replace("\r", "").replace("\n", "")
    illegal = re.search(r"[^A-Za-z0-9+/=]", text.replace("\r", "\n").replace("\n", ""))
    if illegal is not None:
        raise bad_request(f"illegal base64 data at input byte {illegal.start()}")
    try:
        return base64.b64encode(base64.b64decode(plain, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise bad_request(f"illegal base64 data at input byte {len(plain) // 4 * 4}") from None


def _time(text: str, *, micro: bool) -> str:
    layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    if micro and (whole := re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text)):
        _check_micro(text, text[whole.end() :], layout)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in text:
        raise bad_request(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"')
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def _check_micro(text: str, rest: str, layout: str) -> None:
    # Six digits, neither fewer nor more: Go's layout with zeros takes nothing else.
    fraction = re.match(r"\.\d{6}", rest)
    if fraction is None:
        raise bad_request(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as ".000000"')
    zone = rest[fraction.end() :]
    if not re.fullmatch(r"Z|[+-]\d\d:\d\d", zone):
        raise bad_request(f'parsing time "{text}" as "{layout}": cannot parse "{zone}" as "Z07:00"')


# Readers of the shapes that are texts in JSON.
_TEXTS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "intorstring": str,
    "quantity": quantity.canonical,
    "bytes": _bytes,
    "time": lambda text: _time(text, micro=False),
    "microtime": lambda text: _time(text, micro=True),
}
