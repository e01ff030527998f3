"""The figures: confusion matrix, precision, recall; and the command that prints them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.restarts.__main__ import main
from include.restarts.cause import Finding
from include.restarts.cause.measuring import Judged, label_of, matrix
from tests.include.restarts.cause.building import RECORDED


def judged(case: str, label: str, cause: str, *also: str, role: str = "main") -> Judged:
    return Judged(case, label, also, Finding(cause, role, "because"))  # type: ignore[arg-type]


def test_findings_in_the_words_of_the_recordings() -> None:
    assert label_of(Finding("node", "main", "")) == "eviction"
    assert label_of(Finding("node", "sidecar", "")) == "eviction"
    assert label_of(Finding("network", "init", "")) == "init"
    assert label_of(Finding("oom", "sidecar", "")) == "sidecar"
    assert label_of(Finding("oom", "main", "")) == "oom"


def test_the_matrix_counts_each_case_once_and_names_what_is_wrong() -> None:
    text = matrix(
        [
            judged("a", "network", "network"),
            judged("b", "network", "unknown"),
            judged("c", "application", "network"),
            judged("d", "application", "config", "config"),
            judged("e", "init", "network", "network", role="init"),
            judged("f", "init", "application", "network", role="init"),
        ]
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "network 1 . . . 1" in lines  # network config application init unknown
    assert "application 1 1 . . ." in lines
    assert "network 0.50 0.50 1/2" in lines
    assert "exactly the label: 3 of 6; label or a defensible one: 4" in lines
    assert "cause network in any container: 3 found, 1 without reason (c), 2 missed (b, f)" in lines
    assert "x c: application, found network: because" in lines
    assert "~ d: application (or config), found config: because" in lines


def test_the_command_prints_a_line_for_each_case_and_the_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(RECORDED)]) == 0
    out = capsys.readouterr().out
    assert "curl_exit_7  app  network  exit code 7, " in out
    assert "sidecar_native_restarts  proxy  network of sidecar  exit code 1, connection refused: " in out
    assert "0 without reason, 0 missed" in out


def test_the_command_reads_a_pod_as_kubectl_prints_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = json.loads((RECORDED / "oom_tmpfs.json").read_text())
    saved = tmp_path / "pod.json"
    saved.write_text(json.dumps({"kind": "List", "items": [recorded["pod"]]}))
    assert main(["classify", "--json", str(saved)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["case"], line["container"], line["cause"], line["label"]) == ("pod", "app", "oom", "oom")


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "JSON: a Pod"), ("[]", "a Pod, a List with one"), ('{"kind": "Pod"}', "give the file of one pod")],
)
def test_a_file_that_is_no_pod_is_said_to_be_none(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(text)
    assert main(["classify", str(wrong)]) == 2
    assert said in capsys.readouterr().err
    assert main(["classify", str(tmp_path / "none")]) == 2
