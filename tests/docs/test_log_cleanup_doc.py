"""docs/log-cleanup.md explains every key there is, and none that there is not."""

from __future__ import annotations

import re
import subprocess

import yaml

from include.logs.retention import (
    ArchiveTo,
    Compliance,
    Hold,
    LogClass,
    LogRetention,
    Resources,
    Truncation,
    Volume,
    Window,
)
from include.release.loading import PROJECT

TEXT = (PROJECT / "docs" / "log-cleanup.md").read_text()
MODELS = (ArchiveTo, Compliance, Hold, LogClass, LogRetention, Resources, Truncation, Volume, Window)


def test_every_key_of_the_file_is_explained():
    _, _, configuration = TEXT.partition("## Configuration")
    named = set(re.findall(r"`([a-z_]+)(?:`|:)", configuration))
    missing = {name for model in MODELS for name in model.model_fields} - named
    assert missing == set()


def test_no_key_is_explained_that_does_not_exist():
    known = {name for model in MODELS for name in model.model_fields}
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", TEXT.partition("## Configuration")[2], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert len(named) > 30
    assert named <= known


def test_what_is_said_of_an_open_log_after_a_clean_up_is_so(tmp_path):
    log, copy = tmp_path / "app.log", tmp_path / "copy.log"
    with log.open("wb") as file:
        file.seek(4 << 20)
        file.write(b"an ERROR\nthe end\n")
    (_, _, said) = TEXT.partition("**An open log looks strange after a clean-up.**")
    said = said.partition("\n\n")[0]

    def run(command: str) -> str:
        assert f"`{command}`" in said or command in said
        words = ["sh", "-c", command]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert run("grep -a ERROR app.log").endswith("an ERROR\n")
    assert run("tr -d '\\0' < app.log") == "an ERROR\nthe end\n"
    assert run("du -h app.log").split()[0] in ("4.0K", "8.0K")
    assert "`cp --sparse=always`" in said
    subprocess.run(["cp", "--sparse=always", log, copy], check=True)
    assert copy.stat().st_blocks * 512 < 1 << 20


def test_the_role_has_what_the_steps_ask_for():
    block = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    rules = yaml.safe_load(block[1])["rules"]
    may = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert may >= {
        ("configmaps", "create"), ("configmaps", "list"), ("configmaps", "delete"), ("jobs", "create"), ("jobs", "get"),
        ("jobs", "list"), ("jobs", "delete"), ("pods", "list"), ("pods/log", "get"), ("events", "list"),
        ("persistentvolumeclaims", "get"), ("persistentvolumeclaims", "list"), ("deployments", "get"), ("leases", "get"),
    }  # fmt: skip
