"""The ends of containers' logs, as evidence: short, soon or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from include.release.kube import KubeError
from include.release.kube_async import AsyncCluster

TAIL_LINES = 50
FEW_LINES = 5
MOST_BYTES = 64 * 1024
SECONDS = 2.0
"""A log that is not there by then is done without: the press does not wait for a node that answers slowly."""
ALL_SECONDS = 4.0
"""For all logs together, of however many containers."""
AT_ONCE = 8

Tail = dict[str, str | None]


async def tails(
    cluster: AsyncCluster,
    namespace: str,
    containers: Iterable[tuple[str, str]],
    *,
    seconds: float = SECONDS,
) -> dict[tuple[str, str], Tail]:
    """The last lines of some containers (pod, container), of the run before (``previous``) and of now (``current``).

    A log that cannot be had, or not in time, is None; nothing is raised.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    async def tail(pod: str, container: str, previous: bool) -> str | None:
        try:
            async with turns, asyncio.timeout(seconds):
                text = ""
                for lines in (TAIL_LINES, FEW_LINES):
                    text = await cluster.log(
                        namespace, pod, container, previous=previous, tail=lines, limit_bytes=MOST_BYTES
                    )
                    # The bytes are counted from the first of the lines: of very long ones the last is not among them.
                    if len(text.encode()) < MOST_BYTES:
                        break
                return text
        except (KubeError, TimeoutError):
            return None

    wanted = list(dict.fromkeys(containers))
    asked = {
        (each, previous): asyncio.ensure_future(tail(*each, previous))
        for each in wanted
        for previous in (True, False)
    }
    if not asked:
        return {}
    try:
        await asyncio.wait(asked.values(), timeout=ALL_SECONDS)
    finally:
        for task in asked.values():
            task.cancel()

    def text(each: tuple[str, str], previous: bool) -> str | None:
        task = asked[each, previous]
        return task.result() if task.done() and not task.cancelled() else None

    return {each: {"previous": text(each, True), "current": text(each, False)} for each in wanted}
