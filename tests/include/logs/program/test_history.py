from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from include.logs.program import history
from include.logs.program.history import AFTER, BEFORE, Mark, Point
from include.logs.program.request import DAY

NOW = 1_800_000_000.0


def _mark(days: float, size: int, ino: int = 1, path: bytes = b"a.log") -> Mark:
    return Mark(NOW - days * DAY, path, ino, size, "x")


def _written(path: Path, *marks: Mark) -> history.History:
    history.append(str(path), [history.mark_line(mark) for mark in marks])
    return history.read(str(path))


def test_what_was_noted_is_read_again(tmp_path: Path) -> None:
    path = str(tmp_path / "history.jsonl")
    point = Point(NOW, "dag/run", BEFORE, 5, 10, 4, {"app": 3}, ["app"], 7, 2)
    mark = _mark(1, 5, path=b"\xff\n\xc3\xbc.log")
    history.append(path, [history.point_line(point), history.mark_line(mark)])
    found = history.read(path)
    assert found.points == [point]
    assert found.marks == {mark.path: [mark]}
    assert found.cleaned() == ["app"]


def test_no_history_is_an_empty_one(tmp_path: Path) -> None:
    assert history.read(str(tmp_path / "none")) == history.History()


def test_a_line_that_a_crash_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    _written(path, _mark(3, 1))
    path.write_bytes(path.read_bytes() + b'{"kind": "mark", "at"')
    found = _written(path, _mark(2, 2))
    assert [mark.size for mark in found.marks[b"a.log"]] == [1, 2]


def test_lines_of_another_version_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"kind": "space", "later": 1}\n[]\n{"kind": "else"}\n7\n')
    assert [mark.size for mark in _written(path, _mark(2, 2)).marks[b"a.log"]] == [2]


def test_the_highest_mark_before_a_moment(tmp_path: Path) -> None:
    found = _written(tmp_path / "h", _mark(9, 100), _mark(8, 200), _mark(1, 900))
    aged = found.aged(b"a.log", 1, 1000, NOW - 7 * DAY)
    assert aged is not None
    assert aged.size == 200
    assert found.aged(b"a.log", 1, 1000, NOW - 20 * DAY) is None
    assert found.aged(b"other.log", 1, 1000, NOW) is None


def test_marks_of_another_file_or_from_before_it_was_emptied_do_not_count(tmp_path: Path) -> None:
    before = NOW - 7 * DAY
    shrunk = _written(tmp_path / "1", _mark(9, 100), _mark(8, 50), _mark(1, 500))
    aged = shrunk.aged(b"a.log", 1, 1000, before)
    assert aged is not None
    assert aged.size == 50
    assert shrunk.aged(b"a.log", 1, 1000, NOW - 8.5 * DAY) is None
    assert shrunk.aged(b"a.log", 1, 40, before) is None
    renewed = _written(tmp_path / "2", _mark(9, 100), _mark(1, 500, ino=2))
    assert renewed.aged(b"a.log", 2, 1000, before) is None


def test_compacting_keeps_what_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "h"
    _written(
        path, _mark(500, 1), _mark(20, 2), _mark(10, 3), _mark(9, 4), _mark(1, 5), _mark(450, 9, path=b"gone")
    )
    points = [Point(NOW - days * DAY, "r", AFTER, 1, 2, 1, {}, []) for days in (401, 399)]
    history.append(str(path), [history.point_line(point) for point in points])
    history.compact(str(path), NOW, 7)
    found = history.read(str(path))
    assert {path: [mark.size for mark in marks] for path, marks in found.marks.items()} == {b"a.log": [4, 5]}
    assert found.points == points[1:]


def test_old_marks_are_thinned_out_young_ones_stay() -> None:
    daily = [_mark(days, 1000 - days) for days in range(400, 0, -1)]
    found = history.thinned(daily, NOW)
    ages = [round((NOW - mark.at) / DAY) for mark in found]
    assert len(found) < 90
    assert ages[-20:] == list(range(20, 0, -1))
    assert all(earlier - later <= 1 + earlier / 20 for earlier, later in pairwise(ages))
    assert history.thinned(found, NOW) == found


def test_a_mark_that_tells_of_another_file_or_an_emptied_one_is_not_thinned_out() -> None:
    marks = [
        _mark(400, 5),
        _mark(399, 9),
        _mark(398, 7),
        _mark(397, 8),
        _mark(396, 1, ino=2),
        _mark(395, 2, ino=2),
    ]
    assert [mark.size for mark in history.thinned(marks, NOW)] == [5, 1]
    assert [mark.size for mark in history.thinned(marks[1:], NOW)] == [9, 7, 1]


def test_what_archives_take_is_learned_from_the_volumes_own(tmp_path: Path) -> None:
    path = str(tmp_path / "h")
    assert history.read(path).ratio(0.2) == 0.2
    for archived, takes in ((1 << 20, 1 << 18), (3 << 20, 1 << 18), (10, 10)):
        point = Point(NOW, "r", AFTER, 1, 2, 1, {}, [], archived, takes)
        history.append(path, [history.point_line(point)])
    assert history.read(path).ratio(0.2) == 0.125
