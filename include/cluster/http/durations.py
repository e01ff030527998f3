"""Ages in the words of kubectl: ``5s``, ``2m``, ``8m53s``, ``3h``, ``2d4h``."""

from __future__ import annotations

from include.cluster.registry import clock

UNKNOWN = "<unknown>"


def human(seconds: float) -> str:
    """A duration as Kubernetes' HumanDuration shortens it."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    minutes, hours, days, years = total // 60, total // 3600, total // 86400, total // 31536000
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if years < 8:
        return _two(years, "y", days % 365, "d")
    return f"{years}y"


def since(stamp: str | None) -> str:
    """How long ago a timestamp was."""
    if not stamp:
        return UNKNOWN
    return human((clock.now() - clock.parse(stamp)).total_seconds())


def between(start: str, end: str) -> str:
    """From one timestamp to another."""
    return human((clock.parse(end) - clock.parse(start)).total_seconds())


def _two(first: int, first_unit: str, second: int, second_unit: str) -> str:
    return f"{first}{first_unit}{second}{second_unit}" if second else f"{first}{first_unit}"
