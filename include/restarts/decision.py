"""Does this look press the button? The rule of a watch, applied to its ledger and what is there now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict

from include.release.texts import moment, plural
from include.restarts.facts import ANY, Restart
from include.restarts.ledger import Ledger, most_kept
from include.restarts.rollouts import counts
from include.restarts.sight import CLOCKS_DIFFER
from include.restarts.view import View, moment_of

Action = Literal["wait", "press", "ask_upstream", "alert"]
HELD = "held back"
"""Kind of an alert: a press was due and was not made (storm brake, nobody approved, dry run), and people know."""

OTHER, UNKNOWN = "other causes", "unknown cause"
REARMED, SCALED_UP = "after a re-arm", "scaled up while pressed"
"""The other kinds of alerts; docs/red-button.md has what each means."""


class Rule(Protocol):
    """What is asked of a guard, or of a watch that stands by itself."""

    @property
    def threshold(self) -> int:
        """More restarts of one container than this, ..."""

    @property
    def window_minutes(self) -> float:
        """... in so many minutes, ..."""

    @property
    def causes(self) -> Literal["any"] | Sequence[str]:
        """... of these causes."""

    @property
    def init_containers(self) -> bool:
        """Whether those of init containers count."""

    @property
    def sidecars(self) -> bool:
        """Whether those of sidecars count."""

    @property
    def containers(self) -> Sequence[str]:
        """Only these containers; none given: all."""

    @property
    def cooldown_minutes(self) -> float:
        """Between two alerts of one kind, and without a press after a re-arm."""


class Decision(BaseModel):
    """What to do, why (for on-call), and what it was decided on. ``kind`` names an alert for its cooldown."""

    model_config = ConfigDict(frozen=True)

    action: Action
    text: str
    counts: dict[str, dict[str, int]] = {}
    """Restarts in the window that count, by container and cause."""
    kind: str = ""
    container: str = ""
    """The container that decided."""
    restarts: list[Restart] = []
    """Its restarts in the window that count, oldest first."""
    crossed_at: AwareDatetime | None = None
    """When its threshold was crossed."""


def decide(
    rule: Rule, ledger: Ledger, view: View, now: datetime, *, begun_at: datetime | None = None
) -> Decision:
    """Wait, press, ask the upstream first, or tell people.

    Counted are the restarts of one container (by its name) over all pods of the Deployment that were or are there,
    within the window and after the last re-arm; without those of rollouts and of pods that were told to end, and
    without those of another Deployment that the watch was at before.

    Args:
        rule: what is asked.
        ledger: what was counted.
        view: what is there.
        now: the time of the look.
        begun_at: what was before that is not this watch's (a soak); None: everything in the window is.
    """
    waiting = _not_armed(view)
    if waiting is not None:
        return _cooled(waiting, rule, ledger, now)
    counted = restarts_that_count(rule, ledger, view, now, begun_at=begun_at)
    by_container: dict[str, dict[str, int]] = {
        name: dict(Counter(str(each.cause) for each in some)) for name, some in sorted(counted.items())
    }
    judged = [_judge(rule, ledger, view, now, name, some) for name, some in sorted(counted.items())]
    found = [_cooled(each, rule, ledger, now) for each in judged]
    order: list[Action] = ["press", "ask_upstream", "alert", "wait"]
    best = min(found, key=lambda each: order.index(each.action), default=None)
    if best is None or (best.action == "wait" and not best.kind):
        best = Decision(action="wait", text=_quiet(rule, view, by_container))
    notes = [each for each in (best.text, ledger.problem, ledger.clock_text(now)) if each]
    return best.model_copy(update={"text": " ".join(notes), "counts": by_container})


def _not_armed(view: View) -> Decision | None:
    """The states in which nothing is counted; None when there is something to watch."""
    place = f"{view.namespace}/{view.name}"
    if view.deployment is None:
        return Decision(
            action="wait", text=f"Deployment {place} is not there (yet); watched when it appears."
        )
    pressed = view.pressed
    if pressed is not None:
        at, run = moment(str(pressed.get("at", ""))), pressed.get("run", "an unknown run")
        text = f"The button of {place} is pressed since {at} (run {run})"
        if view.replicas == 0:
            return Decision(action="wait", text=f"{text}; it stays at zero until it is re-armed.")
        text += f", but somebody scaled it to {view.replicas}: re-arm it, or scale it to zero again."
        return Decision(action="alert", kind=SCALED_UP, text=text)
    if view.replicas == 0:
        return Decision(
            action="wait", text=f"{place} is scaled to zero, and not by the button: nothing to press."
        )
    return None


def restarts_that_count(
    rule: Rule, ledger: Ledger, view: View, now: datetime, *, begun_at: datetime | None = None
) -> dict[str, list[Restart]]:
    """The restarts that count now, by container and oldest first; arguments as those of ``decide``."""
    found: dict[str, list[Restart]] = {}
    # What a Deployment of that name did before this one was made, or before it was re-armed, is history.
    made = moment_of(((view.deployment or {}).get("metadata") or {}).get("creationTimestamp"))
    noted = (_past(view.rearmed_at, now), _past(made, now), begun_at)
    starts = [each for each in noted if each is not None]
    since = max(starts, default=datetime.min.replace(tzinfo=UTC)).replace(microsecond=0)  # nodes know no less
    for each in ledger.in_window(now):
        configured = {"init": rule.init_containers, "sidecar": rule.sidecars, "main": True}[each.role]
        named = not rule.containers or each.container in rule.containers
        its_own = each.deployment_uid == view.uid
        if its_own and configured and named and each.at >= since and counts(view, each, now):
            found.setdefault(each.container, []).append(each)
    return found


def _judge(
    rule: Rule, ledger: Ledger, view: View, now: datetime, container: str, restarts: list[Restart]
) -> Decision:
    """What the restarts of one container say."""
    pressing = [each for each in restarts if _presses(rule, each, now)]
    unclear = [each for each in restarts if each not in pressing and each.cause == "unknown"]
    facts: dict[str, Any] = {"container": container, "restarts": restarts}
    said = f"{_restarts(view, container, restarts, rule)}, the limit is {rule.threshold}"
    wanted = "any cause" if rule.causes == ANY else " or ".join(rule.causes)
    if len(pressing) > rule.threshold:
        facts["crossed_at"] = pressing[rule.threshold].at
        text = f"{said}, and it counts {wanted}: press.{_last(pressing)}"
        found = _hesitant(rule, ledger, view, now, said, facts)
        return found or Decision(action="press", text=text, **facts)
    both = sorted([*pressing, *unclear], key=lambda each: each.at)
    if len(both) > rule.threshold:
        facts["crossed_at"] = both[rule.threshold].at
        asked = _past(ledger.asked_at, now)
        if asked is not None and not any(each.at > asked for each in unclear):
            text = (
                f"{said}, some of unknown cause. The upstream was asked at {moment(asked.isoformat())}, and since then "
                "there was no such restart: not pressed."
            )
            return Decision(action="wait", kind=UNKNOWN, text=text, **facts)
        text = f"{said}, but only with {plural(len(unclear), 'restart')} whose cause nobody knows: ask the upstream."
        found = _hesitant(rule, ledger, view, now, said, facts)
        return found or Decision(action="ask_upstream", kind=UNKNOWN, text=text, **facts)
    if len(restarts) > rule.threshold:
        facts["crossed_at"] = restarts[rule.threshold].at
        text = f"{said}, but it counts {wanted}: not pressed. Look at {container} itself.{_last(restarts)}"
        return Decision(action="alert", kind=OTHER, text=text, **facts)
    return Decision(action="wait", text=said, **facts)


def _hesitant(
    rule: Rule, ledger: Ledger, view: View, now: datetime, said: str, facts: dict[str, Any]
) -> Decision | None:
    """What is said instead of a press soon after a re-arm, or soon after one that was held back; else None."""
    cooldown = timedelta(minutes=rule.cooldown_minutes)
    rearmed = _past(view.rearmed_at, now)
    if rearmed is not None and now - rearmed <= cooldown:
        text = (
            f"{said}: it would be pressed, but it was re-armed at {moment(rearmed.isoformat())}, less than "
            f"{plural(rule.cooldown_minutes, 'minute')} ago. A person decides."
        )
        return Decision(action="alert", kind=REARMED, text=text, **facts)
    held = _past(ledger.alerted_at(HELD), now)
    if held is not None and now - held <= cooldown:
        text = f"{said}: a press was held back, and people were told, at {moment(held.isoformat())}. A person decides."
        return Decision(action="wait", kind=HELD, text=text, **facts)
    return None


def _presses(rule: Rule, restart: Restart, now: datetime) -> bool:
    """Whether it counts towards the press. One that nobody saw does not if it may be from before the window."""
    if rule.causes != ANY:
        return restart.cause in rule.causes
    since = restart.not_before
    return restart.seen or (since is not None and now - since <= timedelta(minutes=rule.window_minutes))


def _cooled(decision: Decision, rule: Rule, ledger: Ledger, now: datetime) -> Decision:
    """An alert that was told within the cooldown is not told again: one state does not go round in circles."""
    told = _past(ledger.alerted_at(decision.kind), now) if decision.action == "alert" else None
    if told is None or now - told > timedelta(minutes=rule.cooldown_minutes):
        return decision
    text = f"{decision.text} (Told at {moment(told.isoformat())}.)"
    return decision.model_copy(update={"action": "wait", "text": text})


def _past(at: datetime | None, now: datetime) -> datetime | None:
    """A noted time, unless it lies in the future: a clock was wrong, and it must not silence anything."""
    return at if at is not None and at <= now + CLOCKS_DIFFER else None


def _restarts(view: View, container: str, restarts: Sequence[Restart], rule: Rule) -> str:
    causes = Counter(each.cause for each in restarts)
    named = ", ".join(f"{count} {cause}" for cause, count in causes.most_common())
    unseen = sum(not each.seen for each in restarts)
    also = f", {unseen} of them unseen" if unseen else ""
    many = "At least " if max(causes.values(), default=0) >= most_kept(rule.threshold) else ""
    what = f"{many}{plural(len(restarts), 'restart')} of {view.namespace}/{view.name} ({container})"
    return f"{what} in {plural(rule.window_minutes, 'minute')} ({named}{also})"


def _last(restarts: Sequence[Restart]) -> str:
    known = [each.evidence for each in restarts if each.evidence]
    return f" The last one: {known[-1]}" if known else ""


def _quiet(rule: Rule, view: View, by_container: dict[str, dict[str, int]]) -> str:
    place = f"{view.namespace}/{view.name}"
    if not by_container:
        return f"{place}: no restart in the last {plural(rule.window_minutes, 'minute')}."
    parts = [
        f"{name} {', '.join(f'{count} {cause}' for cause, count in causes.items())}"
        for name, causes in by_container.items()
    ]
    return f"{place}, restarts in {plural(rule.window_minutes, 'minute')}: {'; '.join(parts)}; the limit is {rule.threshold}."
