"""Looking for scheduled procedures that did not run or did not end when they should have, and for files that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperator, Context
from airflow.sdk.configuration import conf
from typing_extensions import override

from include.overdue.duties import Duties, duties
from include.overdue.judging import Duty, Judgement, judge
from include.overdue.telling import MEMORY, Memory, News, news, remember
from include.release.loading import Sources
from include.release.telling import Message, channels_for, name_of
from include.release.texts import table
from plugins.hooks.runs import look_at, with_told, with_undated
from plugins.notifiers.sending import send
from plugins.operators.base import give_up, readable_errors, say
from plugins.operators.locking import run_url

OUTCOME = "failed"
"""Channels that want to hear of failures hear of what is overdue, and of the end of it."""


class OverdueOperator(BaseOperator):
    """Fails while a procedure is overdue or its file is wrong, so that it is seen; tells once, again after a day, and of the end."""

    ui_color = "#e8f0e4"

    @override
    def execute(self, context: Context) -> dict[str, str]:
        """Returns the state of each procedure."""
        now = datetime.now(UTC)
        ti: Any = context["ti"]
        with readable_errors(self):
            expected = duties(Sources.from_environment())
            memory = self._memory(context)
            found = [self._judge(each, ti, memory, now) for each in expected.duties]
            self._show(expected, [(each.duty.dag_id, each.state, each.text) for each in found])
            if getattr(context["dag_run"], "logical_date", None) is not None:
                told = self._tell(news(found, memory, now, expected.files), context)
                kept = remember(found, told, memory, now, expected.files)
                ti.xcom_push(MEMORY, kept.model_dump(mode="json"))
            # Else it is a look by hand: it has no place in the order of looks, tells nobody and leaves nothing.
            wrong = [each.text for each in found if not each.fine]
            wrong += [f"{each.name} is not right. {each.text}" for each in expected.files if each.text]
            if wrong or expected.problems:
                raise give_up(self, "\n".join([*wrong, *expected.problems]))
            return {each.duty.dag_id: each.state for each in found}

    def _judge(self, duty: Duty, ti: Any, memory: Memory, now: datetime) -> Judgement:
        seen, since = look_at(ti, duty, now), memory.since(duty.dag_id, now)
        found = judge(duty, seen, now, since=since)
        if found.fine or not seen.known:
            return found
        seen = with_told(with_undated(seen, ti, duty, now), ti, duty, now)
        return judge(duty, seen, now, since=since)

    def _memory(self, context: Context) -> Memory:
        # With the index given this is the newest one; without, it would be those of all runs there ever were.
        kept = context["ti"].xcom_pull(
            task_ids=self.task_id, key=MEMORY, include_prior_dates=True, map_indexes=-1
        )
        return Memory.read(kept)

    def _show(self, expected: Duties, rows: Sequence[tuple[str, str, str]]) -> None:
        say(self, table(("procedure", "state", "what"), rows))
        for each in expected.problems:
            say(self, each, error=True)

    def _tell(self, due: Sequence[News], context: Context) -> list[News]:
        """Tell each list; returns what reached at least one channel, or concerns none."""
        told = []
        for each in due:
            wanted = channels_for(each.tell, OUTCOME)
            reached = [self._reaches(channel, each, context) for channel in wanted]
            if any(reached) or not wanted:
                told.append(each)
        return told

    def _reaches(self, channel: Any, each: News, context: Context) -> bool:
        try:
            send(channel, message(each), context)
        except Exception as error:  # (whatever a server or a connection is wrong with)
            first = str(error).splitlines()[0] if str(error) else ""
            say(self, f"{name_of(channel)}: cannot be told: {type(error).__name__}: {first}", error=True)
            return False
        say(self, f"{name_of(channel)}: told of {each.name}")
        return True


def message(each: News) -> Message:
    """What is told of one procedure, or of a file."""
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    links = {"DAG in Airflow": f"{base}/dags/{quote(each.dag_id)}"} if base and each.dag_id else {}
    if each.run_id:
        links["Its run"] = run_url(each.dag_id, each.run_id)
    return Message(each.outcome, each.title, each.text, {}, links)
