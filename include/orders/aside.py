"""What people are told of orders that are set aside."""

from __future__ import annotations

from collections.abc import Sequence

from include.orders.attributing import MOST_ORDERS
from include.orders.codes import Meaning, OrderErrors
from include.orders.facts import Failing, Kept
from include.orders.messages import ASIDE, MOST_NAMED, Where
from include.orders.noting import Finding
from include.orders.reading import NO_CODE
from include.release.texts import moment, plural


def aside_findings(
    aside: Sequence[Failing], known: OrderErrors, where: Where, kept: Kept | None = None
) -> list[Finding]:
    """One for each code that has orders set aside, never one for each order.

    Args:
        aside: the orders.
        known: what codes mean.
        where: who says it.
        kept: what the database keeps of errors since the run began; None when it ran no batch.
    """
    codes: dict[str, list[Failing]] = {}
    for each in aside:
        codes.setdefault(each.code or NO_CODE, []).append(each)
    found = []
    for code, orders in sorted(codes.items()):
        meaning = known.of_code(code)
        count = max(len(orders), *(each.of_code for each in orders))
        head = (
            f"{plural(count, 'order')} could not be processed and {'is' if count == 1 else 'are'} set aside"
        )
        named_here = min(len(orders), MOST_NAMED)
        rest = f"; and {count - named_here:,} more" if count > named_here else ""
        named = "; ".join(_aside_text(each) for each in orders[:MOST_NAMED])
        numbers = f"number {orders[0].order}" if count == 1 else "its number, or several,"
        text = (
            f"{head}; they hold up no other.{_unsure(code, meaning, kept)} {meaning.meaning} {meaning.what_to_do or ''}\n"
            f"{named}{rest}.\n"
            f"When an order is put right: trigger order_processor with {numbers} in 'Open again'; that run tries it anew."
        )
        found.append(
            Finding(
                key=f"{ASIDE}{code}",
                tell=meaning.tell,
                outcome="set aside",
                title=f"{'orders without a code' if code == NO_CODE else f'error #{code}, {meaning.name}'} in {where.place.name}",
                text=text,
                size=count,
                details={
                    "Orders": ", ".join(str(each.order) for each in orders[:MOST_ORDERS])
                    + (" and more" if count > min(len(orders), MOST_ORDERS) else ""),
                    "Runbook": "docs/orders.md",
                    "Run": where.run,
                },
                links=dict(where.links),
                facts={"orders": [each.order for each in orders[:MOST_ORDERS]]},
            )
        )
    return found


def _unsure(code: str, meaning: Meaning, kept: Kept | None) -> str:
    """That no other order says whose fault it is, where none does."""
    if kept is None or kept.unknown or kept.processed or meaning.scope == "order":
        return ""
    if not any(each.code == code for each in kept.codes):
        return ""
    return (
        " No other order was processed meanwhile, so it may not be their fault: more that fail alike are everything, and these are "
        "opened again by themselves then."
    )


def _aside_text(order: Failing) -> str:
    at = f", {moment(order.last_at.isoformat())}" if order.last_at else ""
    return f"order {order.order} after {plural(order.tries, 'try', 'tries')}{at}: {order.text or 'no reason is kept'}"
