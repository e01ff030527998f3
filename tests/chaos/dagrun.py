"""A run of a DAG, task by task, as the scheduler would do it: trigger rules, tries, deferral, clearing.

One task at a time, each in a process of its own. A process that was killed is a failed try; its next try follows
at once instead of after the retry delay.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.chaos.supervising import Ended, Memory, Tries, now

DONE = frozenset({"success", "failed", "skipped", "upstream_failed"})
BAD = frozenset({"failed", "upstream_failed"})


def decide(rule: str, states: list[str | None], setups: list[str | None]) -> str:
    """What becomes of a task: ``run``, ``wait``, ``skipped`` or ``upstream_failed``.

    Args:
        rule: its trigger rule.
        states: of the tasks before it, None for one that has not ended.
        setups: of those that are setup tasks.
    """
    done, bad = all(states), any(state in BAD for state in states)
    if rule in ("all_success", "none_failed", "none_failed_min_one_success"):
        return _needs_success(rule, states, bad=bad)
    if rule == "one_failed":
        return "run" if bad else "skipped" if done else "wait"
    if rule == "all_done_setup_success" and done and setups and "success" not in setups:
        return "skipped" if set(setups) == {"skipped"} else "upstream_failed"
    if rule in ("all_done", "all_done_setup_success"):
        return "run" if done else "wait"
    raise ValueError(f"this scheduler knows no trigger rule {rule}")


def _needs_success(rule: str, states: list[str | None], *, bad: bool) -> str:
    skips = {"all_success": "skipped" in states, "none_failed": False}
    if bad:
        return "upstream_failed"
    if skips.get(rule, bool(states) and set(states) == {"skipped"}):
        return "skipped"
    return "run" if all(states) else "wait"


@dataclass
class TaskRun:
    """One task of the run."""

    state: str | None = None
    tries: int = 0
    max_tries: int = 0
    next_method: str | None = None
    next_kwargs: Any = None
    seconds: float = 0.0


@dataclass
class DagRun:
    """A run. ``go`` takes it to its end, however often processes are killed meanwhile."""

    file: str
    dag: Any
    conf: dict[str, Any]
    user: str
    tries: Tries
    run_after: datetime = field(default_factory=now)
    clear_number: int = 0
    tasks: dict[str, TaskRun] = field(default_factory=dict)
    second_copy_after: Callable[[], float] | None = None
    """Seconds after which each task is started a second time, while its first copy still runs."""
    crashed: set[str] = field(default_factory=set)
    """Tasks that failed because their process died and no try was left."""
    lost_copies: list[tuple[str, Ended]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order = [task.task_id for task in self.dag.topological_sort()]
        for task_id in self.order:
            task = self.dag.get_task(task_id)
            self.tasks[task_id] = TaskRun(max_tries=task.retries)
            self.memory.operators[task_id] = task.task_type
            self.memory.ids[task_id] = uuid.uuid4()

    @property
    def memory(self) -> Memory:
        """What outlives the processes."""
        return self.tries.memory

    def go(self) -> str:
        """Run every task that can run; returns the state of the run."""
        while (task_id := self._next()) is not None:
            self.attempt(task_id)
        self.memory.state = self._state()
        return self.memory.state

    def states(self) -> dict[str, str]:
        """State of every task, and of the run."""
        return {
            "run": self.memory.state,
            **{task_id: str(each.state) for task_id, each in self.tasks.items()},
        }

    def clear_crashed(self) -> list[str]:
        """What on-call does when a task failed because its process died: clear it, and what follows it.

        Returns the tasks that were cleared.
        """
        cleared: set[str] = set()
        for task_id in self.crashed:
            cleared |= {task_id, *self.dag.get_task(task_id).get_flat_relative_ids(upstream=False)}
        self.crashed = set()
        for task_id in cleared:
            each = self.tasks[task_id]
            each.state, each.next_method, each.next_kwargs = None, None, None
            each.max_tries = each.tries + self.dag.get_task(task_id).retries
            self.memory.states.pop(task_id, None)
        self.clear_number += 1
        self.memory.state = "running"
        return sorted(cleared)

    def attempt(self, task_id: str) -> None:
        """One try of one task, with what follows when it defers."""
        each, task = self.tasks[task_id], self.dag.get_task(task_id)
        if each.next_method is None:
            each.tries += 1
        begun = time.monotonic()
        ended = self._try(task_id)
        each.seconds += time.monotonic() - begun
        each.next_method = each.next_kwargs = None
        kind = type(ended.message).__name__
        if kind == "DeferTask":
            self._wait_for(task_id, ended.message)
        elif kind == "SucceedTask":
            self._set(task_id, "success")
        elif kind == "TaskState":
            self._set(task_id, ended.message.state.value)
        elif kind == "RetryTask" or (kind == "NoneType" and each.tries <= each.max_tries):
            pass  # its next try
        elif kind == "NoneType":
            self.crashed.add(task_id)
            self._set(task_id, "failed")
        else:
            raise RuntimeError(f"{task.task_id} ended in a way that this scheduler does not know: {ended}")

    def _try(self, task_id: str) -> Ended:
        start = self._start(task_id)
        if self.second_copy_after is None:
            return self.tries.task(self.file, task_id, start)
        # A worker that Airflow takes for dead runs on beside its successor; what it reports is not heard.
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(self.tries.task, self.file, task_id, start)
            time.sleep(self.second_copy_after())
            ended = self.tries.task(self.file, task_id, start)
            self.lost_copies.append((task_id, lost.result()))
        return ended

    def _wait_for(self, task_id: str, message: Any) -> None:
        event = Ended()
        while event.message is None:  # a triggerer that dies starts again with the same trigger
            event = self.tries.trigger(message.classpath, message.trigger_kwargs, task_id)
        each = self.tasks[task_id]
        each.next_method = message.next_method
        each.next_kwargs = {**(message.next_kwargs or {}), "event": event.message[1]}

    def _next(self) -> str | None:
        for task_id in self.order:
            each, task = self.tasks[task_id], self.dag.get_task(task_id)
            if each.state in DONE:
                continue
            if task_id in self.memory.skipped:
                self._set(task_id, "skipped")
                return self._next()
            before = [(other.is_setup, self.tasks[other.task_id].state) for other in task.upstream_list]
            found = decide(task.trigger_rule.value, [state for _, state in before],
                           [state for is_setup, state in before if is_setup])  # fmt: skip
            if found == "run":
                return task_id
            if found != "wait":
                self._set(task_id, found)
                return self._next()
        return None

    def _set(self, task_id: str, state: str) -> None:
        self.tasks[task_id].state = state
        self.memory.states[task_id] = state
        self.memory.seconds[task_id] = self.tasks[task_id].seconds

    def _state(self) -> str:
        leaves = [
            task for task in self.dag.tasks
            if (task.on_failure_fail_dagrun if task.is_teardown
                else all(other.is_teardown for other in task.downstream_list))
        ]  # fmt: skip
        return "failed" if any(self.tasks[task.task_id].state in BAD for task in leaves) else "success"

    def _start(self, task_id: str) -> dict[str, Any]:
        each, memory = self.tasks[task_id], self.memory
        dag_run = {
            "dag_id": memory.dag_id, "run_id": memory.run_id, "logical_date": None, "data_interval_start": None,
            "data_interval_end": None, "run_after": self.run_after, "start_date": self.run_after, "end_date": None,
            "clear_number": self.clear_number, "run_type": "manual", "state": "running", "conf": self.conf,
            "triggering_user_name": self.user, "consumed_asset_events": [], "partition_key": None,
        }  # fmt: skip
        # A new try starts without what the one before it pushed; one that goes on after waiting keeps it.
        old = [] if each.next_method else [key for task, key in memory.xcoms if task == task_id]
        context = {
            "dag_run": dag_run, "max_tries": each.max_tries, "next_method": each.next_method,
            "next_kwargs": each.next_kwargs, "xcom_keys_to_clear": old,
            "should_retry": each.max_tries != 0 and each.tries <= each.max_tries,
        }  # fmt: skip
        ti = {
            "id": memory.ids[task_id], "task_id": task_id, "dag_id": memory.dag_id, "run_id": memory.run_id,
            "try_number": each.tries, "dag_version_id": uuid.UUID(int=1), "map_index": -1, "hostname": "chaos",
        }  # fmt: skip
        return {"context": context, "ti": ti}
