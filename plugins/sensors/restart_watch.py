"""The restart watch as a task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import StartTriggerArgs
from pydantic import ValidationError

from include.restarts.facts import Cause
from include.restarts.watched import WatchSpec
from plugins.triggers.restarts import RestartTrigger


class RestartWatchSensor(BaseSensorOperator):
    """Waits, without a worker, until the containers of a Deployment restart too often.

    It returns ``{"action", "text", "counts", "restarts", "crossed_at", "decided_at"}``, where the action is ``press``
    (more restarts than the threshold, of causes that count), ``ask_upstream`` (only with those of unknown cause) or
    ``alert`` (of other causes). As a soak (``soak_minutes``) it succeeds with the action ``quiet`` when nothing of that
    came in so many minutes, and fails when it did.

    A watch without an end begins in the triggerer and ends there: no worker starts for it.

    Args:
        connection: Airflow connection of the cluster.
        namespace: namespace of the Deployment.
        deployment: its name.
        watch: name under which the counts are kept in the namespace; two watches need two names.
        threshold: it trips at more restarts than this.
        window_minutes: in so many minutes.
        causes: which count; ``any`` counts every restart.
        init_containers: whether those of init containers count.
        sidecars: whether those of sidecars count.
        containers: only these; none: all.
        cooldown_minutes: between two alerts of one kind.
        relist_seconds: between two full lists.
        soak_minutes: end well after so many minutes; None: wait for ever.
    """

    template_fields: Sequence[str] = ("watch",)
    ui_color = "#f4d9d6"
    start_trigger_args = StartTriggerArgs(
        trigger_cls="plugins.triggers.restarts.RestartTrigger", next_method="execute_complete"
    )

    def __init__(
        self,
        *,
        connection: str,
        namespace: str,
        deployment: str,
        watch: str,
        threshold: int = 3,
        window_minutes: float = 15,
        causes: Literal["any"] | list[Cause] = "any",
        init_containers: bool = True,
        sidecars: bool = True,
        containers: list[str] | None = None,
        cooldown_minutes: float = 30,
        relist_seconds: float = 60,
        soak_minutes: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.watch: dict[str, Any] = {
            "name": watch,
            "connection": connection,
            "namespace": namespace,
            "deployment": deployment,
            "threshold": threshold,
            "window_minutes": window_minutes,
            "causes": causes,
            "init_containers": init_containers,
            "sidecars": sidecars,
            "containers": containers or [],
            "cooldown_minutes": cooldown_minutes,
            "relist_seconds": relist_seconds,
        }
        # What a run fills in is checked when it has.
        WatchSpec.model_validate(
            {key: "x" if "{{" in str(each) else each for key, each in self.watch.items()}
        )
        self.soak_minutes = soak_minutes
        # A soak needs to know when it began, which only a task that has started does. (There is no attribute
        # end_from_trigger: with one Airflow refuses the DAG wherever a plugin listens to anything, as one here does to
        # the start of components.)
        self.start_from_trigger = soak_minutes is None
        if self.start_from_trigger:
            # Replaced, not changed: the arguments of the class are those of every other watch.
            self.start_trigger_args = replace(
                self.start_trigger_args, trigger_kwargs={"watch": self.watch, "end_task": True}
            )

    def execute(self, context: Context) -> Any:
        """Defer; comes here only where the watch did not begin in the triggerer."""
        del context
        try:
            WatchSpec.model_validate(self.watch)
        except ValidationError as error:
            raise AirflowFailException(str(error)) from None
        watch, until = self.watch, None
        if self.soak_minutes is not None:
            begun = datetime.now(UTC)
            # What died before it, under the release before this one, is no reason to fail.
            watch = {**self.watch, "begun_at": begun.isoformat()}
            until = (begun + timedelta(minutes=self.soak_minutes)).isoformat()
        self.defer(trigger=RestartTrigger(watch=watch, until=until), method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Hand on what was decided; a soak fails when anything was."""
        del context
        for line in str(event["text"]).splitlines():
            self.log.info("%s", line)
        if self.soak_minutes is not None and event["action"] != "quiet":
            raise AirflowFailException(event["text"])
        return event


def found_by(context: Context, task_id: str = "watch") -> dict[str, Any]:
    """What the watch of this run has found; empty when it has found nothing, or somebody marked it as done.

    Airflow stores what a task that ends in the triggerer returns as JSON twice over, and undoes that once.
    """
    ti: Any = context["ti"]
    found = ti.xcom_pull(task_ids=task_id)
    if isinstance(found, str):
        found = json.loads(found)
    return found if isinstance(found, dict) else {}
