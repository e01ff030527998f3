"""Whose error it was. Error lines carry no order: they are the last order's that was taken up before them.

Where lines name their worker that is the last one of this worker. Where they do not, and several orders are in work,
it is a guess: then the database, which keeps the error of each order, knows better (``settled``).
"""

from __future__ import annotations

from dataclasses import dataclass

from include.orders.codes import OrderErrors
from include.orders.facts import ErrorSeen, Judgement, Kept
from include.release.texts import plural

MOST_WORKERS = 1000
MOST_ORDERS = 50


@dataclass(frozen=True)
class Attributed:
    """The order that an error belongs to; None when none was taken up. Not ``sure``: another one was in work, too."""

    order: int | None
    sure: bool


class Attribution:
    """Follows who works on what."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._working: dict[str, int] = {}

    def restart(self) -> None:
        """The processor started anew: nobody works on anything."""
        self._last.clear()
        self._working.clear()

    def took(self, order: int, worker: str) -> None:
        """An order was taken up."""
        if len(self._last) >= MOST_WORKERS and worker not in self._last:
            self._last.pop(next(iter(self._last)))
        self._last[worker] = order
        self._working[worker] = self._working.get(worker, 0) + 1 if not worker else 1

    def ended(self, worker: str) -> Attributed:
        """An order was processed, or failed: which one."""
        several = self._working.get(worker, 0) > 1
        self._working[worker] = max(0, self._working.get(worker, 0) - 1)
        return Attributed(self._last.get(worker), sure=not several)


def settled(judgement: Judgement, kept: Kept, systemic_orders: int, known: OrderErrors) -> Judgement:
    """The judgement, with the orders that the database names instead of those that the log seems to.

    The log is that of one batch. The database knows the orders of earlier ones, and whether somebody else processes any.

    Args:
        judgement: by the log.
        kept: what the database keeps of errors since the batch began.
        systemic_orders: so many different orders with one code, and none processed since, are everything.
        known: what codes mean: those that are an order's own fault are never everything.
    """
    if kept.unknown or not kept.codes:
        return judgement
    by_code: dict[str, list[int]] = {}
    for each in kept.failing:
        by_code.setdefault(each.code, []).append(each.order)
    counts = {each.code: each.orders for each in kept.codes}
    alike = {each.code: each.alike for each in kept.codes if known.of_code(each.code).scope != "order"}
    errors = tuple(
        _named(seen, by_code.get(seen.code, []), counts.get(seen.code, 0)) for seen in judgement.errors
    )
    sure = judgement.sure or all(seen.code in counts for seen in judgement.errors)
    result = judgement.model_copy(update={"errors": errors, "sure": sure})
    code = judgement.code
    by_log = judgement.verdict == "systemic" and not judgement.stopped_itself and code in counts
    if by_log and alike.get(code, 0) < systemic_orders:
        text = f"The log looked as if everything failed with #{code}, but {_but(counts[code], by_code.get(code, []), kept)}"
        result = result.model_copy(update={"verdict": "poison", "text": text})
    most = max(alike, key=lambda each: alike[each], default="")
    # The log may be lost or garbage, or too short to tell; what the database keeps is not.
    if result.verdict in ("clean", "poison", "undecided") and alike.get(most, 0) >= systemic_orders:
        text = (
            f"The database names {alike[most]} different orders that failed with #{most} since one was last processed, in this batch "
            "and before it."
        )
        return result.model_copy(update={"verdict": "systemic", "code": most, "text": text})
    return result


def _but(count: int, orders: list[int], kept: Kept) -> str:
    """What the database says against that, and who goes on."""
    named = sorted(orders)[:MOST_ORDERS]
    listed = ", ".join(map(str, named)) + (" and more" if count > len(named) else "")
    names = f"the database names {'order' if count == 1 else 'the orders'} {listed}"
    if not kept.processed:
        return f"{names}, and no other was there that would say whether others fail, too."
    return f"{names}, and {plural(kept.processed, 'order was', 'orders were')} processed: others go on."


def _named(seen: ErrorSeen, orders: list[int], count: int) -> ErrorSeen:
    if not orders:
        return seen
    listed = tuple(sorted(orders)[:MOST_ORDERS])
    return seen.model_copy(update={"orders": listed, "more_orders": count > len(listed)})
