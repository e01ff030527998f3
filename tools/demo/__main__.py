"""``python -m tools.demo``: the demo, or one line when ``.venv`` lacks what it needs."""

from __future__ import annotations

import sys

OWN = ("dags", "include", "plugins", "tools")


def main() -> int:
    """Run the demo; returns its exit status."""
    try:
        from tools.demo import run  # noqa: PLC0415 - imports what may be missing

        return run.main()
    except ImportError as error:
        if (error.name or "").partition(".")[0] in OWN:
            raise
        what = str(error)
        print(
            f"error: .venv is damaged ({what[:1].lower()}{what[1:]}): make clean, then again", file=sys.stderr
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
