"""Judging every minute whether each guard guards, and telling people when one does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    blinded,
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
from include.restarts.loading import placed_guards, read_right_guards
from include.restarts.places import read_places
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
            memory = usable(self._memory(context), now)
            try:
                places = read_places(sources).environments
            except RejectedError as error:
                self._blind(error, memory, context, now)
                raise
            guards, problem = _read(sources)
            found, triggerers = self._judge(guards, places, memory, context, now)
            found += judged_file(problem, memory, now)
            say(self, report(found))
            if not _by_hand(context):
                by_name = {each.name: each for each in guards.guards}
                due = alerts(found, memory, by_name, guards, now)
                lists = _all_lists(places)
                told = self._tell(due, lambda alert: _listed(alert, guards, places), context)
                self._keep(remember(found, told, memory, now, lists), context)
            crowded = capacity_problem(
                len(guards.guards), conf.getint("triggerer", "capacity"), max(triggerers, 1)
            )
            dead = [each.guard for each in found if each.state == "not alive"]
            if dead or crowded:
                names = f"Not alive: {', '.join(dead)}" if dead else ""
                raise give_up(self, "\n".join(filter(None, [names, problem, crowded])))
            return {each.guard: each.state for each in found}

    def _blind(self, error: RejectedError, memory: Memory | None, context: Context, now: datetime) -> None:
        """Tell those who were to be told when the file of environments, which names them, could last be read."""
        problem = f"No guard can press, as the environments cannot be read: {error}"
        found = judged_file(problem, memory, now)
        if _by_hand(context):
            return
        due = alerts(found, memory, {}, Guards(), now)
        lists = memory.lists if memory else []
        told = self._tell(due, lambda _: lists, context) if lists else []
        self._keep(blinded(found, told, memory, now), context)

    def _keep(self, memory: Memory, context: Context) -> None:
        context["ti"].xcom_push(MEMORY, memory.model_dump(mode="json"))

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
        self, due: Sequence[Alert], listed: Callable[[Alert], Sequence[Channel]], context: Context
    ) -> list[Alert]:
        """Tell each channel once of all that concerns it; returns what reached at least one, or concerns none."""
        by_channel: list[tuple[Channel, list[Alert]]] = []
        told = []
        for alert in due:
            wanted = channels_for(listed(alert), OUTCOME)
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


def _read(sources: Sources) -> tuple[Guards, str]:
    """The guards that are right, and what is wrong with the others, for people."""
    try:
        right = read_right_guards(sources)
    except RejectedError as error:
        back = _to_rearm(sources)
        also = f"\nWhat is pressed can be re-armed all the same: {', '.join(back)}." if back else ""
        return Guards(), f"No guard watches: {error}{also}"
    return right.guards, right.text


def _to_rearm(sources: Sources) -> list[str]:
    """The DAGs that lead back from a press, when no guard is right."""
    try:
        return [f"{guard.name}_rearm" for guard, _, _ in placed_guards(sources, to_rearm=True)]
    except RejectedError:
        return []


def _by_hand(context: Context) -> bool:
    """Whether somebody only looks: that has no place in the order of looks, tells nobody and leaves nothing."""
    return getattr(context["dag_run"], "logical_date", None) is None


def _all_lists(places: Environments) -> list[Channel]:
    """Every channel of the environments that wants to hear of guards, once."""
    return channels_for([channel for each in places.environments for channel in each.tell], OUTCOME)


def _listed(alert: Alert, guards: Guards, places: Environments) -> list[Channel]:
    """The guard's list, or its environment's; for the file itself the lists of all environments."""
    if alert.guard == FILE:
        return _all_lists(places)
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
