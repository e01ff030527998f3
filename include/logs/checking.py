"""What is wrong with the retention of logs beyond its fields' types: contradictions, each with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from include.logs.class_checks import class_problems, glob_problems
from include.logs.mounts import ARCHIVE_MOUNT, PROGRAM_MOUNT, REQUEST_MOUNT
from include.logs.retention import Hold, LogRetention, Volume
from include.release.environments import Environment
from include.release.images import ImageLock
from include.release.problems import Problem
from include.release.refs import parse_reference
from include.release.windows import known_zone, next_open, window_problems
from include.release.yamlfile import Document, Keys, path_text

A_YEAR = timedelta(days=366)
SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "sys")
"""Directories of a machine below which no logs are."""
ON_THE_WORKER = ("may_trigger", "may_approve")
IN_A_CLUSTER = ("claim", "user", "group", "fs_group", "image", "used_by")
TOP = frozenset(
    [f"/{name}" for name in ("home", "media", "mnt", "opt", "root", "run", "srv", "tmp", "usr", "var")]
    + [f"/usr/{name}" for name in ("bin", "include", "lib", "lib64", "libexec", "local", "sbin", "share")]
    + [f"/usr/local/{name}" for name in ("bin", "lib", "sbin", "share")]
    + ["/var/cache", "/var/lib", "/var/run", "/var/spool"]
)
"""Directories below which logs may lie, but which are none themselves."""
OF_THE_JOB = (PROGRAM_MOUNT, REQUEST_MOUNT, ARCHIVE_MOUNT, "/tmp")  # noqa: S108 - the pod's own


@dataclass(frozen=True)
class Surroundings:
    """What the file is checked against.

    Attributes:
        environments: by name.
        locks: the image lock of each environment, where it can be read.
        apps: the applications there are; empty when that is not known.
    """

    environments: dict[str, Environment]
    locks: dict[str, ImageLock]
    apps: Sequence[str]


class Finder:
    """Makes problems of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def __call__(self, keys: Keys, found: str, expected: str, fix: str = "") -> Problem:
        """A problem at a value."""
        return Problem(self.document.where(keys), path_text(keys), found, expected, fix)


def retention_problems(value: LogRetention, document: Document, around: Surroundings) -> list[Problem]:
    """Every contradiction in the file."""
    say = Finder(document)
    problems = list(_times(value, document, say))
    for index, volume in enumerate(value.volumes):
        keys: Keys = ("volumes", index)
        problems += _place(volume, keys, around, say)
        problems += _space(volume, keys, say)
        problems += class_problems(volume, keys, say)
    problems += _names(value.volumes, say)
    problems += _same_place(value.volumes, around, say)
    problems += _archives_in_logs(value.volumes, around, say)
    for index, hold in enumerate(value.holds):
        problems += _hold(hold, ("holds", index), value, say)
    return problems


def _times(value: LogRetention, document: Document, say: Finder) -> Iterator[Problem]:
    if not known_zone(value.time_zone):
        fix = "write it as Europe/Berlin or UTC"
        yield say(("time_zone",), value.time_zone, "a name of the IANA time zone database", fix)
        return
    if value.start == value.finish_by:
        fix = "give it the time that a clean-up takes, and some more"
        yield say(("finish_by",), value.finish_by, f"a time that is not the start, {value.start}", fix)
        return
    window = value.change_window
    found = window_problems(window, document, ("window",))
    yield from found
    if found:
        return
    now = datetime.now(UTC)
    opens = next_open(window, now)
    if opens is None or opens - now > A_YEAR:
        found_none = "no open time within a year"
        yield say(
            ("window",), found_none, "hours in which it may start", "end the freeze, or open more hours"
        )
    elif not _ever_starts(value):
        hours = "; ".join(f"{', '.join(each.days)} {each.start} to {each.end}" for each in window.open)
        expected = f"open hours that have the start, {value.start}: every run would ask a person"
        yield say(("window",), hours, expected, "widen the window, or move start")


def _ever_starts(value: LogRetention) -> bool:
    """Whether the start lies within the open hours on any day of a week without freezes."""
    window = value.change_window.model_copy(update={"freezes": []})
    zone = ZoneInfo(value.time_zone)
    monday = datetime.combine(datetime(2026, 6, 1), time.fromisoformat(value.start), zone)
    starts = (monday + timedelta(days=days) for days in range(7))
    return any(next_open(window, start.astimezone(UTC)) == start for start in starts)


def _place(volume: Volume, keys: Keys, around: Surroundings, say: Finder) -> Iterator[Problem]:
    yield from _path(volume.path, (*keys, "path"), say, on_worker=volume.on_worker)
    if volume.on_worker:
        yield from _on_worker(volume, keys, say)
    else:
        yield from _in_cluster(volume, keys, around, say)


def _on_worker(volume: Volume, keys: Keys, say: Finder) -> Iterator[Problem]:
    given = [name for name in IN_A_CLUSTER if getattr(volume, name) is not None]
    if given:
        expected = "a directory of the worker has nothing of the kind, and a claim has an environment"
        fix = "add environment:, if it is a claim in a cluster; else remove them"
        yield say((*keys, given[0]), ", ".join(given), expected, fix)
    if volume.archive_to and volume.archive_to.claim:
        yield say((*keys, "archive_to"), "a claim", "a path on the worker, where the logs are", "write path:")
    elif volume.archive_to and volume.archive_to.path:
        yield from _archive_path(volume, (*keys, "archive_to", "path"), say)


def _in_cluster(volume: Volume, keys: Keys, around: Surroundings, say: Finder) -> Iterator[Problem]:
    place = around.environments.get(str(volume.environment))
    if place is None:
        known = f"one of {', '.join(around.environments)}"
        yield say(
            (*keys, "environment"),
            str(volume.environment),
            known,
            "correct it, or add it to environments.yaml",
        )
    for name in ON_THE_WORKER:
        if (users := getattr(volume, name)) is not None:
            expected = f"nothing: {name} of the environment in environments.yaml counts for a claim"
            yield say((*keys, name), ", ".join(users), expected, "remove it")
    for name in ("claim", "user", "image"):
        if getattr(volume, name) is None:
            title = Volume.model_fields[name].title
            yield say((*keys, name), "nothing", f"{name}: {title}", f"add {name}:")
    if volume.archive_to and volume.archive_to.path:
        expected = "a claim, as the logs lie in one"
        yield say((*keys, "archive_to"), "a path on the worker", expected, "write claim:")
    if volume.archive_to and volume.archive_to.claim and volume.archive_to.claim == volume.claim:
        fix = "remove archive_to: then archives lie in .log-cleanup/archives"
        yield say((*keys, "archive_to", "claim"), "the claim of the logs", "another claim", fix)
    if place is not None:
        yield from _of_environment(volume, keys, place, around, say)


def _of_environment(
    volume: Volume, keys: Keys, place: Environment, around: Surroundings, say: Finder
) -> Iterator[Problem]:
    for index, app in enumerate(volume.apps):
        at = (*keys, "apps", index)
        if around.apps and app not in around.apps:
            yield say(at, app, f"one of {', '.join(around.apps)}", "correct the name")
        elif place.apps and app not in place.apps:
            yield say(
                at, app, f"an application of {place.name}: {', '.join(place.apps)}", "correct one of the two"
            )
    if volume.image is None:
        return
    reference, lock = parse_reference(volume.image), around.locks.get(place.name)
    if reference is None:
        expected = "an image such as shop:2.0.0 or registry.example.com/python:3.12@sha256:..."
        yield say((*keys, "image"), volume.image, expected)
    elif not reference.registry and lock is not None and lock.find(volume.image) is None:
        expected = f"an image of {place.image_lock}: {', '.join(sorted(lock.images))}"
        yield say(
            (*keys, "image"),
            volume.image,
            expected,
            "write one of them, or a whole reference with its registry",
        )
    elif reference.registry and not reference.digest and reference.tag in ("", "latest"):
        fix = "name a version, best with its digest"
        yield say((*keys, "image"), volume.image, "an image that stays the same", fix)


def _path(path: str, keys: Keys, say: Finder, *, on_worker: bool) -> Iterator[Problem]:
    if path.split("/")[1] in SYSTEM or path in TOP:
        expected = "a directory of logs, such as /var/log/shop: everything in it may be deleted"
        yield say(keys, path, expected, "name the directory that the classes are about")
    elif not on_worker and any(_within(path, own) or _within(own, path) for own in OF_THE_JOB):
        expected = f"a directory that is not the Job's own ({', '.join(OF_THE_JOB)})"
        yield say(keys, path, expected, "mount the claim elsewhere: /logs would do")


def _archive_path(volume: Volume, keys: Keys, say: Finder) -> Iterator[Problem]:
    target = str(volume.archive_to.path) if volume.archive_to else ""
    yield from _path(target, keys, say, on_worker=True)
    if _within(target, volume.path):
        fix = "remove archive_to: then archives lie in .log-cleanup/archives"
        yield say(keys, target, f"a directory outside {volume.path}, where classes would match archives", fix)


def _space(volume: Volume, keys: Keys, say: Finder) -> Iterator[Problem]:
    if volume.target_percent < volume.floor_percent:
        expected = f"no less than the floor, {volume.floor}"
        yield say((*keys, "target"), volume.target, expected, "raise target, or lower floor")
    if volume.floor_percent > 95:
        yield say((*keys, "floor"), volume.floor, "at most 95 %: no logs would fit below it", "lower it")
    elif volume.target_percent > 95:
        yield say((*keys, "target"), volume.target, "at most 95 %", "lower it")
    size = volume.bytes_of_size
    for index, each in enumerate(volume.classes):
        kept = each.bytes_to_keep
        if size is not None and kept is not None and kept > size:
            at = (*keys, "classes", index, "keep_size")
            yield say(at, str(each.keep_size), f"less than the volume has, {volume.size}", "lower it")


def _names(volumes: Sequence[Volume], say: Finder) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, volume in enumerate(volumes):
        if volume.name in first:
            line = say.document.line(("volumes", first[volume.name], "name"))
            found = f"{volume.name} again (first on line {line})"
            yield say(("volumes", index, "name"), found, "each name once", "choose another")
        first.setdefault(volume.name, index)


def _same_place(volumes: Sequence[Volume], around: Surroundings, say: Finder) -> Iterator[Problem]:
    """Two clean-ups of one place would decide over the same files by different rules."""
    for index, volume in enumerate(volumes):
        for other in volumes[:index]:
            if _overlap(volume, other, around):
                what = f"claim {volume.claim}" if volume.claim else volume.path
                found = f"{what}, which the volume {other.name} has already ({other.claim or other.path})"
                at = ("volumes", index, "claim" if volume.claim else "path")
                yield say(at, found, "one volume for a place", "put their classes together in one of them")


def _overlap(volume: Volume, other: Volume, around: Surroundings) -> bool:
    if volume.on_worker != other.on_worker:
        return False
    if volume.on_worker:
        return _within(volume.path, other.path) or _within(other.path, volume.path)
    return volume.claim == other.claim and _cluster(volume, around) == _cluster(other, around)


def _archives_in_logs(volumes: Sequence[Volume], around: Surroundings, say: Finder) -> Iterator[Problem]:
    """The classes of one volume would match the archives of another that lie in it."""
    for index, volume in enumerate(volumes):
        target = volume.archive_to
        for other in volumes:
            if target is None or other is volume or volume.on_worker != other.on_worker:
                continue
            if target.path and _within(target.path, other.path):
                key, found = "path", f"{target.path}, in {other.path}"
            elif (
                target.claim
                and target.claim == other.claim
                and _cluster(volume, around) == _cluster(other, around)
            ):
                key, found = "claim", target.claim
            else:
                continue
            expected = "a place without logs: the classes of that volume would match the archives"
            at = ("volumes", index, "archive_to", key)
            yield say(at, f"{found}, the logs of {other.name}", expected, "name another")


def _cluster(volume: Volume, around: Surroundings) -> tuple[str, str]:
    place = around.environments.get(str(volume.environment))
    return (place.connection, place.namespace) if place else (str(volume.environment), "")


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")


def _hold(hold: Hold, keys: Keys, value: LogRetention, say: Finder) -> Iterator[Problem]:
    known = [each.name for each in value.volumes]
    for index, name in enumerate(hold.volumes):
        if name not in known:
            expected = f"one of {', '.join(known)}"
            yield say(
                (*keys, "volumes", index),
                name,
                expected,
                "correct it: a hold that applies nowhere holds nothing",
            )
    yield from glob_problems(hold.globs, (*keys, "globs"), say)
