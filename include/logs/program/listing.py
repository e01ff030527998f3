"""The plan as people read it: a dry run prints it, and the real run prints the same before it goes on."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from .summary import counted, sized

SAID = {
    "delete": "delete",
    "archive_delete": "archive, then delete",
    "archive_punch": "archive, then free within the open file",
    "punch": "free within the open file",
    "truncate": "archive, then truncate (config accepts a loss)",
    "expire_archive": "delete archives whose time is over",
}
WHY = {
    "open": "open, with nothing in them to free",
    "open_hard_links": "open files that have more than one name",
    "open_not_punchable": "open, and this file system frees no ranges; config accepts no loss",
    "changed": "changed while we looked",
    "hard_links": "more hard links than one run takes",
    "future": "last changed in the future",
    "links": "symbolic links (never followed)",
    "special": "no regular files",
    "within_size": "closed, and a part of them is within keep_size",
    "minimum_days": "beyond keep_size, but within the compliance minimum",
    "unreadable": "cannot be read",
}


def listing(facts: Dict[str, Any]) -> str:
    """A plan's answer in words."""
    lines = [f"Plan: {counted(facts['files'], 'file')} to clean up, {sized(facts['freed'])} to free."]
    lines += room_for_archives(facts)
    for found in facts["classes"]:
        new = "  NEW: never cleaned on this volume" if found["new"] else ""
        lines.append(
            f"class {found['name']}: {counted(found['files'], 'file')}, {sized(found['bytes'])}{new}"
        )
        for action, amount in found["actions"].items():
            lines.append(
                f"  {SAID.get(action, action)}: {counted(amount['files'], 'file')}, frees {sized(amount['bytes'])}"
            )
            lines += _named(found["examples"].get(action, ()), amount["files"])
        if found["held"]["files"]:
            lines.append(
                f"  held: {counted(found['held']['files'], 'file')}, {sized(found['held']['bytes'])}"
            )
    loose = facts["unclassified"]
    if loose["files"]:
        lines.append(f"of no class, kept: {counted(loose['files'], 'file')}, {sized(loose['bytes'])}")
        largest = [f"{item['path']} ({sized(item['bytes'])})" for item in loose["largest"][:5]]
        lines += _named(largest, loose["files"])
    for why, amount in facts["left"].items():
        lines.append(
            f"left, {WHY.get(why, why)}: {counted(amount['files'], 'file')}, {sized(amount['bytes'])}"
        )
        lines += _named(amount["examples"][:5], amount["files"])
    for item in facts["open"]:
        lines.append(
            f"open: {item['path']}, by {', '.join(item['by']) or 'a process that is not visible from here'}"
        )
    lines += [*holds_of_nothing(facts), *archives_of_no_class(facts)]
    lines += [f"archive kept, {item['why']}: {item['manifest']}" for item in facts["expired_left"]]
    lines += [f"not looked into, {example}" for example in facts["unreadable_examples"]]
    lines += [f"not looked into, another file system: {path}" for path in facts["other_file_systems"]]
    return "\n".join(lines)


def _named(examples: Sequence[str], count: int) -> List[str]:
    """A line for each, and how many there are beside them."""
    more = [f"    and {count - len(examples):,} more"] if examples and count > len(examples) else []
    return [*(f"    {path}" for path in examples), *more]


def room_for_archives(facts: Dict[str, Any]) -> List[str]:
    """What the plan's archives need before anything is deleted, and whether that is free, in words; nothing without archives."""
    need = facts.get("archives_need") or {}
    if not need.get("bytes"):
        return []
    lines = [
        f"Its archives need about {sized(need['bytes'])}{_there(need)} before anything is deleted "
        f"({100 * need['bytes'] / need['of']:.0f} % of {sized(need['of'])})."
    ]
    if not need["fit"]:
        elsewhere = "" if need["elsewhere"] else ", or name another place for archives (archive_to)"
        lines.append(
            f"THEY WILL NOT FIT: {sized(need['free'])} are free, so `archive` would fail and nothing would be deleted. Make about "
            f"{sized(need['bytes'] - need['free'])} more room first (move a file elsewhere: what is deleted by hand is in no archive){elsewhere}."
        )
    return lines


def _there(need: Dict[str, Any]) -> str:
    return " in their own place (archive_to)" if need["elsewhere"] else " on the volume"


def holds_of_nothing(facts: Dict[str, Any]) -> List[str]:
    """The holds that nothing on the volume matches, in words."""
    return [
        f"hold {hold['case']} ({hold['owner']}) matches nothing, neither a file nor what is in an archive: "
        f"{', '.join(hold['globs'])}. Is that a path below the volume's root?"
        for hold in facts.get("holds_of_nothing", ())
    ]


def archives_of_no_class(facts: Dict[str, Any]) -> List[str]:
    """The archives that stay since nothing says when their time is over, in words."""
    return [
        f"{counted(found['archives'], 'archive')} of class {found['class']} ({sized(found['bytes'])}) stay for ever, as log_retention.yaml "
        "has that class no more: name it there again, with the archive_keep_days that is right for them."
        for found in facts.get("archives_of_no_class", ())
    ]


def outlook(facts: Dict[str, Any]) -> List[str]:
    """What is missing, and what would have to change, in words; nothing where the floor is met."""
    missed = facts.get("shortfall")
    if not missed:
        return []
    after, undone = facts["after"], facts.get("undone")
    head = f"Free, as nothing could be cleaned up ({undone})" if undone else "Free after the clean-up"
    lines = [
        f"{head}: {after['free_percent']:.1f} % ({sized(after['free'])}); the floor is "
        f"{after['floor_percent']:g} %, the target {after['target_percent']:g} %. "
        f"{sized(after['to_floor'])} are missing to the floor, {sized(missed['missing'])} to the target. "
        "Retention was not shortened."
    ]
    for change in missed["together"] or [found for found in missed["settings"] if found["enough"]]:
        lines.append("  " + setting(change))
    if missed["together"]:
        lines.insert(1, "No single setting frees enough. Together these would:" if missed["policy_can"]
                     else "Even all of these together do not free enough:")  # fmt: skip
    elif missed["settings"]:
        lines.insert(1, "Any one of these would reach the target:")
    else:
        lines.append(
            "No retention setting frees more than a twentieth of that within the compliance minimum."
        )
    days = missed["add_storage_days"]
    lasts = f" for {days} days" if days else "; for how long cannot be said yet"
    lines.append(f"Or {sized(missed['add_storage'])} more storage: the target is then met{lasts}.")
    return lines


def with_room(after: Dict[str, Any]) -> str:
    """What the policy itself would free on a volume that has no room to be cleaned up; ``after`` as a plan answers it."""
    left = f"{after['free_percent']:.1f} % ({sized(after['free'])})"
    rest = (
        "that is below the floor, too."
        if after["below_floor"]
        else "the floor is then met. Make that room before anybody changes the policy."
    )
    need = after.get("archives_need") or {}
    much = (
        f" (the archives need about {sized(need['bytes'])}{_there(need)}, {sized(need['free'])} are free)"
        if need.get("bytes")
        else ""
    )
    return f"With room for its notes and archives{much} the clean-up would leave about {left} free: {rest}"


def setting(change: Dict[str, Any]) -> str:
    """One change of the policy, in words."""
    name = change["setting"]
    days = name != "keep_size"
    now = (
        "no limit"
        if change["from"] is None
        else f"{change['from']:g} days"
        if days
        else sized(change["from"])
    )
    to = f"{change['to']:g} days" if days else sized(change["to"])
    return f"class {change['class']}: {name} from {now} to {to} frees {sized(change['frees'])}"
