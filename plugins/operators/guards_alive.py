"""Judging every minute whether each guard guards, and telling people when one does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperator, Context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowRuntimeError
from typing_extensions import override

from include.release.environments import Environment, Environments
from include.release.kube import Cluster
from include.release.loading import Sources
from include.release.policies import Channel
from include.release.problems import RejectedError
from include.release.telling import Message, channels_for, name_of
from include.restarts.alerting import (
    FILE,
    MEMORY,
    Alert,
    Memory,
    alerts,
    judged,
    judged_file,
    remember,
    usable,
)
from include.restarts.guards import Guards
from include.restarts.liveness import (
    ENDED,
    RETRYING,
    WATCH,
    Dag,
    Liveness,
    capacity_problem,
    is_silent,
    live_triggerers,
    report,
)
from include.restarts.loading import read_right_guards
from include.restarts.surveying import look_at, survey
from plugins.hooks.cluster import ClusterHook
from plugins.notifiers.sending import send
from plugins.operators.base import give_up, readable_errors, say

OUTCOME = "failed"
"""Channels that want to hear of failures hear of guards that do not guard, and of the end of it."""


class GuardsAliveOperator(BaseOperator):
    """Fails while a guard is not alive, so that it is seen; tells each guard's list once and after each cooldown."""

    ui_color = "#e8f0e4"

    @override
    def execute(self, context: Context) -> dict[str, str]:
        """Returns the state of each guard."""
        now = datetime.now(UTC)
        with readable_errors(self):
            sources = Sources.from_environment()
            places = sources.environments()
            memory = usable(self._memory(context), now)
            try:
                right = read_right_guards(sources)
                guards, problem = right.guards, right.text
            except RejectedError as error:
                guards, problem = Guards(), f"No guard's DAG can be made: {error}"
            found, triggerers = self._judge(guards, places, memory, context, now)
            found += judged_file(problem, memory, now)
            say(self, report(found))
            if getattr(context["dag_run"], "logical_date", None) is not None:
                by_name = {each.name: each for each in guards.guards}
                due = alerts(found, memory, by_name, guards, now)
                told = self._tell(due, guards, places, context) if due else []
                kept = remember(found, told, memory, now)
                context["ti"].xcom_push(MEMORY, kept.model_dump(mode="json"))
            # Else it is a look by hand: it has no place in the order of looks, tells nobody and leaves nothing.
            crowded = capacity_problem(
                len(guards.guards), conf.getint("triggerer", "capacity"), max(triggerers, 1)
            )
            dead = [each.guard for each in found if each.state == "not alive"]
            if dead or crowded:
                names = f"Not alive: {', '.join(dead)}" if dead else ""
                raise give_up(self, "\n".join(filter(None, [names, problem, crowded])))
            return {each.guard: each.state for each in found}

    def _memory(self, context: Context) -> Memory | None:
        # With the index given this is the newest one; without, it would be those of all runs there ever were.
        kept = context["ti"].xcom_pull(
            task_ids=self.task_id, key=MEMORY, include_prior_dates=True, map_indexes=-1
        )
        return Memory.read(kept)

    def _judge(
        self, guards: Guards, places: Environments, memory: Memory | None, context: Context, now: datetime
    ) -> tuple[list[Liveness], int]:
        """The judgements, and how many triggerers live."""
        ti: Any = context["ti"]
        seen = survey(guards, places, connect)
        found = []
        for guard in guards.guards:
            look = look_at(guard, seen, _dag(ti, f"{guard.name}_guard"))
            if is_silent(guard, look, guards, now):
                look = replace(look, dag=_with_tasks(ti, f"{guard.name}_guard", look.dag))
            found.append(judged(guard, look, guards, memory, now))
        return found, live_triggerers((beat for each in seen.values() for beat in each.beats), guards, now)

    def _tell(
        self, due: Sequence[Alert], guards: Guards, places: Environments, context: Context
    ) -> list[Alert]:
        """Tell each channel once of all that concerns it; returns what reached at least one, or concerns none."""
        by_channel: list[tuple[Channel, list[Alert]]] = []
        told = []
        for alert in due:
            wanted = channels_for(_listed(alert, guards, places), OUTCOME)
            if not wanted:
                told.append(alert)
            for channel in wanted:
                for known, group in by_channel:
                    if known == channel:
                        group.append(alert)
                        break
                else:
                    by_channel.append((channel, [alert]))
        for channel, group in by_channel:
            try:
                send(channel, message(group), context)
            except Exception as error:  # (whatever a server or a connection is wrong with)
                first = str(error).splitlines()[0] if str(error) else ""
                reason = f"{type(error).__name__}: {first}"
                say(self, f"{name_of(channel)}: cannot be told: {reason}", error=True)
                continue
            say(self, f"{name_of(channel)}: told of {', '.join(each.guard for each in group)}")
            told += [each for each in group if each not in told]
        return told


def _listed(alert: Alert, guards: Guards, places: Environments) -> list[Channel]:
    """The guard's list, or its environment's; for the file itself the lists of all environments."""
    if alert.guard == FILE:
        return [channel for each in places.environments for channel in each.tell]
    guard = guards.find(alert.guard)
    place = places.find(guard.environment) if guard else None
    return guard.tell if guard and guard.tell is not None else place.tell if place else []


def connect(place: Environment) -> Cluster:
    """The cluster of an environment, asked once: the next look comes soon."""
    return ClusterHook(place.connection).get_conn(attempts=1)


def message(group: Sequence[Alert]) -> Message:
    """What is told of one or more guards."""
    states = ", ".join(dict.fromkeys(each.state for each in group))
    names = ", ".join(each.guard for each in group)
    title = f"guard {names}" if len(group) == 1 else f"{len(group)} guards: {names}"
    paragraph = "\n".join(f"{each.guard}: {each.text}" for each in group) if len(group) > 1 else group[0].text
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    named = [each for each in group if each.guard != FILE]
    links = (
        {f"{each.guard}_guard": f"{base}/dags/{quote(each.guard)}_guard" for each in named[:5]}
        if base
        else {}
    )
    return Message(states, title, paragraph, {}, links)


def _dag(ti: Any, dag_id: str) -> Dag:
    try:
        paused = bool(ti.get_dag(dag_id).is_paused)
        return Dag(paused=paused, retrying=ti.get_ti_count(dag_id, task_ids=[WATCH], states=RETRYING) > 0)
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") == 404:
            return Dag(known=False)
        raise


def _with_tasks(ti: Any, dag_id: str, dag: Dag) -> Dag:
    """The same with the tasks of the run that has not ended."""
    for run, tasks in reversed((ti.get_task_states(dag_id) or {}).items()):
        if any(state not in ENDED for state in tasks.values()):
            return replace(dag, run=run, tasks={name: _word(state) for name, state in tasks.items()})
    return dag


def _word(state: Any) -> str | None:
    """The state as a word: Airflow's SDK answers an enumeration or a text."""
    return None if state is None else str(getattr(state, "value", state))
