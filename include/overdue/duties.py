"""What runs by itself, and by when: each procedure's own configuration says so."""

from __future__ import annotations

from dataclasses import dataclass

from include.logs.choosing import right_retention
from include.logs.due import cleanup_duty, duty_of_a_wrong_file
from include.logs.loading import read_right_volumes
from include.orders.due import order_duties
from include.overdue.judging import Duty
from include.overdue.telling import File
from include.release.loading import Sources
from include.release.problems import RejectedError


@dataclass(frozen=True)
class Duties:
    """The procedures that are expected to run, and what is wrong with the files that say so.

    Args:
        duties: the procedures.
        problems: what is wrong, for the task's log: whoever has to know is told elsewhere.
        files: files whose state people are told of here.
    """

    duties: list[Duty]
    problems: list[str]
    files: list[File]


def duties(sources: Sources) -> Duties:
    """Every procedure with a schedule. A file that cannot be read hides only its own; its problem is among those."""
    found, problem = _logs(sources)
    problems = [problem] if problem else []
    files: list[File] = []
    try:
        of_orders, state = order_duties(sources)
    except RejectedError as error:
        problems.append(str(error))
    else:
        found += of_orders
        files.append(state)
    return Duties(found, problems, files)


def _logs(sources: Sources) -> tuple[list[Duty], str]:
    try:
        return [cleanup_duty(right_retention(sources))], read_right_volumes(sources).text
    except RejectedError as error:
        # Its runs clean nothing up then: that is what people have to be told.
        return [duty_of_a_wrong_file(sources)], str(error)
