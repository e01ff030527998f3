"""The document of a change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.release.approval import Approval
from include.release.document import Run, StepDone, choose_revision, file_name, render
from include.release.policies import GatePolicy

FULL: dict[str, Any] = {
    "run_id": "manual__2026-03-04",
    "kind": "release",
    "outcome": "rolled back",
    "summary": "It failed at `smoke_check`: 2 of 12 answers.",
    "user": "oncall",
    "reason": "ticket 42 | urgent\nnow",
    "started": "2026-03-04T05:06:00+00:00",
    "ended": "2026-03-04T05:09:00+00:00",
    "url": "http://airflow/dags/release/runs/1",
    "said": {"Drop data": "True"},
    "steps": [
        StepDone("freeze_and_check", "success", 0.62),
        StepDone("smoke_check", "failed", 3.0, "2 of 12 answers | wrong"),
        StepDone("verify_build", ""),
    ],
    "approval": Approval(
        required=True,
        by="admin",
        at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        why="looks | good",
        digest="abcdef0123456789ffff",
    ),
    "answers": [
        {"by": "admin", "at": "05:05", "answer": "Approve", "why": "", "result": "asked again"},
        {"by": "admin", "at": "05:06", "answer": "Approve", "why": "looks good", "result": "approved"},
    ],
    "verdicts": [{"image": "shop:2.0.0", "source": "qa", "by": "dev", "at": "2026-03-03", "passed": True}],
    "previous": "release-1",
    "applied_before": ["r2-203-exotic-catalog"],
    "migrations": [{"id": "r2-201-orders", "result": "applied in 0.1 s"}],
    "smoke": [{"workload": "app-deployment", "path": "/a|b", "status": 200, "pods": 6, "fault": ""}],
    "seen": [
        {"workload": "app-deployment", "pod": "p-1", "container": "main-app", "digest": "sha256:" + "1" * 64,
         "build": "1" * 64, "fault": "build 1 instead of 2"},
    ],
    "plan_text": "Back from release-2 to release-1, pods first\n  take back migration r2-201-orders",
    "undone": [{"id": "r2-201-orders", "result": "taken back"}],
    "restored": [{"kind": "Deployment", "name": "app-deployment", "outcome": "changed"}],
    "objects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "resourceVersion": "3"},
         "data": {"text": "```\n# no heading"}},
    ],
}  # fmt: skip
LEAST: dict[str, Any] = {
    key: FULL[key] for key in ("run_id", "kind", "summary", "user", "reason", "started", "ended")
} | {"outcome": "failed"}


def test_it_has_everything_that_a_release_is_asked_about(frozen):
    text = render(frozen, Run(**FULL))
    for part in (
        "# As-built: shop, release 2, in production",
        "**ROLLED BACK.** It failed at `smoke_check`: 2 of 12 answers.",
        "| Outcome | **rolled back** |",
        "| Reason | ticket 42 \\| urgent now |",
        "| Drop data | True |",
        "| Run | [`manual__2026-03-04`](http://airflow/dags/release/runs/1) |",
        "| Ran before | release-1 |",
        # what the spec says
        "- Developers: John Doe, Jane Peters, Sam Ross\n- Ops: Jay Smith\n- SRE: Thach Duong",
        "### Security fixes\n\n- SQL injection by the sort order of the catalog (ticket 205)",
        "### Features\n\n- New catalog for exotic plants (ticket 203)",
        "- New tables for the catalog of exotic plants (data, ticket 203)",
        "(Design Doc 5247, ticket 201)",
        "Load tests done; the figures are below.",
        "- Migrations run before the new pods start",
        "### Capacity of app-deployment",
        # what was done
        "| admin | 2026-03-04T05:06:00+00:00 | looks \\| good | digest `abcdef0123456789` |",
        "| admin | 05:05 | Approve |  | asked again |",
        "| yes, destroys exotic plants | yes | applied | not run |",
        "| yes, destroys fulfilments | yes | not applied | applied in 0.1 s |",
        "| passed, says qa (by dev, 2026-03-03) |",
        "| app-deployment | p-1 | main-app | `sha256:111111111111` | `1111111111111111` | **no**: build 1 instead of 2 |",
        "| app-deployment | `/a\\|b` | 200 | 6 | yes |",
        "Back from release-2 to release-1, pods first",
        "| `r2-201-orders` | taken back |",
        "| Deployment app-deployment | changed |",
        "| freeze_and_check | success | 0.6 |  |",
        "| smoke_check | failed | 3.0 | 2 of 12 answers \\| wrong |",
        "| verify_build | not run |  |  |",
        "As read back from the cluster.",
        "### ConfigMap m",
    ):
        assert part in text, part
    assert "resourceVersion" not in text


def test_the_builds_have_the_verdict_of_the_run_itself(frozen):
    own = {"image": "shop:2.0.0", "source": "qa", "by": "dev", "at": "2026-03-04", "passed": False,
           "reason": "smoke_check failed: 2 | 3"}  # fmt: skip
    text = render(frozen, Run(**(FULL | {"given": [own]})))
    assert "| **FAILED**, says qa (by dev, 2026-03-04): smoke_check failed: 2 \\| 3 |" in text
    assert "passed, says qa" not in text


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"gate": GatePolicy(required=True, trusted=["qa"])}, "none that lets it in"),
        ({"gate": GatePolicy(), "gives_verdict": True}, "none given by this run"),
        ({"gate": GatePolicy()}, "none asked for"),
    ],
)
def test_why_a_build_has_no_verdict(frozen, environment, expected):
    other = frozen.environment.model_copy(update=environment)
    text = render(frozen.model_copy(update={"environment": other}), Run(**LEAST))
    assert f" | {expected} |" in text.partition("## Builds")[2]


def test_a_value_does_not_end_the_code_block_that_it_is_in(frozen):
    text = render(frozen, Run(**FULL))
    assert text.count("```") % 2 == 0
    assert "'''" in text.partition("### ConfigMap m")[2]


@pytest.mark.parametrize("kind", ["release", "rollback"])
def test_a_run_that_was_stopped_early_has_one_too(frozen, kind):
    text = render(frozen, Run(**(LEAST | {"kind": kind})))
    assert "| Ran before | not known |" in text
    assert "## Approval\n\nNone was given." in text
    assert "Not read back; as the release has them." in text
    assert "### Deployment order-processor" in text
    assert "\n\n\n" not in text


def test_an_environment_that_needs_no_approval(frozen):
    text = render(frozen, Run(**(LEAST | {"approval": Approval(required=False)})))
    assert "## Approval\n\nNone needed in production." in text


def test_a_rejection_is_told(frozen):
    answer = {"by": "admin", "at": "05:05", "answer": "Reject", "why": "not today", "result": "rejected"}
    text = render(frozen, Run(**(LEAST | {"answers": [answer]})))
    assert "None was given." in text
    assert "| admin | 05:05 | Reject | not today | rejected |" in text


def test_a_rollback_has_its_own(frozen):
    text = render(frozen, Run(**(FULL | {"kind": "rollback"})))
    assert text.startswith("# Rollback: shop in production, to release 2\n")
    assert "Back from release-2 to release-1, pods first" in text
    assert "## Stakeholders" not in text


def test_where_it_goes(frozen):
    assert file_name(frozen, "manual__a b:c/..") == "production/release-2/manual__a_b_c_...md"
    assert file_name(frozen, "r", revision=2) == "production/release-2/r-2.md"
    assert file_name(frozen, "r", "rollback") == "production/release-2/rollback-r.md"


def test_an_earlier_document_is_never_lost():
    files = {"1": "| Document written | a |\nfailed", "2": "| Document written | b |\nreleased"}
    again = "| Document written | c |\nreleased"
    assert choose_revision(str, files.get, again) == ("2", True)
    assert choose_revision(str, files.get, again + " and more") == ("3", False)
    assert choose_revision(str, {}.get, again) == ("1", False)
