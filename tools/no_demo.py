"""Fail with one line when the demo in the directory ``argv[1]`` runs: what removes files must not take its own.

Started by make with whatever ``python3`` the machine has, ``.venv`` or not; readable for Python 3.6.
"""

import fcntl
import sys
from pathlib import Path


def main() -> int:
    """Look at the demo's lock; the lock file also says who holds it."""
    lock = Path(sys.argv[1]) / "lock"
    if not lock.exists():
        return 0
    with lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            who = handle.read().strip() or "unknown"
            sys.stderr.write(f"error: a demo of this checkout is already running ({who}); stop it first\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
