"""Contradictions in the classes of a volume: with the compliance minimum, and with one another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from include.logs.overlap import TooIntricateError, bad_range, example_in_both, example_in_first_only
from include.logs.retention import LogClass, Volume
from include.release.problems import Problem
from include.release.texts import plural
from include.release.yamlfile import Keys

Say = Callable[[Keys, str, str, str], Problem]
FOR_EVER = float("inf")


def class_problems(volume: Volume, keys: Keys, say: Say) -> Iterator[Problem]:
    """What is wrong with the classes of a volume; ``keys`` is where it stands."""
    first: dict[str, int] = {}
    for index, each in enumerate(volume.classes):
        at: Keys = (*keys, "classes", index)
        if each.name in first:
            yield say((*at, "name"), f"{each.name} again", "each name once", "choose another")
        first.setdefault(each.name, index)
        found = list(glob_problems(each.globs, (*at, "globs"), say))
        yield from found
        yield from _minimum(each, at, say)
        if not found:
            readable = [other for other in volume.classes[:index] if not any(map(bad_range, other.globs))]
            # Patterns that are too intricate to compare are taken as they are: the first that matches counts.
            with contextlib.suppress(TooIntricateError):
                yield from _earlier(each, readable, at, say)


def glob_problems(globs: Sequence[str], keys: Keys, say: Say) -> Iterator[Problem]:
    """Patterns that cannot be read."""
    for index, glob in enumerate(globs):
        if bad_range(glob):
            yield say((*keys, index), glob, "a range that goes upwards, such as [a-z]", "turn it round")


def least_days(each: LogClass) -> float:
    """Days that a line of this class is kept at least, live and archived; infinity for ever.

    What goes by size alone is not younger than the minimum allows: the program sees to that.
    """
    kept = FOR_EVER
    if each.keep_days is not None:
        kept = each.keep_days + _archived(each)
    if each.keep_size is not None:
        kept = min(kept, max(each.minimum_days, _archived(each)))
    return kept


def _archived(each: LogClass) -> float:
    if not each.archive:
        return 0.0
    return FOR_EVER if each.archive_keep_days is None else each.archive_keep_days


def _minimum(each: LogClass, at: Keys, say: Say) -> Iterator[Problem]:
    minimum = plural(each.minimum_days, "day")
    if not each.archive and each.archive_keep_days is not None:
        found = f"{plural(each.archive_keep_days, 'day')} for archives that are not made"
        yield say((*at, "archive_keep_days"), found, "archive: true, or no archive_keep_days", "remove one")
    elif each.keep_days is not None and each.keep_days + _archived(each) < each.minimum_days:
        live = plural(each.keep_days, "day")
        expected = f"at least minimum_days, {minimum}"
        if each.archive:
            short = plural(each.minimum_days - each.keep_days, "day")
            found = f"{plural(_archived(each), 'day')} in the archive after {live} live"
            yield say(
                (*at, "archive_keep_days"),
                found,
                f"together {expected}",
                f"keep archives for {short} or more",
            )
        else:
            fix = f"keep it for {minimum}, or archive it"
            yield say((*at, "keep_days"), f"{live}, and no archive", expected, fix)
    if each.truncate and not each.archive and each.minimum_days > 0:
        found = f"loss is accepted, of lines that are kept for {minimum}"
        yield say(
            (*at, "truncate"), found, "no truncation without an archive below the minimum", "archive: true"
        )


def _earlier(each: LogClass, earlier: Sequence[LogClass], at: Keys, say: Say) -> Iterator[Problem]:
    """Whether the classes before leave anything to this one, and nothing that it must keep longer."""
    before = [glob for other in earlier for glob in other.globs]
    if before and example_in_first_only(each.globs, before) is None:
        names = ", ".join(other.name for other in earlier if example_in_both(other.globs, each.globs))
        expected = "files that no class before it has: the first that matches counts"
        yield say((*at, "globs"), f"only files of {names}", expected, "move it before them, or remove it")
        return
    for other in earlier:
        if least_days(other) >= each.minimum_days:
            continue
        both = example_in_both(other.globs, each.globs)
        # A class within this one is an exception that somebody made; one that overlaps it is an accident.
        if both is not None and example_in_first_only(other.globs, each.globs) is not None:
            found = f"files such as {both}, which {other.name} has already and keeps for {_days(other)} only"
            expected = f"nothing that is kept for less than minimum_days, {plural(each.minimum_days, 'day')}"
            fix = f"move {each.name} before {other.name}, or make the patterns of one of them narrower"
            yield say((*at, "globs"), found, expected, fix)


def _days(each: LogClass) -> str:
    return plural(least_days(each), "day")
