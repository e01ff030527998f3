"""Whether the kubelet killed the process, and for what: a probe, a hook, a change of the pod."""

from __future__ import annotations

import re
from typing import Any

from include.restarts.cause.events import Event, about, exactly_then, in_this_run, of_this_death
from include.restarts.cause.kubelet import SIGNALS, Verdict
from include.restarts.cause.rules import Rules
from include.restarts.cause.status import Container
from include.restarts.facts import Cause

PROBES: dict[str, Cause] = {"startup": "startup_probe", "liveness": "liveness"}
"""Probes that kill; a readiness probe does not."""

_ITSELF = re.compile(r"localhost|\b127\.\d+\.\d+\.\d+|\[?::1\]?|\b0\.0\.0\.0\b")
_HTTP_OR_TCP = re.compile(
    r"^(Get \"|dial tcp|HTTP probe failed|timeout: failed to connect service|service unhealthy)"
)
_NAMES_HOST = re.compile(
    r"://[a-z]|\d+\.\d+\.\d+\.\d+|\b(?:to|host|at|on|address|resolve|lookup|server)\b:? ['\"(]*[a-z][\w-]*[.:\w]",
    re.IGNORECASE,
)


def killed_by_kubelet(
    pod: dict[str, Any], container: Container, events: list[Event], rules: Rules
) -> Verdict | None:
    """A probe that failed, a hook, a change of the image: the kubelet says so when it kills."""
    death = container.death
    if death is None:
        return None
    mine = [each for each in about(events, container) if each.reason == "Killing"]
    grace = int((pod.get("spec") or {}).get("terminationGracePeriodSeconds") or 30)
    # a process is killed once: a kill while it ran is what ended it, however long that took
    kills = [each for each in mine if in_this_run(each, death, grace)]
    if not kills and (death.exit_code == 0 or death.exit_code in SIGNALS):
        kills = [each for each in mine if each.count > 1 and of_this_death(each, death, grace)]
    said = " ".join(each.message for each in kills)
    for kind, cause in PROBES.items():
        # the event of the kill may be gone or late: a failed probe right before such an end is enough
        failed = _failed(container, events, kind) if death.exit_code in (137, 143) else []
        if f"failed {kind} probe" in said or (failed and exactly_then(failed[-1], death, grace)):
            return _probe(pod, container, events, rules, kind, cause)
    if "PostStartHook" in said:
        return Verdict("config", "postStart hook failed", ("application",))
    return Verdict("config", said) if "definition changed" in said else None


def _failed(container: Container, events: list[Event], kind: str) -> list[Event]:
    words = f"{kind} probe"
    return [
        each for each in about(events, container)
        if each.reason == "Unhealthy" and each.message.lower().startswith(words)
    ]  # fmt: skip


def _probe(
    pod: dict[str, Any], container: Container, events: list[Event], rules: Rules, kind: str, cause: Cause
) -> Verdict:
    failed = _failed(container, events, kind)
    said = failed[-1].message if failed else f"{kind} probe failed"
    answer = said.partition("failed: ")[2] or said.partition("errored: ")[2]
    pattern = rules.first(answer.strip())
    if pattern and pattern.cause == "network" and _asks_another(pod, container, kind, answer):
        return Verdict("network", f"killed for its {kind} probe, which said: {answer.strip()}", (cause,))
    return Verdict(cause, f"killed by the kubelet: {said.strip()}")


def _asks_another(pod: dict[str, Any], container: Container, kind: str, answer: str) -> bool:
    """Whether the probe asked somebody else: a refusal by the container itself is no failure of the network."""
    probe = container.spec.get(f"{kind}Probe") or {}
    for how in ("httpGet", "tcpSocket"):
        if how in probe:
            host = str((probe[how] or {}).get("host") or "")
            return bool(host) and not _ITSELF.search(host)
    if "grpc" in probe or ("exec" not in probe and _HTTP_OR_TCP.match(answer.strip())):
        return False
    own = str((pod.get("status") or {}).get("podIP") or "")
    if _ITSELF.search(answer) or (own and own in answer):
        return False
    return bool(_NAMES_HOST.search(answer))
