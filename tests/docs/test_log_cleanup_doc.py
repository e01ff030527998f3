"""docs/log-cleanup.md explains every key there is, and none that there is not."""

from __future__ import annotations

import re

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
