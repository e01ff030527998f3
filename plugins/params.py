"""The params that the procedures share: the form that on-call fills in, worded once.

A text that may be left empty has the type ``null`` too: the form asks for every other one.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from include.logs.wishing import DAY, FILES, TO
from include.release.asking import (
    BREAK_LOCK,
    FORCE,
    GO_ON,
    INTERRUPTED,
    OUTSIDE_WINDOW,
    REASON,
    REASON_LENGTH,
    REPLICAS,
    STOP,
)
from include.release.loading import Sources, choice
from include.release.targeting import BEFORE, PREVIOUS

SELDOM = "Only when something is not as usual"
"""A part of the form that is folded up."""


def release_params(sources: Sources) -> dict[str, Param]:
    """What the DAG ``release`` asks for."""
    return {
        "release": _one_of(
            "Release", "What to release: a file in include/releases/.", sources.release_names()
        ),
        **place_params(sources),
        INTERRUPTED: Param(
            default=STOP,
            type="string",
            enum=[STOP, GO_ON],
            section=SELDOM,
            title="After an interrupted run",
            description="What to do when the run before was ended half-way: stop and say what it left, or go on "
            "from there with this release.",
        ),
        OUTSIDE_WINDOW: _text(
            "Outside the change window",
            "In an emergency: why this release cannot wait for the next open hours. Only who may approve there may "
            "say so. Empty: inside the window only.",
        ),
        **guard_params(),
    }


def rollback_params(sources: Sources) -> dict[str, Param]:
    """What the DAG ``rollback`` asks for."""
    apps = sources.app_names()
    only: dict[str, Any] = {"default": apps[0]} if len(apps) == 1 else {}
    return {
        "app": _one_of("Application", "What to roll back.", apps, **only),
        "target": _one_of(
            "Target",
            f"Where to: {PREVIOUS} (the release before the one that is live), the name of a release that was live "
            f"before, or '{BEFORE}<run>' (what that run found, such as {BEFORE}release/manual__2026-11-21).",
            [PREVIOUS, *sources.release_names()],
            default=PREVIOUS,
            minLength=1,
        ),
        **place_params(sources),
        **guard_params(),
    }


def place_params(sources: Sources) -> dict[str, Param]:
    """Where, whether in earnest, and why: asked by every procedure that changes an environment."""
    return {
        "environment": _one_of(
            "Environment",
            "Where to: one of include/config/environments.yaml, which says who may do so there.",
            sources.release_environment_names(),
        ),
        **intent_params(),
    }


def intent_params() -> dict[str, Param]:
    """Whether in earnest, and why."""
    return {
        "dry_run": Param(
            default=False,
            type="boolean",
            title="Dry run",
            description="Change nothing; the task logs show what would be changed, object by object.",
        ),
        REASON: Param(
            type="string",
            minLength=REASON_LENGTH,
            title="Reason",
            description="Why now, in a few words (a ticket, a change number). It goes on record.",
        ),
    }


def rearm_params() -> dict[str, Param]:
    """What the DAGs that re-arm a guard ask for. Where is the guard's configuration."""
    return {
        **intent_params(),
        FORCE: _text(
            "Although the upstream is down",
            "Why it is re-armed although the upstream does not answer. Only who may approve there may say so. Empty: "
            "only when it answers.",
        ),
        REPLICAS: Param(
            default=None,
            section=SELDOM,
            title="Replicas",
            description="How many to bring back, where the note of the press does not say it. Empty: as before the "
            "press.",
            type=["null", "integer"],
            minimum=1,
        ),
        BREAK_LOCK: _break_lock(),
    }


def cleanup_params(names: list[str]) -> dict[str, Param]:
    """What the DAG ``log_cleanup`` asks for; its schedule asks for nothing."""
    known: dict[str, Any] = {"examples": names} if names else {}
    intent = intent_params()
    return {
        "volumes": Param(
            default=[],
            type="array",
            items={"type": "string"},
            title="Volumes",
            description="Which to clean up, of include/config/log_retention.yaml. None chosen: all of them.",
            **known,
        ),
        "dry_run": intent["dry_run"],
        REASON: Param(
            default=None,
            type=["null", "string"],
            title="Reason",
            description="Needed when you trigger it: why now, in a few words (a ticket will do). It goes on record.",
        ),
    }


def restore_params(names: list[str]) -> dict[str, Param]:
    """What the DAG ``log_restore`` asks for."""
    only: dict[str, Any] = {"default": names[0]} if len(names) == 1 else {}
    return {
        "volume": _one_of(
            "Volume", "Whose logs: a volume of include/config/log_retention.yaml.", names, **only
        ),
        FILES: _optional(
            "Files",
            "One a line: a path below the volume's root (app.log), or a pattern (* within a directory, ** across directories: "
            "web/**/*.log*). Empty: whatever may have lines of the day below.",
            format="multiline",
        ),
        DAY: _optional(
            "Day",
            "Only what may have lines of this day, in the time zone of log_retention.yaml. What was written to for more than a "
            "week is found by its last day, or by its name. Empty: of all days.",
            format="date",
        ),
        TO: _optional(
            "To",
            "Directory below the volume's root, such as restored/case-117; nothing that lies there is written over. Empty: one "
            "of this run's own below .log-cleanup/restored, which the log names. Either way it has to fit above the volume's floor.",
        ),
        **intent_params(),
    }


def guard_params() -> dict[str, Param]:
    """Guards that somebody may lift with open eyes: the lock of a run that still runs, and data."""
    return {
        BREAK_LOCK: _break_lock(),
        "drop_data": Param(
            default=False,
            type="boolean",
            section=SELDOM,
            title="Drop data",
            description="A rollback may take back migrations whose way back destroys data; the rows are shown first.",
        ),
    }


def _break_lock() -> Param:
    return _text(
        "Break the lock",
        "Why the lock is taken from a run that has not ended. Only who may approve there may do so; mark that "
        "run failed first, so that its tasks end. Empty: the lock is respected.",
    )


def _one_of(title: str, description: str, names: list[str], **more: Any) -> Param:
    """A name, for which the form suggests those that there are."""
    return Param(type="string", title=title, description=description, **choice(names), **more)


def _optional(title: str, description: str, **more: Any) -> Param:
    schema: dict[str, Any] = {"type": ["null", "string"], "title": title, "description": description}
    return Param(default=None, **schema, **more)


def _text(title: str, description: str) -> Param:
    schema: dict[str, Any] = {
        "type": ["null", "string"],
        "title": title,
        "description": description,
        "section": SELDOM,
    }
    return Param(default=None, **schema)
