"""Is a file open? A lease tells, which an ordinary process may ask for on the files of its own user.

The kernel grants a write lease only while nobody else has the file open, and a read lease only while nobody
writes to it (fcntl(2), F_SETLEASE). Nothing has to be seen of the other processes for that: it works across the
containers of a node, where ``/proc`` shows only one's own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Iterable

CLOSED = "closed"
READ = "read"
WRITTEN = "written"
UNKNOWN = "unknown"

# Other nodes may have such a file open, and a lease would not know. Beside these everything named fuse.*.
SHARED_FILE_SYSTEMS = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ceph",
        "9p",
        "afs",
        "lustre",
        "gpfs",
        "beegfs",
        "glusterfs",
        "gfs2",
        "ocfs2",
        "virtiofs",
        "orangefs",
    ]
)
_NOT_TOLD = {
    errno.EACCES,
    errno.EPERM,
    errno.EINVAL,
    errno.ENOLCK,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EBADF,
}


def ignore_lease_breaks() -> None:
    """Somebody who opens a leased file makes the kernel send SIGIO, which would end this process."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)


def state(descriptor: int, keep: bool = False) -> str:
    """Whether anybody else has the file open: CLOSED, READ (nobody writes), WRITTEN or UNKNOWN.

    The descriptor must be open for reading only. With ``keep`` the lease of a CLOSED file stays until the
    descriptor is closed, so that whoever opens it meanwhile waits that long.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        return _taken(descriptor) if error.errno == errno.EAGAIN else _untold(error)
    if not keep:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return CLOSED


def _taken(descriptor: int) -> str:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return WRITTEN if error.errno == errno.EAGAIN else _untold(error)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return READ


def _untold(error: OSError) -> str:
    if error.errno not in _NOT_TOLD:
        raise error
    return UNKNOWN


def is_open(found: str, mtime: float, now: float, recent_s: float) -> bool:
    """Whether a file is treated as open: what is UNKNOWN is where it was changed within the last ``recent_s``."""
    if found == UNKNOWN:
        return now - mtime < recent_s
    return found != CLOSED


def seen_by_one_node(file_system: str) -> bool:
    """Whether a lease speaks for everybody: not on what other nodes mount too. Takes the type as mounted."""
    return file_system not in SHARED_FILE_SYSTEMS and not file_system.startswith("fuse.")


def file_system(path: str, mountinfo: str = "/proc/self/mountinfo") -> str:
    """The type of the file system that ``path`` lies on, as mountinfo has it; empty where it is not told."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    by_device, by_place, longest = "", "", -1
    here = os.path.realpath(path)
    try:
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields = line.split()
                kind = fields[fields.index("-") + 1]
                if fields[2] == wanted:
                    by_device = kind
                place = fields[4].replace("\\040", " ")
                if len(place) > longest and (here == place or here.startswith(place.rstrip("/") + "/")):
                    by_place, longest = kind, len(place)
    except (OSError, ValueError, IndexError):
        return ""
    return by_device or by_place  # btrfs and overlay files have a device of their own


def holders(wanted: Iterable[tuple[int, int]], proc: str = "/proc") -> dict[tuple[int, int], list[str]]:
    """Who has these files (device, inode) open, as ``name (pid)``, as far as ``/proc`` shows it."""
    files: set[tuple[int, int]] = set(wanted)
    found: dict[tuple[int, int], list[str]] = {}
    for pid in filter(str.isdigit, _listed(proc)) if files else ():
        for number in _listed(f"{proc}/{pid}/fd"):
            with contextlib.suppress(OSError):
                there = os.stat(f"{proc}/{pid}/fd/{number}")
                key = (there.st_dev, there.st_ino)
                if key in files and int(pid) != os.getpid():
                    name = f"{_name(proc, pid)} ({pid})"
                    if name not in found.setdefault(key, []):
                        found[key].append(name)
    return found


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _name(proc: str, pid: str) -> str:
    try:
        with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as comm:
            return comm.read().strip()
    except OSError:
        return "process"
