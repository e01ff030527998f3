"""When was the last deploy, of what, by whom, and is that what runs: in the terminal, as data, on the page."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from include.records import cli, terminal
from include.records.models import Change, Verdict
from include.records.overview import Place, live_state, overview
from include.records.page import Links, render
from include.records.places import where
from include.records.store import Records
from include.release.environments import Environments
from include.release.kube import KubeError
from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError
from include.release.running import Live

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """Records that the command line finds; there is no cluster to ask."""
    url = f"sqlite:///{tmp_path}/records.db"
    monkeypatch.setenv("PLAN_REDUCE_REPEAT_RECORDS", url)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return Records(url)


@pytest.fixture
def environments() -> Environments:
    return Sources(PROJECT / "include" / "releases", PROJECT / "include" / "config").environments()


def change(
    run: str, environment: str = "production", outcome: str = "released", hour: int = 0, **more: Any
) -> Change:
    started = NOON + timedelta(hours=hour)
    values = {
        "run": run, "kind": "release", "app": "shop", "environment": environment, "release": "release-1",
        "number": 1, "images": {"shop:1.0.0": f"x/shop:1.0.0@{DIGEST}"}, "user": "oncall", "reason": "CHG-1",
        "started": started, "ended": started + timedelta(seconds=83), "outcome": outcome,
    }  # fmt: skip
    return Change(**(values | more))


class Silent:
    """A cluster that does not answer, or refuses."""

    def __init__(self, status: int = 0) -> None:
        self.status = status

    def list(self, kind: str, namespace: str, labels: str = "") -> Any:
        raise KubeError(self.status, "connection refused", f"GET {kind}")


def test_every_place_has_its_last_change_and_what_went_out_last(records, environments):
    records.save_change(change("release/1", "production"))
    records.save_change(change("release/2", "production", "refused", hour=1, release="release-2"))
    records.save_change(change("release/3", "qa"))
    silent: Any = Silent()
    found = overview(records, environments, lambda _: silent)
    assert [(each.environment, each.last.run, each.settled and each.settled.run) for each in found] == [
        ("qa", "release/3", "release/3"),
        ("production", "release/2", "release/1"),
    ]
    assert found[0].live == Live("unknown", "cluster not reachable: connection refused")
    assert [
        each.environment for each in overview(records, environments, lambda _: silent, environment="qa")
    ] == ["qa"]
    assert overview(records, environments, lambda _: silent, app="other") == []


def test_a_cluster_that_refuses_and_an_environment_that_is_gone_say_so(environments):
    refusing: Any = Silent(403)
    history = [change("release/1")]
    state = live_state(history, environments.find("production"), lambda _: refusing)
    assert state == Live("unknown", "the cluster refuses: connection refused")
    assert (
        live_state(history, None, lambda _: refusing).text
        == "production is not in environments.yaml any more"
    )


def test_a_change_that_went_wrong_since_is_named(environments):
    class Empty(Silent):
        def list(self, kind: str, namespace: str, labels: str = "") -> Any:
            return []

    history = [change("release/2", outcome="failed", hour=1, release="release-2"), change("release/1")]
    empty: Any = Empty()
    state = live_state(history, environments.find("production"), lambda _: empty)
    assert state.text == "nothing of it is deployed (release release-2 failed since: release/2)"


# the terminal


def test_make_releases_shows_last_changes_live_state_and_history(records, capsys):
    records.save_change(change("release/1", "qa", user="dev"))
    records.save_change(
        change("release/2", approved_by="admin", reason="[red]CHG-2[/]", document="/docs/2.md")
    )
    records.save_change(change("release/3", outcome="rolled back", hour=1, release="release-2"))
    assert cli.main(["releases"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    found = (line.startswith("production release release-2 unknown: cluster not reachable") for line in lines)
    at = list(found).index(True)
    assert lines[at + 1 : at + 4] == [
        "shop rolled back after 1 min 23 s", "2026-03-04 13:00 by oncall", "before: release-1, 2026-03-04 12:00",
    ]  # fmt: skip
    at = lines.index("2026-03-04 12:00 production: release release-1 oncall, approved by admin")
    assert lines[at + 1 : at + 3] == ["released in 1 min 23 s [red]CHG-2[/]", "release/2"]
    assert "As-built document of release/2: /docs/2.md" in lines


def test_a_terminal_of_80_columns_is_wide_enough(records, monkeypatch):
    last = change("release/manual__2026-03-04T12:00:00.123456+00:00_AbCdEfGh", outcome="rolled back", hour=1,
                  approved_by="admin", reason="a reason that goes on and on, " * 4)  # fmt: skip
    place = Place(
        "shop", "production", last, change("release/1"), Live("no", "runs shop:2.0.0 sha256:4c44 of " * 3)
    )
    said = Verdict(digest=DIGEST, image="shop:2.0.0-qa", app="shop", passed=True, source="ci", by="admin", at=NOON,
                   reason="test 7 " * 20)  # fmt: skip
    console = Console(width=80, file=io.StringIO())
    monkeypatch.setattr(terminal, "_console", lambda: console)
    terminal.print_releases([place], [last], "the records")
    terminal.print_verdicts([said])
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for part in ("before: release-1, 2026-03-04 12:00", "rolled back after", "oncall, approved by admin",
                 "passed, says ci (by admin)", "shop:2.0.0-qa", DIGEST[:19]):  # fmt: skip
        assert part in text, part
    assert "…" not in text


def test_make_releases_as_json_and_limited(records, capsys):
    for hour, environment in enumerate(["qa", "production", "production"]):
        records.save_change(change(f"release/{hour}", environment, hour=hour))
    assert cli.main(["releases", "--json", "--environment", "production", "--limit", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["run"] for each in found["history"]] == ["release/2"]
    (place,) = found["places"]
    assert (place["app"], place["environment"], place["went_out"]["run"]) == (
        "shop",
        "production",
        "release/2",
    )
    assert place["live"]["answer"] == "unknown"


def test_no_change_yet(records, capsys, tmp_path):
    assert cli.main(["releases"]) == 0
    assert capsys.readouterr().out == f"No change is recorded in sqlite:///{tmp_path}/records.db.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--environment", "prod"],
            "--environment\n    found:    prod\n    expected: one of qa, production, payments",
        ),
        (["--app", "web"], "--app\n    found:    web\n    expected: one of shop"),
    ],
)
def test_a_filter_that_matches_nothing_is_refused(records, capsys, arguments, said):
    records.save_change(change("release/1"))
    assert cli.main(["releases", *arguments]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "x", "9999999"])
def test_a_limit_that_is_no_number(records, capsys, limit):
    with pytest.raises(SystemExit) as raised:
        cli.main(["releases", "--limit", limit])
    assert raised.value.code == 2
    assert "is no number from 1 to 100000" in capsys.readouterr().err


def test_records_that_cannot_be_opened_are_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PLAN_REDUCE_REPEAT_RECORDS", f"sqlite:///{tmp_path}/none/x.db")
    assert cli.main(["releases"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "unable to open database file" in said


def test_the_demo_s_records_are_the_default_and_settings_win(tmp_path):
    with pytest.raises(
        RejectedError, match="PLAN_REDUCE_REPEAT_RECORDS is not set, and no demo has run here"
    ):
        where({"KUBECONFIG": "/my/own"}, tmp_path)
    database = tmp_path / ".demo" / "records" / "records.db"
    database.parent.mkdir(parents=True)
    database.touch()
    assert where({"KUBECONFIG": "/my/own"}, tmp_path).kubeconfig is None
    kubeconfig = tmp_path / ".demo" / "cluster" / "kubeconfig"
    kubeconfig.parent.mkdir()
    kubeconfig.touch()
    found = where({"KUBECONFIG": "/my/own"}, tmp_path)
    assert (found.records, found.kubeconfig) == (f"sqlite:///{database}", str(kubeconfig))
    chosen = where({"PLAN_REDUCE_REPEAT_RECORDS": "postgresql://db/x", "KUBECONFIG": "/my/own"}, tmp_path)
    assert (chosen.records, chosen.kubeconfig) == ("postgresql://db/x", "/my/own")


def test_a_kubeconfig_that_is_none_is_no_answer_but_no_crash(records, capsys, monkeypatch, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text("nothing: [")
    monkeypatch.setenv("KUBECONFIG", str(path))
    records.save_change(change("release/1"))
    assert cli.main(["releases", "--json"]) == 0
    live = json.loads(capsys.readouterr().out)["places"][0]["live"]
    assert live["answer"] == "unknown"
    assert live["text"].endswith(f"({path})")


# the page

LINKS = Links(
    lambda each: f"/dags/{each.run}", lambda each: "document?run=x" if each.document else None, "releases"
)


def page(records: Records, places: list[Place] | None = None, **more: Any) -> str:
    return render(places or [], records.changes(), records.verdicts(), LINKS, now=NOON, **more)


def test_the_page_shows_places_history_and_verdicts_by_build(records):
    last = change(
        "release/2",
        outcome="refused",
        summary="The gate is closed.",
        document="/docs/2.md",
        approved_by="admin",
    )
    records.save_change(last)
    for passed, digest in ((True, DIGEST), (False, DIGEST), (True, OTHER)):
        records.add_verdict(
            Verdict(
                digest=digest, image="shop:1.0.0", app="shop", passed=passed, source="ci", by="admin", at=NOON
            )
        )
    text = page(
        records, [Place("shop", "production", last, change("release/1"), Live("no", "runs shop:2.0.0"))]
    )
    for part in (
        '<a class="nowrap" href="/dags/release/2" target="_top">release release-1</a>',
        '<span class="badge refused">refused</span>',
        '<span class="badge no">no</span> runs shop:2.0.0',
        "The gate is closed.",
        '<a href="document?run=x">as built</a>',
        "approved by admin",
        "<summary>1 older</summary>",
    ):
        assert part in text
    assert text.count('class="badge passed"') == 2


def test_what_people_wrote_is_no_html_on_the_page(records):
    evil = "<script>alert(1)</script>"
    records.save_change(change("release/1", reason=evil, summary=evil, user=evil, release=evil))
    records.add_verdict(
        Verdict(digest=DIGEST, image=evil, app="shop", passed=True, source="ci", by=evil, reason=evil,
                link="javascript:alert(1)")
    )  # fmt: skip
    text = page(
        records,
        [Place("shop", evil, records.changes()[0], None, Live("no", evil))],
        chosen=evil,
        environments=[evil],
    )
    assert evil not in text
    assert "javascript:" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_an_empty_page_says_what_to_do_and_trouble_is_shown(records):
    text = page(records, chosen="qa", environments=["qa", "production"])
    assert "No release has been recorded in qa yet." in text
    assert 'href="releases?environment=qa" aria-current="page"' in text
    assert "No verdict has been recorded yet." in text
    assert '<div class="trouble" role="alert">it burns</div>' in page(records, trouble="it burns")
