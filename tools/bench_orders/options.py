"""What can be set from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.demo.options import ROOT, DemoError

HOME = ROOT / ".test" / "bench-orders"


@dataclass(frozen=True)
class Options:
    """How to measure.

    Args:
        orders: how many are worked off in each run.
        scale: an order takes 10 to 15 s times this.
        kill_seconds: a worker is killed each time so many seconds have passed.
        backlog: how many orders wait while claims are counted.
        claim_seconds: for how long claims are counted.
        home: where its files are.
    """

    orders: int = 400
    scale: float = 0.1
    kill_seconds: float = 3.0
    backlog: int = 1_000_000
    claim_seconds: float = 5.0
    home: Path = HOME


def read(environ: Mapping[str, str]) -> Options:
    """Options from ORDERS, SCALE, KILL_SECONDS and BACKLOG. Raises DemoError."""
    own = Options()
    return Options(
        orders=int(_number(environ, "ORDERS", own.orders, 4, 100_000)),
        scale=_number(environ, "SCALE", own.scale, 0.002, 1),
        kill_seconds=_number(environ, "KILL_SECONDS", own.kill_seconds, 0.5, 3600),
        backlog=int(_number(environ, "BACKLOG", own.backlog, 1000, 10_000_000)),
    )


def _number(environ: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not least <= found <= most or (isinstance(default, int) and found != int(found)):
        whole = "a whole number" if isinstance(default, int) else "a number"
        raise DemoError(
            f"{name}={text}: expected {whole} from {least:g} to {most:g}, such as {name}={default:g}"
        )
    return found
