"""What people are told of a clean-up: the report of a run as text and table, and the alert about the floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.logs.dry import would
from include.logs.loading import PlacedVolume
from include.logs.program.listing import archives_of_no_class, holds_of_nothing
from include.logs.program.summary import sized
from include.logs.salvaging import Wrong
from include.logs.storage_request import full_text, room_text, shortfall_of, storage_request
from include.release.telling import Message
from include.release.texts import indented, plural, table

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class VolumeRun:
    """What became of one volume in a run, as its tasks left it.

    Attributes:
        name: the volume's.
        answers: the facts of each step that answered, by command.
        failure: which task failed and why; empty when none did.
        refused: why it was not cleaned up though nothing failed: nobody approved, or another run holds it.
        approved_by: who approved the plan; empty when nobody was asked.
        placed: as configured; None when that is not right.
    """

    name: str
    answers: Mapping[str, Facts] = field(default_factory=dict)
    failure: str = ""
    refused: str = ""
    approved_by: str = ""
    placed: PlacedVolume | None = None
    dry_run: bool = False

    def of(self, command: str) -> Facts:
        """What a step answered; empty when it has not."""
        return self.answers.get(command) or {}

    @property
    def state(self) -> str:
        """In a word or two."""
        if self.failure:
            return "failed"
        if self.refused:
            return "refused"
        if self.dry_run:
            return "dry run"
        return "cleaned up" if number(self.of("plan"), "entries") else "nothing to do"

    @property
    def below_floor(self) -> bool:
        """Whether less is free than the floor, as the last step saw it."""
        return shortfall_of(self.answers) is not None or bool(self.space.get("below_floor"))

    @property
    def space(self) -> Facts:
        """The space as it was seen last; of a dry run, as it would be."""
        plan = self.of("plan")
        return self.of("space") or plan.get("after" if self.dry_run else "before") or self.of("measure")


def report_table(runs: Sequence[VolumeRun]) -> str:
    """One line for each volume, as a task log shows it."""
    header = ("volume", "what", "files", "archived", "in", "freed", "net", "free", "floor", "full")
    return table(header, [_row(run) for run in runs])


def run_message(
    runs: Sequence[VolumeRun], links: Mapping[str, str], asked: Mapping[str, str], wrong: Sequence[Wrong] = ()
) -> Message:
    """The report of a run.

    Args:
        runs: its volumes.
        links: what can be opened, by what it is.
        asked: who asked for it and why, and the run's name.
        wrong: what is wrong in the configuration: these volumes are not cleaned up.
    """
    states = [each.state for each in runs]
    outcome = next(
        (each for each in ("failed", "refused", "cleaned up", "dry run") if each in states), "cleaned up"
    )
    if wrong and outcome != "failed":
        outcome = "failed"
    names = ", ".join(each.name for each in runs) or "no volume"
    parts = [sentence_of(each) for each in runs] + [each.text for each in wrong]
    for each in runs:
        plan = dict(each.of("plan"))
        parts += [
            f"{each.name}: {_ended(line)}" for line in (*holds_of_nothing(plan), *archives_of_no_class(plan))
        ]
    approved = ", ".join(f"{each.approved_by} ({each.name})" for each in runs if each.approved_by)
    details = {"Approved by": approved, **asked}
    return Message(outcome, f"log clean-up of {names}", " ".join(parts), details, dict(links))


def sentence_of(run: VolumeRun) -> str:
    """What became of a volume, in a few sentences."""
    if run.failure:
        return f"{run.name}: NOT cleaned up: {_ended(run.failure)} {_done_before(run)}".rstrip()
    if run.refused:
        return f"{run.name}: not cleaned up: {_ended(run.refused)}"
    if run.dry_run:
        said = would("delete", run.name, run.of("plan")).removeprefix("Dry run: ")
        return f"{run.name}: a dry run; {_ended(said)}"
    if not number(run.of("plan"), "entries"):
        return f"{run.name}: nothing to do. {_space_text(run)}".rstrip()
    return f"{run.name}: {_done_text(run)} {_space_text(run)}".rstrip()


def floor_message(
    placed: PlacedVolume, answers: Mapping[str, Facts], run: str, links: Mapping[str, str]
) -> Message | None:
    """The alert that the policy frees too little; None when the floor is met."""
    found = shortfall_of(answers)
    if found is None:
        return None
    missed, space = found
    facts = answers.get("space") or answers.get("plan") or {}
    volume = placed.volume
    then = (
        f"and nothing could be cleaned up, as {facts['undone']}:"
        if facts.get("undone")
        else "after the clean-up,"
    )
    room = f" {text}" if (text := room_text(facts)) else ""
    paragraph = (
        f"Free storage below {volume.floor}: {number(space, 'free_percent'):.1f} % of {volume.title} are free "
        f"{then} {sized(number(space, 'to_floor'))} too little for the floor and {sized(number(missed, 'missing'))} "
        f"for the target, {volume.target}. Retention was not shortened: {placed.retention.compliance.name} decides. "
        f"{full_text(facts)}{room} The text to send them is below.\n\n{storage_request(placed, missed, space, facts, run)}"
    )
    details = {"Volume": placed.place, "Run": run}
    return Message("alert", f"log volume {volume.name} is too full", paragraph, details, dict(links))


def space_alerts(
    placed: PlacedVolume, answers: Mapping[str, Facts], run: str, links: Mapping[str, str]
) -> list[Message]:
    """The alerts of a volume: the floor, space that did not come back, too few inodes."""
    found = [floor_message(placed, answers, run, links)]
    for alert in (answers.get("space") or {}).get("alerts") or []:
        kind, text = str(alert.get("kind")), str(alert.get("text"))
        if kind != "floor_missed":
            title = f"log volume {placed.name}: {TITLES.get(kind, kind)}"
            found.append(Message("alert", title, text, {"Volume": placed.place, "Run": run}, dict(links)))
    return [each for each in found if each is not None]


TITLES = {"not_returned": "space has not come back", "inodes": "too many files"}


def report_text(run: VolumeRun) -> str:
    """The report of one volume for a task log: what was done, by class, and what stays."""
    plan = run.of("plan")
    lines = [sentence_of(run)]
    if classes := plan.get("classes"):
        lines.append(
            indented(
                table(("class", "files", "takes", "held", "goes"), [_class_row(each) for each in classes])
            )
        )
    loose = plan.get("unclassified") or {}
    if number(loose, "files"):
        lines.append(
            f"Of no class, so they stay: {plural(number(loose, 'files'), 'file')}, {sized(number(loose, 'bytes'))}. Name a "
            "class for them in log_retention.yaml."
        )
    if count := int(number(plan, "unreadable")):
        noun = "directory or file" if count == 1 else "directories or files"
        lines.append(f"{count} {noun} could not be read, so what is in there stays.")
    return "\n".join(lines)


def number(facts: Facts, key: str) -> float:
    """A figure of an answer; 0 when it has none."""
    value = facts.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _class_row(each: Facts) -> tuple[str, ...]:
    return (
        str(each.get("name")),
        f"{int(number(each, 'files')):,}",
        sized(number(each, "bytes")),
        sized(number(each.get("held") or {}, "bytes")),
        sized(number(each, "freed")),
    )


def _row(run: VolumeRun) -> tuple[str, ...]:
    space, archive = run.space, run.of("archive")
    free = f"{number(space, 'free_percent'):.1f} %" if space else "?"
    floor = f"{number(space, 'floor_percent'):g} %" if space else "?"
    forecast = (run.of("space") or run.of("plan")).get("forecast") or {}
    full = str(
        (forecast.get("remains") or {}).get("full_at")
        or (forecast.get("written") or {}).get("full_at")
        or "-"
    )
    freed = number(run.of("plan"), "freed") if run.dry_run else number(run.of("delete"), "freed_bytes")
    return (
        run.name,
        run.state,
        _files(run),
        sized(number(archive, "bytes")),
        sized(number(archive, "archive_bytes")),
        sized(freed),
        sized(net(run)),
        f"{free} !" if run.below_floor else free,
        floor,
        full[:10],
    )


def _files(run: VolumeRun) -> str:
    """The files of the plan; where it was not carried out, that none of them went."""
    planned = int(number(run.of("plan"), "files"))
    undone = (run.failure or run.refused) and not run.of("delete")
    return f"0 of {planned:,}" if planned and undone else f"{planned:,}"


def net(run: VolumeRun) -> float:
    """Bytes that the volume really gets back: its own archives take some of what is freed. A dry run estimates them."""
    plan = run.of("plan")
    if run.dry_run:
        before, after = plan.get("before") or {}, plan.get("after") or {}
        return number(after, "free") - number(before, "free")
    if "expected" in run.of("space"):
        return number(run.of("space"), "expected")
    on_it = run.placed is None or run.placed.volume.archive_to is None
    return number(run.of("delete"), "freed_bytes") - (
        number(run.of("archive"), "archive_bytes") if on_it else 0
    )


def _done_text(run: VolumeRun) -> str:
    archive, delete = run.of("archive"), run.of("delete")
    parts = []
    if number(archive, "files"):
        parts.append(
            f"{plural(number(archive, 'files'), 'file')} ({sized(number(archive, 'bytes'))}) archived in "
            f"{sized(number(archive, 'archive_bytes'))}, read back and compared"
        )
    freed = number(delete, "freed_bytes")
    parts.append(
        f"{sized(freed)} freed" + (f", {sized(net(run))} net of their archives" if net(run) != freed else "")
    )
    if number(delete, "deleted"):
        parts.append(f"{plural(number(delete, 'deleted'), 'file')} deleted")
    return f"{'; '.join(parts)}."


def _space_text(run: VolumeRun) -> str:
    space = run.space
    if not space:
        return ""
    text = f"{number(space, 'free_percent'):.1f} % are free (floor {number(space, 'floor_percent'):g} %)."
    return f"{text} THAT IS BELOW THE FLOOR: see the alert." if run.below_floor else text


def _done_before(run: VolumeRun) -> str:
    """How far it got, as that is what somebody who reads of a failure asks first."""
    if number(run.of("delete"), "freed_bytes"):
        return _done_text(run)
    if run.of("archive"):
        return "What was to go is archived; nothing was deleted."
    return "Nothing was deleted."


def _ended(text: str) -> str:
    """With an end mark: others follow."""
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text.rstrip()}."
