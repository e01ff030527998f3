"""What CI says of a build: what is accepted, what is refused and with which words."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from include.records import cli
from include.records.recording import Finding, read_finding, record, recorder_of, split_image
from include.records.store import Records
from include.release.environments import VerdictRecorder
from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError

DIGEST = "sha256:" + "1" * 64
GOOD = {"digest": DIGEST, "image": "shop:1.0.0", "app": "shop", "passed": True}
SOURCES = Sources(PROJECT / "include" / "releases", PROJECT / "include" / "config")


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    url = f"sqlite:///{tmp_path}/records.db"
    monkeypatch.setenv("PLAN_REDUCE_REPEAT_RECORDS", url)
    return Records(url)


def add(records: Records, **more: Any) -> Any:
    finding = read_finding(GOOD | more, "the request")
    return record(records, finding, source="ci", by="admin", sources=SOURCES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"digest": "sha256:12"}, "digest\n    found:    'sha256:12'\n    expected: text that matches ^sha256:[0-9a-f]{64}$"),
        ({"passed": "yes"}, "passed\n    found:    'yes'\n    expected: true or false"),
        ({"passed": False}, "reason\n    found:    nothing\n    expected: why the build failed, in a sentence"),
        ({"passed": False, "reason": "  "}, "expected: why the build failed, in a sentence"),
        ({"result": "ok"}, "result\n    found:    unknown key result"),
        ({"link": "javascript:alert(1)"}, "link\n    found:    'javascript:alert(1)'"),
        ({"app": "The Shop"}, "app\n    found:    'The Shop'"),
        ({"image": ""}, "image\n    found:    ''"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_with_what_is_right(change, said):
    with pytest.raises(RejectedError) as raised:
        read_finding(GOOD | change, "the request")
    text = str(raised.value)
    assert said in text
    assert "in the verdict. Nothing has been recorded." in text


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_a_body_that_is_no_mapping(body):
    with pytest.raises(RejectedError, match="expected: a mapping with digest, image, app, passed"):
        read_finding(body, "the request")


def test_every_problem_is_named_at_once():
    with pytest.raises(RejectedError, match="3 problems in the verdict"):
        read_finding({"image": "shop:1"}, "the request")


def test_an_image_with_its_digest_needs_no_other():
    given = split_image(
        {"image": f"registry.example.com:5000/team/shop:1.0.0@{DIGEST}", "app": "shop", "passed": True}
    )
    assert read_finding(given, "x") == Finding(
        digest=DIGEST, image="team/shop:1.0.0", app="shop", passed=True
    )
    assert split_image({"image": "shop:1.0.0"}) == {"image": "shop:1.0.0"}


def test_a_digest_that_no_lock_file_has_is_kept_and_reported(records):
    unknown = add(records)
    assert records.verdicts(DIGEST) == [unknown.verdict]
    assert unknown.known_as == ()
    assert unknown.notice.startswith("No lock file has this digest: no release can use this build.")
    lock = SOURCES.image_lock(SOURCES.environments().environments[0])
    known = add(records, digest=lock.images["shop:2.0.0"].digest)
    assert (known.known_as, known.notice) == (("shop:2.0.0",), "")


def test_the_same_pipeline_says_the_same_once(records):
    first, again = add(records, run="build-7"), add(records, run="build-7")
    assert first.verdict == again.verdict
    other = add(records, run="build-8")
    assert records.verdicts(DIGEST) == [other.verdict, first.verdict]


def test_ci_cannot_speak_for_an_environment(records):
    finding = read_finding(GOOD, "the request")
    with pytest.raises(RejectedError, match="found:    qa, the name of an environment"):
        record(records, finding, source="qa", by="admin", sources=SOURCES)
    assert records.verdicts() == []


@pytest.mark.parametrize(
    ("app", "source", "said"),
    [
        ("shoop", "ci", "the verdict  app\n    found:    'shoop'\n    expected: one of shop, upcommerce\n"),
        ("shop", "cl", "the source\n    found:    'cl'\n    expected: one of ci\n"),
    ],
)
def test_an_app_or_a_source_that_nobody_knows_is_refused_with_those_that_there_are(
    records, app, source, said
):
    finding = read_finding(GOOD | {"app": app}, "the request")
    with pytest.raises(RejectedError) as raised:
        record(records, finding, source=source, by="admin", sources=SOURCES)
    assert said in str(raised.value)
    assert "Nothing has been recorded." in str(raised.value)
    assert records.verdicts() == []


def test_where_no_app_and_no_source_is_named_each_is_taken(records, tmp_path):
    shutil.copytree(SOURCES.config, tmp_path / "config")
    file = tmp_path / "config" / "environments.yaml"
    text = re.sub(r"(?m)^ *apps: .*\n", "", file.read_text()).replace("[qa, ci]", "[qa]")
    file.write_text(
        text.replace("verdict_recorders:\n  - {user: admin, source: ci}", "verdict_recorders: []")
    )
    (tmp_path / "releases").mkdir()
    new = Sources(tmp_path / "releases", tmp_path / "config")
    assert new.environments().verdict_recorders == []
    finding = read_finding(GOOD | {"app": "new"}, "the request")
    assert record(records, finding, source="jenkins", by="admin", sources=new).verdict.app == "new"


def test_who_may_record_and_as_what():
    recorders = [VerdictRecorder(user="admin", source="ci"), VerdictRecorder(user="scanner", source="scan")]
    assert recorder_of("scanner", recorders) == "scan"
    assert recorder_of("dev", recorders) is None


# the command line


def test_the_command_records_a_fail(records, capsys):
    arguments = [
        "verdict",
        "--image",
        f"x.io/shop:1.0.0@{DIGEST}",
        "--app",
        "shop",
        "--failed",
        "--reason",
        "test 7",
    ]
    assert cli.main([*arguments, "--by", "jenkins", "--run", "build-7"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("shop:1.0.0 (sha256:111111111111): failed, says ci (by jenkins, ")
    assert said.out.endswith("): test 7\n")
    assert said.err.startswith("notice: No lock file has this digest")
    (kept,) = records.verdicts()
    assert (kept.passed, kept.source, kept.by, kept.run) == (False, "ci", "jenkins", "build-7")


def test_the_command_prints_json(records, capsys):
    arguments = [
        "verdict",
        "--image",
        "shop:1.0.0",
        "--digest",
        DIGEST,
        "--app",
        "shop",
        "--passed",
        "--json",
    ]
    assert cli.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"]["passed"] is True
    assert cli.main(["verdicts", "--json", "--digest", DIGEST]) == 0
    assert json.loads(capsys.readouterr().out) == [found["verdict"]]
    assert cli.main(["verdicts"]) == 0
    assert "sha256:111111111111" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(records, capsys):
    assert cli.main(["verdict", "--image", "shop:1.0.0", "--app", "shop", "--failed"]) == 1
    said = capsys.readouterr().err
    assert "the options  digest\n    found:    nothing" in said
    with pytest.raises(SystemExit):
        cli.main(["verdict", "--image", "shop:1.0.0", "--app", "shop", "--failed", "--passed"])
    assert records.verdicts() == []


def test_the_command_removes_what_is_old(records, capsys):
    add(records)
    assert cli.main(["prune", "--keep-days", "730"]) == 0
    assert capsys.readouterr().out.startswith(
        "removed what is older than 730 days: 0 verdicts, 0 changes, 0 marks"
    )
