"""Whole runs through qa to production: the verdict that one records is what the other needs.

Each test goes on from where the one before it ended.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.cluster.images import ImageStore
from include.records.models import Verdict
from include.records.store import Records
from include.release.loading import PROJECT
from plugins.operators.migrate import MigrateOperator
from tests.standin import SMALL, TEST, make_namespace

NAMESPACES = {"qa": "gate-runs-qa", "production": "gate-runs"}
BUILD, QA_BUILD = "python:3", "python:3-qa"


class Pipeline:
    """The release DAG, its files and its records."""

    def __init__(self, folder: Path, dag: Any, client: Any, digest: str) -> None:
        self.folder, self.dag, self.client, self.digest = folder, dag, client, digest
        self.records = Records(f"sqlite:///{folder / 'records.db'}")

    def release(self, environment: str) -> dict[str, str]:
        """Run the DAG; the states of the run and of its tasks."""
        conf = {"release": "small", "environment": environment, "reason": "a test", "dry_run": False}
        ended = self.dag.test(run_conf=conf)
        return {
            "run": str(ended.state),
            **{each.task_id: str(each.state) for each in ended.get_task_instances()},
        }

    def say(self, *, passed: bool, source: str = "ci") -> None:
        """What somebody found out about the build."""
        self.records.add_verdict(
            Verdict(
                digest=self.digest,
                image=BUILD,
                app="small",
                passed=passed,
                source=source,
                by="ci",
                reason="test 7",
            )
        )

    def edit(self, old: str, new: str) -> None:
        """Change the release's file."""
        path = self.folder / "releases" / "small.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def live(self, environment: str) -> str:
        """The version of the Deployment, empty when there is none."""
        found = self.client.get("Deployment", NAMESPACES[environment], "web")
        return str(found["metadata"]["generation"]) if found else ""


@pytest.fixture(scope="module")
def pipeline(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A small release, with the project's own environments but for approvals: nobody is here to give one."""
    from airflow.utils.db import initdb

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "include" / "config", folder / "config")
    (folder / "releases").mkdir()
    text = SMALL.read_text().replace("replicas: 2", "replicas: 1")
    (folder / "releases" / "small.yaml").write_text(text)
    path = folder / "config" / "environments.yaml"
    environments = yaml.safe_load(path.read_text())
    environments["environments"] = [e for e in environments["environments"] if e["name"] in NAMESPACES]
    for each in environments["environments"]:
        each |= {"namespace": NAMESPACES[each["name"]], "may_trigger": ["*"], "approval": {"required": False}}
        make_namespace(cluster.connect(), each["namespace"])
    path.write_text(yaml.safe_dump(environments, sort_keys=False))
    base = ImageStore(TEST / "images").resolve("standin.local/python:3")
    assert base is not None
    lock = {
        BUILD: {"digest": base.digest, "build": "1" * 64},
        QA_BUILD: {"digest": "sha256:" + "9" * 64, "build": "1" * 64, "qa_only": True},
    }
    text = yaml.safe_dump({"registry": "standin.local", "images": lock})
    (folder / "config" / "images" / "standin.lock.yaml").write_text(text)
    value = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    patch.setenv("AIRFLOW_CONN_KUBERNETES_SHOP", json.dumps(value))
    patch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", f"sqlite:///{folder / 'records.db'}")
    patch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(folder / "config"))
    patch.setenv("PLAN_REDUCE_REPEAT_RELEASES", str(folder / "releases"))
    patch.setenv("PLAN_REDUCE_REPEAT_DOCUMENTS", str(folder / "documents"))
    initdb()

    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(str(PROJECT / "dags")).dags["release"]
    for task in dag.tasks:
        task.retries = 0
    yield Pipeline(folder, dag, cluster.connect(), base.digest)
    patch.undo()


def ended(states: dict[str, str], said: str, **wanted: str) -> None:
    """The run and its tasks ended like this; if not, the log tells why."""
    assert {name: states.get(name) for name in wanted} == wanted, said


def test_production_takes_a_build_only_after_qa_did(pipeline, capsys):
    states = pipeline.release("production")
    said = capsys.readouterr().out
    ended(
        states, said, run="failed", lock="success", gate="failed", deploy="upstream_failed", unlock="success"
    )
    assert f"no verdict on {pipeline.digest}" in said
    assert pipeline.live("production") == ""
    ended(
        pipeline.release("qa"), capsys.readouterr().out, run="success", gate="success", qa_verdict="success"
    )
    (kept,) = pipeline.records.verdicts(pipeline.digest)
    assert (kept.passed, kept.source, kept.image) == (True, "qa", BUILD)
    states = pipeline.release("production")
    said = capsys.readouterr().out
    ended(states, said, run="success", gate="success", deploy="success", qa_verdict="skipped")
    assert "The gate of production is open for 1 of 1 builds:" in said
    outcomes = [(each.environment, each.outcome) for each in pipeline.records.changes()]
    assert outcomes == [("production", "released"), ("qa", "released"), ("production", "refused")]


def test_kargo_5144_a_build_that_failed_later_does_not_stay_verified(pipeline, capsys):
    pipeline.say(passed=False)
    before = pipeline.live("production")
    states = pipeline.release("production")
    said = capsys.readouterr().out
    ended(states, said, run="failed", gate="failed", configure="upstream_failed", deploy="upstream_failed")
    assert f"found:    {pipeline.digest} failed, says ci (by ci, " in said
    assert pipeline.live("production") == before


def test_kargo_5144_a_fail_that_comes_after_the_gate_stops_the_deploy(pipeline, capsys, monkeypatch):
    pipeline.say(passed=True)
    pipeline.edit("TEXT: hello", "TEXT: good bye")
    before = pipeline.live("production")
    migrate = MigrateOperator.step

    def meanwhile(self: Any, *arguments: Any, **options: Any) -> Any:
        result = migrate(self, *arguments, **options)
        pipeline.say(passed=False)
        return result

    monkeypatch.setattr(MigrateOperator, "step", meanwhile)
    states = pipeline.release("production")
    said = capsys.readouterr().out
    ended(states, said, run="failed", gate="success", migrate="success", deploy="failed", unlock="success")
    assert "failed, says ci (by ci, " in said
    assert pipeline.live("production") == before


def test_a_release_that_fails_in_qa_closes_the_gate(pipeline, capsys):
    pipeline.say(passed=True)
    pipeline.edit("{path: /}\n", "{path: /, status: 418}\n")
    states = pipeline.release("qa")
    ended(states, capsys.readouterr().out, run="failed", smoke_check="failed", qa_verdict="success")
    newest = pipeline.records.verdicts(pipeline.digest)[0]
    assert (newest.passed, newest.source) == (False, "qa")
    assert newest.reason.startswith("small in qa: smoke_check failed: ")
    pipeline.edit("{path: /, status: 418}\n", "{path: /}\n")
    states = pipeline.release("production")
    ended(states, capsys.readouterr().out, run="failed", gate="failed")


def test_outage_a_qa_build_pointed_at_production_ends_in_the_first_task_with_its_name(pipeline, capsys):
    pipeline.edit("image: python:3\n", "image: python:3-qa\n")
    states = pipeline.release("production")
    said = capsys.readouterr().out
    ended(
        states,
        said,
        run="failed",
        freeze_and_check="failed",
        lock="upstream_failed",
        deploy="upstream_failed",
    )
    assert "python:3-qa, a QA-only build (its label shop.qa-only is true)" in said
    assert "fix:      release the build that was made for it (python:3?)" in said
