"""Sharing tasks among a few processes: reading, hashing and unlinking take a core each.

The processes are forked, so they hold the volume's lock together with their parent: nobody gets it before the last
of them has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from .problems import FAILED, StepError

Work = Callable[[int], dict[str, Any]]
_NUMBER = struct.Struct("<i")
PDEATHSIG = 1  # prctl(2), PR_SET_PDEATHSIG
_MOST_TASKS = 8192  # their numbers fit into a pipe


def count(wanted: int) -> int:
    """How many processes: no more than there are cores for this one."""
    return max(1, min(wanted, len(os.sched_getaffinity(0))))


def share(tasks: int, work: Work, workers: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Do ``work(number)`` for each task; yields the answers as they come, with the task's number.

    ``work`` answers with what JSON can say. Raises what it raised: OSError, StepError; RuntimeError for the rest.
    """
    if min(tasks, workers) <= 1:
        for number in range(tasks):
            yield number, work(number)
        return
    if tasks > _MOST_TASKS:
        raise ValueError(f"{tasks} tasks are too many to share")
    children: dict[int, int] = {}
    queue, fill = os.pipe()
    try:
        os.write(fill, b"".join(_NUMBER.pack(number) for number in range(tasks)))
        os.close(fill)
        for _ in range(min(workers, tasks)):
            pid, answers = _fork(queue, work)
            children[answers] = pid
        yield from _collect(children)
    finally:
        os.close(queue)
        for answers, pid in children.items():
            os.close(answers)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _collect(children: dict[int, int]) -> Iterator[tuple[int, dict[str, Any]]]:
    waiting: dict[int, bytes] = dict.fromkeys(children, b"")
    with selectors.DefaultSelector() as selector:
        for answers in children:
            selector.register(answers, selectors.EVENT_READ)
        while children:
            for key, _ in selector.select():
                answers = key.fd
                data = os.read(answers, 1 << 16)
                if not data:
                    selector.unregister(answers)
                    os.close(answers)
                    status = os.waitpid(children.pop(answers), 0)[1]
                    if status:
                        raise RuntimeError(f"a process of this step ended early (status {status})")
                    continue
                *lines, waiting[answers] = (waiting[answers] + data).split(b"\n")
                for line in lines:
                    yield _answer(json.loads(line))


def _answer(found: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if "step_error" in found:
        raise StepError(found["step_error"], found["code"], found["facts"])
    if "errno" in found:
        raise OSError(found["errno"], found["error"])
    if "error" in found:
        raise RuntimeError(found["error"])
    return found["task"], found["answer"]


def _fork(queue: int, work: Work) -> tuple[int, int]:
    answers, say = os.pipe()
    sys.stdout.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(say)
        return pid, answers
    code = 1
    try:
        os.close(answers)
        end_with_parent()
        gc.disable()  # there are no cycles to find among a million records
        while os.getppid() == parent:
            number = os.read(queue, _NUMBER.size)
            if not number:
                code = 0
                break
            (task,) = _NUMBER.unpack(number)
            _tell(say, {"task": task, "answer": work(task)})
    except StepError as error:
        code = 0
        _tell(say, {"step_error": error.text, "code": error.code or FAILED, "facts": error.facts})
    except OSError as error:
        code = 0
        _tell(say, {"error": str(error.strerror or error), "errno": error.errno})
    except BaseException:
        code = 0
        _tell(say, {"error": traceback.format_exc()})
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    raise AssertionError  # the line above ends the process


def end_with_parent() -> None:
    """Be killed when the parent ends, in the midst of a large file too: no step goes on that nobody waits for."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)


def _tell(say: int, answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode() + b"\n"
    view = memoryview(data)
    while view:
        view = view[os.write(say, view) :]
