"""One clean-up (or restore) per volume: who holds it, and the lock of the step that works just now.

``holder.json`` names the run from its first step to its last. It says nothing about whether that run still
lives: whoever asks for the next run finds that out and passes ``take_over``. ``lock`` is flock'ed while a step
works and dies with its process, so a killed step blocks nobody, and a working one cannot be taken over.
Runs of two Airflows may have one name: their pages (``link``) tell them apart, where both are known.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, Optional

from .layout import Layout
from .problems import OUT_OF_SPACE, HeldByOtherError, StepError
from .request import Request
from .summary import say

_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_NAME = "holder.json"
_UNKNOWN: Dict[str, Any] = {"run": "unknown", "since": "", "link": ""}


def read_holder(layout: Layout) -> Optional[Dict[str, Any]]:
    """Who holds the volume; None when nobody does."""
    return _read(_holder(layout))


def _read(path: str) -> Optional[Dict[str, Any]]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError:
        return _UNKNOWN
    return found if isinstance(found, dict) else _UNKNOWN


@contextmanager
def working(request: Request) -> Iterator[None]:
    """Hold the volume while a step works. Raises HeldByOtherError; the hold itself stays until ``release``."""
    layout = request.layout
    lock = _lock(request)
    try:
        holder = read_holder(layout)
        own = holder is not None and is_own(holder, request)
        if holder is None or (not own and holder.get("run") == request.take_over):
            if holder is not None:
                say(f"Taking the volume over from {holder['run']}, which has ended.")
            _take(request, holder)
        elif not own:
            raise HeldByOtherError(_refusal(request, holder), holder)
        yield
    finally:
        os.close(lock)


def release(request: Request) -> Dict[str, Any]:
    """Let the volume go: this run's hold, or that of the run named by ``take_over``. Returns what was done."""
    lock = _lock(request)
    try:
        return drop(request)
    finally:
        os.close(lock)


def drop(request: Request) -> Dict[str, Any]:
    """Remove the hold; for a step that works under the lock."""
    holder = read_holder(request.layout)
    if holder is None:
        return {"released": False, "holder": None}
    if not is_own(holder, request) and holder.get("run") != request.take_over:
        return {"released": False, "holder": holder}
    for name in os.listdir(request.layout.state):
        if name.startswith(_NAME + "."):  # of a run that was killed while it took the volume
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(request.layout.state, name))
    os.unlink(_holder(request.layout))
    return {"released": True, "holder": None}


def is_own(holder: Dict[str, Any], request: Request) -> bool:
    """Whether the holder is the run that asks, and not one of another Airflow by the same name."""
    link = holder.get("link")
    return holder.get("run") == request.run and (not link or not request.link or link == request.link)


def _lock(request: Request) -> int:
    """The flock'ed file; closing it lets it go. Waits for an earlier try of a step that is just ending."""
    path = os.path.join(request.layout.state, "lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    except OSError as error:
        if error.errno in OUT_OF_SPACE:
            raise
        raise StepError(f"{path} cannot be opened: {error.strerror}") from error
    deadline = time.monotonic() + request.lock_wait_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                say(
                    f"The file system has no locks ({error.strerror}): {_holder(request.layout)} alone decides."
                )
                return lock
            if time.monotonic() >= deadline:
                os.close(lock)
                holder = read_holder(request.layout) or _UNKNOWN
                raise HeldByOtherError(
                    f"A step of {_named(holder)} works on volume {request.volume} at this moment.",
                    {**holder, "working": True},
                ) from error
        time.sleep(0.1)


def _refusal(request: Request, holder: Dict[str, Any]) -> str:
    return (
        f"Volume {request.volume} is held by {_named(holder)}. This run has changed nothing.\n"
        "If that run has ended, this one takes the volume over."
    )


def _named(holder: Dict[str, Any]) -> str:
    since = f" since {holder['since']}" if holder.get("since") else ""
    link = f" ({holder['link']})" if holder.get("link") else ""
    return f"{holder.get('run')}{since}{link}"


def _take(request: Request, before: Optional[Dict[str, Any]]) -> None:
    """Note the hold, on a free volume or after the one who held it ``before``.

    Where the file system has no locks, another run may want the same at this very moment: one wins.
    """
    path = _holder(request.layout)
    partial, aside = f"{path}.{request.slug}.partial", f"{path}.{request.slug}.before"
    since = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with open(partial, "w", encoding="utf-8") as file:
        json.dump({"run": request.run, "since": since, "link": request.link}, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        if before is not None:
            _put_aside(path, aside, before)
        _only_one(partial, path)
    except FileExistsError:
        holder = read_holder(request.layout) or _UNKNOWN
        raise HeldByOtherError(_refusal(request, holder), holder) from None
    finally:
        for left in (partial, aside):
            with suppress(FileNotFoundError):
                os.unlink(left)


def _put_aside(path: str, aside: str, before: Dict[str, Any]) -> None:
    """Remove the hold of ``before``. Raises FileExistsError when it is another's by now, which keeps it."""
    with suppress(FileNotFoundError):
        os.rename(path, aside)
        if _read(aside) != before:
            _only_one(aside, path)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)


def _only_one(source: str, path: str) -> None:
    """Give what a file has a name as well. Raises FileExistsError when there is something of that name."""
    try:
        os.link(source, path)
    except FileExistsError:
        raise
    except OSError:  # no hard links here
        with open(source, "rb") as file:
            data = file.read()
        with open(path, "xb") as file:
            file.write(data)


def _holder(layout: Layout) -> str:
    return os.path.join(layout.state, _NAME)
