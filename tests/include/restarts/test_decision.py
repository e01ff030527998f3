"""What presses, what asks first, what only alerts, and what on-call reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from include.release.pressed import NOTE_PRESSED, NOTE_REARMED
from include.restarts.decision import HELD, Decision, decide
from include.restarts.facts import CAUSES, Restart
from include.restarts.guards import Guard
from include.restarts.ledger import Ledger
from include.restarts.view import View
from tests.include.restarts.kubelet import START, Kubelet, Process, stamp


def guard(**changed: Any) -> Guard:
    """The guard as shipped, but for what is changed."""
    facts = {"name": "swype", "title": "t", "environment": "payments", "deployment": "swype-app"}
    return Guard.model_validate({**facts, **changed})


class Case:
    """A Deployment, its guard and the ledger, as a watch puts them together."""

    def __init__(self, rule: Guard | None = None, kubelet: Kubelet | None = None) -> None:
        self.rule, self.kubelet = rule or guard(), kubelet or Kubelet()
        self.ledger = Ledger(self.rule.window_minutes)
        self.look()

    def look(self, cause: str = "network") -> Decision:
        """One look, whose new restarts have this cause."""
        view, now = self.kubelet.view(), self.kubelet.now
        new = [
            each.model_copy(update={"cause": cause, "evidence": f"{cause} it was"}) if each.seen else each
            for each in self.ledger.new_restarts(view, now)
        ]
        self.ledger.record(new, view, now)
        self.ledger.prune(now)
        return decide(self.rule, self.ledger, view, now)

    def restart(self, cause: str = "network", process: Process | None = None) -> Decision:
        """One restart, looked at before and after."""
        self.kubelet.crash(process or self.kubelet.only(), after=10)
        return self.look(cause)

    def restarts(self, causes: Sequence[str], process: Process | None = None) -> Decision:
        """Several of them; the last decision."""
        return [self.restart(cause, process) for cause in causes][-1]


def test_more_than_the_threshold_presses_and_the_threshold_itself_does_not() -> None:
    case = Case()
    found = case.restarts(["network"] * 3)
    assert (found.action, found.counts) == ("wait", {"app": {"network": 3}})
    assert found.text == "sre/swype-app, restarts in 15 minutes: app 3 network; the limit is 3."
    found = case.restart()
    assert found.action == "press"
    assert found.text == (
        "4 restarts of sre/swype-app (app) in 15 minutes (4 network), the limit is 3, and it counts network: press. "
        "The last one: network it was"
    )
    assert [each.number for each in found.restarts] == [1, 2, 3, 4]
    assert found.crossed_at == START + timedelta(seconds=40)
    assert Decision.model_validate_json(found.model_dump_json()) == found


def test_restarts_spread_over_more_than_the_window_do_not_press() -> None:
    case = Case()
    for _ in range(12):
        case.kubelet.pass_time(minutes=5)
        assert case.restart().action == "wait"


@pytest.mark.parametrize("cause", [each for each in CAUSES if each not in ("network", "unknown")])
def test_restarts_of_another_cause_alert_and_do_not_press(cause: str) -> None:
    found = Case().restarts([cause] * 4)
    assert (found.action, found.kind) == ("alert", "other causes")
    assert (
        f"(4 {cause}), the limit is 3, but it counts network: not pressed. Look at app itself." in found.text
    )


def test_any_presses_on_the_plain_count_as_a_restart_counter_does() -> None:
    found = Case(guard(causes="any")).restarts(["oom", "unknown", "application", "config"])
    assert found.action == "press"
    assert "it counts any cause: press." in found.text


def test_causes_that_are_named_count_together() -> None:
    case = Case(guard(causes=["network", "liveness"]))
    assert case.restarts(["network", "liveness", "oom", "network"]).action == "alert"
    assert case.restart("liveness").action == "press"


def test_unknown_causes_ask_the_upstream_when_they_decide() -> None:
    case = Case()
    found = case.restarts(["network", "network", "network", "unknown"])
    assert (found.action, found.kind) == ("ask_upstream", "unknown cause")
    assert "but only with 1 restart whose cause nobody knows: ask the upstream." in found.text
    assert case.restart("network").action == "press"


def test_the_upstream_is_asked_again_when_there_is_another_restart_and_not_before() -> None:
    case = Case()
    assert case.restarts(["unknown"] * 4).action == "ask_upstream"
    case.ledger.note_asked(case.kubelet.pass_time(seconds=2))
    found = case.look()
    assert found.action == "wait"
    assert (
        "The upstream was asked at 2026-11-21 09:00:42 UTC, and since then there was no such restart"
        in found.text
    )
    assert case.restart("unknown").action == "ask_upstream"


def test_unseen_restarts_ask_the_upstream() -> None:
    case = Case()
    for _ in range(4):
        case.kubelet.crash(case.kubelet.only())
    found = case.look("network")
    assert found.action == "ask_upstream"
    assert "(3 unknown, 1 network, 3 of them unseen)" in found.text


def test_any_counts_unseen_restarts_unless_they_may_be_from_before_the_window() -> None:
    """Airflow was down for minutes: they count. It was down for a night: when they were nobody knows, so it asks."""
    case = Case(guard(causes="any"))
    for _ in range(4):
        case.kubelet.crash(case.kubelet.only())
    assert case.look().action == "press"
    case = Case(guard(causes="any"))
    case.kubelet.pass_time(hours=10)
    for _ in range(4):
        case.kubelet.crash(case.kubelet.only())
    assert case.look().action == "ask_upstream"


def test_any_does_not_press_on_restarts_of_which_nothing_is_known() -> None:
    case = Case(guard(causes="any"))
    unknown = [
        Restart(
            pod="p", pod_uid="uid-1", deployment_uid="d", container="app", number=number, at=START, seen=False
        )
        for number in range(1, 5)
    ]
    case.ledger.record(unknown, case.kubelet.view(), START)
    assert case.look().action == "ask_upstream"


def test_descheduler_880_a_low_threshold_does_not_misfire_on_many_containers() -> None:
    """Their threshold was the sum over a pod's containers, so one restart of each was four. Here each has its own."""
    names = [(f"worker-{number}", "main") for number in range(5)]
    case = Case(kubelet=Kubelet(tuple(names)))  # type: ignore[arg-type]
    for name, _ in names:
        found = case.restart("network", case.kubelet.only(name))
    assert found.action == "wait"
    assert found.counts == {name: {"network": 1} for name, _ in names}


def test_descheduler_880_the_reason_of_the_restarts_decides() -> None:
    """One container of a pod with many has a bad day by itself: nothing is scaled down, people are told."""
    case = Case(
        kubelet=Kubelet((("app", "main"), ("logs", "main"), ("metrics", "sidecar"), ("mesh", "sidecar")))
    )
    case.restarts(["network", "network"], case.kubelet.only("app"))
    found = case.restarts(
        ["application", "oom", "application", "config", "application"], case.kubelet.only("logs")
    )
    assert (found.action, found.container, found.kind) == ("alert", "logs", "other causes")
    found = case.restarts(["network", "network"], case.kubelet.only("app"))
    assert (found.action, found.container) == ("press", "app")
    assert found.counts["logs"] == {"application": 3, "oom": 1, "config": 1}


def test_descheduler_62_evicting_the_pod_does_not_hide_a_failure_that_follows_the_deployment() -> None:
    """A pod that is evicted begins at zero on another node. What fails is the Deployment, so that is scaled down."""
    case = Case()
    for _ in range(4):
        process = case.kubelet.only()
        found = case.restart("network", process)
        (uid,) = case.kubelet.pods
        case.kubelet.replace(uid)
        case.look()
    assert case.look().action == "press"
    assert {each.number for each in found.restarts} == {1}
    assert len({each.pod_uid for each in found.restarts}) == 4


def test_restarts_of_all_pods_count_together() -> None:
    case = Case(kubelet=Kubelet(replicas=2))
    one, two = (pod.processes[0] for pod in case.kubelet.pods.values())
    for process in (one, two, one):
        assert case.restart("network", process).action == "wait"
    assert case.restart("network", two).action == "press"


@pytest.mark.parametrize("role", ["init", "sidecar"])
@pytest.mark.parametrize("counted", [True, False])
def test_init_containers_and_sidecars_count_as_configured(role: Any, counted: bool) -> None:
    setting = {"init": "init_containers", "sidecar": "sidecars"}[role]
    case = Case(guard(**{setting: counted}), Kubelet((("other", role), ("app", "main"))))
    found = case.restarts(["network"] * 4, case.kubelet.only("other"))
    assert found.action == ("press" if counted else "wait")


def test_only_the_named_containers_count() -> None:
    case = Case(guard(containers=["app"]), Kubelet((("app", "main"), ("proxy", "main"))))
    assert case.restarts(["network"] * 5, case.kubelet.only("proxy")).action == "wait"
    assert case.restarts(["network"] * 4, case.kubelet.only("app")).action == "press"


def test_an_alert_is_told_once_and_again_after_the_cooldown() -> None:
    """The guard arms itself again at once; one state must not go round in circles."""
    case = Case(guard(window_minutes=60))
    assert case.restarts(["oom"] * 4).action == "alert"
    assert case.look().action == "alert", "nobody was told yet"
    case.ledger.note_alert("other causes", case.kubelet.now)
    found = case.restart("oom")
    assert (found.action, found.kind) == ("wait", "other causes")
    assert found.text.endswith("(Told at 2026-11-21 09:00:40 UTC.)")
    case.kubelet.pass_time(minutes=31)
    assert case.look().action == "alert"


def test_an_alert_in_its_cooldown_does_not_hold_a_press_back() -> None:
    case = Case()
    case.restarts(["oom"] * 4)
    case.ledger.note_alert("other causes", case.kubelet.now)
    case.ledger.note_alert("unknown cause", case.kubelet.now)
    assert case.restarts(["network"] * 4).action == "press"


def test_a_press_that_was_held_back_is_not_asked_for_again_within_the_cooldown() -> None:
    case = Case(guard(window_minutes=60))
    assert case.restarts(["network"] * 4).action == "press"
    case.ledger.note_alert(HELD, case.kubelet.now)
    assert case.look().action == "wait"
    case.kubelet.pass_time(minutes=31)
    assert case.look().action == "press"


def test_unknown_causes_are_held_back_like_others() -> None:
    """Else a guard whose press was braked would ask, be braked and tell people again and again."""
    case = Case(guard(window_minutes=60))
    assert case.restarts(["unknown"] * 4).action == "ask_upstream"
    case.ledger.note_alert(HELD, case.kubelet.now)
    assert case.restart("unknown").action == "wait"
    case.kubelet.pass_time(minutes=31)
    assert case.look().action == "ask_upstream"


def test_after_a_rearm_unknown_causes_alert_without_asking() -> None:
    case = Case()
    _noted(case, NOTE_REARMED, case.kubelet.pass_time(seconds=30))
    found = case.restarts(["unknown"] * 4)
    assert (found.action, found.kind) == ("alert", "after a re-arm")


def _noted(case: Case, key: str, at: datetime, **more: Any) -> None:
    case.kubelet.annotations[key] = json.dumps({"at": at.isoformat(), "run": "swype_guard/run-1", **more})


def test_a_rearm_begins_a_new_count_and_a_press_soon_after_it_is_an_alert() -> None:
    case = Case()
    assert case.restarts(["network"] * 4).action == "press"
    _noted(case, NOTE_REARMED, case.kubelet.pass_time(seconds=30))
    assert case.look().action == "wait", "restarts from before the re-arm are history"
    found = case.restarts(["network"] * 4)
    assert (found.action, found.kind) == ("alert", "after a re-arm")
    assert (
        "it would be pressed, but it was re-armed at 2026-11-21 09:01:10 UTC, less than 30 minutes ago"
        in found.text
    )
    case.kubelet.pass_time(minutes=31)
    assert case.restarts(["network"] * 4).action == "press"


def test_notes_from_the_future_silence_nothing() -> None:
    """They were written by a clock that was wrong."""
    case = Case()
    future = case.kubelet.now + timedelta(hours=5)
    _noted(case, NOTE_REARMED, future)
    for kind in ("other causes", HELD):
        case.ledger.note_alert(kind, future)
    case.ledger.note_asked(future)
    assert case.restarts(["oom"] * 4).action == "alert"
    assert case.restarts(["unknown"] * 4).action == "ask_upstream"
    assert case.restarts(["network"] * 4).action == "press"


def test_a_pressed_deployment_waits_for_its_rearm() -> None:
    case = Case()
    case.restarts(["network"] * 4)
    case.kubelet.replicas = 0
    _noted(case, NOTE_PRESSED, case.kubelet.now, replicas=1)
    found = case.look()
    assert found.action == "wait"
    assert found.text == (
        "The button of sre/swype-app is pressed since 2026-11-21 09:00:40 UTC (run swype_guard/run-1); "
        "it stays at zero until it is re-armed."
    )


def test_a_pressed_deployment_that_somebody_scales_up_alerts_once() -> None:
    case = Case()
    case.kubelet.replicas = 2
    _noted(case, NOTE_PRESSED, case.kubelet.now)
    found = case.look()
    assert (found.action, found.kind) == ("alert", "scaled up while pressed")
    assert "but somebody scaled it to 2: re-arm it, or scale it to zero again." in found.text
    case.ledger.note_alert(found.kind, case.kubelet.now)
    assert case.look().action == "wait"


def test_a_note_that_cannot_be_read_is_a_press_all_the_same() -> None:
    case = Case()
    case.restarts(["network"] * 4)
    case.kubelet.replicas = 0
    case.kubelet.annotations[NOTE_PRESSED] = "by hand"
    assert case.look().text.startswith(
        "The button of sre/swype-app is pressed since an unknown time (run an unknown run)"
    )


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"deployment": None}, "Deployment sre/swype-app is not there (yet); watched when it appears."),
        (
            {"deployment": {"metadata": {"name": "swype-app"}, "spec": {"replicas": 0}}},
            "sre/swype-app is scaled to zero, and not by the button: nothing to press.",
        ),
    ],
    ids=["absent", "scaled to zero by somebody"],
)
def test_there_is_a_text_for_what_cannot_be_watched(changed: dict[str, Any], text: str) -> None:
    case = Case()
    case.restarts(["network"] * 4)
    view = replace(case.kubelet.view(), **changed)
    found = decide(case.rule, case.ledger, view, case.kubelet.now)
    assert (found.action, found.text) == ("wait", text)


def test_a_deployment_that_appears_later_is_watched_from_then() -> None:
    rule, ledger, kubelet = guard(), Ledger(15), Kubelet()
    nothing = View("sre", "swype-app", START)
    ledger.record(ledger.new_restarts(nothing, START), nothing, START)
    assert decide(rule, ledger, nothing, START).action == "wait"
    case = Case(kubelet=kubelet)
    case.ledger = ledger
    assert case.restarts(["network"] * 4).action == "press"


def test_a_deployment_that_was_made_anew_does_not_inherit_restarts() -> None:
    case = Case()
    case.restarts(["network"] * 3)
    made = case.kubelet.pass_time(seconds=10)
    view = case.kubelet.view()
    assert view.deployment is not None
    view.deployment["metadata"]["creationTimestamp"] = stamp(made)
    assert decide(case.rule, case.ledger, view, case.kubelet.now).counts == {}


def test_what_is_odd_about_the_counts_is_said_with_every_decision() -> None:
    case = Case()
    case.ledger = Ledger.from_json("{", 15)
    assert case.look().text.startswith(
        "sre/swype-app: no restart in the last 15 minutes. The kept counts cannot be read"
    )
    case.ledger = Ledger(15)
    case.look()
    case.kubelet.pass_time(hours=-3)
    assert "The clock went back by 10800 s" in case.look().text


def test_restarts_of_a_rollout_do_not_press() -> None:
    case = Case()
    case.kubelet.pass_time(minutes=30)
    case.kubelet.roll_out(restarted_at=stamp(case.kubelet.now))
    case.kubelet.replace("uid-1")
    assert case.restarts(["network"] * 6).counts == {}
    case.kubelet.rollout_done_at = case.kubelet.pass_time(seconds=1)
    assert case.restarts(["network"] * 3).action == "wait"
    assert case.restart().action == "press"
