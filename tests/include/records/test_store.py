"""The records: what is kept, in what order, for how long, with two processes at once, on SQLite and PostgreSQL."""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.records import database
from include.records.database import RecordsError
from include.records.models import Change, Verdict
from include.records.store import Pruned, Records
from include.records.tables import HEAD, metadata

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def verdict(passed: bool = True, source: str = "qa", **more: Any) -> Verdict:
    values = {"digest": DIGEST, "image": "shop:1.0.0", "app": "shop", "by": "admin", "at": NOON}
    return Verdict(**(values | {"passed": passed, "source": source} | more))


def change(run: str = "release/1", **more: Any) -> Change:
    values: dict[str, Any] = {
        "run": run, "kind": "release", "app": "shop", "environment": "qa", "release": "release-1",
        "number": 1, "spec_digest": "f" * 64, "images": {"shop:1.0.0": f"standin.local/shop:1.0.0@{DIGEST}"},
        "user": "admin", "reason": "a test", "started": NOON, "outcome": "released",
    }  # fmt: skip
    return Change(**(values | more))


@pytest.fixture
def records(url: str) -> Records:
    return Records(url)


def test_a_verdict_comes_back_as_it_was_given(records):
    given = verdict(False, "ci", reason="test_orders fails", link="https://ci.example.com/7", run="build-7")
    kept = records.add_verdict(given)
    assert kept.id
    assert kept.model_copy(update={"id": ""}) == given
    assert records.verdicts(DIGEST) == records.verdicts(DIGEST[:19]) == [kept]
    assert records.verdicts("sha256:1%") == []
    assert Verdict.model_validate_json(kept.model_dump_json()) == kept
    assert kept.text == "failed, says ci (by admin, 2026-03-04 12:00 UTC): test_orders fails"


def test_the_newest_verdict_is_the_one_recorded_last_whatever_its_clock_says(records):
    records.add_verdict(verdict(True, at=NOON))
    later = records.add_verdict(verdict(False, "ci", at=NOON - timedelta(hours=1)))
    assert records.newest_verdicts([DIGEST, OTHER], ["qa", "ci"]) == {DIGEST: later}


def test_only_trusted_sources_count(records):
    trusted = records.add_verdict(verdict(True))
    records.add_verdict(verdict(False, "somebody"))
    assert records.newest_verdicts([DIGEST], ["qa", "ci"]) == {DIGEST: trusted}
    assert records.newest_verdicts([DIGEST], []) == {}


def test_a_run_that_says_the_same_again_adds_nothing_and_one_that_changes_its_mind_does(records):
    first = records.add_verdict(verdict(False, run="release/1"))
    assert records.add_verdict(verdict(False, run="release/1", at=NOON + timedelta(days=1))) == first
    second = records.add_verdict(verdict(True, run="release/1"))
    third = records.add_verdict(verdict(False, run="release/1"))
    records.add_verdict(verdict(False, digest=OTHER, run="release/1"))
    assert records.verdicts(DIGEST) == [third, second, first]
    assert len({first.id, second.id, third.id}) == 3


def test_two_copies_of_one_task_add_one_verdict(records):
    records.mark_told("the tables are there")
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: records.add_verdict(verdict(run="release/1")), range(8)))
    assert {each.id for each in kept} == {kept[0].id}
    assert records.verdicts() == [kept[0]]


def test_a_change_is_saved_again_under_its_run(records):
    running = change(outcome="running", details={"stage": "migrate", "links": ["a"]})
    records.save_change(running)
    assert records.change("release/1") == running
    done = change(ended=NOON + timedelta(minutes=2), outcome="failed", summary="It failed.", approved_at=NOON)
    records.save_change(done)
    assert records.change("release/1") == done
    assert records.changes() == [done]
    assert records.change("release/2") is None
    assert done.digests == {DIGEST}


def test_history_is_newest_first_and_by_app_and_environment(records):
    for hour, environment in enumerate(["qa", "production", "qa"]):
        started = NOON + timedelta(hours=hour)
        records.save_change(change(f"release/{hour}", environment=environment, started=started))
    records.save_change(change("release/x", app="other", started=NOON + timedelta(hours=9)))
    assert [each.run for each in records.changes("shop")] == ["release/2", "release/1", "release/0"]
    assert [each.run for each in records.changes("shop", "qa", limit=1)] == ["release/2"]
    assert [each.run for each in records.changes(limit=2)] == ["release/x", "release/2"]
    last = records.last_change("shop", "production")
    assert last is not None
    assert last.run == "release/1"
    assert records.last_change("shop", "nowhere") is None
    assert records.places() == [("other", "qa"), ("shop", "production"), ("shop", "qa")]


def test_a_message_is_told_once(records):
    assert not records.was_told("release/1 released log")
    records.mark_told("release/1 released log")
    records.mark_told("release/1 released log")
    assert records.was_told("release/1 released log")


def test_retention_keeps_the_newest_of_each_for_ever(records):
    old = NOON - timedelta(days=800)
    records.add_verdict(verdict(True, at=old))
    newest_of_qa = records.add_verdict(verdict(False, at=old))
    newest_of_ci = records.add_verdict(verdict(True, "ci", at=old))
    of_another_build = records.add_verdict(verdict(True, digest=OTHER, at=old))
    for number, outcome in enumerate(["released", "released", "refused", "refused"]):
        started = old + timedelta(hours=number)
        records.save_change(change(f"release/{number}", outcome=outcome, started=started))
    records.save_change(change("release/new", outcome="failed"))
    records.mark_told("new")
    assert records.prune(NOON, 730) == Pruned(verdicts=1, changes=2, told=0)
    assert set(records.verdicts(DIGEST)) == {newest_of_qa, newest_of_ci}
    assert records.verdicts(OTHER) == [of_another_build]
    assert [each.run for each in records.changes()] == ["release/new", "release/3", "release/1"]
    assert records.prune(datetime.now(UTC) + timedelta(days=731), 730).told == 1


def test_many_processes_that_open_a_new_database_at_once_all_succeed(url):
    program = (
        "import sys; from include.records.store import Records\n"
        "sys.stdin.readline(); records = Records(sys.argv[1])\n"
        "records.mark_told('all'); records.mark_told(sys.argv[2])"
    )
    command = [sys.executable, "-c", program, url]
    found = [
        subprocess.Popen(
            [*command, str(number)], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for number in range(3)
    ]
    for process in found:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in found]
    assert [process.returncode for process in found] == [0] * 3, answers
    records = Records(url)
    assert all(records.was_told(key) for key in ("all", "0", "1", "2"))


def test_the_steps_make_the_tables_that_the_code_uses(url):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import inspect

    records = Records(url)
    records.mark_told("x")
    with records._database.transaction(writes=False) as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "release_records_version", "compare_type": True}
        )
        assert context.get_current_revision() == HEAD
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "release_records_version"}
        differences = compare_metadata(context, metadata)
    assert differences == []


def test_a_database_of_a_newer_version_is_refused(url):
    from sqlalchemy import text

    records = Records(url)
    records.mark_told("x")
    with records._database.transaction() as connection:
        connection.execute(text("UPDATE release_records_version SET version_num = '9999'"))
    with pytest.raises(
        RecordsError, match="have schema version 9999, which this version of the project does not"
    ):
        Records(url).was_told("x")


def test_half_an_upgrade_is_none(url, monkeypatch):
    from include.records import upgrade

    whole = upgrade.to_head

    def dies(connection):
        whole(connection)
        raise RuntimeError("killed")

    monkeypatch.setattr(upgrade, "to_head", dies)
    with pytest.raises(RuntimeError):
        Records(url).was_told("x")
    monkeypatch.undo()
    assert Records(url).was_told("x") is False


def test_a_database_that_cannot_be_reached_is_one_readable_error_without_the_password(tmp_path):
    with pytest.raises(RecordsError) as found:
        Records(f"sqlite:///{tmp_path}/none/records.db").was_told("x")
    assert str(found.value) == (
        f"The records at sqlite:///{tmp_path}/none/records.db cannot be used: unable to open database file. "
        "is the directory there, and may this user write to it and to the file?"
    )
    assert found.value.transient
    with pytest.raises(RecordsError) as found:
        Records("postgresql://shop:geheim@127.0.0.1:1/x?password=geheim").was_told("x")
    assert "The records at postgresql+psycopg://shop:***@127.0.0.1:1/x cannot be used: " in str(found.value)
    assert "geheim" not in str(found.value)


def test_a_server_that_takes_a_connection_and_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(database, "CONNECT_SECONDS", 2)  # (the least that the driver knows)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(RecordsError, match="timeout") as found:
            Records(f"postgresql://shop@127.0.0.1:{port}/x").was_told("x")
    assert found.value.transient


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("geheim", "The URL of the records is none; it is sqlite:////path/file.db or postgresql://"),
        ("mysql://u:geheim@h/d", r"not in mysql \(mysql://u:\*\*\*@h/d\)"),
        ("sqlite://", "The records need a file: sqlite:////path/file.db, not sqlite://"),
    ],
)
def test_a_url_that_is_none(url, said):
    with pytest.raises(RecordsError, match=said) as found:
        Records(url)
    assert "geheim" not in str(found.value)
