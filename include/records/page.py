"""The page of releases: what went out last, whether it runs, the history, and the verdicts on builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import jinja2

from include.records.models import Change, Verdict, minute
from include.records.overview import Place
from include.records.terminal import took

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Links:
    """Where the page leads to. ``run`` and ``document`` get a change; both answer None where there is nothing."""

    run: Callable[[Change], str | None]
    document: Callable[[Change], str | None]
    home: str


@dataclass(frozen=True)
class Build:
    """A build and the verdicts on it, newest first."""

    image: str
    digest: str
    verdicts: tuple[Verdict, ...]

    @property
    def newest(self) -> Verdict:
        """The one that was recorded last, whoever is trusted."""
        return self.verdicts[0]


def builds(verdicts: Sequence[Verdict]) -> list[Build]:
    """The verdicts (newest first) by build, in the order of their newest verdict."""
    found: dict[str, list[Verdict]] = {}
    for each in verdicts:
        found.setdefault(each.digest, []).append(each)
    return [Build(group[0].image, digest, tuple(group)) for digest, group in found.items()]


def render(
    places: Sequence[Place],
    history: Sequence[Change],
    verdicts: Sequence[Verdict],
    links: Links,
    *,
    now: datetime,
    environments: Sequence[str] = (),
    chosen: str | None = None,
    trouble: str = "",
) -> str:
    """The page as HTML.

    Args:
        places: what runs where.
        history: changes, newest first.
        verdicts: verdicts, newest first.
        links: where it leads to.
        now: the time of the look.
        environments: those that the page can be limited to.
        chosen: the one that it is limited to.
        trouble: why there is nothing to show, if something is wrong.
    """
    return (
        _templates()
        .get_template("releases.html.j2")
        .render(
            places=places,
            history=history,
            builds=builds(verdicts),
            links=links,
            now=now,
            environments=environments,
            chosen=chosen,
            trouble=trouble,
        )
    )


def templates(directory: Path, **filters: Callable[..., object]) -> jinja2.Environment:
    """The templates of a page, and those that every page may use, with filters of its own."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([directory, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment


@cache
def _templates() -> jinja2.Environment:
    return templates(TEMPLATES, minute=minute, took=took, short=lambda digest: digest[:19], web=_web)


def _web(link: str) -> str:
    """A link that a browser may follow; empty for anything but http and https."""
    return link if link.startswith(("https://", "http://")) else ""
