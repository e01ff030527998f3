"""The file system that a container sees: its image's files over the host's programs, and its mounts."""

from __future__ import annotations

import os
from typing import Any

from include.cluster.node.shim import linux

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "nix", "gnu")
"""Top-level directories that a container shares with the host, read-only, where the image has nothing of its own."""

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_EMPTY = ("tmp", "var/tmp", "var/log", "var/lib", "var/cache", "run", "root", "home", "opt", "mnt", "srv")


def copy_tree(source: str, target: str) -> None:
    """Copies an image's tree, links as links, into an existing directory."""
    with os.scandir(source) as entries:
        for entry in entries:
            place = os.path.join(target, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), place)
            elif entry.is_dir():
                os.makedirs(place, exist_ok=True)
                copy_tree(entry.path, place)
            else:
                _copy_file(entry.path, place)


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb") as readable, open(target, "wb") as writable:
        size = os.fstat(readable.fileno()).st_size
        while size > 0:
            sent = os.sendfile(writable.fileno(), readable.fileno(), None, size)
            if sent == 0:
                break
            size -= sent
        os.fchmod(writable.fileno(), os.fstat(readable.fileno()).st_mode & 0o777)


def inside(root: str, path: str) -> str:
    """Where ``path`` of the container lies on the host; its links are followed without leaving ``root``."""
    done: list[str] = []
    left = [part for part in path.split("/") if part not in ("", ".")]
    for _ in range(1000):
        if not left:
            break
        part = left.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        place = os.path.join(root, *done, part)
        if os.path.islink(place):
            link = os.readlink(place)
            if link.startswith("/"):
                done = []
            left = [piece for piece in link.split("/") if piece not in ("", ".")] + left
            continue
        done.append(part)
    return os.path.join(root, *done)


def _needed(paths: list[tuple[str, bool]]) -> set[str]:
    """The host's directories that cannot be bound whole: something has to be put where the host has nothing.

    Args:
        paths: mount points, and whether each is a directory.
    """
    found: set[str] = set()
    for path, is_directory in paths:
        parts = [part for part in path.split("/") if part]
        if not parts or parts[0] not in SYSTEM:
            continue
        there = "/" + "/".join(parts)
        if not os.path.islink(there) and (os.path.isdir if is_directory else os.path.isfile)(there):
            continue
        resolved = os.path.join(os.path.realpath(os.path.dirname(there)), parts[-1])
        pieces = resolved.strip("/").split("/")
        found.update("/".join(pieces[:count]) for count in range(1, len(pieces)))
    return found


def _merge(root: str, relative: str, opened: set[str]) -> None:
    """Shows the host's ``relative`` in the container: whole if nothing else lies there, entry by entry otherwise."""
    host, place = "/" + relative, os.path.join(root, relative)
    if os.path.islink(host) and not os.path.lexists(place):
        os.symlink(os.readlink(host), place)
    elif os.path.isdir(host):
        has_own = os.path.isdir(place) and bool(os.listdir(place))
        if os.path.lexists(place) and not os.path.isdir(place):
            return
        os.makedirs(place, exist_ok=True)
        if relative not in opened and not has_own:
            linux.bind(host, place, read_only=True)
            return
        for name in os.listdir(host):
            _merge(root, f"{relative}/{name}", opened)
    elif os.path.isfile(host) and not os.path.lexists(place):
        _touch(place)
        linux.bind(host, place, read_only=True)


def _touch(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))


def _devices(root: str) -> None:
    place = os.path.join(root, "dev")
    os.makedirs(place, exist_ok=True)
    linux.mount("tmpfs", place, "tmpfs", linux.MS_NOSUID, "mode=755,size=1m")
    for name in _DEVICES:
        if os.path.exists(f"/dev/{name}"):
            _touch(f"{place}/{name}")
            linux.bind(f"/dev/{name}", f"{place}/{name}")
    for name, link in _LINKS.items():
        os.symlink(link, f"{place}/{name}")
    os.makedirs(f"{place}/shm")
    linux.mount("tmpfs", f"{place}/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777,size=64m")
    if os.path.isdir("/dev/pts"):
        os.makedirs(f"{place}/pts")
        linux.bind("/dev/pts", f"{place}/pts")
        os.symlink("pts/ptmx", f"{place}/ptmx")


def _python(root: str, prefixes: list[str], programs: dict[str, str]) -> None:
    for prefix in prefixes:
        if not os.path.isdir(inside(root, prefix)):
            os.makedirs(inside(root, prefix))
            linux.bind(prefix, inside(root, prefix), read_only=True)
    for path, link in programs.items():
        place = inside(root, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if not os.path.lexists(place):
            os.symlink(link, place)


def _mount(entry: dict[str, Any], place: str, is_directory: bool) -> None:
    if is_directory:
        os.makedirs(place, exist_ok=True)
    elif not os.path.exists(place):
        _touch(place)
    linux.bind(entry["source"], place, read_only=entry["read_only"])


def build(spec: dict[str, Any]) -> None:
    """Makes the root directory and moves this process's mount namespace into it.

    Args:
        spec: ``root`` (a directory that holds the image's files), ``prefixes`` (directories of the Python in use),
            ``programs`` (links to make, path to target), ``mounts`` (source, target, read_only), ``cwd``,
            ``read_only_root``.
    """
    root: str = spec["root"]
    mounts: list[dict[str, Any]] = sorted(spec["mounts"], key=lambda entry: entry["target"].count("/"))
    wanted = [(entry["target"], os.path.isdir(entry["source"])) for entry in mounts]
    opened = _needed([*wanted, (spec["cwd"], True)])
    linux.mount(root, root, flags=linux.MS_BIND)
    for name in _EMPTY:
        os.makedirs(os.path.join(root, name), exist_ok=True)
    os.chmod(os.path.join(root, "tmp"), 0o1777)  # noqa: S103 - as /tmp is everywhere
    if not os.path.lexists(f"{root}/var/run"):
        os.symlink("../run", f"{root}/var/run")
    for name in SYSTEM:
        _merge(root, name, opened)
    for name in ("proc", "sys"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
        linux.bind(f"/{name}", f"{root}/{name}")
    _devices(root)
    _python(root, spec["prefixes"], spec["programs"])
    for entry, (target, is_directory) in zip(mounts, wanted, strict=True):
        _mount(entry, inside(root, target), is_directory)
    if not os.path.lexists(inside(root, spec["cwd"])):
        os.makedirs(inside(root, spec["cwd"]))
    if spec["read_only_root"]:
        linux.mount("", root, flags=linux.MS_BIND | linux.MS_REMOUNT | linux.MS_RDONLY | _kept(root))
    linux.pivot_root(root)


def _kept(path: str) -> int:
    return os.statvfs(path).f_flag & (linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
