"""Ends what a killed demo has left: ``python -m tools.demo.watchdog DIRECTORY``.

Its standard input is a pipe whose other end only the demo holds, so reading it ends when the demo does. Its processes
have been told to end by then (see ``tied.py``); Airflow's scheduler would wait half a minute for answers of an API
server that is gone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.demo.processes import end_marked


def main() -> None:
    """Wait for the demo's end, then end what is left."""
    sys.stdin.buffer.read()
    while end_marked(Path(sys.argv[1])):
        pass  # what was being started meanwhile


if __name__ == "__main__":
    main()
