"""The as-built document of a release, in Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml

from include.release.diff import comparable
from include.release.frozen import Frozen

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Run:
    """What the pipeline knows of the run that released. Times are ISO 8601 in UTC."""

    run_id: str
    user: str
    reason: str
    started: str
    ended: str
    dry_run: bool
    tasks: list[dict[str, Any]] = field(default_factory=list)
    migrations: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """One word: released, failed or dry run."""
        if self.dry_run:
            return "dry run"
        good = all(task["state"] == "success" for task in self.tasks)
        return "released" if good else "failed"


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
    environment.filters["cell"] = lambda value: str(value).replace("|", "\\|").replace("\n", " ")
    text = environment.get_template("as-built.md.j2").render(release=frozen.release, frozen=frozen, run=run)
    return re.sub(r"\n{3,}", "\n\n", text)


def as_yaml(manifest: dict[str, Any]) -> str:
    """A manifest as a deployment file, without what only the server writes."""
    text: str = yaml.safe_dump(comparable(manifest), sort_keys=False, default_flow_style=False, width=110)
    return text.rstrip()


def file_name(frozen: Frozen, run_id: str) -> str:
    """Where the document of one run goes, below the store: the same run writes the same file again."""
    safe = re.sub(r"[^A-Za-z0-9.+_-]+", "_", run_id)
    return f"{frozen.environment.name}/{frozen.release.name}/{safe}.md"
