"""Every DAG of the project can be loaded, explains itself and asks for what it needs."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.release.loading import Sources
from plugins.params import rearm_params, release_params
from tests.dagtasks import bag, tasks

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "dags").glob("*.py"))


def test_every_file_loads_and_has_a_dag():
    assert FILES
    assert bag().import_errors == {}
    assert {Path(dag.fileloc) for dag in bag().dags.values()} == set(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_thin(path: Path):
    text = path.read_text()
    doc = ast.get_docstring(ast.parse(text)) or ""
    assert len(text.splitlines()) - len(doc.splitlines()) <= 80


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_explains_itself(path: Path):
    (dag,) = [dag for dag in bag().dags.values() if Path(dag.fileloc) == path]
    assert dag.tags
    assert dag.owner == "sre"
    for task in dag.tasks:
        assert f"`{task.task_id}`" in dag.doc_md
    for word in ("Params", "when it fails", "Safe to rerun"):
        assert word in dag.doc_md
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema.get("title"), name
        assert param.description, name
        assert param.schema.get("type"), name


def test_the_steps_of_a_release_are_in_order():
    dag = bag().dags["release"]
    order = [
        "freeze_and_check",
        "lock",
        "gate",
        "plan_capacity",
        "preflight",
        "approve",
        "configure",
        "migrate",
        "deploy",
        "rollout_check",
        "smoke_check",
        "verify_build",
        "conclude",
        "as_built_document",
        "tell",
        "unlock",
    ]
    assert [name for name in tasks("release") if name in order] == order
    assert all(dag.get_task(name).is_teardown for name in order[-3:])


def test_the_steps_of_a_rollback_are_in_order():
    order = ["find_target", "lock", "gate", "preflight", "plan", "approve", "undo_first", "restore", "rollout_check",
             "smoke_check", "verify_build", "undo_after", "conclude", "as_built_document", "tell", "unlock"]  # fmt: skip
    assert tasks("rollback") == order


def test_the_steps_of_a_guard_are_in_order():
    """The press is told at once: the payments may take minutes."""
    dag = bag().dags["swype_guard"]
    order = [
        "watch",
        "confirm",
        "save_evidence",
        "press",
        "hold_payments",
        "settle_payments",
        "tell_payments",
    ]
    assert [name for name in tasks("swype_guard") if name != "tell"] == order
    assert dag.get_task("tell").upstream_task_ids == {"press"}
    for name in ("tell", "tell_payments"):
        assert dag.get_task(name).is_teardown
        assert dag.get_task(name).on_failure_fail_dagrun
    assert dag.get_task("watch").start_from_trigger


def test_the_steps_of_a_re_arm_are_in_order():
    order = [
        "check",
        "lock",
        "probe_upstream",
        "restore",
        "rollout_check",
        "release_payments",
        "tell",
        "unlock",
    ]
    assert tasks("swype_rearm") == order


def test_each_guard_has_its_dags_and_asks_where_it_is_configured_to(configured):
    dags = configured(
        {"name": "one", "title": "t", "environment": "payments", "deployment": "one-app", "approval": True},
        {"name": "two", "title": "t", "environment": "qa", "deployment": "two-app"},
    )
    assert set(dags.dags) == {"one_guard", "one_rearm", "two_guard", "two_rearm"}
    one, two = dags.dags["one_guard"], dags.dags["two_guard"]
    assert one.get_task("approve").downstream_task_ids == {"press"}
    assert one.get_task("press").approved_by == "approve"
    assert "approve" not in two.task_ids
    assert "hold_payments" not in two.task_ids
    assert one.get_task("watch").watch["name"] == "one"


def test_a_worker_makes_only_the_dag_whose_task_it_runs(configured):
    from airflow.sdk.definitions._internal.dag_parsing_context import _airflow_parsing_context_manager

    guards = [
        {"name": name, "title": "t", "environment": "payments", "deployment": name}
        for name in ("a", "b", "c")
    ]
    with _airflow_parsing_context_manager(dag_id="b_guard", task_id="press"):
        assert set(configured(*guards).dags) == {"b_guard"}


def test_guards_that_cannot_be_read_are_an_import_error_that_names_file_and_field(configured):
    dags = configured(
        {"name": "one", "title": "t", "environment": "nowhere", "deployment": "x", "threshold": 0}
    )
    assert dags.dags == {}
    assert len(dags.import_errors) == 2
    for text in dags.import_errors.values():
        assert "guards.yaml:" in text
        assert "threshold" in text


def test_a_guard_that_is_wrong_takes_no_dag_from_the_others(configured):
    wrong, right = (
        {"name": name, "title": "t", "environment": "payments", "deployment": name}
        for name in ("wrong", "right")
    )
    dags = configured(wrong | {"threshold": 0}, right)
    assert dags.import_errors == {}
    assert set(dags.dags) == {"right_guard", "right_rearm", "wrong_rearm"}


def test_the_only_guard_is_wrong_and_keeps_its_way_back(configured):
    entry = {"name": "one", "title": "t", "environment": "payments", "deployment": "x", "threshold": 0}
    dags = configured(
        entry | {"payments": {"kind": "upcommerce", "service": "s", "port": 1, "settle": "keep"}}
    )
    assert set(dags.dags) == {"one_rearm"}
    assert "release_payments" in dags.dags["one_rearm"].task_ids
    assert len(dags.import_errors) == 1


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The DAGs of the red button with these guards."""
    # Airflow leaves there which DAG it was last asked for: absent before the test, and after it.
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "")
    monkeypatch.delenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID")

    def load(*guards: dict[str, Any]) -> Any:
        from airflow.dag_processing.dagbag import DagBag

        shutil.copytree(ROOT / "include" / "config", tmp_path / "config")
        (tmp_path / "config" / "guards.yaml").write_text(yaml.safe_dump({"guards": list(guards)}))
        monkeypatch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(tmp_path / "config"))
        (tmp_path / "dags").mkdir()
        for name in ("swype_guard.py", "swype_rearm.py"):
            shutil.copy(ROOT / "dags" / name, tmp_path / "dags")
        return DagBag(str(tmp_path / "dags"))

    return load


def test_the_params_are_those_of_the_shared_form():
    assert list(bag().dags["release"].params) == list(release_params(Sources.from_environment()))
    assert list(bag().dags["swype_rearm"].params) == list(rearm_params())


def test_the_doc_says_what_clearing_does_and_who_may():
    text = " ".join(bag().dags["release"].doc_md.split())
    for said in (
        "of an older one is refused",
        "Airflow does not tell a task who cleared it",
        "a cleared run asks again",
    ):
        assert said in text


def test_the_form_offers_the_releases_and_environments_there_are():
    params = bag().dags["release"].params
    releases = sorted(path.stem for path in (ROOT / "include" / "releases").glob("*.yaml"))
    assert params.get_param("release").schema["examples"] == releases
    assert params.get_param("environment").schema["examples"] == ["qa", "production"]


def test_loading_a_dag_file_imports_no_kubernetes_client():
    code = (
        "import sys; from airflow.dag_processing.dagbag import DagBag;"
        f"bag = DagBag({str(ROOT / 'dags')!r}); assert bag.dags;"
        "heavy = {'kubernetes', 'kubernetes_asyncio'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
