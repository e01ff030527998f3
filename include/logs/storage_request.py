"""What people are told when the policy frees too little: what is missing, and what Compliance may decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.logs.loading import PlacedVolume
from include.logs.program.listing import setting, with_room
from include.logs.program.summary import sized
from include.release.texts import plural

LARGEST_SHOWN = 5
NO_CLASS = "(no class)"
"""What the program calls the class of files that have none."""


def shortfall_of(
    answers: Mapping[str, Mapping[str, Any]],
) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """What is missing, and the space it is missing in; None when the floor is met.

    The step ``space`` saw how it is; without it the plan says how it would be.
    """
    for name, inner in (("space", ""), ("plan", "after")):
        facts = answers.get(name) or {}
        missed = facts.get("shortfall")
        if missed:
            return missed, (facts.get(inner) or {}) if inner else facts
        if name == "space" and facts.get("ok"):
            return None
    return None


def storage_request(
    placed: PlacedVolume,
    missed: Mapping[str, Any],
    space: Mapping[str, Any],
    facts: Mapping[str, Any],
    run: str,
) -> str:
    """The text to send to Compliance: they know what may be cleared, or request more storage.

    Args:
        placed: the volume.
        missed: the shortfall, as the program answers it.
        space: the space that is left.
        facts: of the step that saw it: ``forecast``, ``largest``.
        run: ``dag_id/run_id``, for questions.
    """
    volume, compliance = placed.volume, placed.retention.compliance
    to = f"{compliance.name} ({compliance.contact})" if compliance.contact else compliance.name
    lines = [
        f"To: {to}",
        f"Subject: Storage of {volume.title} ({volume.name}): {_share(space)} free, the floor is {volume.floor}",
        "",
        f"The logs in {placed.place} {_cleaned(facts)}, and {_share(space)} "
        f"({_size(space, 'free')} of {_size(space, 'size')}) are free. The floor is {volume.floor}, the target "
        f"{volume.target}: {_size(space, 'to_floor')} are missing to the floor, {_size(missed, 'missing')} to the "
        "target. Nothing was deleted that the policy keeps.",
        "",
        full_text(facts),
        *([room] if (room := room_text(facts)) else []),
        "",
        "Please decide one of these:",
        f"  1. More storage: {_size(missed, 'add_storage')} more, which {_lasts(missed)}.",
        *_settings(missed),
        *_archives(missed),
        "",
        "The largest files:",
        *_largest(facts),
    ]
    if holds := placed.retention.holds_of(volume.name):
        held = "; ".join(f"case {each.case}, {each.owner}: {', '.join(each.globs)}" for each in holds)
        lines += ["", f"Legal holds on this volume, which no change of the policy ends: {held}."]
    return "\n".join([*lines, "", f"Found by {run}."])


def _cleaned(facts: Mapping[str, Any]) -> str:
    if undone := facts.get("undone"):
        return f"could not be cleaned up as the retention policy says ({undone})"
    return "were cleaned up as the retention policy says"


def room_text(facts: Mapping[str, Any]) -> str:
    """What the policy itself would free, where the volume has no room to be cleaned up; else empty."""
    would = facts.get("would")
    return with_room(dict(would)) if would else ""


def full_text(facts: Mapping[str, Any]) -> str:
    """When the volume is full, in a sentence."""
    if facts.get("undone") and not _number(facts, "free"):
        return "It is full now."
    forecast = facts.get("forecast") or {}
    remains, written = forecast.get("remains") or {}, forecast.get("written") or {}
    if remains.get("full_at"):
        return (
            f"At the present rate ({_rate(remains)} remain after the clean-ups) it is full {_when(remains)}."
        )
    if remains.get("bytes_per_day") is not None:
        rest = (
            f", and would be full {_when(written)} if nothing were cleaned up"
            if written.get("full_at")
            else ""
        )
        return f"At the present rate it does not fill up: what is written is cleaned up again{rest}."
    if written.get("full_at"):
        return f"At the present rate ({_rate(written)} are written) it is full {_when(written)} if nothing is freed."
    return "When it is full cannot be said yet: that takes the history of a few runs."


def _lasts(missed: Mapping[str, Any]) -> str:
    if days := _number(missed, "add_storage_days"):
        return f"is enough for {plural(days, 'day')} at the present rate"
    return "reaches the target; for how long cannot be said yet"


def _archives(missed: Mapping[str, Any]) -> list[str]:
    """The way out where the archives lie in the space that is short."""
    if not _number(missed, "archives"):
        return []
    return [
        f"  Or another place for archives (archive_to in log_retention.yaml): those that lie on this volume take "
        f"{_size(missed, 'archives')}. New ones then take nothing here; these stay until their time is over."
    ]


def _settings(missed: Mapping[str, Any]) -> list[str]:
    together, settings = missed.get("together") or [], missed.get("settings") or []
    alone = [each for each in settings if each.get("enough")]
    if alone:
        return [f"  {number}. {_setting(each)}." for number, each in enumerate(alone, start=2)]
    if together:
        enough = (
            ""
            if missed.get("policy_can")
            else " (together they do not reach the target; storage is needed too)"
        )
        head = f"  2. All of these, as no single one is enough{enough}:"
        return [head, *(f"     - {_setting(each)}" for each in together)]
    return ["  No retention setting frees more than a twentieth of that within the compliance minimum."]


def _setting(change: Mapping[str, Any]) -> str:
    least = change.get("least")
    bound = ""
    if isinstance(least, int | float) and least > 0:
        value = sized(least) if change.get("setting") == "keep_size" else plural(least, "day")
        bound = f" (not below {value})"
    text = setting(dict(change))
    return f"{text[:1].upper()}{text[1:]}{bound}"


def _largest(facts: Mapping[str, Any]) -> list[str]:
    found = [each for each in facts.get("largest") or [] if isinstance(each, dict)][:LARGEST_SHOWN]
    lines = []
    for each in found:
        name = str(each.get("class") or "")
        of_class = f" {name}" if name == NO_CLASS else f" (class {name})" if name else ""
        lines.append(f"  - {each.get('path')}: {_size(each, 'bytes')}{of_class}")
    return lines or ["  - none"]


def _number(facts: Mapping[str, Any], key: str) -> float:
    value = facts.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _size(facts: Mapping[str, Any], key: str) -> str:
    return sized(_number(facts, key))


def _share(space: Mapping[str, Any]) -> str:
    return f"{_number(space, 'free_percent'):.1f} %"


def _rate(found: Mapping[str, Any]) -> str:
    return f"{_size(found, 'bytes_per_day')} a day"


def _when(found: Mapping[str, Any]) -> str:
    return f"in {plural(_number(found, 'full_in_days'), 'day')} ({str(found['full_at'])[:10]})"
