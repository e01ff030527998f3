"""What became of a run, in one word and in one paragraph that everybody reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from include.release.frozen import LABEL_APP
from include.release.kube import Cluster
from include.release.refs import parse_reference
from include.release.smoke import serving_pods
from include.release.texts import plural

Outcome = Literal["released", "failed", "refused", "rolled back", "interrupted", "dry run"]
Kind = Literal["release", "rollback"]
GOOD_STATES = frozenset({"success", "skipped"})


@dataclass(frozen=True)
class Step:
    """How one task of the run ended.

    Args:
        task_id: its id.
        state: success, failed, skipped, upstream_failed, removed; empty when it did not end.
        changes: it is one that changes the cluster.
        rolls_back: it belongs to the automatic rollback.
        reason: why it failed, in one sentence.
        trouble: it failed by something around it, not by a check that said no.
        refused: it failed by a check that said no before the task did something.
        said: what it has to say to the paragraph, in one or more sentences.
        afterwards: it comes when the change is made and checked; its failure does not take the change back.
    """

    task_id: str
    state: str
    changes: bool = False
    rolls_back: bool = False
    reason: str = ""
    trouble: bool = False
    refused: bool = False
    said: str = ""
    afterwards: bool = False

    @property
    def why(self) -> str:
        """The reason, in words for each case."""
        return self.reason or "it ended without saying why (killed, or its worker was lost); its log may tell"


@dataclass(frozen=True)
class Conclusion:
    """The outcome in a word, and the paragraph."""

    outcome: Outcome
    text: str
    good: bool
    """The run did what it was asked for, with nothing left to do."""


def conclude(
    kind: Kind,
    title: str,
    steps: Sequence[Step],
    *,
    dry_run: bool = False,
    serving: str = "",
    ended_by_hand: bool = False,
) -> Conclusion:
    """The conclusion of a run.

    Args:
        kind: what the run was asked for.
        title: how texts name it: ``release-2 (shop) in production``.
        steps: its tasks in their order, without those that conclude, record and tell.
        dry_run: it was to change nothing.
        serving: what serves now, in a sentence; empty when nobody could be asked.
        ended_by_hand: somebody marked the run failed or success. Airflow skips the tasks that had not begun then, and
            gives those that ran the state that was asked for, so their states say nothing of what they did.
    """
    main = [step for step in steps if not step.rolls_back]
    back = [step for step in steps if step.rolls_back]
    failed = [step for step in main if step.state == "failed"]
    open_ends = [step for step in main if step.state not in GOOD_STATES and step.state != "failed"]
    if ended_by_hand:
        return _ended_by_hand(kind, title, main, serving)
    if dry_run and not failed and not open_ends:
        return Conclusion("dry run", f"Dry run of {_intent(kind, title)}: nothing was changed.", True)
    if not failed and not open_ends:
        return _done(kind, title, main, serving)
    if not failed:
        return _interrupted(kind, title, main, open_ends[0], serving)
    first = failed[0]
    begun = [step for step in main if step.changes and _has_begun(step)]
    if dry_run or not begun:
        return _refused(kind, title, first, serving, dry_run)
    if first.afterwards:
        text = f"{_success(kind, title)}, but `{first.task_id}` failed after it: {_sentence(first.why)}"
        return Conclusion(_good_word(kind), _join(text, serving, f"Clear `{first.task_id}`."), False)
    return _failed(kind, title, first, begun, back, serving)


def _has_begun(step: Step) -> bool:
    return step.state == "success" or (step.state == "failed" and not step.refused)


def _intent(kind: Kind, title: str) -> str:
    return f"the rollback to {title}" if kind == "rollback" else title


def _success(kind: Kind, title: str) -> str:
    return f"The rollback to {title} is done" if kind == "rollback" else f"{title} was released"


def _good_word(kind: Kind) -> Outcome:
    return "rolled back" if kind == "rollback" else "released"


def _done(kind: Kind, title: str, main: Sequence[Step], serving: str) -> Conclusion:
    said = [step.said for step in main if step.said]
    return Conclusion(_good_word(kind), _join(f"{_success(kind, title)}.", *said, serving), True)


def _ended_by_hand(kind: Kind, title: str, main: Sequence[Step], serving: str) -> Conclusion:
    begun = [f"`{step.task_id}`" for step in main if step.changes and step.state in ("success", "failed")]
    changed = f"Begun by then: {', '.join(begun)}." if begun else "No task that changes something had begun."
    after = (
        "The next run says what state was left and offers to go on; the DAG rollback goes back."
        if begun
        else ""
    )
    text = f"{_start(kind, title)} was interrupted: somebody marked the run failed or success before its end."
    return Conclusion("interrupted", _join(text, changed, serving, after), False)


def _interrupted(kind: Kind, title: str, main: Sequence[Step], at: Step, serving: str) -> Conclusion:
    begun = [f"`{step.task_id}`" for step in main if step.changes and step.state in GOOD_STATES]
    changed = f"Done by then: {', '.join(begun)}." if begun else "No task that changes something had ended."
    return Conclusion(
        "interrupted",
        _join(
            f"{_start(kind, title)} was interrupted: `{at.task_id}` did not run to its end, and no task failed "
            "(somebody marked a task or the run, or deleted a task).",
            changed,
            serving,
            "The next run says what state was left and offers to go on; the DAG rollback goes back.",
        ),
        False,
    )


def _refused(kind: Kind, title: str, first: Step, serving: str, dry_run: bool) -> Conclusion:
    if first.trouble:
        text = f"{_start(kind, title)} failed at `{first.task_id}`, before anything was changed: {_sentence(first.why)}"
        advice = f"Put the cause right and clear `{first.task_id}`."
    else:
        text = f"{_start(kind, title)} was refused by `{first.task_id}`: {_sentence(first.why)} Nothing was changed."
        advice = f"The log of `{first.task_id}` says what to do."
    if dry_run:
        text = f"Dry run: {text}"
    return Conclusion("failed" if first.trouble else "refused", _join(text, serving, advice), False)


def _failed(
    kind: Kind, title: str, first: Step, begun: Sequence[Step], back: Sequence[Step], serving: str
) -> Conclusion:
    text = f"{_start(kind, title)} failed at `{first.task_id}`: {_sentence(first.why)}"
    said = [step.said for step in back if step.said and step.state != "failed"]
    broken = next((step for step in back if step.state == "failed"), None)
    undone = [step for step in back if step.changes and step.state == "success"]
    if broken is not None:
        stop = f"The rollback stopped at `{broken.task_id}`: {_sentence(broken.why)}"
        advice = f"Somebody has to act now; the log of `{broken.task_id}` has the choices."
        return Conclusion("failed", _join(text, *said, stop, serving, advice), False)
    if undone:
        advice = f"Find the cause in the log of `{first.task_id}` before the next try."
        head = "" if said else "What was changed has been rolled back."
        return Conclusion("rolled back", _join(text, head, *said, serving, advice), False)
    done = ", ".join(f"`{step.task_id}`" for step in begun if step.state == "success")
    head = f"Done by then and not rolled back: {done}." if done else "Nothing was rolled back."
    advice = f"The log of `{first.task_id}` says what to do."
    return Conclusion("failed", _join(text, *(said or [head]), serving, advice), False)


def _start(kind: Kind, title: str) -> str:
    return f"The rollback to {title}" if kind == "rollback" else title


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _join(*parts: str) -> str:
    return " ".join(" ".join(part.split()) for part in parts if part.strip())


def what_serves(cluster: Cluster, namespace: str, app: str) -> str:
    """What takes traffic now, in a sentence: pods by Deployment and image. Raises KubeError."""
    deployments = cluster.list("Deployment", namespace, labels=f"{LABEL_APP}={app}")
    if not deployments:
        return f"Nothing of {app} is deployed."
    pods = cluster.list("Pod", namespace)
    parts = [_served(deployment, pods) for deployment in deployments]
    return f"Now serving: {'; '.join(parts)}."


def _served(deployment: Mapping[str, Any], pods: list[dict[str, Any]]) -> str:
    wanted = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
    matching = [pod for pod in pods if wanted.items() <= (pod["metadata"].get("labels") or {}).items()]
    serving = set(serving_pods(matching))
    counts: dict[str, int] = {}
    for pod in matching:
        if pod["metadata"]["name"] in serving:
            image = pod["spec"]["containers"][0]["image"]
            reference = parse_reference(image)
            short = reference.short if reference else image
            counts[short] = counts.get(short, 0) + 1
    shown = " and ".join(f"{plural(count, 'pod')} of {image}" for image, count in sorted(counts.items()))
    return f"{deployment['metadata']['name']} has {shown or 'no pod'}"
