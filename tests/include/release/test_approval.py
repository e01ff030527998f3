"""Who may approve, what an approval is bound to, and when one no longer stands."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.release.approval import (
    Approval,
    Basis,
    approvers,
    basis_of,
    is_needed,
    require,
    what_changed,
)
from include.release.frozen import Frozen
from include.release.policies import ApprovalPolicy
from include.release.problems import RejectedError

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
VERDICT = {"id": "1", "image": "shop:2.0.0", "digest": "sha256:" + "2" * 64, "passed": True, "source": "qa",
           "by": "dev", "at": "2026-03-03T10:00:00+00:00", "reason": "", "link": ""}  # fmt: skip


def may_approve(frozen: Frozen, names: list[str], **policy: Any) -> Any:
    approval = frozen.environment.approval.model_copy(update=policy)
    return frozen.environment.model_copy(update={"may_approve": names, "approval": approval})


def live(frozen: Frozen) -> list[dict[str, Any]]:
    """The objects as they are in the cluster, with what the server adds."""
    found = copy.deepcopy(frozen.objects)
    for each in found:
        each["metadata"] |= {"resourceVersion": "1", "managedFields": [], "uid": "u"}
    return found


def basis(frozen: Frozen, objects: Any = None, **other: Any) -> Basis:
    known: dict[str, Any] = {"verdicts": [VERDICT], "applied": ["a", "b"], "plan": None} | other
    return basis_of(frozen, live(frozen) if objects is None else objects, **known)


@pytest.mark.parametrize(
    ("names", "user", "yes", "no"),
    [
        (["admin", "oncall"], "oncall", ["admin"], ["oncall", "dev", "", None]),
        (["admin", "oncall"], "dev", ["admin", "oncall"], ["dev"]),
        (["admin", "oncall"], None, ["admin", "oncall"], ["dev", None]),
        (["*"], "oncall", ["admin", "dev"], ["oncall", None]),
        (["*", "oncall"], "oncall", ["admin"], ["oncall"]),
    ],
)
def test_who_may_approve(frozen, names, user, yes, no):
    who = approvers(may_approve(frozen, names), user)
    assert [name for name in yes if not who.allows(name)] == []
    assert [name for name in no if who.allows(name)] == []


def test_who_triggered_may_approve_where_the_environment_lets_them(frozen):
    environment = may_approve(frozen, ["oncall"], not_by_who_triggered=False)
    assert approvers(environment, "oncall").allows("oncall")


def test_nobody_may_approve_is_said_at_once(frozen):
    with pytest.raises(RejectedError) as raised:
        approvers(may_approve(frozen, ["oncall"]), "oncall")
    for text in ("production.may_approve", "only oncall, who triggered this run", "somebody else trigger"):
        assert text in str(raised.value)


def test_releases_and_rollbacks_need_one_apart_from_each_other():
    assert is_needed(ApprovalPolicy(required=True), "release")
    assert not is_needed(ApprovalPolicy(required=True), "rollback")
    assert is_needed(ApprovalPolicy(rollbacks=True), "rollback")
    assert not is_needed(ApprovalPolicy(rollbacks=True), "release")


def test_what_the_server_writes_of_itself_does_not_count(frozen):
    before, after = live(frozen), live(frozen)
    for each in after:
        each["metadata"] |= {"resourceVersion": "2", "generation": 7}
        each["status"] = {"replicas": 6}
        each["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "3"
    assert basis(frozen, before).digest == basis(frozen, after).digest


def changed_replicas(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for each in objects:
        if each["metadata"]["name"] == "app-deployment":
            each["spec"]["replicas"] = 0
    return objects


def test_every_part_counts_and_is_named_when_it_changed(frozen):
    before = basis(frozen)
    scaled = basis(frozen, changed_replicas(live(frozen)))
    [text] = what_changed(before, scaled)
    assert text.startswith(
        "Deployment app-deployment: changed in the cluster\n--- when it was asked\n+++ now"
    )
    assert "+  replicas: 0" in text
    gone = basis(frozen, [each for each in live(frozen) if each["kind"] != "Service"])
    assert what_changed(before, gone) == ["Service app-service: is gone from the cluster"]
    assert what_changed(gone, before) == ["Service app-service: appeared in the cluster"]
    failed = basis(frozen, verdicts=[VERDICT | {"id": "2", "passed": False}])
    assert what_changed(before, failed) == ["QA verdict on shop:2.0.0: is not what it was"]
    assert what_changed(before, basis(frozen, applied=["a"])) == [
        "migrations applied before: is not what it was"
    ]
    assert what_changed(before, basis(frozen, plan={"undo": []})) == [
        "plan of the rollback: is not what it was"
    ]
    other = basis(frozen.model_copy(update={"digest": "0" * 64}))
    assert what_changed(before, other) == ["release: is not what it was"]
    codes = {each.code for each in (before, scaled, gone, failed, other)}
    assert len(codes) == 5


def approval(of: Basis, **other: Any) -> Approval:
    known: dict[str, Any] = {
        "required": True,
        "by": "admin",
        "at": NOW,
        "digest": of.digest,
        "parts": of.parts,
    }
    return Approval(**(known | other))


def check(frozen: Frozen, given: Approval | None, now_is: Basis | None = None, **other: Any) -> str:
    """What the refusal says; empty when the change may go on."""
    known: dict[str, Any] = {"now": NOW, "check_age": True, "still_changes": lambda name: True} | other
    try:
        require(given, frozen, "release", current=lambda: now_is or basis(frozen), **known)
    except RejectedError as error:
        return str(error)
    return ""


def test_an_approval_of_exactly_this_lets_the_change_go_on(frozen):
    assert check(frozen, approval(basis(frozen))) == ""


def test_no_other_and_old_approvals_are_refused_with_what_to_do(frozen):
    of = basis(frozen)
    refusals = {
        "none on record": check(frozen, None),
        "found:    none": check(frozen, Approval(required=False)),
        "one for another release": check(frozen, approval(of, parts={**of.parts, "release": "0"})),
        "at most 60 minutes old": check(frozen, approval(of), now=NOW + timedelta(minutes=61)),
        "since then changed: Deployment app-deployment": check(
            frozen, approval(of), basis(frozen, changed_replicas(live(frozen)))
        ),
        "since then changed: QA verdict on shop:2.0.0": check(
            frozen, approval(of), basis(frozen, verdicts=[VERDICT | {"passed": False}])
        ),
    }
    for text, said in refusals.items():
        assert text in said
        assert "clear `approve`" in said


def test_a_change_that_has_begun_is_not_too_old(frozen):
    given = approval(basis(frozen))
    assert check(frozen, given, now=NOW + timedelta(hours=3), check_age=False) == ""


def test_what_this_run_has_applied_already_is_no_deviation(frozen):
    now_is = basis(frozen, changed_replicas(live(frozen)))
    assert check(frozen, approval(basis(frozen)), now_is, still_changes=lambda name: False) == ""


def test_an_environment_without_approvals_reads_nothing(frozen):
    open_environment = frozen.environment.model_copy(update={"approval": ApprovalPolicy()})

    def read() -> Basis:
        raise AssertionError("nothing is to be read")

    require(
        None,
        frozen.model_copy(update={"environment": open_environment}),
        "release",
        now=NOW,
        check_age=True,
        current=read,
        still_changes=lambda name: True,
    )
