"""Why containers ended: the classifier, fed with what a watch has and the ends of their logs."""

from __future__ import annotations

from collections.abc import Iterable

from include.release.kube_async import AsyncCluster
from include.restarts.cause import classify
from include.restarts.ended import shown_in
from include.restarts.facts import Restart
from include.restarts.redact import redact
from include.restarts.tails import Tail, tails
from include.restarts.view import View


async def explained(cluster: AsyncCluster, view: View, restarts: Iterable[Restart]) -> list[Restart]:
    """The restarts with their cause and its evidence.

    Logs are asked for those only that can have one; what is not there, or not in time, is done without. One that
    nobody saw stays unknown.
    """
    wanted = list(restarts)
    seen = [each for each in wanted if each.seen and view.pod(each.pod_uid) is not None]
    logs = await tails(cluster, view.namespace, [(each.pod, each.container) for each in seen])
    keys = {each.key for each in seen}
    return [
        explain(view, each, logs.get((each.pod, each.container), {})) if each.key in keys else each
        for each in wanted
    ]


def explain(view: View, restart: Restart, logs: Tail) -> Restart:
    """One restart with its cause. A pod that cannot be understood gives an unknown cause, and says so."""
    shown, of_now = shown_in(view, restart)
    if shown is None:
        return restart
    events = list(view.events_by_pod_uid.get(restart.pod_uid, ()))
    # Logs are those of the newest ends: an older one has its termination message, exit code and events.
    logs = logs if of_now else {}
    try:
        finding = classify(shown, restart.container, events, {restart.container: dict(logs)})
    except Exception as error:  # the watch must go on, whatever a pod looks like
        evidence = redact(f"could not be classified: {type(error).__name__}: {error}")
        return restart.model_copy(update={"cause": "unknown", "evidence": evidence})
    return restart.model_copy(update={"cause": finding.cause, "evidence": redact(finding.evidence)})
