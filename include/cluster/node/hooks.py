"""Lifecycle hooks: after a container's start and before its end."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from include.cluster.node import actions

if TYPE_CHECKING:
    from include.cluster.node.container import Container

Object = dict[str, Any]

_AFTER_START_TIME = 3600.0


async def run_after_start(container: Container, hook: Object) -> str:
    """Runs postStart. Returns why it failed, in the words of a kubelet, or nothing."""
    process = container.process
    assert process is not None
    if "sleep" in hook:
        await asyncio.sleep(float(hook["sleep"]["seconds"]))
        return ""
    outcome = await actions.run(
        hook, container.spec, process, container.context.place.address, _AFTER_START_TIME
    )
    if outcome.ok:
        return ""
    where = f'for Container "{container.name}" in Pod "{container.context.full_name}" failed - error: '
    if "exec" not in hook:
        path = (hook.get("httpGet") or {}).get("path", "/")
        return f"HTTP lifecycle hook ({path}) {where}{outcome.error or outcome.output}"
    argv = hook["exec"].get("command") or []
    said = f"command '{' '.join(argv)}' exited with {outcome.code}: {outcome.output}"
    why = outcome.error or f"{said}, message: {json.dumps(outcome.output)}"
    return f"Exec lifecycle hook ([{' '.join(argv)}]) {where}{why}"


async def run_before_stop(container: Container, hook: Object, timeout: float) -> None:
    """Runs preStop; a failure is an event, and the end goes on."""
    process = container.process
    if process is None:
        return
    if "sleep" in hook:
        await asyncio.sleep(min(float(hook["sleep"]["seconds"]), timeout))
        return
    outcome = await actions.run(
        hook, container.spec, process, container.context.place.address, max(timeout, 0.1)
    )
    if not outcome.ok:
        container.event("Warning", "FailedPreStopHook", "PreStopHook failed")
