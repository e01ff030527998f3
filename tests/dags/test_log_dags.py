"""How the DAGs of the log clean-up are wired."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include.release.loading import PROJECT
from tests.dagtasks import DAGS, bag, tasks

STEPS = ("measure", "plan", "approve", "archive", "verify_archive", "delete", "verify_space", "report")


def test_the_steps_of_a_clean_up_are_in_order_and_mapped_by_volume():
    dag = bag().dags["log_cleanup"]
    assert tasks("log_cleanup")[:10] == ["choose", "window", *(f"clean.{step}" for step in STEPS)]
    assert set(tasks("log_cleanup")[10:]) == {"tell", "heartbeat"}
    for step in STEPS:
        task = dag.get_task(f"clean.{step}")
        assert task.get_closest_mapped_task_group() is not None
        assert task.map_index_template == "{{ task.volume }}"
    for name in ("tell", "heartbeat"):
        assert dag.get_task(name).is_teardown  # the run's state is that of the reports
        assert not dag.get_task(name).on_failure_fail_dagrun
    assert dag.get_task("clean.report").trigger_rule == "all_done"


def test_nothing_is_deleted_before_it_is_approved_archived_and_read_back():
    dag = bag().dags["log_cleanup"]
    before = dag.get_task("clean.delete").get_flat_relative_ids(upstream=True)
    assert {f"clean.{step}" for step in ("plan", "approve", "archive", "verify_archive")} <= before
    assert all(dag.get_task(name).trigger_rule == "all_success" for name in before)


def test_it_runs_daily_in_its_time_zone_and_has_a_deadline():
    dag = bag().dags["log_cleanup"]
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("0 4 * * *", "Europe/Berlin")
    assert dag.start_date is None  # one that is new waits for its next time
    assert dag.max_active_runs > 1  # a run that waits for an answer does not hold up the next one
    (deadline,) = dag.deadline
    assert deadline.interval == timedelta(hours=2)
    assert deadline.callback.path == "plugins.deadlines.tell_late"


def test_the_steps_of_a_restore_are_in_order():
    assert tasks("log_restore") == ["check", "restore", "release", "tell"]
    assert all(bag().dags["log_restore"].get_task(name).is_teardown for name in ("release", "tell"))


def test_a_run_keeps_its_plan_and_says_so():
    """Cleared from its first task on, a run answers the plan it made: only another one sees a changed configuration."""
    said = " ".join((bag().dags["log_cleanup"].doc_md or "").split())
    assert "trigger a new one for a changed configuration" in said
    assert "Clear `choose`" not in said


def test_the_forms_offer_the_volumes_there_are():
    assert bag().dags["log_cleanup"].params.get_param("volumes").schema["examples"] == ["shop-logs"]
    restore = bag().dags["log_restore"].params
    assert restore.get_param("volume").schema["examples"] == ["shop-logs"]
    assert restore.get_param("volume").value == "shop-logs"  # the only one there is


def test_the_form_of_a_restore_has_a_date_and_lines_and_needs_neither():
    params = bag().dags["log_restore"].params
    formats = {name: params.get_param(name).schema.get("format") for name in ("day", "files", "to")}
    assert formats == {"day": "date", "files": "multiline", "to": None}
    for name in formats:
        assert params.get_param(name).resolve(None) is None
    assert params.get_param("day").resolve("2026-11-21") == "2026-11-21"
    with pytest.raises(ParamValidationError):
        params.get_param("day").resolve("21.11.2026")
    for dag_id in ("log_cleanup", "log_restore"):
        for _, param in bag().dags[dag_id].params.items():
            assert param.schema["title"]
            assert str(param.description).endswith(".")


@pytest.mark.parametrize(
    ("old", "new", "offered"),
    [("size: 1Gi", "size: 1 Gigabyte", ["shop-logs"]), ("volumes:", "volumes: [", None)],
    ids=["a wrong size", "no YAML"],
)
def test_a_wrong_file_leaves_the_dags_there_for_their_runs_to_say_so(
    tmp_path, monkeypatch, old, new, offered
):
    from airflow.dag_processing.dagbag import DagBag

    shutil.copytree(PROJECT / "include" / "config", tmp_path / "config")
    file = tmp_path / "config" / "log_retention.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    monkeypatch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(tmp_path / "config"))
    for dag_id, param in (("log_cleanup", "volumes"), ("log_restore", "volume")):
        found = DagBag(str(DAGS / f"{dag_id}.py"))
        assert not found.import_errors
        assert found.dags[dag_id].params.get_param(param).schema.get("examples") == offered


def test_who_is_looked_for_is_who_has_a_schedule_to_keep():
    """A DAG that begins to run by itself needs an entry in include/overdue/duties.py, or a reason here."""
    from include.overdue.duties import duties
    from include.release.loading import Sources

    found = duties(Sources.from_environment())
    assert found.problems == []
    looked_for = {each.dag_id for each in found.duties}
    watched_elsewhere = {"guards_alive", "overdue", "swype_guard"}
    scheduled = {
        name for name, dag in bag().dags.items() if type(dag.timetable).__name__ not in ("NullTimetable",)
    }
    assert looked_for == scheduled - watched_elsewhere
