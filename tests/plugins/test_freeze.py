"""Bad input ends in the first task with every problem, and nothing has changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.release.frozen import Frozen
from include.release.loading import PROJECT, shown_path
from plugins.operators.freeze import FreezeAndCheckOperator


def refused(context: Any) -> str:
    with pytest.raises(AirflowFailException) as raised:
        FreezeAndCheckOperator(task_id="freeze_and_check").execute(context)
    return str(raised.value)


def test_a_release_environment_and_user_that_are_wrong_are_said_together(project, context):
    text = refused(context("release-9", "moon"))
    assert text.startswith("2 problems in release 'release-9' to 'moon'. Nothing has been changed.")
    assert "found:    environment 'moon'\n    expected: one of qa, production, payments" in text
    assert "found:    release 'release-9'\n    expected: one of release-1, release-2" in text


def test_an_application_is_refused_in_an_environment_of_others(project, context):
    text = refused(context("release-1", "payments", user="admin"))
    assert "payments.apps\n    found:    application shop\n    expected: one of upcommerce" in text


def test_who_may_not_trigger_is_told_with_what_is_wrong_in_the_spec(project, context):
    path = project / "releases" / "release-1.yaml"
    path.write_text(path.read_text().replace("number: 1", "number: one"))
    text = refused(context(user="dev"))
    assert text.startswith("2 problems in")
    assert "triggered by dev" in text
    assert "release-1.yaml:7  number" in text


def test_a_param_that_there_is_not_is_refused_with_the_nearest(project, context):
    text = refused(context(conf={"release": "release-1", "dryrun": True, "zzz": 1, "airflow/level": 2}))
    assert text.startswith("2 problems in")
    assert "param dryrun\n    found:    a key that is no param\n    expected: one of release," in text
    assert "fix:      write dry_run instead" in text
    assert "fix:      leave it out" in text
    assert "airflow/level" not in text


@pytest.mark.parametrize("reason", ["    ", " x  "])
def test_a_reason_of_blanks_is_refused(project, context, reason):
    text = refused(context(reason=reason))
    assert text.startswith("1 problem in")
    assert "param reason" in text
    assert "expected: at least 3 characters, blanks around them not counted" in text


def test_a_ten_megabyte_file_is_refused(project, context):
    with (project / "releases" / "release-1.yaml").open("wb") as file:
        file.truncate(10 * 1024 * 1024)
    assert "10,485,760 bytes" in refused(context())


@pytest.mark.parametrize("number", [1, 2])
def test_a_deployment_file_given_as_the_release(project, context, number):
    seeds = PROJECT / "tests" / "data" / "seed-deployments"
    shutil.copy(seeds / f"release-{number}.yaml", project / "releases" / "plain.yaml")
    text = refused(context("plain"))
    expected = (seeds / f"release-{number}.findings.txt").read_text()
    name = shown_path(project / "releases" / "plain.yaml")
    found = text.splitlines()[1:]
    assert (
        found == expected.replace(f"tests/data/seed-deployments/release-{number}.yaml", name).splitlines()[1:]
    )


def test_broken_environments_are_named_with_line(project, context):
    path = project / "config" / "environments.yaml"
    path.write_text(path.read_text().replace("namespace: course4-qa", "namespce: course4-qa"))
    text = refused(context())
    assert "unknown key namespce" in text
    assert "fix:      write namespace: instead" in text


def test_a_right_release_is_frozen_without_a_cluster(project, context, capsys):
    text = FreezeAndCheckOperator(task_id="freeze_and_check").execute(context())
    assert Frozen.from_json(text).release.name == "release-1"
    said = capsys.readouterr().out
    assert "Release release-1 to production, asked for by oncall: a test" in said
    assert "Brings: 1 ConfigMap, 5 migrations, Service app-service, Deployment app-deployment" in said
    assert "No problem found. The tasks after this one read only what was frozen here." in said


def test_a_release_outside_its_change_window_is_refused_with_the_next_open_time(project, context):
    close(project)
    text = refused(context())
    assert text.startswith("1 problem in")
    assert "include/config/environments.yaml  production.window\n    found:    it is " in text
    assert "in the freeze until Fri 2900-01-01 00:00 CET (a test)" in text
    assert "wait until Fri 2900-01-01 00:00 CET, the next open time" in text


def test_who_may_approve_may_release_outside_the_window_with_a_reason_and_anybody_may_try_dry(
    project, context
):
    close(project)
    for allowed in (context(outside_window="the shop is down"), context(dry_run=True)):
        assert FreezeAndCheckOperator(task_id="freeze_and_check").execute(allowed)
    path = project / "config" / "environments.yaml"
    path.write_text(path.read_text().replace("may_trigger: [admin,", "may_trigger: [dev, admin,"))
    text = refused(context(user="dev", outside_window="the shop is down"))
    assert "param outside_window  production.may_approve\n    found:    asked for by dev" in text
    assert "param outside_window\n    found:    '-'" in refused(context(outside_window="-"))


def close(project: Path) -> None:
    path = project / "config" / "environments.yaml"
    freeze = "\n      freezes: [{start: 2020-01-01T00:00, end: 2900-01-01T00:00, reason: a test}]"
    path.write_text(path.read_text().replace("time_zone: Europe/Berlin", f"time_zone: Europe/Berlin{freeze}"))
