"""When a release may start, on ordinary days and on those when the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from include.release.policies import ChangeWindow, Freeze, OpenHours
from include.release.problems import RejectedError
from include.release.windows import is_open, next_open, refused_now

BERLIN = ZoneInfo("Europe/Berlin")
WORKDAYS = OpenHours(days=["mon", "tue", "wed", "thu"], start="09:00", end="16:00")
SUNDAY = OpenHours(days=["sun"], start="02:30", end="04:00")


def window(
    *hours: OpenHours, freezes: tuple[tuple[str, str], ...] = (), zone: str = "Europe/Berlin"
) -> ChangeWindow:
    found = [
        Freeze(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end), reason="stock-taking")
        for start, end in freezes
    ]
    return ChangeWindow(time_zone=zone, open=list(hours), freezes=found)


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


def opens(rule: ChangeWindow, now: datetime) -> str | None:
    found = next_open(rule, now)
    return f"{found.astimezone(BERLIN):%a %d %H:%M %Z}" if found else None


@pytest.mark.parametrize(
    ("now", "is_in"),
    [
        ("2026-11-23T08:59", False), ("2026-11-23T09:00", True), ("2026-11-23T15:59", True),
        ("2026-11-23T16:00", False), ("2026-11-27T12:00", False), ("2026-11-29T12:00", False),
    ],
)  # fmt: skip
def test_hours_begin_at_their_start_and_are_over_at_their_end(now, is_in):
    assert is_open(window(WORKDAYS), berlin(now)) is is_in


def test_a_window_without_hours_is_always_open():
    assert is_open(ChangeWindow(), datetime(2026, 11, 22, 3, tzinfo=UTC))


def test_a_time_is_read_in_the_windows_zone():
    at = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    assert is_open(window(WORKDAYS), at)
    assert not is_open(window(WORKDAYS, zone="UTC"), at)


@pytest.mark.parametrize(
    ("now", "is_in"),
    [
        ("2026-11-22T21:59", False), ("2026-11-22T22:00", True), ("2026-11-23T00:00", True),
        ("2026-11-23T05:59", True), ("2026-11-23T06:00", False), ("2026-11-23T23:00", False),
    ],
)  # fmt: skip
def test_hours_over_midnight_and_from_sunday_into_monday(now, is_in):
    night = OpenHours(days=["sun"], start="22:00", end="06:00")
    assert is_open(window(night), berlin(now)) is is_in


def test_a_whole_day_ends_at_24():
    rule = window(OpenHours(days=["sat"], start="00:00", end="24:00"))
    assert is_open(rule, berlin("2026-11-28T00:00"))
    assert is_open(rule, berlin("2026-11-28T23:59"))
    assert not is_open(rule, berlin("2026-11-29T00:00"))


def test_the_next_opening_is_the_next_start_or_now():
    rule = window(WORKDAYS)
    assert opens(rule, berlin("2026-11-23T10:00")) == "Mon 23 10:00 CET"
    assert opens(rule, berlin("2026-11-23T16:00")) == "Tue 24 09:00 CET"
    assert opens(rule, berlin("2026-11-26T16:00")) == "Mon 30 09:00 CET"


def test_a_freeze_wins_and_the_next_opening_comes_after_the_last_of_them():
    rule = window(
        WORKDAYS, freezes=(("2026-11-23T12:00", "2026-11-24T10:00"), ("2026-11-24T09:30", "2026-11-30T12:00"))
    )
    assert is_open(rule, berlin("2026-11-23T11:59"))
    assert not is_open(rule, berlin("2026-11-23T12:00"))
    assert opens(rule, berlin("2026-11-23T12:00")) == "Mon 30 12:00 CET"
    years = window(WORKDAYS, freezes=(("2026-01-01T00:00", "2031-01-03T00:00"),))
    assert opens(years, berlin("2026-11-23T12:00")) == "Mon 06 09:00 CET"


def test_hours_that_do_not_exist_on_a_day_open_a_week_later():
    gap = window(OpenHours(days=["sun"], start="02:15", end="02:45"))
    assert opens(gap, berlin("2026-03-29T00:00")) == "Sun 05 02:15 CEST"


def test_hours_that_begin_in_the_hour_that_is_left_out_begin_when_the_clock_goes_on():
    rule = window(SUNDAY)
    before = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
    assert not is_open(rule, before)
    assert opens(rule, before) == "Sun 29 03:00 CEST"
    assert is_open(rule, datetime(2026, 3, 29, 1, 0, tzinfo=UTC))


def test_hours_in_the_hour_that_comes_twice_are_open_twice():
    rule = window(OpenHours(days=["sun"], start="01:00", end="02:30"))
    states = [is_open(rule, berlin("2026-10-25T02:15", fold)) for fold in (0, 1)]
    assert states == [True, True]
    between = berlin("2026-10-25T02:45")
    assert not is_open(rule, between)
    assert opens(rule, between) == "Sun 25 02:00 CET"


def test_a_freeze_around_the_hour_that_comes_twice_is_the_longer_one():
    rule = window(freezes=(("2026-10-25T02:30", "2026-10-25T02:45"),))
    first, second = (berlin("2026-10-25T02:30", fold) for fold in (0, 1))
    assert not is_open(rule, first)
    assert not is_open(rule, berlin("2026-10-25T02:10", 1))
    assert not is_open(rule, second)
    assert opens(rule, first) == "Sun 25 02:45 CET"
    gap = window(freezes=(("2026-03-29T00:00", "2026-03-29T02:30"),))
    assert opens(gap, berlin("2026-03-29T01:00")) == "Sun 29 03:30 CEST"


def test_the_refusal_says_when_it_opens_in_the_environments_zone(production):
    shop = production.model_copy(update={"window": window(WORKDAYS)})
    assert refused_now(shop, berlin("2026-11-23T10:00")) is None
    text = str(refused_now(shop, datetime(2026, 11, 27, 15, 30, tzinfo=UTC)))
    assert text == (
        "include/config/environments.yaml  production.window\n"
        "  found:    it is Fri 2026-11-27 16:30 CET\n"
        "  expected: a time inside the window: mon, tue, wed, thu 09:00 to 16:00 (Europe/Berlin)\n"
        "  fix:      wait until Mon 2026-11-30 09:00 CET, the next open time; in an emergency, who may approve there "
        "may give a reason as the param outside_window. Dry runs and rollbacks may start at any time"
    )
    frozen = production.model_copy(
        update={"window": window(freezes=(("2026-12-18T16:00", "2027-01-04T09:00"),))}
    )
    text = str(refused_now(frozen, berlin("2026-12-24T18:00")))
    assert "in the freeze until Mon 2027-01-04 09:00 CET (stock-taking)" in text
    assert "wait until Mon 2027-01-04 09:00 CET" in text


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("time_zone: Europe/Berlim", "window.time_zone\n    found:    Europe/Berlim"),
        ("time_zone: ../../etc/passwd", "window.time_zone\n    found:    ../../etc/passwd"),
        ('time_zone: UTC\n      open: [{days: [mon], start: "09:00", end: "9:30"}]', "window.open[0].end\n    found:    '9:30'"),
        ('time_zone: UTC\n      open: [{days: [mon], start: "24:00", end: "10:00"}]', "window.open[0].start\n    found:    '24:00'"),
        ('time_zone: UTC\n      open: [{days: [monday], start: "09:00", end: "10:00"}]', "window.open[0].days[0]\n    found:    'monday'"),
        ('time_zone: UTC\n      open: [{days: [mon], start: "09:00", end: "09:00"}]', 'fix:      write "24:00" for the end of the day'),
        ('time_zone: UTC\n      open: [{days: [sun], start: "22:00", end: "06:00"}, {days: [mon], start: "05:00", end: "07:00"}]',
         "window.open[1]\n    found:    hours that overlap those of open[0]"),
        ("time_zone: UTC\n      freezes: [{start: 2026-12-20T10:00, end: 2026-12-20T10:00, reason: x}]",
         "window.freezes[0].end\n    found:    2026-12-20T10:00\n    expected: a time after the start, 2026-12-20T10:00"),
        ("time_zone: UTC\n      freezes: [{start: 2026-12-20T10:00+01:00, end: 2026-12-21T10:00, reason: x}]",
         "fix:      leave the offset out: 2026-12-20T10:00"),
        ("time_zone: UTC\n      freezes: [{start: 2026-12-20, end: 9999-12-31T23:00, reason: x}]", "expected: a year from 2000 to 2999"),
        ("time_zone: UTC\n      freezes: [{start: 2026-13-40, end: 2026-12-21T10:00, reason: x}]", "window.freezes[0].start"),
    ],
)  # fmt: skip
def test_a_wrong_window_is_said_with_file_and_line(sources, new, said):
    path = sources.config / "environments.yaml"
    text = path.read_text()
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "time_zone: Europe/Berlin" in each)
    path.write_text(text.replace("time_zone: Europe/Berlin", new))
    with pytest.raises(RejectedError) as raised:
        sources.environments()
    found = str(raised.value)
    assert found.startswith("1 problem in")
    assert said in found
    assert f"environments.yaml:{line + new.count(chr(10))}" in found
