"""Approvals: who may give one, what exactly it is given for, and whether one still stands.

An approval is bound to a digest of the frozen release (its capacity plan is in it), the live objects, the QA
verdicts and the migrations that were applied before. What it was given for must be what is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from include.release.diff import comparable, difference
from include.release.environments import ANYONE, Environment
from include.release.frozen import Frozen
from include.release.manifests import KINDS
from include.release.policies import ApprovalPolicy
from include.release.problems import Problem, RejectedError

Kind = Literal["release", "rollback"]
CODE_LENGTH = 8
ENVIRONMENTS = "include/config/environments.yaml"


class Approval(BaseModel):
    """An approval on record, or that none is needed. ``parts`` are what it was given for, each with its digest."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    required: bool
    by: str = ""
    at: AwareDatetime | None = None
    why: str = ""
    digest: str = ""
    parts: dict[str, str] = {}
    question: int = 1
    clear_number: int = 0


@dataclass(frozen=True)
class Approvers:
    """Who may answer.

    Args:
        names: users by name; empty when everybody may.
        anyone: ``may_approve`` has a ``*``.
        excluded: who triggered the run, where that user may not approve it.
    """

    names: tuple[str, ...]
    anyone: bool
    excluded: str = ""

    def allows(self, user: str | None) -> bool:
        """Whether this user's answer counts."""
        return bool(user) and user != self.excluded and (self.anyone or user in self.names)

    @property
    def text(self) -> str:
        """``admin or oncall``; ``anybody but dev``."""
        if self.anyone:
            return f"anybody but {self.excluded}, who triggered it" if self.excluded else "anybody"
        return " or ".join(self.names)


def is_needed(policy: ApprovalPolicy, kind: Kind) -> bool:
    """Whether somebody has to approve a change of this kind."""
    return policy.required if kind == "release" else policy.rollbacks


def approvers(environment: Environment, triggered_by: str | None) -> Approvers:
    """Who may approve a run in an environment. Raises RejectedError when that is nobody."""
    excluded = (triggered_by or "") if environment.approval.not_by_who_triggered else ""
    listed = tuple(dict.fromkeys(name for name in environment.may_approve if name != ANYONE))
    names = tuple(name for name in listed if name != excluded)
    anyone = ANYONE in environment.may_approve
    if not names and not anyone:
        problem = Problem(
            ENVIRONMENTS,
            f"{environment.name}.may_approve",
            f"only {', '.join(listed)}, who triggered this run",
            "somebody else who may approve it (not_by_who_triggered is set)",
            "have the list changed and reviewed, or have somebody else trigger the run",
        )
        raise RejectedError([problem], subject=f"who may approve in {environment.name}")
    return Approvers(() if anyone else names, anyone, excluded)


@dataclass(frozen=True)
class Basis:
    """What an approval is given for: by part, its digest; ``live`` has the objects for showing what changed."""

    parts: dict[str, str]
    live: dict[str, dict[str, Any] | None]

    @property
    def digest(self) -> str:
        """SHA-256 over all parts."""
        return _digest(self.parts)

    @property
    def code(self) -> str:
        """The part of the digest that an answer carries."""
        return self.digest[:CODE_LENGTH]


def basis_of(
    frozen: Frozen,
    live: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]],
    applied: Sequence[str] | None,
    plan: Mapping[str, Any] | None = None,
) -> Basis:
    """What is asked about.

    Args:
        frozen: the release that would be brought.
        live: the objects that it may touch, as they are now.
        verdicts: the rows of the gate.
        applied: ids of the migrations that were applied before the run; None when nobody could be asked.
        plan: what a rollback does beside applying objects.
    """
    objects: dict[str, dict[str, Any] | None] = {object_name(each): None for each in frozen.objects}
    objects |= {object_name(each): comparable(dict(each)) for each in live}
    parts = {"release": frozen.digest}
    parts |= {name: "absent" if each is None else _digest(each) for name, each in sorted(objects.items())}
    for row in sorted(verdicts, key=lambda each: str(each["image"])):
        parts[f"QA verdict on {row['image']}"] = _digest(row)
    parts["migrations applied before"] = "not known" if applied is None else _digest(sorted(applied))
    if plan is not None:
        parts["plan of the rollback"] = _digest(plan)
    return Basis(parts, objects)


def object_name(manifest: Mapping[str, Any]) -> str:
    """``Deployment app-deployment``."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def what_changed(before: Basis, after: Basis) -> list[str]:
    """Per part that is not what it was, a text; an object with the difference."""
    texts = []
    for name in {**before.parts, **after.parts}:
        old, new = before.parts.get(name), after.parts.get(name)
        if old == new:
            continue
        was, is_now = before.live.get(name), after.live.get(name)
        if was is None and is_now is None:
            texts.append(f"{name}: is not what it was")
        elif was is None or is_now is None:
            texts.append(f"{name}: {'appeared in' if was is None else 'is gone from'} the cluster")
        else:
            texts.append(f"{name}: changed in the cluster\n{_then_and_now(was, is_now)}")
    return texts


def _then_and_now(was: dict[str, Any], is_now: dict[str, Any]) -> str:
    lines = difference(was, is_now).splitlines()
    return "\n".join(["--- when it was asked", "+++ now", *lines[2:]])


def require(
    approval: Approval | None,
    frozen: Frozen,
    kind: Kind,
    *,
    now: datetime,
    check_age: bool,
    current: Callable[[], Basis],
    still_changes: Callable[[str], bool],
    ask_task: str = "approve",
) -> None:
    """Refuse to change anything without an approval of exactly this.

    Args:
        approval: what is on record; None when nothing is.
        frozen: what is about to be brought.
        kind: release or rollback.
        now: the time.
        check_age: nothing has been changed under this approval yet, so its age counts.
        current: reads what the approval would be given for now; called only when one is on record.
        still_changes: whether applying an object (by name) would change it; what was done already is no deviation.
        ask_task: id of the task that asks.

    Raises:
        RejectedError: says what is missing, and that clearing ``approve`` asks again.
    """
    policy = frozen.environment.approval
    if not is_needed(policy, kind):
        return
    if approval is None or not approval.required or not approval.by or approval.at is None:
        raise _not_approved(frozen, "none on record", "an approval", ask_task)
    if approval.parts.get("release") != frozen.digest:
        raise _not_approved(frozen, "one for another release", f"one for {frozen.digest[:12]}", ask_task)
    if check_age and too_old(approval.at, policy, now):
        found = f"one by {approval.by}, given at {clock(approval.at)}"
        raise _not_approved(frozen, found, f"one at most {policy.valid_minutes} minutes old", ask_task)
    parts = current().parts
    applied_here = {object_name(each) for each in frozen.objects}
    changed = [
        name
        for name, digest in approval.parts.items()
        if (name in applied_here or not _is_object(name)) and parts.get(name) != digest
        and not (name in applied_here and not still_changes(name))
    ]  # fmt: skip
    if changed:
        found = (
            f"one by {approval.by}, given at {clock(approval.at)}; since then changed: {', '.join(changed)}"
        )
        raise _not_approved(frozen, found, "one for the state that is there now", ask_task)


def too_old(at: datetime, policy: ApprovalPolicy, now: datetime) -> bool:
    """Whether an approval of that time is no longer good."""
    return now - at > timedelta(minutes=policy.valid_minutes)


def clock(moment: datetime) -> str:
    """A time as texts show it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _is_object(part: str) -> bool:
    return part.partition(" ")[0] in KINDS


def _not_approved(frozen: Frozen, found: str, expected: str, ask_task: str) -> RejectedError:
    problem = Problem(
        f"approval of {frozen.title}", "", found, expected, f"clear `{ask_task}` (with what comes after it): it asks again"
    )  # fmt: skip
    return RejectedError(
        [problem], subject=f"the approval of {frozen.title}", changed="This task has changed nothing."
    )


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
