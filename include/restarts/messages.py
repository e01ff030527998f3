"""What people are told of a guard's run: which outcome it has, in which words, and what they can do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from include.payments.shop import undecided_text
from include.release.environments import Environment
from include.release.pressed import NOTE_PRESSED
from include.release.telling import Message
from include.release.texts import plural
from include.restarts.confirming import Verdict
from include.restarts.decision import REARMED
from include.restarts.facts import Restart
from include.restarts.guards import Guard

REARM_LINK = "Re-arm"
"""Name of the link to the DAG that re-arms; only what is pressed can be."""


@dataclass(frozen=True)
class Told:
    """What a guard's run has come to, as its tasks left it.

    Args:
        verdict: of the task that confirms; None when it did not get so far.
        press: what the press returned: ``outcome``, ``text``, ``lines``; None when it did not run to its end.
        refused: why nobody approved it; empty when somebody did, or nobody was asked.
        approved_by: who approved.
        failure: which task failed and why; empty when none did.
        evidence: name of the ConfigMap; empty when there is none.
        now: what is odd about the Deployment right now; empty when nothing is.
        back: that the press was taken back since.
        held: that payments are still held though nothing was pressed now; empty when none are.
    """

    verdict: Verdict | None
    press: dict[str, Any] | None = None
    refused: str = ""
    approved_by: str = ""
    failure: str = ""
    evidence: str = ""
    now: str = ""
    back: bool = False
    held: str = ""
    links: dict[str, str] = field(default_factory=dict)


def guard_message(guard: Guard, place: Environment, run: str, told: Told) -> Message | None:
    """The message; None when there is nothing to tell."""
    outcome, paragraph = _outcome(guard, place, told)
    if not outcome:
        return None
    press = told.press or {}
    verdict = told.verdict
    details = {
        "Protects": guard.title,
        "Environment": place.name,
        "Restarts": restarts_text(guard, verdict) if verdict else "",
        "Why": evidence_text(verdict.restarts) if verdict else "",
        "Scaled": str(press.get("text", "")),
        "Look out": "; ".join(press.get("lines") or []),
        "Approved by": told.approved_by,
        "Evidence": f"ConfigMap {told.evidence} in namespace {place.namespace}" if told.evidence else "",
        "Seen less": " ".join(verdict.notes) if verdict else "",
        "Run": run,
    }
    parts = [told.now, paragraph]
    return Message(
        outcome,
        f"{guard.deployment} in {place.namespace} (guard {guard.name})",
        " ".join(each for each in parts if each),
        details,
        {name: url for name, url in told.links.items() if name != REARM_LINK or outcome == "pressed"},
    )


def _outcome(guard: Guard, place: Environment, told: Told) -> tuple[str, str]:
    """Outcome and paragraph; an empty outcome for nothing to tell."""
    press, verdict = told.press, told.verdict
    stays = (
        ""
        if told.back
        else f" It stays at zero, through releases and rollbacks too, until {guard.name}_rearm is run with a reason."
    )
    if press and press["outcome"] == "pressed" and guard.dry_run:
        text = f"Dry run: {press['text']}. {_why(verdict)} This guard only says what it would do."
        return "dry run", text
    if press and press["outcome"] in ("pressed", "already"):
        left = (
            " What comes after it, the payments too, waits until that task is cleared."
            if guard.payments
            else ""
        )
        also = f" Then this failed: {told.failure}.{left}" if told.failure else ""
        return "pressed", f"{press['text']}. {_why(verdict)}{stays}{also}"
    return _not_pressed(told, " ".join(each for each in (told.held, by_hand(guard, place)) if each))


def _not_pressed(told: Told, person: str) -> tuple[str, str]:
    """The same where nothing was pressed; ``person`` says what somebody who decides has to know."""
    press, verdict = told.press, told.verdict
    if told.failure:
        what = "The button was due and is NOT pressed" if verdict else "The guard could not decide"
        text = f"{what}: {told.failure}. The next run tries again by itself. {person}"
        if verdict is None or verdict.action == "press":
            return "failed", text
        return "alert", _alert(verdict, person)
    if verdict is None or (verdict.action == "wait" and press is None):
        return "", ""
    if verdict.action == "alert":
        return "alert", _alert(verdict, person)
    if verdict.action == "braked":
        return "braked", f"{_why(verdict)} {person}"
    if told.refused:
        return "refused", f"{_why(verdict)} Not pressed: {told.refused}. {person}"
    if press is None:
        return "", ""
    if press["outcome"] == "braked":
        return "braked", f"{_why(verdict)} Not pressed: {press['text']}. {person}"
    text = f"{_why(verdict)} Not pressed: {press['text']}."
    return "alert", f"{text} {person}" if press["outcome"] == "re-armed" else text


def _alert(verdict: Verdict, person: str) -> str:
    """What a person decides on comes with how."""
    return f"{_why(verdict)} {person}" if verdict.kind == REARMED else verdict.text


def payments_message(
    guard: Guard,
    place: Environment,
    run: str,
    held: dict[str, Any] | None,
    settled: dict[str, Any] | None,
    failure: str,
    links: dict[str, str],
) -> Message | None:
    """What became of the payments after a press; None when there is nothing to tell.

    ``held`` and ``settled`` are what these tasks returned, ``failure`` says which of them failed and why.
    """
    said = [each for each in (held, settled) if each and each.get("result") != "nothing"]
    texts = [str(each["summary"]) for each in said]
    if len(said) == 2:
        # What the settlement says again, of the same payments, is said once.
        texts[0] = texts[0].removesuffix(undecided_text(int(said[0].get("undecided") or 0), pressed=True))
    if not texts and not failure:
        return None
    if failure:
        texts.insert(
            0,
            f"{failure}. When the cause is put right: clear that task, which goes on where it was, and mark the newer "
            f"run of {guard.name}_guard success, as a guard has one run at a time and the cleared one waits for it.",
        )
    outcome, details = "failed" if failure else "pressed", {"Environment": place.name, "Run": run}
    title = f"payments of {guard.deployment} in {place.namespace} (guard {guard.name})"
    return Message(outcome, title, " ".join(" ".join(texts).split()), details, links)


def rearm_message(
    guard: Guard,
    place: Environment,
    run: str,
    steps: dict[str, str],
    failure: str,
    asked_by: str,
    reason: str,
    links: dict[str, str],
) -> Message:
    """What became of a re-arm.

    ``steps`` is what each step said, by what it is about (empty for one that did not come to its end); ``failure``
    says which task failed and why.
    """
    done = bool(steps.get("Scaled"))
    if failure and not done:
        outcome, text = "refused", f"Not re-armed: {failure}. Nothing was scaled."
    elif failure:
        task = failure.partition("`")[2].partition("`")[0]
        outcome = "failed"
        text = f"Re-armed, but then {failure}. {steps['Scaled']}. {what_now_after(guard, place, task)}"
    else:
        outcome = "re-armed"
        text = (
            f"{steps['Scaled']}. The guard watches again; for {plural(guard.cooldown_minutes, 'minute')} it tells people "
            "instead of pressing by itself."
        )
    details = {
        "Protects": guard.title,
        "Environment": place.name,
        "Asked for by": asked_by,
        "Reason": reason,
        **steps,
        "Run": run,
    }
    return Message(outcome, f"{guard.deployment} in {place.namespace} (re-arm)", text, details, links)


def what_now_after(guard: Guard, place: Environment, task: str) -> str:
    """What to do about a re-arm that failed at this task, after the replicas had come back."""
    held = ""
    if guard.payments is not None:
        sure = "may be" if task == "release_payments" else "are"
        held = f"payments {sure} still held, until this re-arm is through. "
    return (
        f"What now: {held}Put the cause right and clear `{task}` of {guard.name}_rearm with what comes after it. The "
        f"guard watches again, but for {plural(guard.cooldown_minutes, 'minute')} after the re-arm it only tells people "
        f"and does not press. {by_hand(guard, place)}"
    )


def by_hand(guard: Guard, place: Environment) -> str:
    """How a person presses."""
    note = '{"by": "<you>", "replicas": <now>, "reason": "<why>"}'
    return (
        f"By hand: kubectl -n {place.namespace} annotate deployment {guard.deployment} {NOTE_PRESSED}='{note}' && "
        f"kubectl -n {place.namespace} scale deployment {guard.deployment} --replicas=0"
    )


def restarts_text(guard: Guard, verdict: Verdict) -> str:
    """``4 of container swype in 15 minutes (4 network), more than 3``."""
    if not verdict.restarts:
        return ""
    causes = Counter(str(each.cause) for each in verdict.restarts)
    named = ", ".join(f"{count} {cause}" for cause, count in causes.most_common())
    return (
        f"{len(verdict.restarts)} of container {verdict.container} in {plural(guard.window_minutes, 'minute')} ({named}); "
        f"the limit is {guard.threshold}"
    )


def evidence_text(restarts: Sequence[Restart]) -> str:
    """The most frequent reason that was found, and how often."""
    found = Counter(each.evidence for each in restarts if each.evidence)
    if not found:
        return ""
    text, count = found.most_common(1)[0]
    return f"{text} ({plural(count, 'restart')})"


def _why(verdict: Verdict | None) -> str:
    return sentence(verdict.text) if verdict else ""


def sentence(text: str) -> str:
    """With an end mark: others follow."""
    return text if text.rstrip().endswith((".", "!", "?", ":")) else f"{text.rstrip()}."
