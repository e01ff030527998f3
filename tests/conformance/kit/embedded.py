"""The embedded cluster as the tests' own, when no other is named."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
IMAGE = "standin.local/python:3"


@contextmanager
def embedded_cluster(worker: str) -> Iterator[str]:
    """Start one under ``.test/``, yield its kubeconfig, and end it with all that it runs.

    Raises:
        RuntimeError: if it does not serve within 30 seconds, with the end of its log.
    """
    base = ROOT / ".test" / f"conformance-{worker}"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    log = (base / "cluster.log").open("w+")
    command = [sys.executable, "-m", "include.cluster", "serve"]
    command += ["--state-dir", str(base / "state"), "--images-dir", str(base / "images")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = _ready_line(process)
        if not line.startswith("ready "):
            log.flush()
            log.seek(0)
            raise RuntimeError(f"the embedded cluster did not start: {line!r}\n{log.read()[-4000:]}")
        yield line.split("kubeconfig=", 1)[1].strip()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        if select.select([process.stdout], [], [], 0.2)[0]:
            return process.stdout.readline()
    return f"exit status {process.poll()}"


def named_cluster() -> str | None:
    """The kubeconfig named by the caller, if any."""
    return os.environ.get("KUBECONFIG") or None
