"""What the tasks of one volume have in common: the volume, this run as the program knows it, and the answers of the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException

from include.jobs.ending import JobError
from include.logs.loading import PlacedVolume, read_volume
from include.logs.program.problems import BAD_REQUEST, NO_SPACE
from include.logs.program.problems import HELD as HELD_BY_OTHER
from include.logs.requesting import Asker
from include.logs.summary import Answer, StepError
from include.release.loading import Sources
from include.release.texts import noted_time
from plugins.operators.base import give_up, is_dry_run, readable_errors, run_name, say
from plugins.operators.failure import one_sentence, remember
from plugins.operators.locking import requested_at, run_url
from plugins.operators.retrying import with_retry

FOR_GOOD = (BAD_REQUEST, HELD_BY_OTHER, NO_SPACE)
"""Exit codes of the program that another try would only see again."""
HELD = "held"
"""XCom: who held the volume when this run wanted it."""
SEEN = "seen"
"""XCom: the space, as the step ``space`` answers it, of a volume that had no room to be cleaned up."""


class VolumeOperator(BaseOperator):
    """A task of one volume, in a task group that runs once for each.

    Args:
        volume: its name.
    """

    ui_color = "#e8f0e4"
    template_fields = ("volume",)

    def __init__(self, *, volume: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume

    def placed(self) -> PlacedVolume:
        """The volume as it is configured now. Raises RejectedError."""
        return read_volume(Sources.from_environment(), self.volume)

    def asker(self, context: Context, *, take_over: str = "") -> Asker:
        """This run, as the volume's holder names it."""
        dag_run: Any = context["dag_run"]
        return Asker(
            run=run_name(context),
            as_of=noted_time(requested_at(context)),
            link=run_url(dag_run.dag_id, dag_run.run_id),
            dry_run=is_dry_run(context),
            take_over=take_over,
            clear_number=int(getattr(dag_run, "clear_number", 0) or 0),
        )

    def sibling(self, name: str) -> str:
        """The id of another task of the same group."""
        group = self.task_id.rpartition(".")[0]
        return f"{group}.{name}" if group else name

    def handed_on(self, context: Context, name: str, key: str = "return_value") -> Any:
        """What another task of this volume handed on; None when it did not."""
        ti: Any = context["ti"]
        return ti.xcom_pull(task_ids=self.sibling(name), key=key, map_indexes=ti.map_index)

    def answer(self, context: Context, name: str) -> Answer | None:
        """What a step of this volume answered in this run; None when it has not."""
        found = self.handed_on(context, name)
        return Answer(**found) if isinstance(found, dict) else None

    def states(self, context: Context) -> dict[str, str]:
        """How the tasks of this volume ended that have, by their names in the group."""
        ti: Any = context["ti"]
        dag_run: Any = context["dag_run"]
        group = self.sibling("")
        return {
            str(each["task_id"]).removeprefix(group): str(each["state"])
            for each in ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)
            if str(each["task_id"]).startswith(group) and each.get("map_index", -1) == ti.map_index
        }


@contextmanager
def step_errors(operator: BaseOperator) -> Iterator[None]:
    """Errors for a reader. A step that was cut off, or a cluster that does not answer, is tried again."""
    try:
        with readable_errors(operator):
            yield
    except (StepError, JobError) as error:
        if error.exit_code in FOR_GOOD:
            # What the program says is wrong, as the end of the run tells it: not how its process ended.
            facts = error.facts if isinstance(error, StepError) else {}
            raise give_up(operator, str(error), reason=str(facts.get("error") or "")) from None
        text = with_retry(operator, str(error))
        say(operator, text, error=True)
        remember(one_sentence(text), "failed")
        raise AirflowException(text) from None
