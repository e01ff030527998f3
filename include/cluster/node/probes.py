"""Startup, liveness and readiness probes of one running container."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from include.cluster.node import actions
from include.cluster.node.process import Process

Object = dict[str, Any]

KINDS = ("startup", "liveness", "readiness")


class Prober:
    """Probes one container with one of its probes for as long as it runs.

    Args:
        kind: one of :data:`KINDS`.
        container: the container's spec.
        process: the running container.
        address: the pod's address.
        started: set when the startup probe has succeeded (at once where there is none).
        verdict: called with True or False each time a threshold is reached.
        event: writes an event about the container.
    """

    def __init__(
        self,
        kind: str,
        container: Object,
        process: Process,
        address: str,
        started: asyncio.Event,
        verdict: Callable[[str, bool], None],
        event: Callable[[str, str, str], None],
    ) -> None:
        self._kind = kind
        self._container = container
        self._spec: Object = container[f"{kind}Probe"]
        self._process = process
        self._address = address
        self._started = started
        self._verdict = verdict
        self._event = event

    async def run(self) -> None:
        """Probes until the container ends, or the probe has nothing more to say."""
        spec = self._spec
        delay = float(spec.get("initialDelaySeconds") or 0)
        period = float(spec.get("periodSeconds") or 10)
        timeout = float(spec.get("timeoutSeconds") or 1)
        needed = {True: int(spec.get("successThreshold") or 1), False: int(spec.get("failureThreshold") or 3)}
        await asyncio.sleep(delay)
        if self._kind != "startup":
            await self._started.wait()
        last, count = True, 0
        while self._process.alive:
            outcome = await actions.run(self._spec, self._container, self._process, self._address, timeout)
            if not self._process.alive:
                return
            if outcome.error:
                text = (
                    f"{self._kind.capitalize()} probe errored and resulted in unknown state: {outcome.error}"
                )
                self._event("Warning", "Unhealthy", text)
            else:
                count = count + 1 if outcome.ok == last else 1
                last = outcome.ok
                if not outcome.ok:
                    self._event(
                        "Warning", "Unhealthy", f"{self._kind.capitalize()} probe failed: {outcome.output}"
                    )
                if count >= needed[last]:
                    self._verdict(self._kind, last)
                    if self._is_over(last):
                        return
            await asyncio.sleep(period)

    def _is_over(self, ok: bool) -> bool:
        """A startup probe ends with its success; a failed startup or liveness probe ends the container."""
        return self._kind == "startup" or (self._kind == "liveness" and not ok)
