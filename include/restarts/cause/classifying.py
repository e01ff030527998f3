"""Why a container's process ended: Kubernetes' own word first, then the exit code, then the program's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from include.restarts.cause import kubelet
from include.restarts.cause.events import events_of
from include.restarts.cause.finding import Finding
from include.restarts.cause.kills import killed_by_kubelet
from include.restarts.cause.kubelet import Verdict
from include.restarts.cause.last_words import FAILURE, WRAPPER, Words, last_words, usable
from include.restarts.cause.rules import Rules
from include.restarts.cause.rules import rules as read_rules
from include.restarts.cause.showing import shown
from include.restarts.cause.status import Container, Death, container_of
from include.restarts.facts import Cause

Logs = Mapping[str, Mapping[str, Any]]
_CONFIG_CODES = {126: "command cannot be executed", 127: "command not found"}


def classify(
    pod: Mapping[str, Any],
    container: str,
    events: Iterable[Mapping[str, Any]] = (),
    logs: Logs | None = None,
    rules: Rules | None = None,
) -> Finding:
    """Why the last process of this container ended.

    Args:
        pod: the Pod as the API answers it; whatever is absent is treated as not known.
        container: name of a container, an init container or a sidecar of it.
        events: the pod's Events.
        logs: per container the text of its ``previous`` and its ``current`` log; None or an answer that is no
            text where there was none to be had.
        rules: the words to look for; those of causes.yaml when not given.
    """
    chosen = rules or read_rules()
    found = container_of(dict(pod), container)
    verdict = _verdict(
        dict(pod), found, [dict(each) for each in events], (logs or {}).get(container) or {}, chosen
    )
    alternatives = tuple(dict.fromkeys(each for each in verdict.alternatives if each != verdict.cause))
    return Finding(verdict.cause, found.role, shown(verdict.evidence), alternatives)


def _verdict(
    pod: dict[str, Any],
    container: Container,
    raw: list[dict[str, Any]],
    logs: Mapping[str, Any],
    rules: Rules,
) -> Verdict:
    events = events_of(raw)
    death = container.death
    if death and death.reason == "OOMKilled":
        return Verdict("oom", f"OOMKilled, exit code {death.exit_code}")
    said = (
        kubelet.taken_by_node(pod, events, container)
        or kubelet.not_made(container, events, rules)
        or killed_by_kubelet(pod, container, events, rules)
    )
    if said is not None:
        return _also_network(said, container, logs, rules) if said.cause == "liveness" else said
    if death is None:
        waits = f"waits: {container.waiting}" if container.waiting else "has not ended"
        return Verdict("unknown", f"{container.name} {waits}")
    return _by_code(death, _words(container, logs, rules))


def _by_code(death: Death, words: Words | None) -> Verdict:
    code = death.exit_code
    named = (words.cause, *words.alternatives) if words else ()
    if code == 0:
        return Verdict(
            "clean_exit", "ended by itself with exit code 0", tuple(c for c in named if c == "network")
        )
    signal = kubelet.signal_name(death)
    if signal and not (code == kubelet.ABORT and words and words.what not in (FAILURE, WRAPPER)):
        crash: tuple[Cause, ...] = ("application",)
        return Verdict(
            "signal",
            f"ended by {signal} (exit code {code})",
            tuple(c for c in named if c == "network") + crash,
        )
    if code in _CONFIG_CODES and (words is None or words.what == FAILURE or words.cause == "unknown"):
        line = f": {words.line}" if words else ""
        return Verdict("config", f"exit code {code}, {_CONFIG_CODES[code]}{line}", ("application",))
    if words:
        also: tuple[Cause, ...] = (*words.alternatives, *_near(words))
        return Verdict(words.cause, f"exit code {code}, {words.what}: {words.line}", also)
    return Verdict("unknown", f"exit code {code}, and no last words that say why", ("application", "network"))


def _near(words: Words) -> tuple[Cause, ...]:
    """Settings and the program that refuses them are near to each other, and so is its own memory to the node's."""
    if words.what == "out of memory inside the program":
        return ("oom",)
    return {"application": ("config",), "config": ("application",)}.get(words.cause, ())  # type: ignore[return-value]


def _words(container: Container, logs: Mapping[str, Any], rules: Rules) -> Words | None:
    """The program's own last words: its termination message, else the log of the run that died."""
    death = container.death
    message = usable(death.message) if death else ""
    if message:
        found = last_words(message, rules)
        if found is not None:
            return found
        if container.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return Words("application", "termination message", message.strip().splitlines()[-1])
    log = _log_of_death(container, logs)
    return last_words(log, rules) if log else None


def _log_of_death(container: Container, logs: Mapping[str, Any]) -> str:
    """The log of the run that died; of another run of the container when that one is not to be had.

    It is the current one only while the container has not been started again. A log that is there and empty is an
    answer: the run died without a word.
    """
    order = ("current", "previous") if container.ended else ("previous", "current")
    for which in order:
        log = logs.get(which)
        if usable(log) or (isinstance(log, str) and not log.strip()):
            return usable(log)
    return ""


def _also_network(said: Verdict, container: Container, logs: Mapping[str, Any], rules: Rules) -> Verdict:
    """A program that hangs because the other end does is killed for its probe: worth knowing, no proof."""
    words = _words(container, logs, rules)
    if words and words.cause == "network":
        return Verdict(said.cause, said.evidence, (*said.alternatives, "network"))
    return said
