"""How to get back: what is taken back, what stays and why, in which order. Decided from facts; nothing is asked here.

Migrations are taken back newest first, by the build that brought them: the old build does not know them. One that
would destroy rows is taken back only when somebody said so; else it stays if the old build can live with it, and so
does everything older. What can be neither taken back nor lived with stops the rollback before it changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from include.release.applying import spec_name
from include.release.frozen import LABEL_APP
from include.release.pressed import is_pressed
from include.release.rollback_facts import Facts as Facts
from include.release.rollback_facts import Layer as Layer
from include.release.rollback_facts import Rows
from include.release.saved import Key, key_of
from include.release.spec import Migration

Order = Literal["pods first", "migrations first"]

_REACH = (
    "If it may not stay: trigger rollback with the target 'before <run>', where <run> is the run that applied it "
    "(the history has it), and tick Drop data if its rows may go"
)


class Part(BaseModel):
    """Of a plan: no unknown keys, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Undo(Part):
    """A migration to take back, by the build of the release in ConfigMap ``spec``."""

    id: str
    title: str
    spec: str
    keep_rows: bool
    rows: dict[str, int]
    old_build_compatible: bool


class Kept(Part):
    """A migration that stays, and why."""

    id: str
    reason: str


class Stays(Part):
    """An object that is left as it is, and why."""

    kind: str
    name: str
    reason: str


class RollbackPlan(Part):
    """What a rollback does. ``stop`` is empty when it can be done; ``nothing`` says why there is nothing to do.

    ``stood`` are migrations of what is undone that an earlier run applied and nobody took back: no part of this way.
    """

    undoing: str
    target: str
    target_spec: str = ""
    saved_state: str = ""
    order: Order = "pods first"
    why: str = ""
    undo: list[Undo] = []
    kept: list[Kept] = []
    stood: list[Kept] = []
    restore: list[Key] = []
    restore_saved: list[Key] = []
    delete: list[Key] = []
    stays: list[Stays] = []
    stop: str = ""
    choices: list[str] = []
    nothing: str = ""

    @property
    def sentence(self) -> str:
        """The decision in a sentence or two, for whoever is told of it."""
        if self.stop:
            return f"There is no way back to {self.target} without a decision: {self.stop}"
        said = f"Rollback from {self.undoing} to {self.target}, {self.order}."
        kept = "; ".join(f"{each.id} ({each.reason})" for each in self.kept)
        said = f"{said} Migrations that stay: {kept}." if kept else said
        stood = ", ".join(each.id for each in self.stood)
        return f"{said} Applied before, so not taken back: {stood}." if stood else said

    @property
    def text(self) -> str:
        """The plan, as on-call reads it."""
        if self.nothing:
            return f"Nothing to roll back: {self.nothing}"
        if self.stop:
            lines = [
                f"The rollback to {self.target} stops here; it has changed nothing. {self.stop}",
                "Choices:",
            ]
            return "\n".join([*lines, *(f"  {n}. {each}" for n, each in enumerate(self.choices, start=1))])
        lines = [f"Back from {self.undoing} to {self.target}, {self.order}: {self.why}"]
        for each in self.undo:
            rows = f", destroys {rows_text(each.rows)}" if any(each.rows.values()) else ""
            lines.append(f"  take back migration {each.id} ({each.title}){rows}")
        lines += [f"  keep migration {each.id}: {each.reason}" for each in self.kept]
        lines += [f"  migration {each.id} stays: {each.reason}" for each in self.stood]
        if self.stood:
            lines.append(f"    {_REACH}")
        lines += [f"  restore {kind} {name}" for kind, name in (*self.restore, *self.restore_saved)]
        lines += [f"  delete {kind} {name}: this change created it" for kind, name in self.delete]
        lines += [f"  leave {each.kind} {each.name}: {each.reason}" for each in self.stays]
        return "\n".join(lines)


def plan_rollback(facts: Facts) -> RollbackPlan:
    """Decide. Always returns a plan; look at ``stop`` before doing what it says."""
    undoing, target = _names(facts)
    base = RollbackPlan(
        undoing=undoing,
        target=target,
        target_spec=spec_name(facts.target.release.name, facts.target.digest) if facts.target else "",
        saved_state=facts.before.name if facts.before else "",
    )
    if stop := _lacking(facts):
        choices = [
            f"Trigger release of {target}: it applies what is missing, and is checked as a release is."
        ]
        return base.model_copy(update={"stop": stop, "choices": [*choices, *_other_ways(undoing)]})
    if strays := facts.strays():
        unknown = _unknown(strays, target)
        choices = [*unknown.choices, *_other_ways(undoing)]
        return base.model_copy(update={"stop": unknown.reason, "choices": choices})
    undo, kept, stuck = _migrations(facts)
    if stuck is not None:
        choices = [*stuck.choices, *_other_ways(undoing)]
        return base.model_copy(update={"kept": kept, "stop": stuck.reason, "choices": choices})
    order, why = _order(undo, target, undoing, facts)
    about = {"order": order, "why": why, "undo": undo, "kept": kept, "stood": _stood(facts)}
    return base.model_copy(update={**about, **_objects(facts)})


def rows_text(rows: Rows) -> str:
    """``6 rows of exotic_plants, 6 rows of exotic_stock``."""
    return ", ".join(
        f"{count} row{'' if count == 1 else 's'} of {table}" for table, count in rows.items() if count
    )


def _names(facts: Facts) -> tuple[str, str]:
    """What is gone back from and to; with their digests where two releases have one name."""
    new, old = facts.undoing, facts.target
    undoing = new.release.name if new else "what runs"
    target = old.release.name if old else _before(facts)
    if new and old and undoing == target:
        return f"{undoing} ({new.digest[:10]})", f"{target} ({old.digest[:10]})"
    return undoing, target


def _before(facts: Facts) -> str:
    return facts.before.previous if facts.before else "what ran before"


def _lacking(facts: Facts) -> str:
    """Why the target cannot run on the schema as it is: a migration of its own is not applied."""
    steps = facts.target.release.steps if facts.target else []
    if facts.applied is None or facts.target is None:
        return ""
    lacking = [step.id for step in steps if step.id not in facts.applied and not _lacked_before(facts, step)]
    if not lacking:
        return ""
    return f"{facts.target.release.name} needs migrations that are not applied ({', '.join(lacking)})."


def _lacked_before(facts: Facts, step: Migration) -> bool:
    """It was not applied either when the target ran."""
    return (
        facts.before is not None and facts.before.applied is not None and step.id not in facts.before.applied
    )


@dataclass(frozen=True)
class _Stuck:
    """Neither back nor on."""

    reason: str
    choices: list[str]


def _unknown(strays: list[str], target: str) -> _Stuck:
    """Applied migrations of which nobody knows whether the target works with them."""
    names = ", ".join(strays)
    return _Stuck(
        f"It is not known whether {target} works with what the ledger has besides: {names}. It was not applied when "
        f"{target} ran, and neither {target} nor any release that is kept here since then has brought it.",
        [
            f"Take {names} back by hand, with the build that applied it (the ledger names the build); then trigger "
            "rollback again.",
            f"If {target} is known to work with it: trigger release of {target}, which is checked and approved as a "
            "release is.",
        ],
    )


def _migrations(facts: Facts) -> tuple[list[Undo], list[Kept], _Stuck | None]:
    undo: list[Undo] = []
    kept: list[Kept] = []
    for layer, step in facts.candidates():
        reason = _why_kept(facts, layer, step, kept[0].id if kept else "")
        if not reason:
            rows = dict(facts.rows.get(step.id, {}))
            keep_rows = not facts.drop_data and _may_lose(step)
            undo.append(
                Undo(
                    id=step.id,
                    title=step.title,
                    spec=layer.spec,
                    keep_rows=keep_rows,
                    rows=rows,
                    old_build_compatible=_works_with(facts, layer, step),
                )
            )
            continue
        kept.append(Kept(id=step.id, reason=reason))
        if not _works_with(facts, layer, step):
            return undo, kept, _stuck(step, reason, kept, facts)
    return undo, kept, None


def _stood(facts: Facts) -> list[Kept]:
    """What the undone releases have, what is applied, and what neither they brought nor the target has."""
    passed = {step.id for _, step in facts.candidates()}
    passed |= {step.id for step in facts.target.release.steps} if facts.target else set()
    found: dict[str, Kept] = {}
    for layer in facts.layers:
        # The saved state is that of the run right after the target; of the others only the ids are known here.
        state = facts.before.name if facts.before and layer is facts.layers[-1] else ""
        reason = f"it was applied already before {layer.frozen.release.name} came"
        reason += f" (saved state {state})" if state else ""
        for step in reversed(layer.frozen.release.steps):
            if step.id in (facts.applied or ()) and step.id not in passed:
                found[step.id] = Kept(
                    id=step.id, reason=f"{reason}; drop_data (form: Drop data) does not reach it"
                )
    return list(found.values())


def _why_kept(facts: Facts, layer: Layer, step: Migration, newer: str) -> str:
    """Why a migration stays; empty when it is taken back."""
    if newer:
        return f"{newer}, which is newer, stays"
    if step.down is None:
        return "it has no way back (down is null)"
    if facts.applied is None:
        return "nobody can be asked whether it is applied (the spec has no migrations.status)"
    if layer.applied_before is None:
        return "it is not known whether it was applied before"
    if facts.drop_data or not _may_lose(step):
        return ""
    if step.id not in facts.rows:
        return f"taking it back destroys {step.drops_data or 'rows'}, and how many was not counted"
    if lost := rows_text(facts.rows[step.id]):
        return f"taking it back would destroy {lost}, and Drop data was not ticked"
    return ""


def _works_with(facts: Facts, layer: Layer, step: Migration) -> bool:
    """Whether the target is known to work with a migration.

    What a release declares is about the build right before it. Of one farther back nobody has said so: a release
    that no longer uses a column, and one after it that drops the column, both tell the truth.
    """
    if facts.nothing_ran:
        return True
    return step.old_build_compatible and layer is facts.layers[-1]


def _may_lose(step: Migration) -> bool:
    return step.drops_data is not None or step.lost is not None


def _stuck(step: Migration, reason: str, kept: list[Kept], facts: Facts) -> _Stuck:
    cause = f"Migration {step.id} cannot be taken back ({reason}), and {_doubt(step, facts)}."
    choices = []
    if (
        any("Drop data" in each.reason or "was not counted" in each.reason for each in kept)
        and not facts.drop_data
    ):
        choices.append(
            "Trigger rollback with Drop data ticked: the rows are destroyed for good. Save them first if they matter."
        )
    return _Stuck(cause, choices)


def _doubt(step: Migration, facts: Facts) -> str:
    if not step.old_build_compatible:
        return "the build before it does not work with it"
    name = facts.target.release.name if facts.target else _before(facts)
    return f"that {name} works with it is not known: it is not the release right before"


def _other_ways(undoing: str) -> list[str]:
    return [
        f"Go forward: put right what is wrong in a build after {undoing}, and release that.",
        f"Stay with {undoing} for now: what serves goes on serving; nothing is done to it.",
    ]


def _order(undo: list[Undo], target: str, undoing: str, facts: Facts) -> tuple[Order, str]:
    if not undo:
        return "pods first", "no migration is taken back"
    breaking = [each.id for each in undo if not each.old_build_compatible]
    if not breaking:
        return (
            "pods first",
            f"{target} works with every migration that is taken back, and {undoing} does not work without them",
        )
    declared = {step.id for _, step in facts.candidates() if not step.old_build_compatible}
    verb = "does not work with" if declared.intersection(breaking) else "is not known to work with"
    return (
        "migrations first",
        f"{target} {verb} {', '.join(breaking)}. From taking it back until the old pods are ready "
        f"the pods of {undoing} do not serve either",
    )


def _objects(facts: Facts) -> dict[str, Any]:
    """Which objects are restored, deleted and left alone."""
    restore = [key_of(each) for each in facts.target.objects] if facts.target else []
    live = {key_of(each): each for each in facts.live}
    undone = [each.frozen for each in facts.layers if not each.aside]
    touched = dict.fromkeys(key_of(each) for frozen in undone for each in frozen.objects)
    app = facts.layers[0].frozen.release.app if facts.layers else ""
    saved: list[Key] = []
    delete: list[Key] = []
    stays = [
        Stays(kind=kind, name=name, reason="its red button is pressed: it stays at zero pods")
        for (kind, name), each in live.items()
        if kind == "Deployment" and is_pressed(each) and (kind, name) in {*restore, *touched}
    ]
    for key in touched:
        if key in restore:
            continue
        if facts.before is not None and facts.before.find(key) is not None:
            saved.append(key)
        elif key not in live:
            continue
        elif key[0] == "PersistentVolumeClaim":
            stays.append(
                Stays(kind=key[0], name=key[1], reason="it holds data; delete it by hand if that may go")
            )
        elif (live[key]["metadata"].get("labels") or {}).get(LABEL_APP) != app:
            stays.append(Stays(kind=key[0], name=key[1], reason=f"it is not of {app} any more"))
        else:
            delete.append(key)
    # The other way round than they were applied.
    return {"restore": restore, "restore_saved": saved, "delete": delete[::-1], "stays": stays}
