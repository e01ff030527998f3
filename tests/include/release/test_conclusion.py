"""The paragraph at the end of a run."""

from __future__ import annotations

from typing import Any

import pytest

from include.release.conclusion import Step, conclude, what_serves

TITLE = "release-2 (shop) in production"
BEFORE = ("freeze_and_check", "lock", "gate", "plan_capacity", "preflight", "approve")
CHANGES = ("configure", "migrate", "deploy")
CHECKS = ("rollout_check", "smoke_check", "verify_build")
BACK = ("plan", "undo_first", "restore", "restored_check", "undo_after")
SERVING = "Now serving: app-deployment has 3 pods of shop:1.0.0."


def run(failed: str = "", back: dict[str, str] | None = None, **other: dict[str, Any]) -> list[Step]:
    """The steps of a run in which one task failed."""
    steps, broken = [], False
    for task in (*BEFORE, *CHANGES, *CHECKS):
        state = "failed" if task == failed else "upstream_failed" if broken else "success"
        broken = broken or task == failed
        more = {"changes": task in CHANGES, "state": state} | other.get(task, {})
        steps.append(Step(task, **more))
    afterwards = {"afterwards": True, "state": "success"} | other.get("qa_verdict", {})
    steps.append(Step("qa_verdict", **afterwards))
    for task in BACK:
        more = {"changes": task in ("undo_first", "restore", "undo_after"), "rolls_back": True}
        more |= {"state": (back or {}).get(task, "success" if back else "skipped")}
        steps.append(Step(f"roll_back.{task}", **(more | other.get(task, {}))))
    return steps


def test_released():
    steps = run(approve={"said": "Approved by admin at 2026-03-04 05:06 UTC: fine."})
    found = conclude("release", TITLE, steps, serving=SERVING)
    assert (found.outcome, found.good) == ("released", True)
    assert found.text == f"{TITLE} was released. Approved by admin at 2026-03-04 05:06 UTC: fine. {SERVING}"


def test_rolled_back_on_purpose():
    found = conclude("rollback", TITLE, run(), serving=SERVING)
    assert (found.outcome, found.good) == ("rolled back", True)
    assert found.text == f"The rollback to {TITLE} is done. {SERVING}"


@pytest.mark.parametrize("task", BEFORE)
def test_a_check_that_says_no_before_the_first_change_refuses(task):
    steps = run(task, **{task: {"reason": "no verdict on shop:2.0.0"}})
    found = conclude("release", TITLE, steps, serving=SERVING)
    assert (found.outcome, found.good) == ("refused", False)
    assert found.text == (
        f"{TITLE} was refused by `{task}`: no verdict on shop:2.0.0. Nothing was changed. {SERVING} "
        f"The log of `{task}` says what to do."
    )


def test_a_first_change_that_is_refused_has_changed_nothing():
    """The lock or the approval said no to the task itself."""
    back = dict.fromkeys(BACK, "skipped")
    steps = run("configure", back, configure={"reason": "none on record", "refused": True})
    found = conclude("release", TITLE, steps)
    assert found.outcome == "refused"
    assert "was refused by `configure`: none on record. Nothing was changed." in found.text
    steps = run("migrate", back, migrate={"reason": "none on record", "refused": True})
    assert conclude("release", TITLE, steps).outcome == "failed"  # configure has changed something


def test_trouble_before_the_first_change_is_no_refusal():
    steps = run("preflight", preflight={"reason": "the cluster does not answer", "trouble": True})
    found = conclude("release", TITLE, steps)
    assert found.outcome == "failed"
    assert found.text == (
        f"{TITLE} failed at `preflight`, before anything was changed: the cluster does not answer. "
        "Put the cause right and clear `preflight`."
    )


def test_failed_and_rolled_back():
    back = dict.fromkeys(BACK, "success")
    steps = run(
        "smoke_check",
        back,
        smoke_check={"reason": "2 of 12 answers are not as they should be"},
        undo_after={"said": "Migrations taken back: r2-201-orders."},
        restored_check={"said": "release-1 serves again."},
    )
    found = conclude("release", TITLE, steps, serving=SERVING)
    assert (found.outcome, found.good) == ("rolled back", False)
    assert found.text == (
        f"{TITLE} failed at `smoke_check`: 2 of 12 answers are not as they should be. release-1 serves again. "
        f"Migrations taken back: r2-201-orders. {SERVING} "
        "Find the cause in the log of `smoke_check` before the next try."
    )


def test_failed_and_the_rollback_stopped():
    back = {"plan": "failed", **dict.fromkeys(BACK[1:], "upstream_failed")}
    stop = "r2-x has no way back"
    steps = run("deploy", back, deploy={"reason": "conflict"}, plan={"reason": stop, "said": stop})
    found = conclude("release", TITLE, steps, serving=SERVING)
    assert (found.outcome, found.good) == ("failed", False)
    assert found.text == (
        f"{TITLE} failed at `deploy`: conflict. The rollback stopped at `roll_back.plan`: r2-x has no way back. "
        f"{SERVING} Somebody has to act now; the log of `roll_back.plan` has the choices."
    )


def test_failed_with_nothing_to_roll_back():
    back = dict.fromkeys(BACK, "skipped")
    found = conclude("release", TITLE, run("migrate", back, migrate={"reason": "exit code 1"}))
    assert found.outcome == "failed"
    assert found.text == (
        f"{TITLE} failed at `migrate`: exit code 1. Done by then and not rolled back: `configure`. "
        "The log of `migrate` says what to do."
    )


def test_a_task_that_was_killed_gave_no_reason():
    found = conclude("release", TITLE, run("deploy", dict.fromkeys(BACK, "success")))
    assert "failed at `deploy`: it ended without saying why" in found.text


def test_interrupted():
    steps = run(
        deploy={"state": ""},
        rollout_check={"state": ""},
        smoke_check={"state": ""},
        verify_build={"state": ""},
    )
    found = conclude("release", TITLE, steps, serving=SERVING)
    assert (found.outcome, found.good) == ("interrupted", False)
    assert "`deploy` did not run to its end" in found.text
    assert "Done by then: `configure`, `migrate`." in found.text


def test_a_run_that_somebody_marked_is_interrupted():
    found = conclude("release", TITLE, run("deploy"), ended_by_hand=True)
    assert found.outcome == "interrupted"
    assert "somebody marked the run failed or success before its end" in found.text


def test_what_comes_after_the_checks_does_not_take_the_release_back():
    steps = run(qa_verdict={"state": "failed", "reason": "the records cannot be used"})
    found = conclude("release", TITLE, steps)
    assert (found.outcome, found.good) == ("released", False)
    assert found.text == (
        f"{TITLE} was released, but `qa_verdict` failed after it: the records cannot be used. Clear `qa_verdict`."
    )


def test_a_dry_run_changes_nothing_whatever_it_finds():
    steps = run(rollout_check={"state": "skipped"}, smoke_check={"state": "skipped"})
    found = conclude("release", TITLE, steps, dry_run=True)
    assert (found.outcome, found.good) == ("dry run", True)
    assert found.text == f"Dry run of {TITLE}: nothing was changed."
    steps = run("deploy", deploy={"reason": "conflict"})
    found = conclude("release", TITLE, steps, dry_run=True)
    assert (found.outcome, found.good) == ("refused", False)
    assert found.text.startswith(f"Dry run: {TITLE} was refused by `deploy`: conflict. Nothing was changed.")


class Pods:
    """A cluster with two Deployments."""

    def list(self, kind: str, namespace: str, *, labels: str = "") -> list[dict[str, Any]]:
        if kind == "Deployment":
            assert labels == "plan-reduce-repeat/app=shop"
            return [self.deployment("app-deployment"), self.deployment("order-processor")]
        return [
            self.pod("a", "1.0.0"),
            self.pod("b", "2.0.0"),
            self.pod("c", "2.0.0"),
            self.pod("d", "2.0.0", ready="False"),
        ]

    def deployment(self, name: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}}}

    def pod(self, name: str, tag: str, ready: str = "True") -> dict[str, Any]:
        image = f"standin.local/shop:{tag}@sha256:{'1' * 64}"
        return {
            "metadata": {"name": name, "labels": {"app": "app-deployment"}},
            "spec": {"containers": [{"image": image}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }


def test_what_serves_is_what_the_pods_run():
    assert what_serves(Pods(), "course4", "shop") == (  # type: ignore[arg-type]
        "Now serving: app-deployment has 1 pod of shop:1.0.0 and 2 pods of shop:2.0.0; order-processor has no pod."
    )
