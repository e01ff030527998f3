"""The record of a change: its document and its entry in the history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator

from include.records.models import Change
from tests.plugins.endings import STARTED, ended, make_dag

SAID = {"outcome": "released", "text": "It was released.", "good": True}
APPROVAL = {"required": True, "by": "admin", "at": "2026-03-04T05:06:00+00:00", "why": "fine", "digest": "d" * 64,
            "parts": {}}  # fmt: skip
LEFT = {
    ("conclude", "conclusion"): SAID,
    ("approve", "return_value"): APPROVAL,
    ("approve", "answers"): [],
    ("gate", "return_value"): [],
    ("preflight", "return_value"): {"previous": "release-0", "applied": []},
}


@pytest.fixture
def document(cluster: Any, connection: Any, records: Any) -> Any:
    connection(cluster.kubeconfig)
    return make_dag().get_task("as_built_document")


def test_a_release_is_written_down_and_recorded(document, small, records, tmp_path):
    frozen = small()
    place = document.execute(ended(frozen, {}, LEFT, drop_data=True))
    assert place == f"file://{tmp_path}/test/small/run-1.md"
    text = Path(place.removeprefix("file://")).read_text()
    for part in ("**RELEASED.** It was released.", "| Drop data | True |", "| Ran before | release-0 |",
                 "| admin | 2026-03-04T05:06:00+00:00 | fine |", "| deploy | success | 1.5 |  |"):  # fmt: skip
        assert part in text, part
    assert list(tmp_path.rglob("*.part")) == []
    found = records.change("release/run-1")
    expected = {"kind": "release", "app": "small", "environment": "test", "release": "small", "number": 1,
                "spec_digest": frozen.digest, "images": frozen.images, "user": "oncall", "reason": "a test",
                "started": STARTED, "outcome": "released", "summary": "It was released.", "approved_by": "admin",
                "approval_reason": "fine", "document": place}  # fmt: skip
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.ended is not None


def test_two_copies_of_the_task_that_store_at_once_leave_one_whole_document(document, small, monkeypatch):
    from airflow.sdk import ObjectStoragePath

    move = ObjectStoragePath.move

    def after_the_other(self: Any, target: Any, **options: Any) -> Any:
        move(self, target, **options)  # the other copy is first by a moment
        return move(self, target, **options)

    monkeypatch.setattr(ObjectStoragePath, "move", after_the_other)
    place = Path(document.execute(ended(small(), {}, LEFT)).removeprefix("file://"))
    assert place.read_text().startswith("#")


def test_the_verdict_of_a_failed_try_is_told(document, small):
    document.dag.add_task(EmptyOperator(task_id="qa_verdict"))
    frozen = small()
    row = {"image": next(iter(frozen.images)), "source": "qa", "by": "dev", "at": "2026-03-04", "passed": False,
           "reason": "smoke_check failed"}  # fmt: skip
    states = {"smoke_check": "failed"}
    place = document.execute(ended(frozen, states, LEFT | {("qa_verdict", "return_value"): [row]}))
    text = Path(place.removeprefix("file://")).read_text()
    assert "**FAILED**, says qa (by dev, 2026-03-04): smoke_check failed |" in text


def test_the_objects_are_those_of_the_cluster(document, small, cluster):
    from include.release.applying import apply_object, ensure_immutable

    frozen, client = small(("replicas: 2", "replicas: 0")), cluster.connect()
    for manifest in frozen.config_maps:
        ensure_immutable(client, manifest, frozen.environment.namespace)
    apply_object(client, frozen.objects[0], frozen, "release/run-1", dry_run=False)
    place = document.execute(ended(frozen, {}, LEFT))
    files = Path(place.removeprefix("file://")).read_text().partition("As read back from the cluster.")[2]
    assert f"### ConfigMap {frozen.config_maps[0]['metadata']['name']}" in files
    assert "revisionHistoryLimit: 10" in files  # a default that the API server filled in


def test_a_rerun_never_loses_an_earlier_document(document, small, records):
    frozen = small()
    first = document.execute(ended(frozen, {"smoke_check": "failed"}, LEFT))
    before = Path(first.removeprefix("file://")).read_text()
    assert document.execute(ended(frozen, {"smoke_check": "failed"}, LEFT)) == first
    second = document.execute(ended(frozen, {}, LEFT))
    assert second == first.replace("run-1.md", "run-1-2.md")
    assert Path(first.removeprefix("file://")).read_text() == before
    assert records.change("release/run-1").document == second


def test_the_start_that_the_lock_recorded_stays(document, small, records):
    earlier = STARTED.replace(hour=1)
    records.save_change(
        Change(run="release/run-1", kind="release", app="small", environment="test", release="small",
               outcome="running", started=earlier)
    )  # fmt: skip
    document.execute(ended(small(), {}, LEFT))
    found = records.change("release/run-1")
    assert (found.outcome, found.started) == ("released", earlier)


def test_a_refused_run_is_recorded_too(document, small, records):
    said = {"outcome": "refused", "text": "It was refused by `gate`.", "good": False}
    states = {"gate": "failed"} | dict.fromkeys(
        ["preflight", "approve", "configure", "deploy"], "upstream_failed"
    )
    failure = {"reason": "no verdict on python:3", "kind": "refused"}
    left = {("conclude", "conclusion"): said, ("gate", "failure"): failure}
    place = document.execute(ended(small(), states, left))
    text = Path(place.removeprefix("file://")).read_text()
    assert "| gate | failed | 1.5 | no verdict on python:3 |" in text
    assert "None was given." in text
    found = records.change("release/run-1")
    assert (found.outcome, found.summary) == ("refused", "It was refused by `gate`.")


def test_a_run_that_somebody_ended_is_recorded_as_interrupted(document, small, records):
    states = dict.fromkeys(["deploy", "smoke_check", "conclude"], "")
    document.execute(ended(small(), states))
    assert records.change("release/run-1").outcome == "interrupted"


def test_nothing_frozen_is_recorded_as_far_as_the_files_tell(document, records, project, caplog):
    said = {"outcome": "refused", "text": "The change window is closed.", "good": False}
    left = {("conclude", "conclusion"): said}
    assert document.execute(ended(None, {"freeze_and_check": "failed"}, left)) == ""
    found = records.change("release/run-1")
    assert (found.app, found.release, found.outcome) == ("shop", "release-1", "refused")
    (project / "releases" / "release-1.yaml").write_text("app: 7")
    context = ended(None, {"freeze_and_check": "failed"}, left)
    context["dag_run"].run_id = "run-2"
    document.execute(context)
    assert records.change("release/run-2") is None


def test_a_rollback_that_found_no_target_is_recorded(cluster, connection, records, project):
    connection(cluster.kubeconfig)
    task = make_dag(kind="rollback").get_task("as_built_document")
    states = {"freeze_and_check": "failed", "conclude": ""} | dict.fromkeys(
        ["gate", "preflight", "approve", "configure", "deploy", "smoke_check"], "upstream_failed"
    )
    failure = {("freeze_and_check", "failure"): {"reason": "no such release", "kind": "refused"}}
    assert task.execute(ended(None, states, failure, app="shop", target="release-7")) == ""
    found = records.change("release/run-1")
    assert (found.kind, found.app, found.release, found.outcome) == (
        "rollback",
        "shop",
        "release-7",
        "refused",
    )
    assert found.summary.startswith(
        "The rollback to release-7 (shop) in production was refused by `freeze_and_check`: no such release."
    )


def test_a_rollback_of_an_app_that_there_is_not_is_not_recorded(cluster, connection, records, project):
    connection(cluster.kubeconfig)
    task = make_dag(kind="rollback").get_task("as_built_document")
    failure = {("freeze_and_check", "failure"): {"reason": "no such app", "kind": "refused"}}
    states = {"freeze_and_check": "failed", "conclude": ""}
    assert task.execute(ended(None, states, failure, app="shoop", target="previous")) == ""
    assert records.change("release/run-1") is None


def test_a_cluster_that_is_down_keeps_nobody_from_recording(document, small, records, connection, tmp_path):
    connection(tmp_path / "no-kubeconfig")
    place = document.execute(ended(small(), {}, LEFT))
    assert "Not read back; as the release has them." in Path(place.removeprefix("file://")).read_text()
    assert records.change("release/run-1").outcome == "released"


def test_a_dry_run_is_shown_and_recorded_nowhere(document, small, records, tmp_path, capsys):
    left = {("conclude", "conclusion"): {"outcome": "dry run", "text": "Dry run.", "good": True}}
    assert document.execute(ended(small(), {}, left, dry_run=True)) == ""
    assert "# As-built: small, release 1, in test" in capsys.readouterr().out
    assert list(tmp_path.rglob("*.md")) == []
    assert records.change("release/run-1") is None
