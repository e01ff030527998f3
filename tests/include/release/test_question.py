"""What an approver reads."""

from __future__ import annotations

from typing import Any

from include.release.applying import Applied
from include.release.approval import approvers, basis_of
from include.release.question import Asked, Facts, body, changes_something, plan_lines, subject

VERDICT = {"image": "shop:2.0.0", "digest": "sha256:" + "2" * 64, "passed": True, "source": "qa", "by": "dev",
           "at": "2026-03-03T10:00:00+00:00", "reason": "all fine"}  # fmt: skip


def facts(frozen: Any, **other: Any) -> Facts:
    asked = Asked("oncall", "ticket 42", "release/run-1", "2026-03-04 05:06 UTC", 60, 60)
    known: dict[str, Any] = {"kind": "release", "asked": asked, "who": approvers(frozen.environment, "oncall"),
                             "basis": basis_of(frozen, [], [VERDICT], [])} | other  # fmt: skip
    return Facts(frozen, **known)


def test_all_that_is_needed_to_decide_is_there(frozen):
    changes = [
        Applied("Deployment", "app-deployment", "changed", "-  replicas: 3\n+  replicas: 6", 1),
        Applied("Service", "app-service", "unchanged", "", 1),
    ]
    asked = facts(
        frozen,
        changes=changes,
        new_maps=["shop-settings-1"],
        verdicts=[VERDICT],
        applied=["r2-203-exotic-catalog"],
        plan=plan_lines(frozen),
    )
    assert subject(asked) == "Approve release-2 (shop) in production?"
    text = body(asked)
    for part in (
        "**oncall** asks for it: ticket 42",
        "admin may answer, within 60 minutes; silence refuses",
        f"its code is `{asked.basis.code}`",
        "**Deployment app-deployment**: would be changed\n\n```diff\n-  replicas: 3\n+  replicas: 6\n```",
        "**Service app-service**: stays as it is",
        "New ConfigMaps: `shop-settings-1`",
        "- app-deployment: ",
        "| `r2-203-exotic-catalog` (applied already) | Tables for exotic plants and their stock | "
        "yes, destroys exotic plants | yes |",
        "| `r2-201-orders` | Tables for claims on orders and for fulfilments | yes, destroys fulfilments | yes |",
        "asked of the database: with a Job of this release's own build, whose command `migrations.status` only reads.",
        "- shop:2.0.0 (sha256:222222222222): passed, says qa (by dev, 2026-03-03 10:00 UTC): all fine",
        "Where that would destroy rows (r2-202-menu-catalog, r2-201-orders, r2-201-order-problems) it is left, unless nothing would be lost.",
    ):
        assert part in text, part


def test_where_no_build_was_run_before_the_approval_none_is_told_of(frozen):
    assert "with a Job of this release's own build" not in body(facts(frozen))


def test_a_migration_without_a_way_back_is_shouted(frozen):
    migrations = frozen.release.migrations
    step = migrations.steps[0].model_copy(update={"down": None, "old_build_compatible": False})
    release = frozen.release.model_copy(
        update={"migrations": migrations.model_copy(update={"steps": [step]})}
    )
    text = body(facts(frozen.model_copy(update={"release": release})))
    assert "**There is no way back behind r2-203-exotic-catalog" in text
    assert "| none | **no** |" in text


def test_what_is_replaced_stands_first_and_notes_of_a_release_are_no_change(frozen):
    changes = [Applied("Service", "a", "changed", "", 1), Applied("Service", "b", "unchanged", "", 1)]
    text = body(facts(frozen, replaces="Replaces release-1.", changes=changes))
    assert text.startswith("**Replaces release-1.**\n\n**oncall** asks for it")
    assert "**Service a**: would be changed (only the notes that a release leaves on its objects)" in text
    assert "**Service b**: stays as it is" in text
    everything = [step.id for step in frozen.release.migrations.steps]
    assert not changes_something(frozen, changes, [], everything)
    assert changes_something(frozen, changes, ["new"], everything)
    assert changes_something(frozen, changes, [], everything[1:])
    assert changes_something(frozen, [Applied("Service", "a", "changed", "+x", 1)], [], everything)


def test_a_long_difference_is_shortened_on_the_page_and_whole_in_the_log(frozen):
    diff = "\n".join(f"+line {number}" for number in range(100))
    asked = facts(
        frozen, changes=[Applied("Deployment", f"d{each}", "created", diff, 1) for each in range(7)]
    )
    page, log = body(asked), body(asked, whole=True)
    assert "… and 40 more lines: the log of this task has all of them." in page
    assert page.count("+line ") == 300
    assert log.count("+line ") == 700
    assert "more line" not in log


def test_what_people_wrote_is_no_markdown(frozen):
    asked = Asked("dev", "**ok** [click](http://evil) `x`\n# Approved", "r", "t", 1, 1)
    text = body(facts(frozen, asked=asked))
    assert r"\*\*ok\*\* \[click\](http://evil) \`x\` \# Approved" in text
    fence = body(facts(frozen, changes=[Applied("Service", "s", "changed", "+```\n+# out", 1)]))
    assert "````diff\n+```\n+# out\n````" in fence


def test_a_rollback_is_asked_about_with_its_plan(frozen):
    asked = facts(
        frozen, kind="rollback", steps=["Back from release-2", "  delete Deployment order-processor"]
    )
    assert subject(asked) == "Approve rollback to release-2 (shop) in production?"
    text = body(asked)
    assert "### What the rollback does\n\n- Back from release-2\n- delete Deployment order-processor" in text
    assert "It stops where it is" in text


def test_what_changed_since_is_first(frozen):
    text = body(facts(frozen, number=2, since=["Deployment a: changed in the cluster\n+x"]))
    assert "Question 2, asked" in text
    assert text.index("### Changed since it was asked before") < text.index("### What changes in the cluster")
    assert "```diff\nDeployment a: changed in the cluster\n+x\n```" in text
