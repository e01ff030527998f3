"""The texts that on-call reads when a rollout or a migration does not end well."""

from __future__ import annotations

from collections.abc import Mapping

from include.release.diagnosis import Trouble, event_line, event_time
from include.release.rollout import Snapshot, Verdict, owned_by
from include.release.texts import indented, last_lines

EVENTS_SHOWN = 12
LINES_SHOWN = 20
OF_A_RELEASE = (
    "What now: the pods of the previous build still serve (no old pod ends before a new one is ready).\n"
    "  - in a release: it goes back by itself after this. Put the cause right, in the cluster or in the release's "
    "file, and trigger a new run\n"
    "  - in a rollback: nothing goes back by itself. Put the cause right in the cluster and clear this task"
)


def rollout_failure(
    title: str,
    verdicts: list[Verdict],
    found: list[Trouble],
    snapshot: Snapshot,
    logs: Mapping[tuple[str, str], str],
    what_now: str | None = None,
) -> str:
    """One text with the reason first, then what the cluster said and the last log lines.

    Args:
        title: what is rolled out where.
        verdicts: one of each Deployment.
        found: what held it up, the most telling first.
        snapshot: the state in which that was seen.
        logs: last log lines by pod and container.
        what_now: what to do; by default what holds for a release and its rollback; empty when the caller says it.
    """
    failed = [verdict.text for verdict in verdicts if verdict.phase == "failed"]
    reason = found[0].text if found else (failed[0] if failed else "the rollout did not end in time")
    parts = [f"The rollout of {title} failed: {reason}"]
    parts.append("State of each Deployment:\n" + indented("\n".join(verdict.text for verdict in verdicts)))
    others = [trouble.text for trouble in found[1:] if trouble.text != reason]
    if others:
        parts.append("Also seen:\n" + indented("\n".join(dict.fromkeys(others[:5]))))
    lines = [event_line(event) for event in relevant_events(snapshot)]
    if lines:
        parts.append(f"Events (last {len(lines)}, UTC):\n" + indented("\n".join(lines)))
    for (pod, container), text in logs.items():
        if text.strip():
            parts.append(
                f"Last log lines of {container} in pod {pod}:\n" + indented(last_lines(text, LINES_SHOWN))
            )
    if advice := OF_A_RELEASE if what_now is None else what_now:
        parts.append(advice)
    return "\n\n".join(parts)


def relevant_events(snapshot: Snapshot) -> list[dict[str, object]]:
    """The last warnings about the Deployments, their ReplicaSets and their pods."""
    names = set()
    for deployment in snapshot.deployments:
        names.add(deployment["metadata"]["name"])
        owned = [each for each in snapshot.replica_sets if owned_by(each, deployment)]
        names.update(each["metadata"]["name"] for each in owned)
        names.update(
            pod["metadata"]["name"] for pod in snapshot.pods if any(owned_by(pod, each) for each in owned)
        )
    found = [
        event
        for event in snapshot.events
        if (event.get("involvedObject") or {}).get("name") in names and event.get("type") == "Warning"
    ]
    return sorted(found, key=event_time)[-EVENTS_SHOWN:]
