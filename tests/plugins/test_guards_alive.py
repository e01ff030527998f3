"""The look at all guards, with a real API server; what Airflow would answer is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from include.restarts.alerting import MEMORY
from plugins.operators import guards_alive
from plugins.operators.guards_alive import GuardsAliveOperator
from tests.standin import Standin

NAMESPACE = "guarded"


class Airflow:
    """What the task asks Airflow for; ``kept`` is what the last look left."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.unknown: set[str] = set()
        self.tasks: dict[str, Any] = {"run-1": {"watch": "deferred", "confirm": None}}
        self.kept: dict[str, Any] = {}
        self.asked_for_tasks = 0

    def get_dag(self, dag_id: str) -> Any:
        if dag_id in self.unknown:
            detail = {"status_code": 404, "message": "not found"}
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))
        return SimpleNamespace(is_paused=dag_id in self.paused)

    def get_ti_count(self, dag_id: str, task_ids: list[str], states: list[str]) -> int:
        return sum(tasks.get(task) in states for tasks in self.tasks.values() for task in task_ids)

    def get_task_states(self, dag_id: str) -> Any:
        self.asked_for_tasks += 1
        return self.tasks

    def xcom_push(self, key: str, value: Any) -> None:
        self.kept[key] = value

    def xcom_pull(self, *, task_ids: str, key: str, include_prior_dates: bool, map_indexes: int) -> Any:
        assert (include_prior_dates, map_indexes) == (True, -1)
        return self.kept.get(key)


@pytest.fixture
def airflow(cluster: Standin, project: Path, connection: Callable[[Path], None]) -> Iterator[Airflow]:
    """Two guards in a namespace of their own: one Deployment is there, the other is not."""
    connection(cluster.kubeconfig)
    client = cluster.connect()
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, "", manager="t")
    pod = {"containers": [{"name": "main", "image": "busybox"}], "schedulingGates": [{"name": "test/held"}]}
    client.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "there"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}},
                     "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}},
        },
        NAMESPACE,
        manager="t",
    )  # fmt: skip
    config = project / "config"
    places = yaml.safe_load((config / "environments.yaml").read_text())
    for each in places["environments"]:
        if each["name"] == "payments":
            each["namespace"] = NAMESPACE
            each["tell"] = [{"kind": "log"}]
    (config / "environments.yaml").write_text(yaml.safe_dump(places))
    both = [
        {"name": name, "title": name, "environment": "payments", "deployment": name}
        for name in ("there", "absent")
    ]
    (config / "guards.yaml").write_text(yaml.safe_dump({"guards": both}))
    yield Airflow()
    client.delete("Namespace", "", NAMESPACE)


@pytest.fixture
def beat(cluster: Standin) -> Callable[..., None]:
    def write(age: float = 0, watches: tuple[str, ...] = ("there", "absent"), problem: str = "") -> None:
        at = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
        value = {"at": at, "last_event": at, "last_relist": at, "watches": watches, "problem": problem}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "restart-watch"},
                "data": {"triggerer-1": json.dumps(value)}}  # fmt: skip
        cluster.connect().apply(body, NAMESPACE, manager="t", force=True)

    return write


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that go out."""
    sent: list[str] = []
    monkeypatch.setattr(guards_alive, "send", lambda channel, message, context: sent.append(message.plain()))
    return sent


def look(airflow: Airflow, minutes: float = 0, *, by_hand: bool = False) -> Any:
    """One look; ``minutes`` moves what was kept into the past."""
    if minutes and MEMORY in airflow.kept:
        kept = json.loads(json.dumps(airflow.kept[MEMORY]))
        shift = timedelta(minutes=minutes)
        for each in (kept, *kept["others"].values()):
            for field in ("begun", "since", "excused_at", "told_at"):
                if each.get(field):
                    each[field] = (datetime.fromisoformat(each[field]) - shift).isoformat()
        airflow.kept[MEMORY] = kept
    moment = None if by_hand else datetime.now(UTC)
    context: Any = {"ti": airflow, "dag_run": SimpleNamespace(logical_date=moment)}
    return GuardsAliveOperator(task_id="judge").execute(context)


def test_signs_of_life_make_a_guard_armed_and_airflow_is_asked_no_more_than_needed(
    airflow: Airflow, beat: Callable[..., None]
):
    beat()
    assert look(airflow) == {"there": "armed", "absent": "waiting"}
    assert airflow.asked_for_tasks == 0


def test_a_dead_watch_fails_the_task_and_people_are_told_once_for_all_guards(
    airflow: Airflow, beat: Callable[..., None], told: list[str]
):
    beat()
    look(airflow)
    beat(age=600)
    look(airflow)
    with pytest.raises(AirflowFailException, match="Not alive: there, absent"):
        look(airflow, minutes=4)
    assert len(told) == 1
    assert told[0].startswith("[not alive] 2 guards: there, absent")
    assert "Is a triggerer running" in told[0]
    with pytest.raises(AirflowFailException):
        look(airflow)
    assert len(told) == 1
    beat()
    look(airflow)
    assert told[1].startswith("[armed] guard there\n\nArmed again.")


def test_a_paused_dag_and_one_that_is_not_there(airflow: Airflow, beat: Callable[..., None]):
    beat()
    airflow.paused.add("there_guard")
    assert look(airflow)["there"] == "disarmed"
    airflow.unknown.add("absent_guard")
    with pytest.raises(AirflowFailException, match="absent"):
        look(airflow)


def test_a_look_by_hand_tells_nobody(airflow: Airflow, told: list[str]):
    airflow.unknown.add("there_guard")
    with pytest.raises(AirflowFailException):
        look(airflow, by_hand=True)
    assert told == []
    assert airflow.kept == {}


def test_a_channel_that_fails_is_tried_again(airflow: Airflow, monkeypatch: pytest.MonkeyPatch):
    airflow.unknown.add("there_guard")
    tries: list[str] = []

    def fails(channel: Any, message: Any, context: Any) -> None:
        tries.append(message.subject)
        raise OSError("no route")

    monkeypatch.setattr(guards_alive, "send", fails)
    for _ in range(2):
        with pytest.raises(AirflowFailException):
            look(airflow)
    assert tries == ["[not alive] guard there"] * 2


def test_a_cluster_that_is_down_and_a_user_who_may_not_look(
    airflow: Airflow, cluster: Standin, connection: Callable[[Path], None], tmp_path: Path
):
    connection(cluster.user("nobody", "view", tmp_path / "nobody", "default"))
    assert set(look(airflow).values()) == {"waiting"}
    text = cluster.kubeconfig.read_text()
    (tmp_path / "down").write_text(
        text.replace(":6443", ":1").replace("server: https://127.0.0.1:", "server: https://127.0.0.2:")
    )
    connection(tmp_path / "down")
    assert set(look(airflow).values()) == {"waiting"}


def test_more_guards_than_triggers(
    airflow: Airflow, beat: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    beat()
    monkeypatch.setattr(guards_alive.conf, "getint", lambda *_: 1)
    with pytest.raises(AirflowFailException, match=r"Set AIRFLOW__TRIGGERER__CAPACITY .* to 2"):
        look(airflow)


def test_a_watch_that_fails_again_and_again_is_not_alive(
    airflow: Airflow, beat: Callable[..., None], told: list[str]
):
    """Between two tries it gives a sign of life."""
    beat()
    look(airflow)
    airflow.tasks = {"run-1": {"watch": "up_for_retry"}}
    assert look(airflow)["there"] == "waiting"
    with pytest.raises(AirflowFailException, match="there"):
        look(airflow, minutes=4)
    assert "the task watch fails again and again" in told[0]


def test_a_guard_that_is_wrong_is_told_and_the_others_stay_what_they_are(
    airflow: Airflow, beat: Callable[..., None], project: Path, told: list[str]
):
    beat()
    path = project / "config" / "guards.yaml"
    right = path.read_text()
    path.write_text(f"{right}- {{name: wrong, threshold: 0}}\n")
    with pytest.raises(AirflowFailException, match=r"Not alive: guards.yaml\n"):
        look(airflow)
    states = {name: each["state"] for name, each in airflow.kept[MEMORY]["others"].items()}
    assert (airflow.kept[MEMORY]["armed"], states["absent"]) == (["there"], "waiting")
    assert told[0].startswith("[not alive] guard guards.yaml")
    assert "wrong (line 10): nothing watches until this is put right: " in told[0]
    path.write_text(right)
    assert look(airflow)["there"] == "armed"


def test_a_file_of_guards_that_is_wrong_is_told_to_everybody_and_that_it_is_right_again(
    airflow: Airflow, project: Path, told: list[str]
):
    path = project / "config" / "guards.yaml"
    right = path.read_text()
    path.write_text("guards: [{name: x, threshold: 0}]")
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="threshold"):
            look(airflow)
    assert [each.splitlines()[0] for each in told] == ["[not alive] guard guards.yaml"]
    assert "No guard watches: " in told[0]
    assert "_rearm" not in told[0]
    path.write_text(right)
    look(airflow)
    assert told[1].startswith("[armed] guard guards.yaml")


def test_the_way_back_is_named_where_no_guard_is_right(airflow: Airflow, project: Path, told: list[str]):
    path = project / "config" / "guards.yaml"
    path.write_text(path.read_text().replace("deployment: there", "deployment: there\n  threshold: 0", 1))
    text = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({"guards": [each for each in text["guards"] if each["name"] == "there"]}))
    with pytest.raises(AirflowFailException, match="a number of restarts"):
        look(airflow)
    assert "What is pressed can be re-armed all the same: there_rearm." in told[0]


def test_environments_that_cannot_be_read_are_told_to_those_who_were_to_be_told_before(
    airflow: Airflow, beat: Callable[..., None], project: Path, told: list[str]
):
    beat()
    look(airflow)
    known = airflow.kept[MEMORY]
    path = project / "config" / "environments.yaml"
    right = path.read_text()
    path.write_text(right + "\nwrong: [\n")
    for _ in range(2):
        with pytest.raises(AirflowFailException, match=r"environments.yaml:\d+"):
            look(airflow)
    assert [each.splitlines()[0] for each in told] == ["[not alive] guard guards.yaml"]
    assert "No guard can press, as the environments cannot be read" in told[0]
    assert "environments.yaml:" in told[0]
    assert airflow.kept[MEMORY]["armed"] == known["armed"]
    path.write_text(right)
    assert look(airflow)["there"] == "armed"
    assert told[1].startswith("[armed] guard guards.yaml")


def test_environments_that_were_never_read_fail_the_look_with_file_and_line(
    airflow: Airflow, project: Path, told: list[str]
):
    (project / "config" / "environments.yaml").write_text("environments: [\n")
    with pytest.raises(AirflowFailException, match=r"environments.yaml:2"):
        look(airflow)
    assert told == []
