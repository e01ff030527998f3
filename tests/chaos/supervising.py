"""One try of a task in a process of its own, and the answers that Airflow's supervisor would give it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.chaos import child
from tests.chaos.counting import Counter

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(child.PRELOAD)
ENDS = frozenset({"SucceedTask", "TaskState", "RetryTask", "DeferTask", "AwaitInputTask", "RescheduleTask"})


@dataclass
class Ended:
    """How a process ended: with a last message, or killed (None)."""

    message: Any = None
    code: int | None = None


@dataclass
class Memory:
    """What Airflow's database keeps of one run: it survives every process."""

    dag_id: str
    run_id: str
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    stores: dict[tuple[str, str], Any] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    operators: dict[str, str] = field(default_factory=dict)
    state: str = "running"
    ids: dict[str, uuid.UUID] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)


class Tries:
    """Runs tries of tasks and of triggers.

    Args:
        memory: of the run.
        counter: numbers what changes something, and kills.
        environment: variables for the processes.
        log: file that all of them write to.
    """

    def __init__(self, memory: Memory, counter: Counter, environment: dict[str, str], log: Path) -> None:
        self.memory, self.counter, self.environment, self.log = memory, counter, environment, log
        self.running: list[multiprocessing.process.BaseProcess] = []
        self.last_task = ""
        counter.kill = self.kill
        counter.task = lambda: self.last_task

    def task(self, file: str, task_id: str, start: dict[str, Any]) -> Ended:
        """One try of a task."""
        self.last_task = task_id
        return self._process(child.run_task, (file, task_id, start), task_id)

    def trigger(self, classpath: str, kwargs: Any, task_id: str) -> Ended:
        """One run of a trigger, to its first event."""
        return self._process(child.run_trigger, (classpath, kwargs), task_id)

    def kill(self) -> None:
        """SIGKILL for what runs now."""
        for process in self.running:
            if process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)

    def _process(self, target: Any, arguments: tuple[Any, ...], task_id: str) -> Ended:
        ours, theirs = FORKING.Pipe()
        process = FORKING.Process(
            target=target, args=(*arguments, self.environment, str(self.log), theirs), daemon=True
        )
        with _starting:  # the fork server takes one request at a time
            process.start()
        theirs.close()
        self.running.append(process)
        last = None
        try:
            for message in _messages(ours, process):
                if isinstance(message, tuple):  # an event, or a change beside the cluster
                    last = self._special(ours, message, last)
                    continue
                if type(message).__name__ in ENDS:
                    _, goes_on = self.counter.begins(f"reports {type(message).__name__} of {task_id}")
                    if not goes_on:
                        break
                    last = message
                answer = Answers(self.memory, task_id).to(message)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    ours.send(answer)
        finally:
            process.join()
            self.running.remove(process)
            ours.close()
        return Ended(last, process.exitcode)

    def _special(self, ours: Connection, message: tuple[Any, ...], last: Any) -> Any:
        kind, content = message
        if kind == "event":
            return message
        change, goes_on = self.counter.begins(content)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, EOFError):
            ours.send(goes_on)
            if goes_on and ours.recv() == ("done", content):
                ours.send(self.counter.has_happened(change))
        return last


_starting = threading.Lock()


def _messages(ours: Connection, process: Any) -> Iterator[Any]:
    """What the process says until it ends."""
    while True:
        ready = wait([ours, process.sentinel])
        if ours in ready:
            try:
                yield ours.recv()
            except (EOFError, ConnectionResetError):
                return
        else:
            return


class Answers:
    """Answers a task's messages from the memory of its run."""

    def __init__(self, memory: Memory, task_id: str) -> None:
        self.memory, self.task_id = memory, task_id

    def to(self, message: Any) -> Any:
        """The answer; unknown messages are errors, so that nothing is left out unseen."""
        answer = getattr(self, f"_{type(message).__name__}", None)
        if answer is None:
            raise TypeError(f"this supervisor has no answer to {message!r}")
        return answer(message)

    def _ok(self, _message: Any) -> Any:
        from airflow.sdk.execution_time.comms import OKResponse

        return OKResponse(ok=True)

    _SetRenderedFields = _SetRenderedMapIndex = _SucceedTask = _TaskState = _RetryTask = _DeferTask = _ok
    _AwaitInputTask = _RescheduleTask = _MaskSecret = _ok

    def _SkipDownstreamTasks(self, message: Any) -> Any:
        self.memory.skipped.update(each if isinstance(each, str) else each[0] for each in message.tasks)
        return self._ok(message)

    def _GetConnection(self, message: Any) -> Any:
        return self._missing("CONNECTION_NOT_FOUND", message)

    def _GetVariable(self, message: Any) -> Any:
        return self._missing("VARIABLE_NOT_FOUND", message)

    def _missing(self, kind: str, message: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse

        return ErrorResponse(error=ErrorType[kind], detail={"message": repr(message)})

    def _GetXCom(self, message: Any) -> Any:
        from airflow.sdk.execution_time.comms import XComResult

        return XComResult(key=message.key, value=self.memory.xcoms.get((message.task_id, message.key)))

    def _GetXComSequenceSlice(self, message: Any) -> Any:
        from airflow.sdk.execution_time.comms import XComSequenceSliceResult

        key = (message.task_id, message.key)
        return XComSequenceSliceResult(root=[self.memory.xcoms[key]] if key in self.memory.xcoms else [])

    def _SetXCom(self, message: Any) -> Any:
        self.memory.xcoms[message.task_id, message.key] = message.value
        return self._ok(message)

    def _DeleteXCom(self, message: Any) -> Any:
        self.memory.xcoms.pop((message.task_id, message.key), None)
        return self._ok(message)

    def _GetTaskStateStore(self, message: Any) -> Any:
        from airflow.sdk.execution_time.comms import TaskStateStoreResult

        key = (self.task_id, message.key)
        if key not in self.memory.stores:
            return self._missing("TASK_STORE_NOT_FOUND", message)
        return TaskStateStoreResult(value=self.memory.stores[key])

    def _SetTaskStateStore(self, message: Any) -> Any:
        self.memory.stores[self.task_id, message.key] = message.value
        return self._ok(message)

    def _GetDagRunState(self, message: Any) -> Any:
        from airflow.sdk.execution_time.comms import DagRunStateResult

        mine = message.dag_id == self.memory.dag_id and message.run_id == self.memory.run_id
        return DagRunStateResult(state=self.memory.state if mine else "success")

    def _GetTaskStates(self, message: Any) -> Any:
        from airflow.sdk.execution_time.comms import TaskStatesResult

        return TaskStatesResult(task_states={self.memory.run_id: dict(self.memory.states)})

    def _GetTICount(self, message: Any) -> Any:
        from airflow.sdk.execution_time.comms import TICount

        chosen = [state for task, state in self.memory.states.items()
                  if not message.task_ids or task in message.task_ids]  # fmt: skip
        return TICount(count=sum(not message.states or state in message.states for state in chosen))

    def _GetTaskBreadcrumbs(self, message: Any) -> Any:
        from airflow.sdk.execution_time.comms import TaskBreadcrumbsResult

        finished = ("success", "failed", "skipped", "upstream_failed")
        return TaskBreadcrumbsResult(breadcrumbs=[
            {"task_id": task, "map_index": -1, "state": state, "operator": self.memory.operators.get(task),
             "duration": self.memory.seconds.get(task)}
            for task, state in sorted(self.memory.states.items()) if state in finished
        ])  # fmt: skip


def now() -> datetime:
    """This moment."""
    return datetime.now(tz=UTC)
