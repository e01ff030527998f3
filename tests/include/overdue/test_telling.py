"""Of what people are told, and how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.overdue.judging import Judgement, State
from include.overdue.telling import File, Memory, News, news, remember
from tests.include.overdue.test_judging import DAILY

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Watch:
    """Looks, one after the other, ten minutes apart."""

    def __init__(self) -> None:
        self.now, self.memory = NOON, Memory()

    def look(
        self, state: State, *, after: timedelta = timedelta(minutes=10), reaches: bool = True
    ) -> list[News]:
        self.now += after
        found = [Judgement(DAILY, state, f"It is {state}.", "run-1")]
        due = news(found, self.memory, self.now)
        kept = remember(found, due if reaches else [], self.memory, self.now)
        self.memory = Memory.read(kept.model_dump_json())
        return due


def test_a_problem_is_told_once_again_after_a_day_and_when_it_is_over():
    watch = Watch()
    (first,) = watch.look("not started")
    assert (first.outcome, first.text, first.over) == ("alert", "It is not started.", False)
    assert watch.look("not started") == []
    assert len(watch.look("not started", after=timedelta(hours=24))) == 1
    (end,) = watch.look("on time")
    assert (end.outcome, end.over) == ("resolved", True)
    assert end.text == "log_cleanup is on time again. It is on time."
    assert watch.look("on time") == []


def test_another_problem_of_the_same_procedure_is_told_at_once():
    watch = Watch()
    watch.look("not started")
    assert [each.text for each in watch.look("failed")] == ["It is failed."]


def test_a_dag_that_is_paused_for_a_moment_tells_nobody():
    watch = Watch()
    assert watch.look("paused") == []
    assert watch.look("on time") == []
    assert watch.look("paused") == []
    assert len(watch.look("paused")) == 1


def test_what_reached_nobody_is_told_by_the_next_look():
    watch = Watch()
    assert len(watch.look("failed", reaches=False)) == 1
    assert len(watch.look("failed")) == 1


def test_since_when_a_procedure_is_known_is_kept():
    watch = Watch()
    watch.look("on time")
    since = watch.memory.since(DAILY.dag_id, NOON)
    watch.look("on time")
    assert watch.memory.since(DAILY.dag_id, NOON) == since == NOON + timedelta(minutes=10)


def test_what_another_version_left_is_nothing():
    assert Memory.read({"known": 3}) == Memory.read(None) == Memory()


def test_a_file_that_is_wrong_is_told_once_again_after_a_day_anew_when_it_changes_and_when_it_is_right():
    now, memory = NOON, Memory()

    def look(text: str, after: timedelta = timedelta(minutes=10), *, reaches: bool = True) -> list[str]:
        nonlocal now, memory
        now += after
        files = [File("orders.yaml", text, [])]
        due = news([], memory, now, files)
        memory = Memory.read(remember([], due if reaches else [], memory, now, files).model_dump_json())
        return [f"[{each.outcome}] {each.title}: {each.text}" for each in due]

    assert look("") == []
    assert look("line 3", reaches=False) == look("line 3") == ["[alert] orders.yaml is not right: line 3"]
    assert look("line 3") == []
    assert look("line 4") == ["[alert] orders.yaml is not right: line 4"]
    assert len(look("line 4", timedelta(days=1))) == 1
    assert look("") == ["[resolved] orders.yaml: Its files are right again."]
    assert look("") == []


def test_of_a_procedure_that_could_not_be_judged_it_stays_as_it_was():
    watch = Watch()
    watch.look("failed")
    watch.memory = remember([], [], watch.memory, watch.now)
    (end,) = watch.look("on time")
    assert end.over
