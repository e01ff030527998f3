"""What people are told of a guard's run and of a re-arm, as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.payments.shop import undecided_text
from include.release.loading import Sources
from include.restarts.confirming import Verdict
from include.restarts.decision import REARMED
from include.restarts.facts import Restart
from include.restarts.guards import Guard
from include.restarts.loading import read_guard
from include.restarts.messages import Told, guard_message, payments_message, rearm_message

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
GUARD, PLACE, _ = read_guard(Sources.from_environment(), "swype")


def restart(number: int, cause: str = "network") -> Restart:
    return Restart.model_validate(
        {"pod": "swype-1", "pod_uid": "u", "container": "swype", "number": number, "at": NOW, "cause": cause,
         "evidence": "connection refused: dial tcp 192.0.2.10:5010"}
    )  # fmt: skip


def verdict(action: str = "press", **more: Any) -> Verdict:
    facts = {"action": action, "text": "4 restarts: reason", "decided_at": NOW, "container": "swype"}
    return Verdict.model_validate(facts | {"restarts": [restart(each) for each in range(1, 5)]} | more)


def pressed(outcome: str = "pressed", **more: Any) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "text": "Deployment swype-app in sre is scaled from 1 to 0",
        "lines": [],
        **more,
    }


def told(guard: Guard = GUARD, **facts: Any) -> Any:
    return guard_message(guard, PLACE, "swype_guard/run-1", Told(**({"verdict": verdict()} | facts)))


@pytest.mark.parametrize(
    ("facts", "outcome", "said"),
    [
        ({"press": pressed()}, "pressed", "until swype_rearm is run with a reason"),
        ({"press": pressed("already")}, "pressed", "It stays at zero"),
        ({"verdict": verdict("alert")}, "alert", "4 restarts: reason"),
        ({"verdict": verdict("braked")}, "braked", "kubectl -n sre scale deployment swype-app --replicas=0"),
        ({"press": pressed("braked", text="4 guards tripped")}, "braked", "Not pressed: 4 guards tripped."),
        ({"press": pressed("replaced", text="it was replaced")}, "alert", "Not pressed: it was replaced."),
        ({"refused": "nobody answered"}, "refused", "Not pressed: nobody answered. By hand: kubectl"),
        ({"failure": "`press` failed: forbidden"}, "failed", "was due and is NOT pressed: `press` failed: forbidden"),
        ({"verdict": None, "failure": "`confirm` failed: down"}, "failed", "The guard could not decide: `confirm`"),
        ({"press": pressed(), "failure": "`press` failed: x"}, "pressed", "Then this failed: `press` failed: x"),
    ],
)  # fmt: skip
def test_every_end_of_a_run_is_told_as_what_it_is(facts, outcome, said):
    message = told(**facts)
    assert message.outcome == outcome
    assert said in message.paragraph


@pytest.mark.parametrize("facts", [{"verdict": None}, {"verdict": verdict("wait")}, {}])
def test_nothing_is_told_where_nothing_was_due(facts):
    assert told(**facts) is None


def test_a_dry_run_says_so_first():
    message = told(GUARD.model_copy(update={"dry_run": True}), press=pressed())
    assert message.outcome == "dry run"
    assert message.paragraph.startswith("Dry run: Deployment swype-app")


def test_it_names_what_protects_why_how_often_and_what_to_look_out_for():
    lines = ["KEDA's ScaledObject x is paused", "swype-app belongs to Helm"]
    message = told(press=pressed(lines=lines), evidence="evidence-swype-1", approved_by="boss")
    text = message.plain()
    assert message.subject == "[pressed] swype-app in sre (guard swype)"
    for said in (
        "Restarts: 4 of container swype in 15 minutes (4 network); the limit is 3",
        "Why: connection refused: dial tcp 192.0.2.10:5010 (4 restarts)",
        "Look out: KEDA's ScaledObject x is paused; swype-app belongs to Helm",
        "Evidence: ConfigMap evidence-swype-1 in namespace sre",
        "Approved by: boss",
        "Run: swype_guard/run-1",
    ):
        assert said in text, said


BY_HAND = "kubectl -n sre scale deployment swype-app --replicas=0"
HELD = "Payments are still held, for the press of run x."


@pytest.mark.parametrize(
    "facts",
    [
        {"verdict": verdict("alert", kind=REARMED, text="it was re-armed less than 30 minutes ago. A person decides.")},
        {"verdict": verdict("alert", kind=REARMED), "failure": "`save_evidence` failed: x"},
        {"verdict": verdict("braked")},
        {"press": pressed("re-armed", text="was re-armed by oncall")},
        {"press": pressed("braked", text="4 guards tripped")},
        {"failure": "`press` failed: forbidden"},
    ],
)  # fmt: skip
def test_what_a_person_decides_comes_with_the_command_and_with_payments_that_are_held(facts):
    with_held = told(**facts, held=HELD).paragraph
    assert HELD in with_held
    assert with_held.endswith(BY_HAND)
    without = told(**facts).paragraph
    assert without.endswith(BY_HAND)
    assert "Payments" not in without


def test_restarts_that_do_not_count_are_no_reason_to_press_by_hand():
    assert "kubectl" not in told(verdict=verdict("alert", kind="other causes")).paragraph


def test_a_minute_is_one_minute():
    guard = GUARD.model_copy(update={"cooldown_minutes": 1.0, "window_minutes": 1.0})
    message = rearm_message(guard, PLACE, "r", {"Scaled": "scaled"}, "", "oncall", "x", {})
    assert "for 1 minute it tells" in message.paragraph
    assert "in 1 minute (4 network)" in told(guard, press=pressed()).plain()


@pytest.mark.parametrize(
    ("task", "payments"),
    [("rollout_check", "payments are still held"), ("release_payments", "payments may be still held")],
)
def test_a_re_arm_that_failed_says_what_now(task, payments):
    def message(guard: Guard) -> str:
        steps = {"Scaled": "scaled from 0 to 1"}
        failure = f"`{task}` failed: x"
        return rearm_message(guard, PLACE, "r", steps, failure, "oncall", "it answers", {}).paragraph

    assert GUARD.payments is not None
    text = message(GUARD)
    for said in (
        f"What now: {payments}, until this re-arm is through. Put the cause right and clear `{task}` of swype_rearm",
        "for 30 minutes after the re-arm it only tells people and does not press",
        BY_HAND,
    ):
        assert said in text, said
    assert "payments" not in message(GUARD.model_copy(update={"payments": None})).replace(task, "")


def test_undecided_payments_are_said_once():
    note = undecided_text(2, pressed=True)
    held = {"result": "held", "summary": f"Held. {note}", "undecided": 2}
    settled = {"result": "settled", "summary": f"Rolled back. {note}", "undecided": 2}
    both = payments_message(GUARD, PLACE, "r", held, settled, "", {})
    assert both is not None
    assert both.paragraph == f"Held. Rolled back. {note}"
    alone = payments_message(GUARD, PLACE, "r", held, None, "", {})
    assert alone is not None
    assert alone.paragraph == f"Held. {note}"


def test_what_undid_the_press_comes_first():
    message = told(
        press=pressed(), now="UNDONE: somebody has scaled it up to 2 replicas in spite of the press."
    )
    assert message.paragraph.startswith("UNDONE:")


def test_payments_are_told_when_there_is_something_to_tell():
    def message(held: Any, settled: Any, failure: str = "") -> Any:
        return payments_message(GUARD, PLACE, "swype_guard/run-1", held, settled, failure, {})

    assert message(None, None) is None
    assert message({"result": "nothing", "summary": "x"}, None) is None
    good = message(
        {"result": "held", "summary": "Held.\n"}, {"result": "settled", "summary": "3 rolled back."}
    )
    assert (good.outcome, good.paragraph) == ("pressed", "Held. 3 rolled back.")
    bad = message({"result": "held", "summary": "Held."}, None, "`settle_payments` failed: the shop is away")
    assert bad.outcome == "failed"
    assert "mark the newer run of swype_guard success" in bad.paragraph
    assert bad.paragraph.endswith("Held.")


@pytest.mark.parametrize(
    ("steps", "failure", "outcome", "said"),
    [
        ({"Scaled": "scaled from 0 to 1"}, "", "re-armed", "for 30 minutes it tells people instead of pressing"),
        ({"Scaled": ""}, "`probe_upstream` failed: down", "refused", "Not re-armed: `probe_upstream` failed: down."),
        ({"Scaled": "scaled from 0 to 1"}, "`rollout_check` failed: x", "failed", "Re-armed, but then `rollout_check`"),
    ],
)  # fmt: skip
def test_a_re_arm_is_told_as_what_it_came_to(steps, failure, outcome, said):
    message = rearm_message(GUARD, PLACE, "swype_rearm/run-1", steps, failure, "oncall", "it answers", {})
    assert message.outcome == outcome
    assert said in message.paragraph
    assert message.details["Reason"] == "it answers"
