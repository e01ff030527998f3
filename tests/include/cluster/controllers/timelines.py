"""Recorded timelines, and what of them is compared: conditions, counts and events, without names and times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from include.cluster.store import Change

Object = dict[str, Any]

FOLDER = Path(__file__).parents[3] / "data" / "kubernetes-1.36" / "status"
_HASHED = re.compile(r"\bweb-([bcdfghjklmnpqrstvwxz2456789]{6,10})(-[bcdfghjklmnpqrstvwxz2456789]{5})?\b")
_JOB_POD = re.compile(r"\bjob(-\d)?-[bcdfghjklmnpqrstvwxz2456789]{5}\b")


def merge(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def records(name: str) -> Iterator[Object]:
    """The lines of a timeline, with every object whole."""
    state: dict[str, Object] = {}
    for line in (FOLDER / f"{name}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if "object" in record:
            state[record["object"]["metadata"]["uid"]] = record["object"]
        elif "merge_patch" in record:
            record["object"] = state[record["uid"]] = merge(state[record["uid"]], record.pop("merge_patch"))
        yield record


def recorded(name: str, kind: str) -> list[Object]:
    """The recorded states of the objects of a kind, in order."""
    return [
        record["object"] for record in records(name) if record["kind"] == kind and record["type"] != "DELETED"
    ]


def recorded_events(name: str, kind: str) -> list[tuple[str, str, str]]:
    """The recorded events about a kind: type, reason, message."""
    found = []
    for record in records(name):
        event = record.get("event") or record.get("object") or {}
        if record["kind"] == "Event" and event["involvedObject"]["kind"] == kind:
            found.append((event["type"], event["reason"], event["message"]))
    return told(found)


def happened(changes: Iterable[Change], plural: str) -> list[Object]:
    """The states of the objects of a kind that were written, in order."""
    return [change.object for change in changes if change.key[0] == plural and change.type != "DELETED"]


def happened_events(changes: Iterable[Change], kind: str) -> list[tuple[str, str, str]]:
    """The events about a kind that were written: type, reason, message."""
    events = [event for event in happened(changes, "events") if event["involvedObject"]["kind"] == kind]
    return told((event["type"], event["reason"], event["message"]) for event in events)


def told(events: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Events without the parts of names that are made up: replicasets are numbered as they appear."""
    number = _Numbers()
    return [(type_, reason, number(message)) for type_, reason, message in events]


def conditions(states: Iterable[Object], type_: str) -> list[tuple[str, str, str]]:
    """What one condition said, each time it said something else: status, reason, message."""
    number = _Numbers()
    found: list[tuple[str, str, str]] = []
    for state in states:
        for condition in (state.get("status") or {}).get("conditions") or []:
            said = (condition["status"], condition["reason"], number(condition["message"]))
            if condition["type"] == type_ and found[-1:] != [said]:
                found.append(said)
    return found


def counts(states: Iterable[Object]) -> list[Object]:
    """The statuses without conditions and times, each time they differ."""
    left_out = ("conditions", "startTime", "completionTime", "uncountedTerminatedPods")
    found: list[Object] = []
    for state in states:
        status = {key: value for key, value in (state.get("status") or {}).items() if key not in left_out}
        if found[-1:] != [status]:
            found.append(status)
    return found


class _Numbers:
    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        text = _HASHED.sub(self._name, text)
        text = _JOB_POD.sub(lambda match: f"job{match.group(1) or ''}-POD", text)
        return re.sub(r"\btl-[a-z-]+/", "NS/", text).replace("shop/", "NS/")

    def _name(self, match: re.Match[str]) -> str:
        known = self._seen.setdefault(match.group(1), str(len(self._seen) + 1))
        return f"web-{known}-POD" if match.group(2) else f"web-{known}"
