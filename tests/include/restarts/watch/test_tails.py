"""The ends of logs: of very long lines, too, the last ones are read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.restarts.tails import tails


@pytest.mark.parametrize(("length", "asked"), [(100, {50}), (2000, {50, 5})])
def test_the_last_line_is_read_however_long_the_lines_are(length: int, asked: set[int]) -> None:
    seen: set[int] = set()

    class Verbose:
        async def log(self, *_: str, previous: bool, tail: int, limit_bytes: int) -> str:
            seen.add(tail)
            lines = [*("x" * length for _ in range(60)), "network failure"]
            # as the kubelet counts: from the first of the last lines
            return "\n".join(lines[-tail:])[:limit_bytes]

    there: Any = Verbose()
    found = asyncio.run(tails(there, "sre", [("web-1", "main")]))
    assert str(found["web-1", "main"]["previous"]).endswith("network failure")
    assert seen == asked
