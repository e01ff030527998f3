"""Which build this is: its build file, and the digest of the files it runs."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent


@functools.lru_cache(maxsize=None)
def build_file() -> dict[str, Any]:
    """Return the build file that was put beside the programs when the image was built.

    Raises:
        RuntimeError: when there is none, which means that this is not a built tree.
    """
    path = PACKAGE / "build.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RuntimeError(f"{path} is missing: the programs run from a built image") from None
    return content


@functools.lru_cache(maxsize=None)
def build_id() -> str:
    """Return the SHA-256 over the path and content of every file of this build, in hex.

    Computed once per process, from what is on disk at that moment: call it at the start of a program.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def version(program: str) -> dict[str, Any]:
    """Return what `/version` answers."""
    build = build_file()
    return {"program": program, "release": build["release"], "version": build["version"], "build": build_id()}
