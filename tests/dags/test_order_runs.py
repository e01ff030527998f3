"""Whole runs of order_processor and order_backlog: the shop's own processor, its database, people who are told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from include.release.loading import PROJECT
from tests.dags.orders import Shop
from tests.standin import make_namespace

NAMESPACE = "order-runs"
PLANT = "Monstera"


class Chat(BaseHTTPRequestHandler):
    """Whom on-call, Ops and the developers are: three channels of one chat."""

    told: ClassVar[list[tuple[str, str]]] = []

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
        self.told.append((self.path.strip("/"), text))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def shop(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop; ``run`` runs one of the DAGs."""
    from airflow.utils.db import initdb

    patch = pytest.MonkeyPatch()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = Shop(
        cluster, make_namespace(cluster.connect(), NAMESPACE), tmp_path_factory.mktemp("project"), patch
    )
    for team in ("on_call", "ops", "developers"):
        url = f"http://127.0.0.1:{server.server_port}/{team}"
        patch.setenv(
            f"AIRFLOW_CONN_{team.upper()}", json.dumps({"conn_type": "slackwebhook", "password": url})
        )
    channels = {team: [{"kind": "webhook", "connection": team}] for team in ("on_call", "ops", "developers")}
    found.change("orders", lambda value: value.update(tell=channels))
    initdb()

    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.dag_id.in_(["order_processor", "order_backlog"])))
    dags = DagBag(str(PROJECT / "dags")).dags
    for each in dags.values():
        for task in each.tasks:
            task.retries = 0
        each.deadline = None  # ``dag.test()`` of Airflow 3.3.2 takes a deadline for the key of one

    def run(dag_id: str = "order_processor", **conf: Any) -> dict[str, str]:
        # All of them each time: ``dag.test()`` keeps what an earlier run was given.
        given = (
            {"reason": "a test", "dry_run": False, "reopen": None, **conf}
            if dag_id == "order_processor"
            else {}
        )
        done = dags[dag_id].test(run_conf=given)
        return {
            "run": str(done.state),
            **{each.task_id: str(each.state) for each in done.get_task_instances()},
        }

    found.run = run  # type: ignore[attr-defined]
    yield found
    server.shutdown()
    patch.undo()


@pytest.fixture(autouse=True)
def quiet(shop: Shop) -> Iterator[None]:
    """No order waits, and nobody was told anything, lately neither."""
    Chat.told.clear()
    yield
    shop.forget()
    shop.sql("UPDATE orders SET status = 'processed' WHERE status <> 'processed'")


def good(**changes: str) -> dict[str, str]:
    names = (
        "run",
        "read_backlog",
        "reopen",
        "size_batch",
        "run_batch",
        "read_log",
        "decide",
        "tell",
        "record",
    )
    return {**dict.fromkeys(names, "success"), **changes}


def entries(shop: Shop) -> list[str]:
    paths = sorted((shop.folder / "documents").rglob("*.md"), key=lambda path: path.stat().st_mtime)
    return [path.read_text() for path in paths]


def told() -> list[tuple[str, str]]:
    """Whom, and the first line."""
    return [(team, text.splitlines()[0]) for team, text in Chat.told]


def test_a_dry_run_starts_nothing_and_tells_nobody(shop, capsys):
    shop.order([PLANT])
    before = shop.status()
    jobs = shop.client.list("Job", NAMESPACE)
    assert shop.run(dry_run=True) == good(tell="skipped")
    said = capsys.readouterr().out
    assert "Dry run: no Job is started." in said
    assert "Outcome: dry run, nothing was started" in said
    assert "Nothing to be done" not in said
    assert "--once --limit" in said
    assert shop.client.list("Job", NAMESPACE) == jobs
    assert shop.status() == before
    assert shop.records.problems.entries("order_processor", "production") == []


def test_every_order_is_processed_once_and_the_run_is_the_last_good_one(shop, capsys):
    shop.order([PLANT] * 6)
    assert shop.run() == good()
    assert "open" not in shop.status()
    assert shop.twice() == []
    (entry,) = shop.records.problems.entries("order_processor", "production")
    assert (entry.outcome, entry.good) == ("processed", True)
    text = entries(shop)[-1]
    head, *rest = text.splitlines()
    assert head.endswith("-- *Order processing, no alert*")
    assert [line for line in rest if line in ("Troubleshooting", "Resolution")] == [
        "Troubleshooting",
        "Resolution",
    ]
    assert told() == []
    assert "All Orders processed." in capsys.readouterr().out


def test_a_poison_order_is_set_aside_and_told_once_and_the_others_go_on(shop, capsys):
    first = shop.order(["Nowhere plant", *[PLANT] * 5])[0]
    assert shop.run()["run"] == "success"
    assert shop.status() == {"processed": shop.status()["processed"], "held": 1}
    ((team, text),) = Chat.told
    assert team == "developers"
    assert text.startswith("*[set aside] error #12, item in no catalog in production*")
    assert f"order {first} after 6 tries" in text
    assert "set aside" in entries(shop)[-1].splitlines()[0]
    assert (
        "Failed and not processed since" not in capsys.readouterr().out
    )  # the table of those set aside has it
    shop.order([PLANT])
    assert shop.run()["run"] == "success"
    assert len(Chat.told) == 1  # known already
    shop.sql("UPDATE orders SET item = ? WHERE id = ?", PLANT, first)
    capsys.readouterr()
    assert shop.run(reopen=f"{first}, 999999") == good()
    said = capsys.readouterr().out
    assert f"order {first} is open again, with all its tries" in said
    assert "There is no order 999999: look at the numbers" in said
    assert "- Run by hand: by " in entries(shop)[-1]
    assert "there is no order 999999: nothing done" in entries(shop)[-1]
    assert set(shop.status()) == {"processed"}
    assert told()[1:] == [("developers", "*[resolved] error #12, item in no catalog in production*")]


def test_an_error_that_hits_everything_is_restarted_once_handed_over_with_the_evidence_and_resolved(
    shop, capsys
):
    shop.order([PLANT])
    assert shop.run()["run"] == "success"
    orders = shop.order([PLANT] * 12)
    shop.sql("UPDATE plants SET name = name || ' (gone)'")
    try:
        states = shop.run()
        said = capsys.readouterr().out
        assert states == good(run="failed", decide="failed")
        ((team, text),) = Chat.told
        assert team == "developers"
        assert text.startswith(
            "*[handed over] order processing in production: error #12, item in no catalog*"
        )
        for part in (
            "A restart did not help",
            "Nothing was released or rolled back since the last good run, order_processor/manual__",
            "> ",
            "*First occurrence:*",
            "*Orders hit:*",
        ):
            assert part in text.replace("&gt;", ">"), text
        assert "Orders are not processed as they should be: " in said
        assert (
            len(
                [
                    each
                    for each in shop.client.list("Job", NAMESPACE)
                    if "order-batch-2" in each["metadata"]["name"]
                ]
            )
            == 1
        )
        entry = entries(shop)[-1]
        assert "Restarted the order processor once, which is safe: it picks up where it left off." in entry
        assert "Told the developers" in entry
        assert shop.run()["run"] == "failed"
        assert len(Chat.told) == 1  # one message per problem
    finally:
        shop.sql("UPDATE plants SET name = replace(name, ' (gone)', '')")
    assert shop.sql("SELECT DISTINCT status FROM orders WHERE id >= ?", orders[0]) == [("open",)]
    assert shop.run()["run"] == "success"
    assert (
        "developers",
        "*[resolved] order processing in production: error #12, item in no catalog*",
    ) in told()
    assert shop.sql("SELECT count(*) FROM fulfilments WHERE order_id >= ?", orders[0]) == [(12,)]


def test_a_database_that_cannot_be_asked_holds_up_no_order_and_is_told(shop, monkeypatch, tmp_path, capsys):
    shop.order([PLANT] * 3)
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", shop.connection(tmp_path / "absent.db"))
    assert shop.run()["run"] == "success"
    assert "open" not in shop.status()
    assert told() == [("on_call", "*[alert] outstanding orders in production are not known*")]
    monkeypatch.undo()
    shop.order([PLANT])
    assert shop.run()["run"] == "success"
    assert told()[1:] == [("on_call", "*[resolved] outstanding orders in production are not known*")]


@pytest.mark.long
def test_a_database_without_the_tables_names_them_and_what_to_release(shop, monkeypatch, tmp_path, capsys):
    import sqlite3

    shop.order([PLANT])
    shop.run()
    path = tmp_path / "old.db"
    sqlite3.connect(path).close()
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", shop.connection(path))
    shop.run("order_backlog")
    said = capsys.readouterr().out
    assert "no such table" in said
    assert "a release with its migrations (release-2 and later) has to go out first" in said
    monkeypatch.undo()
    shop.run("order_backlog")
    assert [head.split("]")[0] for _, head in told()] == ["*[alert", "*[resolved"]


def test_tables_that_no_release_has_brought_yet_alert_nobody(shop, monkeypatch, tmp_path, capsys):
    import sqlite3

    path = tmp_path / "new.db"
    sqlite3.connect(path).close()
    monkeypatch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", f"sqlite:///{tmp_path / 'records.db'}")
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", shop.connection(path))
    assert shop.run("order_backlog")["run"] == "success"
    assert "nobody is told before a first batch has run" in capsys.readouterr().out
    assert told() == []


def test_a_table_that_goes_away_is_handed_over_to_ops_without_a_restart(shop, capsys):
    shop.order([PLANT] * 2)
    shop.sql("ALTER TABLE fulfilments RENAME TO gone")
    try:
        assert shop.run()["run"] == "failed"
    finally:
        shop.sql("ALTER TABLE gone RENAME TO fulfilments")
    (handed,) = [text for team, text in Chat.told if team == "ops"]
    assert handed.startswith("*[handed over] order processing in production: schema too old*")
    assert "A restart does not help against that." in handed
    shop.sql("UPDATE order_claims SET claimed_until = 0, not_before = 0")
    assert shop.run()["run"] == "success"  # nothing is lost
    assert "open" not in shop.status()
    assert shop.twice() == []


@pytest.mark.long
def test_issue_airflow_63856_one_proposal_and_not_a_hundred_emails(shop, capsys):
    """apache/airflow#63856: "I don't want 100 emails"."""
    shop.change("orders", lambda value: value["schedule"].update(again=1))
    capacity = {"processes": 2, "at_a_time": 4, "seconds_per_order": 300, "seconds_per_order_at_most": 3000}
    shop.change("orders", lambda value: value.update(capacity=capacity))
    try:
        for _ in range(4):
            shop.order([PLANT] * 12)  # a batch takes 4 of these orders
            # What was measured of late would be reckoned with instead.
            shop.sql("UPDATE fulfilments SET processed_at = '2026-01-01T00:00:00.000Z'")
            shop.run()
    finally:
        shop.change("orders", lambda value: value.pop("capacity"))
        shop.change("orders", lambda value: value["schedule"].update(again=2))
    assert [team for team, _ in told()] == ["ops"]
    assert "Too high" not in Chat.told[0][1]
    assert "Come in:" in Chat.told[0][1]


def test_the_alert_is_raised_once_between_the_batches_and_ends_when_it_is_over(shop, capsys):
    for _ in range(2):
        shop.order([PLANT] * 2)
        shop.sql("UPDATE orders SET created_at = '2026-01-01T00:00:00.000Z' WHERE status = 'open'")
        assert shop.run("order_backlog")["run"] == "success"
    ((team, text),) = Chat.told
    assert team == "on_call"
    assert text.startswith("*[alert] Outstanding orders too high in production*")
    assert shop.run()["run"] == "success"
    assert "-- *Outstanding orders too high*" in entries(shop)[-1].splitlines()[0]
    shop.run("order_backlog")
    assert told()[1:] == [("on_call", "*[resolved] Outstanding orders too high in production*")]
    looks = shop.records.looks.since("orders", datetime.now(UTC) - timedelta(days=1))[-3:]
    assert [each.figures["raised"] for each in looks] == [True, True, False]


def test_without_the_records_a_problem_is_told_once_all_the_same_and_they_get_it_when_they_are_back(
    shop, monkeypatch, tmp_path, capsys
):
    shop.order([PLANT] * 2)
    shop.sql("UPDATE orders SET created_at = '2026-01-01T00:00:00.000Z' WHERE status = 'open'")
    key = "orders/production/backlog"
    away = f"sqlite:///{tmp_path / 'absent' / 'records.db'}"
    monkeypatch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", away)
    for _ in range(2):
        assert shop.run("order_backlog")["run"] == "success"
    assert told() == [("on_call", "*[alert] Outstanding orders too high in production*")]
    assert shop.records.problems.problem(key) is None
    monkeypatch.undo()
    shop.run("order_backlog")
    kept = shop.records.problems.problem(key)
    assert kept is not None
    assert kept.open
    assert told()[1:] == []


@pytest.mark.long
def test_without_a_processor_the_run_says_so_and_is_no_failure(shop, capsys):
    shop.client.delete("Deployment", NAMESPACE, "order-processor")
    try:
        assert shop.run() == good(run_batch="skipped")
        assert "no release has brought an order processor" in capsys.readouterr().out
    finally:
        shop.deploy()


def test_orders_that_no_batch_takes_are_told_of_once_until_one_does(shop, capsys):
    shop.order([PLANT] * 2)
    shop.client.delete("Deployment", NAMESPACE, "order-processor")
    try:
        for _ in range(2):
            assert shop.run() == good(run_batch="skipped")
    finally:
        shop.deploy()
    ((team, text),) = Chat.told
    assert team == "on_call"
    assert text.startswith("*[alert] no batch of orders was run in production*")
    assert "no release has brought an order processor. 2 orders wait" in text
    shop.run()
    assert told()[1:] == [("on_call", "*[resolved] no batch of orders was run in production*")]


def test_a_request_without_a_reason_is_refused(shop, capsys):
    states = shop.run(reason="", reopen="#4")
    assert (states["run"], states["read_backlog"], states["run_batch"]) == (
        "failed",
        "failed",
        "upstream_failed",
    )
    said = capsys.readouterr().out
    assert "param reason" in said
    assert "param reopen" in said
    assert "*Order processing, a request that was refused*" in entries(shop)[-1]
    assert "-- *Order processing, a request that was refused*" in said
    assert "No batch was started. Who asked for it: put the request right and trigger it anew." in said
    ((team, text),) = Chat.told
    assert team == "on_call"
    assert text.startswith("*[refused] order processing in production*")
    # All that is wrong at once, with what to do.
    assert "Not as asked: param reason: found '', expected at least 3 characters" in text
    assert "; param reopen: found '#4', expected numbers of orders, such as 4, 17 (to do: correct it" in text
    assert "No batch was started." in text
    assert "*Asked for by:* " in text
