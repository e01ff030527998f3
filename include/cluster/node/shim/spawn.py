"""Starting a program: in the container's namespaces, with its user, directory, environment and streams."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import stat
from typing import Any

from include.cluster.node.shim import linux

_PREFIX = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)
"""What a real node says before the cause; kept so that whoever reads messages reads the same here."""


class SpawnError(Exception):
    """The program could not be started; the message is worded as a real node's."""


def _reset_signals() -> None:
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)


def _find(program: str, path: str) -> str:
    """The file to execute.

    Raises:
        SpawnError: there is none, or it is not executable.
    """
    if "/" in program:
        try:
            mode = os.stat(program).st_mode
        except OSError as error:
            raise SpawnError(
                f'{_PREFIX}exec: "{program}": stat {program}: {_go_text(error.errno)}'
            ) from error
        if stat.S_ISDIR(mode):
            raise SpawnError(f'{_PREFIX}exec: "{program}": is a directory')
        if not os.access(program, os.X_OK) or not mode & 0o111:
            raise SpawnError(f'{_PREFIX}exec: "{program}": permission denied')
        return program
    for directory in path.split(":"):
        place = os.path.join(directory or ".", program)
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    raise SpawnError(f'{_PREFIX}exec: "{program}": executable file not found in $PATH')


def _go_text(number: int | None) -> str:
    return os.strerror(number or errno.EIO).lower()


def spawn(argv: list[str], spec: dict[str, Any], *, stdout: int, stderr: int, first: bool) -> int:
    """Starts ``argv`` and returns its process id once it runs.

    Args:
        argv: the program and its arguments.
        spec: ``env``, ``cwd``, ``namespaces``.
        stdout: descriptor that becomes the program's standard output.
        stderr: descriptor that becomes its standard error.
        first: whether this is the container's own program (process 1 where it has a PID namespace).

    Raises:
        SpawnError: it cannot be executed.
        OSError: no process can be made, which in a PID namespace also means that the container has ended.
    """
    report, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(report)
            _become(argv, spec, stdout, stderr, first, told)
        except SpawnError as error:
            os.write(told, str(error).encode())
        except BaseException as error:  # whatever it is, the parent has to hear of it
            os.write(told, f"{_PREFIX}{error}".encode())
        finally:
            os._exit(127)
    os.close(told)
    with os.fdopen(report, "rb") as pipe:
        message = pipe.read()
    if message:
        os.waitpid(pid, 0)
        raise SpawnError(message.decode(errors="replace"))
    return pid


def _nobody_reads(pipe: int) -> bool:
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _become(argv: list[str], spec: dict[str, Any], stdout: int, stderr: int, first: bool, told: int) -> None:
    os.setsid()
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    _reset_signals()
    if first and spec["namespaces"]:
        # a masked /proc may not be mounted anew; the host's, bound before, stays
        with contextlib.suppress(OSError):
            linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    cwd: str = spec["cwd"]
    try:
        os.chdir(cwd)
    except OSError as error:
        why = _go_text(error.errno)
        raise SpawnError(f'{_PREFIX}chdir to cwd ("{cwd}") set in config.json failed: {why}') from error
    env: dict[str, str] = spec["env"]
    program = _find(argv[0], env.get("PATH", os.defpath))
    linux.no_new_privileges()
    linux.die_with_parent(signal.SIGKILL)
    if _nobody_reads(told):  # the parent was killed before the line above and will send no signal
        os._exit(127)
    try:
        os.execve(program, argv, env)  # noqa: S606 - this is what it is for
    except OSError as error:
        raise SpawnError(f'{_PREFIX}exec: "{argv[0]}": {_go_text(error.errno)}') from error
