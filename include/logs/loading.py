"""Reading ``log_retention.yaml``, checked against the environments and their images; every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from include.logs.checking import Surroundings, retention_problems
from include.logs.retention import LogRetention, Volume
from include.logs.salvaging import HOLDS, Salvaged, Wrong, may_be_holds, salvage
from include.release.environments import Environment
from include.release.images import ImageLock
from include.release.loading import Sources, read_one, shown_path
from include.release.problems import Problem, RejectedError
from include.release.refs import parse_reference
from include.release.yamlfile import Document, parse, read_text

FILE = "log_retention.yaml"


@dataclass(frozen=True)
class PlacedVolume:
    """A volume, where it is, and what all volumes share.

    Attributes:
        volume: as configured.
        retention: the whole file.
        environment: where its claim is; None on the worker.
        image: whole reference of the image its Job runs in; empty on the worker.
    """

    volume: Volume
    retention: LogRetention
    environment: Environment | None = None
    image: str = ""

    @property
    def name(self) -> str:
        """The volume's name."""
        return self.volume.name

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.environment is None:
            return f"{self.volume.path} on the worker"
        return (
            f"claim {self.volume.claim} of namespace {self.environment.namespace} ({self.environment.name})"
        )


def read_retention(sources: Sources) -> LogRetention:
    """The retention of logs. Raises RejectedError with every problem in its file."""
    path = sources.config / FILE
    around = surroundings(sources)
    return read_one(
        LogRetention, path, shown_path(path), lambda value, doc: retention_problems(value, doc, around)
    )


def read_right_volumes(sources: Sources) -> Salvaged:
    """The volumes that are right, and what is wrong with the others. Raises RejectedError when none can be told."""
    try:
        return Salvaged(read_retention(sources))
    except RejectedError as error:
        found = _salvaged(sources)
        if found is None or found.retention is None:
            raise replace(error, problems=_with_doubts(error.problems, sources)) from None
        return found


def placed_volumes(sources: Sources) -> tuple[list[PlacedVolume], Sequence[Wrong]]:
    """Every volume that is right, with where it is; and what is wrong. Raises RejectedError when none is."""
    found = read_right_volumes(sources)
    retention = found.retention
    if retention is None:  # read_right_volumes raises then
        return [], found.wrong
    places = {each.name: each for each in sources.environments().environments}
    placed = [
        _placed(each, retention, places.get(str(each.environment)), sources) for each in retention.volumes
    ]
    return placed, found.wrong


def read_volume(sources: Sources, name: str) -> PlacedVolume:
    """One volume, with where it is. Raises RejectedError when it is not configured, or not right."""
    placed, wrong = placed_volumes(sources)
    for each in placed:
        if each.name == name:
            return each
    where = shown_path(sources.config / FILE)
    problems = [problem for each in wrong if each.volume in ("", name) for problem in each.problems]
    if problems and any(each.volume == name or not each.volume for each in wrong):
        raise RejectedError(problems, subject=f"volume {name} of {where}")
    known = ", ".join(each.name for each in placed)
    raise RejectedError(
        [Problem(where, "volumes", f"no volume {name!r}", f"one of {known}", "choose one, or add it")],
        subject=where,
    )


def volume_names(sources: Sources) -> list[str]:
    """The volumes there are, for a form; empty when the file cannot be read (the first task says why)."""
    try:
        return [each.name for each in placed_volumes(sources)[0]]
    except RejectedError:
        return []


def surroundings(sources: Sources) -> Surroundings:
    """What the file is checked against. Raises RejectedError when the environments cannot be read."""
    places = {each.name: each for each in sources.environments().environments}
    locks: dict[str, ImageLock] = {}
    for name, place in places.items():
        try:
            locks[name] = sources.image_lock(place)
        except RejectedError:
            continue  # a release says what is wrong with it; here an image cannot be checked then
    return Surroundings(places, locks, sources.app_names())


def _placed(
    volume: Volume, retention: LogRetention, place: Environment | None, sources: Sources
) -> PlacedVolume:
    if place is None or volume.image is None:
        return PlacedVolume(volume, retention)
    reference = parse_reference(volume.image)
    if reference is not None and reference.registry:
        return PlacedVolume(volume, retention, place, volume.image)
    return PlacedVolume(volume, retention, place, sources.image_lock(place).resolve(volume.image) or "")


def _with_doubts(problems: Sequence[Problem], sources: Sources) -> list[Problem]:
    """The problems; a key that may be the holds is not to be removed before somebody has asked whether it is."""
    documents, _ = _parsed(sources)
    fields = may_be_holds(documents[0]) if len(documents) == 1 else set()
    return [
        replace(
            each,
            fix=f"write {HOLDS}: at the beginning of a line if these are legal holds; if not, correct or remove the key",
            why="it may be the legal holds: no volume is cleaned up until this is put right",
        )
        if each.field in fields
        else each
        for each in problems
    ]


def _parsed(sources: Sources) -> tuple[list[Document], list[Problem]]:
    path = sources.config / FILE
    return parse(read_text(path, shown_path(path)), shown_path(path))


def _salvaged(sources: Sources) -> Salvaged | None:
    around = surroundings(sources)
    documents, problems = _parsed(sources)
    if len(documents) != 1:
        return None
    return salvage(documents[0], problems, lambda value, doc: retention_problems(value, doc, around))
