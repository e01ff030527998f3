"""Recorded timelines of a real cluster, every object whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "data" / "kubernetes-1.36" / "status"


def timeline(name: str) -> Iterator[dict[str, Any]]:
    """The steps of a recording; ``object`` is what the API server had then."""
    objects: dict[str, Any] = {}
    specs: dict[str, Any] = {}
    for line in (_FOLDER / f"{name}.jsonl").read_text().splitlines():
        step = json.loads(line)
        if "object" in step:
            whole = step["object"]
            if step["kind"] == "Pod":
                same = whole["spec"].get("$same_as_pod")
                whole["spec"] = specs[same] if same else whole["spec"]
                specs[whole["metadata"]["name"]] = whole["spec"]
            objects[whole["metadata"]["uid"]] = whole
        elif "merge_patch" in step:
            step["object"] = objects[step["uid"]] = _merged(objects[step["uid"]], step.pop("merge_patch"))
        yield step


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = _merged(new.get(key), value)
    return new
