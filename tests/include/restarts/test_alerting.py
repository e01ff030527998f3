"""Who is told what of guards that do not guard: each change once, and again after every cooldown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.restarts.alerting import Alert, Memory, alerts, remember, usable
from include.restarts.guards import Guard, Guards
from include.restarts.liveness import Kept, Liveness

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
GUARD = Guard(name="swype", title="Payments", environment="payments", deployment="swype-app")
GUARDS = Guards(guards=[GUARD])


class Looks:
    """Looks a minute apart at one guard, and what people hear."""

    def __init__(self) -> None:
        self.now = START
        self.memory: Memory | None = None
        self.since: dict[str, datetime] = {}
        self.state = ""

    def see(self, state: str, minutes: float = 1, *, reaches: bool = True) -> list[str]:
        self.now += timedelta(minutes=minutes)
        if state != self.state:
            self.state, self.since[state] = state, self.now
        kept = Kept(state=state, since=self.since[state], excused_at=self.now)
        found = [Liveness("swype", state, f"is {state}", kept)]
        memory = usable(self.memory, self.now)
        due = alerts(found, memory, {"swype": GUARD}, GUARDS, self.now)
        reread = remember(found, due if reaches else [], memory, self.now)
        self.memory = Memory.model_validate_json(reread.model_dump_json())
        return [each.text for each in due]


def test_a_dead_guard_is_told_of_once_then_after_each_cooldown_and_when_it_is_back():
    looks = Looks()
    assert looks.see("armed") == []
    assert looks.see("not alive") == ["is not alive"]
    assert [looks.see("not alive") for _ in range(29)] == [[]] * 29
    assert looks.see("not alive") == ["is not alive"]
    assert looks.see("armed") == ["Armed again. is armed"]
    assert looks.see("armed") == []


def test_what_waits_or_is_paused_must_have_lasted_and_a_pause_is_said_once():
    looks = Looks()
    assert [looks.see("disarmed") for _ in range(5)] == [[], [], [], ["is disarmed"], []]
    assert [looks.see("disarmed") for _ in range(60)] == [[]] * 60
    hiccup = Looks()
    assert [hiccup.see("waiting"), hiccup.see("waiting"), hiccup.see("armed")] == [[], [], []]


def test_an_alert_that_reached_nobody_is_told_again():
    looks = Looks()
    assert looks.see("not alive", reaches=False) == ["is not alive"]
    assert looks.see("not alive") == ["is not alive"]
    assert looks.see("not alive") == []


def test_a_press_is_no_end_of_an_alert():
    looks = Looks()
    looks.see("not alive")
    assert looks.see("pressed") == []
    assert looks.see("armed") == ["Armed again. is armed"]


def test_after_a_pause_everything_gets_time_but_nobody_is_told_twice():
    looks = Looks()
    looks.see("not alive")
    assert looks.memory
    later = START + timedelta(minutes=20)
    memory = usable(looks.memory, later)
    assert memory
    assert memory.begun == later == memory.before("swype").excused_at
    assert looks.see("not alive", minutes=20) == []


def test_looks_that_come_a_little_late_are_no_gap():
    """However short a silence makes a guard dead."""
    looks = Looks()
    looks.see("waiting")
    assert looks.memory
    assert usable(looks.memory, looks.now + timedelta(seconds=90)) == looks.memory


def test_the_memory_is_small_while_all_is_well():
    now = START
    found = [
        Liveness(f"guard-{n}", "armed", "", Kept(state="armed", since=now, excused_at=now))
        for n in range(1000)
    ]
    memory = remember(found, [], None, now)
    assert len(memory.model_dump_json()) < 20_000
    assert memory.before("guard-7").state == "armed"
    assert memory.before("another") is None


def test_only_what_reached_somebody_counts_as_told():
    kept = Kept(state="not alive", since=START, excused_at=START)
    found = [Liveness("swype", "not alive", "x", kept)]
    told = remember(found, [Alert("swype", "not alive", "x", False)], None, START)
    assert told.others["swype"].told == "not alive"
    assert remember(found, [], None, START).others["swype"].told == ""
