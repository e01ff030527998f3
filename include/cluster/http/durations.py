"""Ages in the words of kubectl: ``5s``, ``2m``, ``8m53s``, ``3h``, ``2d4h``."""

from __future__ import annotations

from include.cluster.registry import clock

UNKNOWN = "<unknown>"


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 31536000
# Up to so many seconds: the unit, and the smaller one shown beside it.
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def human(seconds: float) -> str:
    """A duration as Kubernetes' HumanDuration shortens it."""
    total = int(seconds)
    if total < 0:
        return "<invalid>" if total < -1 else "0s"
    for limit, unit, name, small, small_name in _STEPS:
        if total < limit:
            rest = total % unit // small if small else 0
            return f"{total // unit}{name}" + (f"{rest}{small_name}" if rest else "")
    return f"{total // _YEAR}y"


def since(stamp: str | None) -> str:
    """How long ago a timestamp was."""
    if not stamp:
        return UNKNOWN
    return human((clock.now() - clock.parse(stamp)).total_seconds())


def between(start: str, end: str) -> str:
    """From one timestamp to another."""
    return human((clock.parse(end) - clock.parse(start)).total_seconds())
