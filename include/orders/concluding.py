"""When a problem of order processing is over, and what a run comes to."""

from __future__ import annotations

from collections.abc import Sequence

from include.orders.facts import Backlog, Failing, Judgement
from include.orders.messages import ASIDE, BACKLOG, CAPACITY, DATABASE, ERROR, NOT_RUN, PROCESSOR
from include.orders.reading import NO_CODE
from include.records.problems import OpenProblem
from include.release.texts import plural


def over(
    kept: OpenProblem,
    found: Sequence[str],
    *,
    judgement: Judgement | None = None,
    aside: Sequence[Failing] | None = None,
    after: Backlog | None = None,
) -> str:
    """How it is known that an open problem is over; empty when it is not, or nobody knows.

    Nothing is over for want of evidence: a run that had no order to process says nothing about an error.

    Args:
        kept: the open problem.
        found: keys of what is wrong now, as ``Finding.key``.
        judgement: what the last batch's log means; None when none ran.
        aside: the orders that are set aside now; None when that is not known.
        after: the backlog after it; None when that is not known.
    """
    key = kept.key.split("/", 2)[-1]
    if key in found:
        return ""
    if key == DATABASE:
        return "The database answers again." if after is not None else ""
    if key.startswith(ASIDE):
        code = key.removeprefix(ASIDE)
        if aside is None or any((each.code or NO_CODE) == code for each in aside):
            return ""
        return "No order is set aside for this any more."
    if key == CAPACITY:
        done = after is not None and after.waiting - after.backing_off <= 0
        return "A run has worked off all orders that waited." if done else ""
    if key == NOT_RUN:
        if judgement is not None:
            return "A batch has run again."
        return "No order waits any more." if after is not None and not after.left else ""
    if key == PROCESSOR or key.startswith(ERROR):
        return _works_again(judgement)
    return ""


def _works_again(judgement: Judgement | None) -> str:
    if judgement is None or not judgement.processed or judgement.verdict not in ("clean", "poison"):
        return ""
    return f"The last batch processed {plural(judgement.processed, 'order')}."


NOT_MINE = (BACKLOG,)
"""Problems that the look at the backlog opens and closes, not a batch."""
