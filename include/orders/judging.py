"""What a batch's log means, while it is written: bad orders, or a processor that fails at everything.

- systemic: one code on at least N different orders, and none was processed between, nor is one still in work that was
  before the first of them. A batch that has processed none yet goes on for as long as an order takes. Codes that are by
  configuration an order's own fault do not count. The batch is stopped at the first error after that.
- poison: single orders fail and others go on; that one fails again later is no news. The processor sets them aside after their tries.
- stuck: one order fails far more often than its tries: nobody sets it aside, so it holds up those behind it.
- undecided: the log ends after errors of fewer than N orders: the next orders decide.

The memory is bounded, whatever the log does: N orders for each of a few codes, and the lines around the first error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from include.orders.attributing import MOST_ORDERS, Attribution
from include.orders.codes import OrderErrors
from include.orders.config import Errors
from include.orders.facts import ErrorSeen, Judgement, LogLine, Verdict
from include.orders.reading import NO_CODE, Event, Excerpt, read_line
from include.orders.witnesses import Witnesses
from include.release.texts import plural
from include.restarts.redact import redact

MOST_CODES = 20
OTHER_CODES = "others"
MOST_EXCERPTS = 3
"""Codes whose surrounding lines are kept: a judgement is kept on the batch's Job, where 256 KiB is the limit."""
MOST_TRIES = 1000
FAULT = "\0fault"
_KILLED = re.compile(r"worker (?P<process>\S+) was killed")


@dataclass(frozen=True)
class Stop:
    """Why a batch is stopped before its end."""

    verdict: Verdict
    code: str
    text: str


@dataclass
class _Code:
    """What is counted of one code."""

    times: int = 0
    orders: dict[int, None] = field(default_factory=dict)
    more: bool = False
    unattributed: int = 0
    streak: dict[int, None] = field(default_factory=dict)
    """Different orders since the last success, without those that are excused."""
    excused: dict[int, None] = field(default_factory=dict)
    """Orders that failed while others were processed: that they fail again says nothing of the others."""
    since: int = 0
    """Successes since its first error."""


class Judge:
    """Takes the lines of one batch's log as they come.

    Args:
        errors: when a batch is stopped.
        known: what codes mean.
        at_a_time: orders in work at once: so many errors of one order may be those of others beside it.
        clock: seconds, for how long an order in work is waited for.
    """

    def __init__(
        self,
        errors: Errors,
        known: OrderErrors,
        at_a_time: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._errors = errors
        self._known = known
        self._too_often = errors.tries * max(1, at_a_time)
        self._attribution = Attribution()
        self._witnesses = Witnesses(clock)
        self._codes: dict[str, _Code] = {}
        self._tries: dict[int, int] = {}
        self._excerpt = Excerpt(errors.excerpt_lines)
        self._lines = self._started = self._processed = self._cut = self._garbage = 0
        self._sure = True
        self._named_orders = False
        self._complete = False
        self._fault = ""
        self._last_error = ""
        self._stop: Stop | None = None
        self._stopped_itself = False

    def feed(self, line: str) -> Stop | None:
        """Take the next line (without its end); returns why the batch should stop now, from then on each time."""
        self._lines += 1
        event = read_line(line, self._lines)
        self._cut += event.cut
        self._garbage += event.garbage
        mark = self._take(event)
        self._excerpt.add(event.line, mark)
        return self._stop

    def hung(self, seconds: float) -> Stop | None:
        """Why the batch should stop after so many seconds without a line; None while that is not too long."""
        if self._stop is None and seconds >= self._errors.silent_minutes * 60:
            after = f"after line {self._lines}" if self._lines else "at all"
            text = f"The log has had no line for {plural(self._errors.silent_minutes, 'minute')} ({after}): the batch hangs."
            self._stop = Stop("broken", "", text)
        return self._stop

    def judgement(self) -> Judgement:
        """What the lines so far mean. Attribute errors by the database afterwards: ``attributing.settled``."""
        verdict, code, text = self._verdict()
        whole = {code, *list(self._codes)[: MOST_EXCERPTS - 1]}
        odd = []
        if self._cut:
            odd.append(f"{plural(self._cut, 'line')} longer than any of the processor's, cut")
        if self._garbage:
            odd.append(
                f"{plural(self._garbage, 'line')} with bytes that are no text, shown as \N{REPLACEMENT CHARACTER}"
            )
        return Judgement(
            verdict=verdict,
            text=text,
            code=code,
            processed=self._processed,
            started=self._started,
            complete=self._complete,
            errors=tuple(self._seen(each, seen, whole=each in whole) for each, seen in self._codes.items()),
            fault=self._fault,
            last=_shown(self._excerpt.last),
            lines=self._lines,
            sure=self._sure,
            stopped_itself=self._stopped_itself,
            odd=tuple(odd),
        )

    def _take(self, event: Event) -> str:
        """Count an event; returns what it is marked as in the excerpt."""
        if event.kind in ("start", "begin"):
            if event.kind == "start":
                self._attribution.restart()
                self._witnesses.restart()
            self._complete = False
        elif event.kind == "processing" and event.order is not None:
            self._started += 1
            self._complete = False
            self._attribution.took(event.order, event.worker)
            self._witnesses.took(event.worker)
        elif event.kind == "processed":
            self._success(event)
        elif event.kind == "error":
            return self._error(event)
        elif event.kind == "detail" and event.order is not None:
            self._detail(event.order, event.code)
        elif event.kind == "same" and self._stop is None:
            self._stopped_itself = True
            self._stop = Stop(
                "systemic", event.code, f"The processor stopped itself: {event.said.partition(': ')[2]}."
            )
        elif event.kind == "complete":
            self._complete = True
        elif event.kind == "own":
            return self._own(event.said)
        return ""

    def _own(self, said: str) -> str:
        if killed := _KILLED.match(said):
            self._witnesses.killed(killed["process"])
        elif self._known.of_fault(said) is not self._known.unknown:
            # The first one is the cause; what follows are its consequences.
            self._fault = self._fault or redact(said)
            return FAULT
        return ""

    def _success(self, event: Event) -> None:
        self._processed += 1
        ended = self._attribution.ended(event.worker)
        self._witnesses.ended(event.worker)
        self._witnesses.processed()
        if ended.order is not None and ended.sure:
            self._tries.pop(ended.order, None)
        for each in self._codes.values():
            room = MOST_TRIES - len(each.excused)
            each.excused.update(dict.fromkeys(list(each.streak)[:room]))
            each.streak.clear()
            each.since += 1

    def _error(self, event: Event) -> str:
        code = self._key(event.code)
        seen = self._codes.setdefault(code, _Code())
        seen.times += 1
        self._last_error = code
        ended = self._attribution.ended(event.worker)
        self._witnesses.ended(event.worker)
        if self._named_orders:
            return code
        self._sure = self._sure and ended.sure
        if ended.order is None:
            seen.unattributed += 1
        else:
            self._hit_order(code, seen, ended.order)
        return code

    def _detail(self, order: int, code: str) -> None:
        """The processor names the order itself: what was guessed from the lines before does not count any more."""
        if not self._named_orders:
            self._named_orders = self._sure = True
            self._tries.clear()
            for each in self._codes.values():
                each.orders.clear()
                each.streak.clear()
                each.unattributed = 0
        key = self._key(code)
        if key in self._codes:
            self._hit_order(key, self._codes[key], order)

    def _hit_order(self, code: str, seen: _Code, order: int) -> None:
        if len(seen.orders) < MOST_ORDERS:
            seen.orders[order] = None
        elif order not in seen.orders:
            seen.more = True
        if order not in seen.excused and not self._own_fault(code):
            if not seen.streak:
                self._witnesses.row_begins(code)
            if len(seen.streak) < MOST_TRIES:
                seen.streak[order] = None
        self._count_try(order)
        if self._stop is None:
            self._stop = self._reason(code, seen, order)

    def _key(self, code: str) -> str:
        return code if code in self._codes or len(self._codes) < MOST_CODES else OTHER_CODES

    def _count_try(self, order: int) -> None:
        if order not in self._tries and len(self._tries) >= MOST_TRIES:
            self._tries.pop(next(iter(self._tries)))
        self._tries[order] = self._tries.get(order, 0) + 1

    def _reason(self, code: str, seen: _Code, order: int) -> Stop | None:
        if len(seen.streak) >= self._errors.systemic_orders and not self._witnesses.awaited(code):
            orders = ", ".join(str(each) for each in sorted(list(seen.streak)[:MOST_ORDERS]))
            text = (
                f"{self._named(code)} on {len(seen.streak)} different orders ({orders}), and none was processed between: "
                "it is not these orders' fault."
            )
            return Stop("systemic", code, text)
        # A processor that names its orders sets them aside itself; tries that are not the order's fault do not count there.
        if not self._named_orders and self._tries[order] > self._too_often:
            text = (
                f"Order {order} failed {self._tries[order]} times, far more than its {plural(self._errors.tries, 'try', 'tries')}: "
                "nobody sets it aside, and it is tried again and again before others."
            )
            return Stop("stuck", code, text)
        return None

    def _verdict(self) -> tuple[Verdict, str, str]:
        if self._stop is not None:
            return self._stop.verdict, self._stop.code, self._stop.text
        if self._fault:
            meaning = self._known.of_fault(self._fault)
            return "broken", "", f"The processor cannot work: {meaning.name} ({self._fault})."
        done = f"{plural(self._processed, 'order')} processed"
        if not self._codes:
            return "clean", "", f"{done}, no error."
        code = self._last_error
        open_codes = [each for each, seen in self._codes.items() if not seen.since]
        if self._complete or not open_codes:
            named = "; ".join(self._hit(each) for each in self._codes)
            return "poison", code, f"{done}. {self._single()}: {named}."
        code = code if code in open_codes else open_codes[-1]
        text = (
            f"{self._hit(code)}, and nothing after it says whether others fail, too. "
            "Set aside what failed and try the next orders: if they are processed it was these orders' fault, else everything's."
        )
        return "undecided", code, text

    def _single(self) -> str:
        """How it is known that the errors are those of single orders, as far as it is."""
        if self._processed:
            return "Single orders failed, others went on"
        if all(map(self._own_fault, self._codes)):
            return "Orders failed, each by its own fault"
        return "Orders failed, and no other was there that would say whether others fail, too"

    def _named(self, code: str) -> str:
        if code == OTHER_CODES:
            return f"Errors of more than {MOST_CODES} codes"
        if code == NO_CODE:
            return "An error without a code"
        return f"Error #{code} ({self._known.of_code(code).name})"

    def _own_fault(self, code: str) -> bool:
        """Whether it says nothing of other orders."""
        return self._known.of_code(code).scope == "order"

    def _hit(self, code: str) -> str:
        seen = self._codes[code]
        orders = [str(each) for each in seen.orders]
        named = (
            f"order {orders[0]}"
            if len(orders) == 1
            else f"orders {', '.join(orders)}"
            if orders
            else "no order named"
        )
        more = " and more" if seen.more else ""
        return f"{self._named(code)} {plural(seen.times, 'time')}, {named}{more}"

    def _seen(self, code: str, seen: _Code, *, whole: bool) -> ErrorSeen:
        first, before, after = self._excerpt.around(code)
        return ErrorSeen(
            code=code,
            times=seen.times,
            orders=tuple(seen.orders),
            more_orders=seen.more,
            unattributed=seen.unattributed,
            first=_shown((first,))[0],
            before=_shown(before) if whole else (),
            after=_shown(after) if whole else (),
        )


def _shown(lines: tuple[LogLine, ...]) -> tuple[LogLine, ...]:
    """As people may see them: a log can have a password in it."""
    return tuple(each.model_copy(update={"text": redact(each.text)}) for each in lines)
