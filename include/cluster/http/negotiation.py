"""Which form an answer takes: JSON or YAML, the object itself, a Table, or its metadata only."""

from __future__ import annotations

from dataclasses import dataclass

from include.cluster.errors import ApiError

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_AS_JSON = (JSON, "application/*", "*/*")
_VERSIONS = ("v1", "v1beta1", "v2", "v2beta1")
AVAILABLE = f"{JSON}, {YAML}, {PROTOBUF}"


@dataclass(frozen=True)
class Form:
    """``kind`` is empty for the object itself, or Table, PartialObjectMetadata, PartialObjectMetadataList, ..."""

    media_type: str = JSON
    kind: str = ""
    version: str = ""


def clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    """The media types of an Accept header with their parameters, in the order given."""
    found = []
    for clause in accept.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        if media:
            found.append((media.lower(), dict(part.partition("=")[::2] for part in parameters)))
    return found


def form(accept: str | None, transforms: tuple[str, ...] = ()) -> Form:
    """The first form of an Accept header that the server can give.

    Protobuf is passed over: clients that prefer it name JSON as well.

    Args:
        accept: the header, or None.
        transforms: the ``as=`` kinds that this path offers.

    Raises:
        ApiError: 406.
    """
    if not (accept or "").strip():
        return Form()
    for media, parameters in clauses(accept or ""):
        kind = parameters.get("as", "")
        if kind and (kind not in transforms or parameters.get("v", "v1") not in _VERSIONS):
            continue
        if media in _AS_JSON:
            return Form(JSON, kind, parameters.get("v", ""))
        if media == YAML:
            return Form(YAML, kind, parameters.get("v", ""))
    text = f"406: Not Acceptable\n\nAvailable representations: {AVAILABLE}"
    raise ApiError(406, "NotAcceptable", text, {})
