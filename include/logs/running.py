"""Running one step of a clean-up where the logs are: as a Job beside the volume's user, or on this worker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from include.jobs.carrying import Carrier
from include.jobs.ending import Ended, JobError
from include.jobs.load import Load
from include.logs.beside import beside_user
from include.logs.job_manifest import command_line, step_load, subject_of, what_now
from include.logs.loading import PlacedVolume
from include.logs.program.workers import PDEATHSIG
from include.logs.program_map import FOLDER, PACKAGE, program_map, provide, prune, request_map
from include.logs.refusing import refusal
from include.logs.requesting import Asker, request_text
from include.logs.retention import Command
from include.logs.summary import MARK, Answer, StepError, SummaryError, read_summary
from include.release.kube import Cluster, KubeError
from include.release.log_lines import LogLines
from include.release.texts import indented, last_lines

Say = Callable[[str], None]
SECONDS_OF_A_MINUTE = 60


def start_step(
    cluster: Cluster, placed: PlacedVolume, command: Command, request: dict[str, Any], asker: Asker, say: Say
) -> tuple[Load, str]:
    """Start the Job of a step, or find the one that an earlier try left. Returns what it carries, and its name.

    Raises:
        RejectedError: the claim is missing or taken, or the cluster refuses what the Job needs.
        JobError: a Job of an earlier try failed and cannot be removed.
        KubeError: the cluster does not answer.
    """
    if placed.environment is None:
        raise ValueError(f"{placed.name} is on the worker: see run_here")
    namespace = placed.environment.namespace
    try:
        load = step_load(placed, command, request, asker, beside_user(cluster, placed))
        maps = [program_map(), request_map(placed.name, request_text(request), asker.run)]
        provide(cluster, namespace, maps)
        name = Carrier(cluster, namespace, say).start(load)
    except KubeError as error:
        raise refusal(error, placed) from None
    prune(cluster, namespace, placed.name)
    return load, name


def settle_step(
    cluster: Cluster, placed: PlacedVolume, command: Command, load: Load, ended: Ended, say: Say
) -> Answer:
    """What the step answered, of what a wait for its Job found.

    Raises:
        StepError: it did not do its work.
        KubeError: the cluster did not answer for too long; a retry finds the Job.
    """
    namespace = placed.environment.namespace if placed.environment else ""
    where = f"Job {ended.job} in namespace {namespace}"
    try:
        done = Carrier(cluster, namespace, say).settle(load, ended)
    except JobError as error:
        if error.exit_code is None:
            raise StepError(f"{error}{_hint(ended.reason)}") from None
        raise failed(command, placed.name, where, ended.ended, list(error.lines), error.exit_code) from None
    return answered(command, placed.name, where, done.lines, done.seconds)


def carry_step(
    cluster: Cluster, placed: PlacedVolume, command: Command, request: dict[str, Any], asker: Asker, say: Say
) -> Answer:
    """Run a step as a Job and wait for it here. Raises as ``start_step`` and ``settle_step``."""
    load, name = start_step(cluster, placed, command, request, asker, say)
    namespace = placed.environment.namespace if placed.environment else ""
    carrier = Carrier(cluster, namespace, say)
    try:
        done = carrier.follow(load, name, on_line=lambda line: _progress(line, say))
    except JobError as error:
        code = error.exit_code
        ended = Ended(name, "failed", "", f"exit code {code}", code, list(error.lines))
        if code is None:
            raise StepError(str(error)) from None
        return settle_step(cluster, placed, command, load, ended, say)
    return answered(command, placed.name, f"Job {name} in namespace {namespace}", done.lines, done.seconds)


def run_here(placed: PlacedVolume, command: Command, request: dict[str, Any], say: Say) -> Answer:
    """Run a step on this worker, as processes of its own that end with its time limit, and with this one.

    Raises:
        StepError: it did not do its work.
    """
    volume = placed.volume
    where = "a process on the worker"
    began = time.monotonic()
    target = volume.archive_to.path if volume.archive_to and volume.archive_to.path else ""
    words = command_line(command, volume.path, target, "/dev/stdin")
    say(f"{volume.name}: {command}. On this worker: {' '.join(words)}")
    boot = [sys.executable, "-I", "-B", "-u", "-c", _boot()]
    limit = volume.timeout_minutes * SECONDS_OF_A_MINUTE
    lines, code = _run([*boot, *words[3:]], request_text(request), limit, say)
    seconds = time.monotonic() - began
    if code is None:
        text = f"{subject_of(command, volume.name)}: ended after {volume.timeout_minutes} minutes, its time limit"
        raise StepError(f"{text}. What now: {what_now(command)}; or raise timeout_minutes.")
    if code != 0:
        ended = f"exit code {code}" if code > 0 else f"signal {-code}"
        raise failed(command, volume.name, where, ended, lines, code)
    return answered(command, volume.name, where, lines, seconds)


def answered(command: str, volume: str, where: str, lines: list[str], seconds: float) -> Answer:
    """The answer in the last lines of a step that is done. Raises StepError when there is none."""
    try:
        return Answer(command, read_summary(lines, command), where, seconds)
    except SummaryError as error:
        text = f"{subject_of(command, volume)}: {where} ended well, but {error}"
        raise StepError(f"{text}. What now: clear this task; a step that is done answers again.", 0) from None


def failed(command: str, volume: str, where: str, ended: str, lines: list[str], code: int) -> StepError:
    """The error of a step that ended with another exit code than 0, with what it answered all the same."""
    try:
        facts = read_summary(lines, command)
    except SummaryError:
        facts = {}
    said = [line for line in lines if not line.startswith(MARK)]
    parts = [f"{subject_of(command, volume)} failed with {ended} ({where})"]
    error = str(facts.get("error") or "")
    if error:
        parts.append(indented(error))
    elif text := "\n".join(said).strip():
        parts.append("Last lines of its log:\n" + indented(last_lines(text)))
    parts.append(f"What now: {what_now(command)}.{_hint(ended)}")
    return StepError("\n".join(parts), code, facts)


HINTS = {
    "DeadlineExceeded": "timeout_minutes of the volume",
    "OOMKilled": "resources.memory_limit of the volume",
}


def _hint(ended: str) -> str:
    """Which setting may be too low, by how the step ended."""
    return next((f" Is {setting} too low?" for reason, setting in HINTS.items() if reason in ended), "")


def _progress(line: str, say: Say) -> None:
    """Lines for people are said; the data is for us."""
    if not line.startswith(MARK):
        say(f"    {line}")


_BOOT = """
import ctypes, os, runpy, signal, sys, types
ctypes.CDLL(None).prctl({pdeathsig}, signal.SIGKILL)
if os.getppid() != {parent}:
    sys.exit("whoever asked for this is gone")
sys.modules[{package!r}] = types.ModuleType({package!r})
sys.modules[{package!r}].__path__ = [{folder!r}]
runpy.run_module({package!r} + ".__main__", run_name="__main__", alter_sys=True)
"""
"""Runs the program under the name that it has in a Job, and with nothing else of this project to be imported.

It dies with the task that started it, however that ends: a retry must not meet it.
"""


def _boot() -> str:
    return _BOOT.format(package=PACKAGE, folder=str(FOLDER), pdeathsig=PDEATHSIG, parent=os.getpid())


def _run(words: list[str], given: str, seconds: float, say: Say) -> tuple[list[str], int | None]:
    """Run a command; returns its last lines and its exit code, None when its time was over."""
    kept: deque[str] = deque(maxlen=200)
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": _path()},
        start_new_session=True,
    )
    late = threading.Event()

    def end() -> None:
        # The volume's lock dies with the process, and a retry goes on where it was.
        late.set()
        _kill(process)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    splitter = LogLines()
    with process:
        try:
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):  # it ended without reading; its own words say why
                    process.stdin.write(given.encode())
                    process.stdin.close()
            output = process.stdout.fileno() if process.stdout else -1
            while chunk := os.read(output, 65536):
                for line in splitter.feed(chunk):
                    kept.append(line)
                    _progress(line, say)
        except BaseException:
            _kill(process)
            raise
        finally:
            timer.cancel()
    kept.extend(splitter.end())
    return list(kept), None if late.is_set() else process.returncode


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process together with those it has started, also where it has ended and they have not."""
    if process.returncode is None:  # not waited for yet: the number is still its own
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _path() -> str:
    """Where zstd may be found; nothing else of this process's environment is handed on."""
    return "/usr/local/bin:/usr/bin:/bin"
