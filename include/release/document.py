"""The document of a change, in Markdown: what was to be, what was done, and what is deployed now."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml

from include.release.approval import Approval
from include.release.conclusion import Kind
from include.release.diff import comparable
from include.release.frozen import Frozen
from include.release.question import way_back

TEMPLATES = Path(__file__).parent / "templates"
_WRITTEN = "| Document written |"


@dataclass(frozen=True)
class StepDone:
    """One task of the run: its state, how long it took, and why it failed."""

    task_id: str
    state: str
    seconds: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Run:
    """What the pipeline knows of the run that made the change. Times are ISO 8601 in UTC.

    Args:
        run_id: as Airflow names it.
        kind: what the run was asked for.
        outcome: released, failed, refused, rolled back, interrupted or dry run.
        summary: the paragraph that says what happened.
        user: who triggered it.
        reason: why.
        started: when.
        ended: when the document was written.
        dry_run: it was to change nothing.
        url: the run's page.
        said: what else was said when it was triggered, by the title of the param.
        steps: the tasks.
        approval: what is on record; None without one.
        answers: every answer to the question for an approval, also those that did not count.
        verdicts: the rows of the gate.
        given: the verdicts that this run itself gave on its builds.
        previous: what ran before; empty when not known.
        applied_before: migrations that were applied before; None when not known.
        migrations: what each migration's Job said.
        smoke: the answers of the smoke check.
        seen: what each serving pod was seen to run.
        plan_text: how the rollback was to go; empty without one.
        undone: what the Job of each migration that was taken back said.
        restored: what became of each object that was restored.
        objects: the objects as read back.
    """

    run_id: str
    kind: Kind
    outcome: str
    summary: str
    user: str
    reason: str
    started: str
    ended: str
    dry_run: bool = False
    url: str = ""
    said: dict[str, str] = field(default_factory=dict)
    steps: list[StepDone] = field(default_factory=list)
    approval: Approval | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    given: list[dict[str, Any]] = field(default_factory=list)
    previous: str = ""
    applied_before: list[str] | None = None
    migrations: list[dict[str, Any]] = field(default_factory=list)
    smoke: list[dict[str, Any]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    plan_text: str = ""
    undone: list[dict[str, Any]] = field(default_factory=list)
    restored: list[dict[str, Any]] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)


def render(frozen: Frozen, run: Run) -> str:
    """The document: what the release is, as its spec says, and what was deployed, as read back from the cluster."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Markdown, and shown as text
    )
    environment.filters["yaml"] = as_yaml
    environment.filters["cell"] = cell
    environment.filters["way_back"] = way_back
    environment.filters["verdict"] = lambda short: verdict_on(short, frozen, run)
    name = "rollback.md.j2" if run.kind == "rollback" else "as-built.md.j2"
    text = environment.get_template(name).render(
        release=frozen.release, frozen=frozen, run=run, plan=frozen.capacity()
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def verdict_on(short: str, frozen: Frozen, run: Run) -> str:
    """What is said of a build: by this run itself, by the verdict that let it in, or why there is none."""
    own = next((each for each in run.given if each["image"] == short), None)
    row = own or next((each for each in run.verdicts if each["image"] == short), None)
    if row is not None:
        word = "passed" if row.get("passed", True) else "**FAILED**"
        text = f"{word}, says {row['source']} (by {row['by']}, {row['at']})"
        return f"{text}: {row['reason']}" if own and own.get("reason") else text
    if frozen.environment.gate.required:
        return "none that lets it in"
    return "none given by this run" if frozen.environment.gives_verdict else "none asked for"


def cell(value: Any) -> str:
    """A value in a cell of a table: on one line, and no end of the cell."""
    return " ".join(str(value).split()).replace("|", "\\|")


def as_yaml(manifest: dict[str, Any]) -> str:
    """A manifest as a deployment file, without what only the server writes."""
    text: str = yaml.safe_dump(comparable(manifest), sort_keys=False, default_flow_style=False, width=110)
    return text.rstrip()


def file_name(frozen: Frozen, run_id: str, kind: Kind = "release", revision: int = 1) -> str:
    """Where a document of one run goes, below the store.

    A run that is looked at again after it was cleared gets a revision: an earlier document is never lost.
    """
    safe = re.sub(r"[^A-Za-z0-9.+_-]+", "_", run_id)
    what = "rollback-" if kind == "rollback" else ""
    number = f"-{revision}" if revision > 1 else ""
    return f"{frozen.environment.name}/{frozen.release.name}/{what}{safe}{number}.md"


def choose_revision(
    name: Callable[[int], str], read: Callable[[str], str | None], text: str
) -> tuple[str, bool]:
    """The file to write, and whether it has this text already.

    Args:
        name: the file of a revision, counted from 1.
        read: the text of a file; None when there is none.
        text: what is to be written.
    """
    revision, last = 1, None
    while (found := read(name(revision))) is not None:
        last = found
        revision += 1
    if last is not None and _content(last) == _content(text):
        return name(revision - 1), True
    return name(revision), False


def _content(text: str) -> list[str]:
    """A document's lines without the time at which it was written."""
    return [line for line in text.splitlines() if not line.startswith(_WRITTEN)]
