"""What applying an object would change, as a unified diff of YAML that anybody may read."""

from __future__ import annotations

import copy
import difflib
import hashlib
from collections.abc import Collection
from typing import Any, Literal

import yaml

_SERVER_FIELDS = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
_SERVER_NOTES = ("deployment.kubernetes.io/revision",)


def comparable(manifest: dict[str, Any] | None) -> dict[str, Any] | None:
    """The object without what the server writes of itself, and with values of Secrets as fingerprints."""
    if manifest is None:
        return None
    result = copy.deepcopy(manifest)
    result.pop("status", None)
    metadata = result.get("metadata", {})
    for name in _SERVER_FIELDS:
        metadata.pop(name, None)
    annotations = metadata.get("annotations", {})
    for name in _SERVER_NOTES:
        annotations.pop(name, None)
    if not annotations:
        metadata.pop("annotations", None)
    if result.get("kind") == "Secret":
        for group in ("data", "stringData"):
            result[group] = {
                key: _fingerprint(result, value) for key, value in (result.get(group) or {}).items()
            }
    return result


def difference(
    live: dict[str, Any] | None,
    wanted: dict[str, Any] | None,
    *,
    change: Literal["release", "rollback"] = "release",
    leave_out: Collection[str] = (),
) -> str:
    """The unified diff from the live object to the wanted one; empty when they are the same.

    Args:
        live: the object as it is; None when it is not there.
        wanted: the object as it would be, or is now.
        change: what brings it there, for the heading.
        leave_out: annotations that are not compared.
    """
    before, after = (
        _lines(_without(comparable(live), leave_out)),
        _lines(_without(comparable(wanted), leave_out)),
    )
    named = wanted or live or {}
    name = f"{named.get('kind', '?')} {named.get('metadata', {}).get('name', '?')}"
    lines = difflib.unified_diff(
        before, after, f"{name} (in the cluster)", f"{name} (after this {change})", lineterm="", n=3
    )
    return "\n".join(lines)


def _without(manifest: dict[str, Any] | None, notes: Collection[str]) -> dict[str, Any] | None:
    """The comparable object, of which some annotations are left out."""
    metadata = (manifest or {}).get("metadata", {})
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {key: value for key, value in annotations.items() if key not in notes}
        if not metadata["annotations"]:
            del metadata["annotations"]
    return manifest


def _lines(manifest: dict[str, Any] | None) -> list[str]:
    if manifest is None:
        return []
    text: str = yaml.safe_dump(manifest, sort_keys=True, default_flow_style=False, width=1000)
    return text.splitlines()


def _fingerprint(secret: dict[str, Any], value: Any) -> str:
    # Keyed with the Secret's own identity: the same value elsewhere gives another fingerprint.
    metadata = secret.get("metadata", {})
    key = f"{metadata.get('namespace')}/{metadata.get('name')}".encode()
    return f"(hidden, fingerprint {hashlib.blake2b(str(value).encode(), key=key[:64], digest_size=4).hexdigest()})"
