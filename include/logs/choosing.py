"""Which volumes a run cleans up."""

from __future__ import annotations

from collections.abc import Sequence

from include.logs.loading import FILE, read_right_volumes
from include.logs.retention import LogRetention
from include.logs.salvaging import VOLUMES
from include.release.loading import Sources, shown_path
from include.release.problems import Problem, RejectedError
from include.release.yamlfile import parse, read_text


def right_retention(sources: Sources) -> LogRetention:
    """What is right in the file. Raises RejectedError when no volume is."""
    found = read_right_volumes(sources)
    if found.retention is None:
        raise RejectedError(
            [problem for each in found.wrong for problem in each.problems],
            subject=shown_path(sources.config / FILE),
        )
    return found.retention


def named_volumes(sources: Sources) -> list[str]:
    """The volumes of the file by name, also those that are not right: a run shows what is wrong with them.

    Raises RejectedError.
    """
    path = sources.config / FILE
    documents, problems = parse(read_text(path, shown_path(path)), shown_path(path))
    if problems and not documents:
        raise RejectedError(problems, subject=shown_path(path))
    value = documents[0].value if documents else None
    listed = value.get(VOLUMES) if isinstance(value, dict) else None
    names = [each.get("name") for each in listed or [] if isinstance(each, dict)]
    return [str(name) for name in dict.fromkeys(names) if isinstance(name, str) and name]


def offered_volumes(sources: Sources) -> list[str]:
    """The volumes for a form, by name; none when the file cannot be read: the first task of a run says why."""
    try:
        return named_volumes(sources)
    except RejectedError:
        return []


def chosen(known: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The volumes that are wanted, in the file's order; all when none is named. Raises RejectedError."""
    if strange := [name for name in wanted if name not in known]:
        expected = f"one of {', '.join(known)}"
        problems = [Problem("param volumes", "", repr(name), expected, "choose one") for name in strange]
        raise RejectedError(problems, subject="the params")
    return [name for name in known if not wanted or name in wanted]
