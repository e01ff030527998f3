"""The restart watch in Airflow: the sensor that needs no worker, and its trigger."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent

from include.restarts.hub import hub_count
from include.restarts.liveness import capacity_problem
from include.restarts.loading import Sources, read_guard, read_guards
from include.restarts.watched import WatchSpec
from plugins.sensors.restart_watch import RestartWatchSensor, found_by
from plugins.triggers import restarts
from plugins.triggers.handing_over import hand_over_now
from plugins.triggers.restarts import RestartTrigger
from tests.include.restarts.watch.shown import Shown
from tests.standin import Standin

PLACE = {"connection": "kubernetes_shop", "namespace": "sre", "deployment": "swype-app", "watch": "swype"}


def sensor(**options: Any) -> RestartWatchSensor:
    with DAG("guard", schedule=None):
        return RestartWatchSensor(task_id="watch", **(PLACE | options))


def test_a_watch_without_an_end_begins_and_ends_in_the_triggerer():
    task = sensor(threshold=5)
    assert task.start_from_trigger
    assert task.start_trigger_args.trigger_cls == "plugins.triggers.restarts.RestartTrigger"
    kwargs = task.start_trigger_args.trigger_kwargs
    assert kwargs["end_task"] is True
    assert (kwargs["watch"]["threshold"], kwargs["watch"]["deployment"]) == (5, "swype-app")


def test_two_watches_have_each_their_own_arguments():
    first, second = sensor(watch="one"), sensor(watch="two")
    names = [each.start_trigger_args.trigger_kwargs["watch"]["name"] for each in (first, second)]
    assert names == ["one", "two"]
    assert RestartWatchSensor.start_trigger_args.trigger_kwargs is None


def test_airflow_takes_the_dag_and_the_arguments_survive_its_database():
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.trigger import Trigger
    from airflow.serialization.decoders import smart_decode_trigger_kwargs
    from airflow.serialization.serialized_objects import DagSerialization

    task = sensor(window_minutes=2.5, causes=["network", "oom"])
    # Airflow refuses tasks that say they end in the trigger where a plugin listens to anything, as one here does
    # (to the start of components only).
    DagBag(dag_folder="/dev/null", collect_dags=False).bag_dag(task.dag)
    stored = DagSerialization.from_dict(DagSerialization.to_dict(task.dag)).get_task("watch")
    assert stored.start_from_trigger is True
    decrypted = Trigger._decrypt_kwargs(Trigger.encrypt_kwargs(stored.start_trigger_args.trigger_kwargs))
    kwargs = {key: smart_decode_trigger_kwargs(value) for key, value in decrypted.items()}
    trigger = RestartTrigger(**kwargs)
    assert WatchSpec.model_validate(trigger.watch) == WatchSpec.model_validate(task.watch)
    assert trigger.end_task is True


def test_the_trigger_survives_being_stored():
    trigger = RestartTrigger(watch=sensor().watch, until="2026-11-21T09:00:00+00:00")
    path, kwargs = trigger.serialize()
    assert path == "plugins.triggers.restarts.RestartTrigger"
    again = RestartTrigger(**json.loads(json.dumps(kwargs)))
    assert again.serialize() == (path, kwargs)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"threshold": 0}, "threshold"),
        ({"window_minutes": 0}, "window_minutes"),
        ({"causes": ["netwrok"]}, "causes"),
        ({"namespace": ""}, "namespace"),
        ({"watch": "Not A Name"}, "name"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_read(options, text):
    with pytest.raises(ValueError, match=text):
        sensor(**options)


def test_a_guard_makes_a_watch_by_its_own_rules():
    guard, place, guards = read_guard(Sources.from_environment(), "swype")
    spec = WatchSpec.of_guard(guard, place, guards)
    assert (spec.name, spec.namespace, spec.connection) == ("swype", place.namespace, place.connection)
    assert (spec.threshold, spec.window_minutes, list(spec.causes)) == (3, 15, ["network"])


def test_the_triggerer_has_room_for_all_guards_and_what_releases_defer():
    from airflow.configuration import conf

    guards = read_guards(Sources.from_environment()).guards
    assert capacity_problem(len(guards) + 100, conf.getint("triggerer", "capacity")) == ""


def test_a_soak_begins_in_a_task_that_knows_when_it_must_end():
    task = sensor(soak_minutes=10)
    assert not task.start_from_trigger
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    trigger = deferred.value.trigger
    assert isinstance(trigger, RestartTrigger)
    assert trigger.until is not None
    left = datetime.fromisoformat(trigger.until) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert trigger.end_task is False
    spec = WatchSpec.model_validate(json.loads(json.dumps(trigger.watch)))
    assert spec.begun_at == datetime.fromisoformat(trigger.until) - timedelta(minutes=10)


@pytest.mark.parametrize("action", ["press", "ask_upstream", "alert", "blind"])
def test_a_soak_in_which_something_came_fails_and_says_what(action):
    with pytest.raises(AirflowFailException, match="5 restarts of sre/swype-app"):
        sensor(soak_minutes=10).execute_complete(
            {}, {"action": action, "text": "5 restarts of sre/swype-app"}
        )


def test_a_soak_in_which_nothing_came_is_good():
    event = {"action": "quiet", "text": "no restart"}
    assert sensor(soak_minutes=10).execute_complete({}, event) == event


def test_a_soak_may_take_its_deployment_from_the_run():
    task = sensor(soak_minutes=10, deployment="{{ params.app }}", watch="soak-{{ params.app }}")
    task.render_template_fields({"params": {"app": "shop"}})
    assert (task.watch["deployment"], task.watch["name"]) == ("shop", "soak-shop")
    with pytest.raises(TaskDeferred):
        task.execute({})
    task.watch["name"] = "scheduled__2026-11-21T09:00"
    with pytest.raises(AirflowFailException, match="name"):
        task.execute({})


def test_what_a_watch_returned_is_read_as_airflow_gives_it_back():
    """Of a task that ended in the triggerer as a text, of one that ended in a worker as it was."""
    from airflow.models.xcom import XComModel

    found = {"action": "press", "counts": {"main": {"network": 4}}}
    for stored in (XComModel.serialize_value(found), found):
        ti = SimpleNamespace(xcom_pull=lambda task_ids, stored=stored: stored)
        assert found_by({"ti": ti}) == found  # type: ignore[typeddict-item]
    nothing = SimpleNamespace(xcom_pull=lambda task_ids: None)
    assert found_by({"ti": nothing}) == {}  # type: ignore[typeddict-item]


async def events(trigger: RestartTrigger) -> list[TriggerEvent]:
    return [each async for each in trigger.run()]


async def test_the_trigger_ends_its_task_with_what_was_decided(
    cluster: Standin, namespace: str, connection: Callable[[Path | str], None]
):
    connection(cluster.kubeconfig)
    shown = Shown(cluster.connect(), namespace).create()
    task = sensor(namespace=namespace, causes=["network"], threshold=1)
    trigger = RestartTrigger(**task.start_trigger_args.trigger_kwargs)
    running = asyncio.create_task(events(trigger))
    for _ in range(2):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(shown.restart)
    (event,) = await asyncio.wait_for(running, 20)
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms is not None
    found: Any = event.xcoms["return_value"]
    assert (found["action"], found["counts"]) == ("press", {"main": {"network": 2}})
    assert json.loads(json.dumps(found)) == found
    assert hub_count() == 0


async def test_a_trigger_that_is_cancelled_leaves_nothing_behind(
    cluster: Standin, namespace: str, connection: Callable[[Path | str], None]
):
    """A triggerer that is stopped cancels its triggers; another one makes them anew and decides the same."""
    connection(cluster.kubeconfig)
    shown = Shown(cluster.connect(), namespace).create()
    kwargs = sensor(namespace=namespace, causes=["network"], threshold=1).start_trigger_args.trigger_kwargs
    running = asyncio.create_task(events(RestartTrigger(**kwargs)))
    await asyncio.sleep(0.5)
    assert hub_count() == 1
    await asyncio.to_thread(shown.restart)
    await asyncio.sleep(0.3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert hub_count() == 0
    await asyncio.to_thread(shown.restart)
    (event,) = await asyncio.wait_for(events(RestartTrigger(**kwargs)), 20)
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms is not None
    assert event.xcoms["return_value"]["counts"] == {"main": {"network": 2}}  # type: ignore[index, call-overload]


async def test_a_connection_that_is_not_there_is_said_and_tried_again(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr(RestartTrigger, "_say", lambda self, line: said.append(line))
    trigger = RestartTrigger(watch=sensor(connection="no_such_connection").watch)
    running = asyncio.create_task(events(trigger))
    async with asyncio.timeout(10):
        while not any(
            "no_such_connection" in line and "The connection cannot be used" in line for line in said
        ):
            await asyncio.sleep(0.05)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class Runner:
    """The part of the triggerer's runner that runs a trigger."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.sent: list[list[Any]] = []

    async def run_trigger(self, stream: AsyncIterator[Any]) -> None:
        async for event in stream:
            self.events.append(event)

    async def sync_state_to_supervisor(self, finished_ids: list[int]) -> None:
        self.sent.append(list(self.events))


async def test_an_event_is_handed_on_at_once(monkeypatch: pytest.MonkeyPatch):
    """The runner would send it with its next turn, up to a second later."""

    async def found(self: RestartTrigger) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"action": "press"}

    monkeypatch.setattr(restarts.RestartTrigger, "_follow", found)
    runner = Runner()
    await runner.run_trigger(RestartTrigger(watch={}).run())
    assert [[event.payload for event in sent] for sent in runner.sent] == [[{"action": "press"}]]


async def test_where_nobody_can_be_handed_anything_nothing_happens():
    await hand_over_now()


def test_the_runner_of_this_airflow_has_what_handing_over_calls():
    from airflow.jobs.triggerer_job_runner import TriggerRunner

    assert list(inspect.signature(TriggerRunner.sync_state_to_supervisor).parameters) == [
        "self",
        "finished_ids",
    ]
    assert next(iter(inspect.signature(TriggerRunner.run_trigger).parameters)) == "self"
    source = inspect.getsource(TriggerRunner.run_trigger)
    assert "async for event in event_stream" in source  # after the event it asks the trigger for the next one
