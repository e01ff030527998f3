"""The numbers of the fields in Kubernetes' protobuf form, for the kinds that kubectl sends so by itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Field:
    """A field's name in JSON and how its bytes are read.

    ``form`` is text, bool, int, count (an int of which 0 means nothing), texts, map, bytemap, quantities, intorstring,
    message, messages (one of several), or ignored. ``message`` holds the fields of a message.
    """

    name: str
    form: str = "text"
    message: dict[int, Field] = field(default_factory=dict)


def _message(name: str, fields: dict[int, Field], form: str = "message") -> Field:
    return Field(name, form, fields)


_STATUS = Field("status", "ignored")
_META = _message(
    "metadata",
    {
        1: Field("name"),
        2: Field("generateName"),
        3: Field("namespace"),
        11: Field("labels", "map"),
        12: Field("annotations", "map"),
        14: Field("finalizers", "texts"),
    },
)
_SELECTOR = _message("selector", {1: Field("matchLabels", "map")})
_PORT = {
    1: Field("name"),
    2: Field("hostPort", "count"),
    3: Field("containerPort", "count"),
    4: Field("protocol"),
}
_CONTAINER = {
    1: Field("name"),
    2: Field("image"),
    3: Field("command", "texts"),
    4: Field("args", "texts"),
    5: Field("workingDir"),
    6: _message("ports", _PORT, "messages"),
    7: _message("env", {1: Field("name"), 2: Field("value")}, "messages"),
    8: _message("resources", {1: Field("limits", "quantities"), 2: Field("requests", "quantities")}),
    14: Field("imagePullPolicy"),
}
_POD = {
    2: _message("containers", _CONTAINER, "messages"),
    3: Field("restartPolicy"),
    8: Field("serviceAccountName"),
}
_TEMPLATE = _message("template", {1: _META, 2: _message("spec", _POD)})
_DEPLOYMENT = {
    1: Field("replicas", "int"),
    2: _SELECTOR,
    3: _TEMPLATE,
    4: _message("strategy", {1: Field("type")}),
    5: Field("minReadySeconds", "count"),
    6: Field("revisionHistoryLimit", "int"),
    7: Field("paused", "bool"),
    9: Field("progressDeadlineSeconds", "int"),
}
_JOB = {
    1: Field("parallelism", "int"),
    2: Field("completions", "int"),
    3: Field("activeDeadlineSeconds", "int"),
    6: _TEMPLATE,
    7: Field("backoffLimit", "int"),
    8: Field("ttlSecondsAfterFinished", "int"),
}
_SERVICE_PORT = {
    1: Field("name"),
    2: Field("protocol"),
    3: Field("port", "count"),
    4: Field("targetPort", "intorstring"),
    5: Field("nodePort", "count"),
}
_SERVICE = {
    1: _message("ports", _SERVICE_PORT, "messages"),
    2: Field("selector", "map"),
    3: Field("clusterIP"),
    4: Field("type"),
    10: Field("externalName"),
}
_RESOURCE = {
    number: Field(name)
    for number, name in enumerate(
        ("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1
    )
}
_ACCESS = {
    1: _message("resourceAttributes", _RESOURCE),
    2: _message("nonResourceAttributes", {1: Field("path"), 2: Field("verb")}),
}
_TOKEN = {1: Field("audiences", "texts"), 4: Field("expirationSeconds", "int")}

KINDS: dict[str, dict[int, Field]] = {
    "ConfigMap": {
        1: _META,
        2: Field("data", "map"),
        3: Field("binaryData", "bytemap"),
        4: Field("immutable", "bool"),
    },
    "Secret": {
        1: _META,
        2: Field("data", "bytemap"),
        3: Field("type"),
        4: Field("stringData", "map"),
        5: Field("immutable", "bool"),
    },
    "Namespace": {1: _META, 3: _STATUS},
    "ServiceAccount": {1: _META},
    "Deployment": {1: _META, 2: _message("spec", _DEPLOYMENT), 3: _STATUS},
    "Job": {1: _META, 2: _message("spec", _JOB), 3: _STATUS},
    "Service": {1: _META, 2: _message("spec", _SERVICE), 3: _STATUS},
    "ResourceQuota": {1: _META, 2: _message("spec", {1: Field("hard", "quantities")}), 3: _STATUS},
    "TokenRequest": {1: _META, 2: _message("spec", _TOKEN), 3: _STATUS},
    "SelfSubjectAccessReview": {1: _META, 2: _message("spec", _ACCESS), 3: _STATUS},
    "SelfSubjectRulesReview": {1: _META, 2: _message("spec", {1: Field("namespace")}), 3: _STATUS},
    "SelfSubjectReview": {1: _META, 2: _STATUS},
}
