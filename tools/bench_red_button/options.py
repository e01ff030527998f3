"""What can be set from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.demo.options import ROOT, DemoError

HOME = ROOT / ".test" / "bench-red-button"
SIZES = (1, 100, 1000)
"""The keys of the result: guards_<n>."""
MOST_ON_SQLITE = 10
"""More guards than this get PostgreSQL: SQLite answers 'database is locked' where many tasks end at once."""


@dataclass(frozen=True)
class Options:
    """How to measure.

    Args:
        guards: how many guards watch, one measurement each.
        presses: presses per measurement.
        cut_presses: presses while the watch is cut; 0 leaves that part out.
        cut_guards: how many guards watch in that part.
        cut_seconds: how long a connection lives on average in that part.
        idle_seconds: how long the idle triggerer is looked at.
        kubeconfig: a cluster of the user's; None starts the embedded one.
        home: where its files are.
    """

    guards: tuple[int, ...] = SIZES
    presses: int = 50
    cut_presses: int = 20
    cut_guards: int = 5
    cut_seconds: float = 4.0
    idle_seconds: float = 30.0
    kubeconfig: Path | None = None
    home: Path = HOME


def read(environ: Mapping[str, str]) -> Options:
    """Options from GUARDS, PRESSES, CUT_PRESSES, IDLE_SECONDS and KUBECONFIG. Raises DemoError."""
    own = Options()
    guards = environ.get("GUARDS", "").strip()
    kubeconfig = environ.get("KUBECONFIG", "").strip()
    path = Path(kubeconfig).expanduser().resolve() if kubeconfig else None
    if path is not None and not path.is_file():
        raise DemoError(f"KUBECONFIG={kubeconfig}: there is no such file")
    sizes = (
        tuple(_number("GUARDS", text.strip(), 1, 5000) for text in guards.split(","))
        if guards
        else own.guards
    )
    return Options(
        guards=tuple(dict.fromkeys(sizes)),
        presses=_number("PRESSES", environ.get("PRESSES", ""), 1, 10_000, own.presses),
        cut_presses=_number("CUT_PRESSES", environ.get("CUT_PRESSES", ""), 0, 10_000, own.cut_presses),
        idle_seconds=_number("IDLE_SECONDS", environ.get("IDLE_SECONDS", ""), 1, 3600, int(own.idle_seconds)),
        kubeconfig=path,
    )


def _number(name: str, text: str, least: int, most: int, default: int | None = None) -> int:
    if not text and default is not None:
        return default
    if not text.isdigit() or not least <= int(text) <= most:
        raise DemoError(
            f"{name}={text}: expected whole numbers from {least} to {most}, such as {name}={least}"
        )
    return int(text)
