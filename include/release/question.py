"""What an approver is asked: a headline, and in Markdown all that is needed to decide."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from include.capacity.report import brief
from include.release.applying import ONLY_NOTES, Applied
from include.release.approval import Approvers, Basis, Kind, clock
from include.release.frozen import Frozen
from include.release.spec import Migration
from include.release.telling import WAITS, Message, rollback_title
from include.release.texts import markdown, plural

LINES_OF_A_DIFF = 60
LINES_OF_ALL = 300


ASKED_BY_JOB = (
    "Which are applied, `preflight` has asked of the database: with a Job of this release's own build, whose command "
    "`migrations.status` only reads."
)


@dataclass(frozen=True)
class Asked:
    """Who asks for the change, and how long there is to answer. Times are texts."""

    user: str
    reason: str
    run: str
    at: str
    answer_within_minutes: int
    valid_minutes: int


@dataclass(frozen=True)
class Facts:
    """Everything that the question tells.

    Args:
        frozen: the release that would be brought.
        kind: a release, or a rollback to it.
        asked: who asks.
        who: who may answer.
        basis: what the answer is bound to.
        number: how often this run has asked, this time included.
        changes: what applying each object would change.
        new_maps: names of the ConfigMaps that would be created.
        verdicts: the rows of the gate.
        applied: migrations that were applied before; None when not known.
        plan: the capacity plan in lines; empty without one.
        steps: what a rollback does beside applying objects, in lines.
        since: what is not as it was when it was asked before.
        replaces: what is there before the change, in a sentence.
        closed: why the gate would refuse the release; only a dry run gets that far then.
    """

    frozen: Frozen
    kind: Kind
    asked: Asked
    who: Approvers
    basis: Basis
    number: int = 1
    changes: Sequence[Applied] = ()
    new_maps: Sequence[str] = ()
    verdicts: Sequence[Mapping[str, Any]] = ()
    applied: Sequence[str] | None = None
    plan: Sequence[str] = ()
    steps: Sequence[str] = ()
    since: Sequence[str] = field(default=())
    replaces: str = ""
    closed: str = ""


def subject(facts: Facts) -> str:
    """The headline."""
    what = f"rollback to {facts.frozen.title}" if facts.kind == "rollback" else facts.frozen.title
    return f"Approve {what}?"


def changes_something(
    frozen: Frozen, changes: Sequence[Applied], new_maps: Sequence[str], applied: Sequence[str] | None
) -> bool:
    """Whether a release would do more than write its notes anew."""
    steps = frozen.release.migrations.steps if frozen.release.migrations else []
    pending = any(step.id not in (applied or ()) for step in steps)
    return pending or bool(new_maps) or any(each.diff for each in changes)


def told(facts: Facts, link: str, *, again: str = "") -> Message:
    """The message that a question waits for an answer.

    Args:
        facts: what the question tells.
        link: the page on which it is answered.
        again: when it was asked before: which time this is.
    """
    asked, frozen = facts.asked, facts.frozen
    title = frozen.title
    if facts.kind == "rollback":
        title = rollback_title(frozen.release.app, frozen.environment.name, frozen.release.name)
    paragraph = (
        f"{asked.user} asks for an approval. {facts.who.text} may answer, within {asked.answer_within_minutes} "
        f"minutes; silence refuses. {facts.replaces}"
    ).strip()
    if again:
        paragraph = f"Asked again ({again}): an earlier answer does not count any more. {paragraph}"
    details = {
        "Asked for by": asked.user,
        "Reason": asked.reason,
        "May answer": facts.who.text,
        "Code of the question": facts.basis.code,
        "Run": asked.run,
    }
    return Message(WAITS, title, paragraph, details, {"Question in Airflow": link})


def body(facts: Facts, *, whole: bool = False) -> str:
    """The question in Markdown.

    Args:
        facts: what it tells.
        whole: with every line of every difference, for the task log; else shortened for a page.
    """
    asked, release = facts.asked, facts.frozen.release
    parts = [f"**{markdown(facts.replaces)}**"] if facts.replaces else []
    parts += [
        f"**{markdown(asked.user)}** asks for it: {markdown(asked.reason)}",
        f"{markdown(release.summary)}",
        _answering(facts),
    ]
    if facts.closed:
        parts.append("**The gate would refuse this release now:** see the QA verdicts below.")
    if facts.since:
        parts += ["### Changed since it was asked before", *(_block(text, "diff") for text in facts.since)]
    if facts.steps:
        parts += ["### What the rollback does", _list(facts.steps)]
    parts += ["### QA verdicts", _verdicts(facts)]
    parts += ["### Capacity plan", _list(facts.plan) if facts.plan else "The release has none."]
    parts += ["### Migrations", _migrations(facts)]
    parts += ["### If it fails", _failure(facts)]
    # By far the longest part: last, so that nobody has to scroll past it to what decides.
    parts += ["### What changes in the cluster", *_changes(facts, whole)]
    return "\n\n".join(parts)


def _answering(facts: Facts) -> str:
    asked = facts.asked
    return (
        f"Question {facts.number}, asked {asked.at} by run `{asked.run}`; its code is `{facts.basis.code}`. "
        f"{markdown(facts.who.text)} may answer, within {asked.answer_within_minutes} minutes; silence refuses. "
        f"An approval is good for {asked.valid_minutes} minutes, and for what is written here: when that changes "
        "meanwhile, the question is asked again. Airflow then still shows this text; the new one, with its "
        "code, is in the log of this task."
    )


def _changes(facts: Facts, whole: bool) -> list[str]:
    texts, left = [], LINES_OF_ALL
    for change in facts.changes:
        head = f"**{change.kind} {change.name}**: would be {change.outcome}"
        if change.outcome == "unchanged":
            texts.append(f"**{change.kind} {change.name}**: stays as it is")
            continue
        if not change.diff:
            texts.append(f"{head} {ONLY_NOTES}")
            continue
        lines = change.diff.splitlines()
        room = len(lines) if whole else max(0, min(LINES_OF_A_DIFF, left))
        left -= min(len(lines), room)
        texts.append(f"{head}\n\n{_block(chr(10).join(lines[:room]), 'diff')}" if room else head)
        if len(lines) > room:
            texts.append(
                f"… and {plural(len(lines) - room, 'more line')}: the log of this task has all of them."
            )
    if facts.new_maps:
        texts.append(f"New ConfigMaps: {', '.join(f'`{name}`' for name in facts.new_maps)}")
    return texts or ["Nothing: all objects are as the release has them."]


def _migrations(facts: Facts) -> str:
    migrations = facts.frozen.release.migrations
    if migrations is None:
        return "None."
    if facts.kind == "rollback":
        return "See what the rollback does; no migration is applied."
    rows = ["| migration | what | way back | the build before works with it |", "|---|---|---|---|"]
    for step in migrations.steps:
        done = " (applied already)" if step.id in (facts.applied or ()) else ""
        old = "yes" if step.old_build_compatible else "**no**"
        rows.append(f"| `{step.id}`{done} | {markdown(step.title)} | {markdown(way_back(step))} | {old} |")
    if facts.applied is not None:
        rows += ["", ASKED_BY_JOB]
    return "\n".join(rows)


def way_back(step: Migration) -> str:
    """What taking a migration back means."""
    if step.down is None:
        return "none"
    return f"yes, destroys {step.drops_data}" if step.drops_data else "yes, nothing is lost"


def _verdicts(facts: Facts) -> str:
    if facts.closed:
        return f"The gate would refuse this release.\n\n{_block(facts.closed, 'text')}"
    if not facts.verdicts:
        return f"{facts.frozen.environment.name} asks for none."
    return _list(
        [
            f"{row['image']} ({str(row['digest'])[:19]}): {'passed' if row.get('passed', True) else 'FAILED'}, says "
            f"{row['source']} (by {row['by']}, {clock(datetime.fromisoformat(row['at']))})"
            + (f": {row['reason']}" if row.get("reason") else "")
            for row in facts.verdicts
        ]
    )


def _failure(facts: Facts) -> str:
    if facts.kind == "rollback":
        return "It stops where it is and says what was done and what was not. Nothing is rolled forward by itself."
    steps = facts.frozen.release.migrations.steps if facts.frozen.release.migrations else []
    new = [step for step in steps if step.id not in (facts.applied or ())]
    texts = ["What runs now is restored by itself, as it was saved before the first change."]
    if new:
        texts.append("Migrations of this release are taken back, newest first, by its own build.")
    if lossy := [step.id for step in new if step.down is not None and step.drops_data]:
        texts.append(
            f"Where that would destroy rows ({', '.join(lossy)}) it is left, unless nothing would be lost."
        )
    if stuck := [step.id for step in new if step.down is None and not step.old_build_compatible]:
        texts.append(
            f"**There is no way back behind {', '.join(stuck)}: the rollback stops and says what can be done.**"
        )
    return " ".join(texts)


def plan_lines(frozen: Frozen) -> list[str]:
    """The capacity plan in a line per workload, with what it holds and why what runs is not what was planned."""
    plan = frozen.capacity()
    return [] if plan is None else brief(plan)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {markdown(' '.join(line.split()))}" for line in lines)


def _block(text: str, language: str) -> str:
    """A code block that its content cannot end."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
