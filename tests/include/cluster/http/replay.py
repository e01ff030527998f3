"""Replays recorded requests against a server, and tells where the answers differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[3] / "data" / "kubernetes-1.36" / "api"

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_ACCESS = re.compile(r"kube-api-access-[a-z0-9]{5}")
_ADDRESS = re.compile(r"\b(10\.96|10\.244|127\.\d+)\.\d+\.\d+(:\d+)?\b")
_AGE = re.compile(r"^\d+(s|m|h|d)(\d+(s|m|h))?$")
_MADE_UP = re.compile(r"\b(gen-|batch-|run1\.)[a-z0-9]{5}\b")
_RECORD = re.compile(r"(?<=in record )\(\d+\)")
_COUNTED = ("resourceVersion", "continue", "remainingItemCount")
_OWN_STATUS = ("Status", "Namespace", "Service", "SelfSubjectAccessReview")
_VOLATILE = ("uid", "resourceVersion", "continue")


def records(topic: str) -> list[dict[str, Any]]:
    """The recorded exchanges of a topic, in order."""
    lines = (RECORDED / f"{topic}.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if "request" in record]


class Names:
    """What the recording calls something, and what it is called here: uids, revisions, tokens of pages."""

    def __init__(self) -> None:
        self.here: dict[str, str] = {}

    def learn(self, recorded: Any, found: Any) -> None:
        """Notes the volatile values at equal places of two answers."""
        if isinstance(recorded, dict) and isinstance(found, dict):
            for key, value in recorded.items():
                if key in _VOLATILE and isinstance(value, str) and isinstance(found.get(key), str):
                    self.here[value] = found[key]
                else:
                    self.learn(value, found.get(key))
            name, here = recorded.get("name"), found.get("name")
            made_up = isinstance(name, str) and (recorded.get("generateName") or _ACCESS.fullmatch(name))
            if made_up and isinstance(here, str):
                self.here[name] = here
        elif isinstance(recorded, list) and isinstance(found, list):
            for one, other in zip(recorded, found, strict=False):
                self.learn(one, other)

    def path(self, text: str) -> str:
        """A request's path with the names of here."""
        for recorded, here in self.here.items():
            if len(recorded) > 6 or not recorded.isdigit():
                text = text.replace(recorded, here)
        text = re.sub(r"timeoutSeconds=[2-4]\b", "timeoutSeconds=1", text)  # nothing more comes
        return re.sub(
            r"(resourceVersion=)(\d+)", lambda found: found[1] + self.here.get(found[2], found[2]), text
        )

    def body(self, value: Any) -> Any:
        """A request's body with the names of here."""
        if isinstance(value, dict):
            return {
                key: self.here.get(entry, entry)
                if key in _VOLATILE and isinstance(entry, str)
                else self.body(entry)
                for key, entry in value.items()
            }
        if isinstance(value, list):
            return [self.body(entry) for entry in value]
        if isinstance(value, str):
            return self.here.get(value, value) if _UID.search(value) or _ACCESS.fullmatch(value) else value
        return value


def plain(value: Any, *, controlled: bool = False) -> Any:
    """An answer without what differs from run to run.

    ``controlled`` drops what controllers add, for servers that run without them.
    """
    if isinstance(value, dict):
        entries = {key: entry for key, entry in value.items() if key not in ("managedFields", "nodeName")}
        if controlled:
            _uncontrolled(entries)
        if "generateName" in entries and "name" in entries:
            entries["name"] = f"{entries['generateName']}<random>"
        result = {
            key: "*" if key in _COUNTED and entry else plain(entry, controlled=controlled)
            for key, entry in entries.items()
        }
        if "<random>" in json.dumps(result.get("items", "")):
            # Lists are ordered by name, and made-up names fall where they will.
            result["items"].sort(key=lambda item: json.dumps(item, sort_keys=True))
        return result
    if isinstance(value, list):
        return [plain(entry, controlled=controlled) for entry in value]
    return text(value) if isinstance(value, str) else value


def _uncontrolled(entries: dict[str, Any]) -> None:
    """Takes away what controllers would have written."""
    kind, status = entries.get("kind"), entries.get("status")
    if kind == "Scale" and isinstance(status, dict):
        entries["status"] = {key: entry for key, entry in status.items() if key != "replicas"}
    elif isinstance(status, dict) and "metadata" in entries and kind not in _OWN_STATUS:
        del entries["status"]
    notes = entries.get("annotations")
    if isinstance(notes, dict):
        kept = {key: entry for key, entry in notes.items() if not key.startswith("deployment.kubernetes.io/")}
        entries.pop("annotations")
        if kept:
            entries["annotations"] = kept


def text(value: str) -> str:
    """A text without uids, times, addresses and made-up names."""
    value = _UID.sub("<uid>", value)
    value = _TIME.sub("<time>", value)
    value = _ACCESS.sub("<token-volume>", value)
    value = _MADE_UP.sub(r"\1<random>", value)
    value = _RECORD.sub("(<revision>)", value)
    value = _ADDRESS.sub("<address>", value)
    return "<age>" if _AGE.match(value) else value


def differences(recorded: Any, found: Any, path: str = "") -> Iterator[str]:
    """Every place at which two plain answers differ, in words."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        for key in recorded.keys() | found.keys():
            if key not in found:
                yield f"{path}.{key}: missing, recorded {json.dumps(recorded[key])[:200]}"
            elif key not in recorded:
                yield f"{path}.{key}: extra {json.dumps(found[key])[:200]}"
            else:
                yield from differences(recorded[key], found[key], f"{path}.{key}")
    elif isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        for number, (one, other) in enumerate(zip(recorded, found, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif recorded != found:
        yield f"{path}: recorded {json.dumps(recorded)[:300]} found {json.dumps(found)[:300]}"
