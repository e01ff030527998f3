"""What the processor gets done, for a look that asks no cluster: of the release that is out, whatever drafts there are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.orders.alarm import alert_of
from include.orders.live import pace_without_cluster
from include.orders.messages import backlog_finding
from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError
from tests.include.orders.world import NOW, backlog, orders, where


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """The releases as shipped, and a third one that is not out yet and gets ten times as much done."""
    shutil.copytree(PROJECT / "include" / "releases", tmp_path / "releases")
    text = (tmp_path / "releases" / "release-2.yaml").read_text()
    text = text.replace("name: release-2\n", "name: release-3\n").replace("number: 2\n", "number: 3\n")
    (tmp_path / "releases" / "release-3.yaml").write_text(text.replace("at_a_time: 4", "at_a_time: 40"))
    return Sources(tmp_path / "releases", PROJECT / "include" / "config")


def test_the_release_that_is_out_counts_and_not_the_newest_file(sources):
    assert pace_without_cluster(sources, orders(), None).at_a_time == 40
    found = pace_without_cluster(sources, orders(), None, "release-2")
    assert (found.at_a_time, found.source) == (4, "capacity facts of release-2")
    assert pace_without_cluster(sources, orders(), None, "release-1").at_a_time == 40, "it has no processor"


def test_a_draft_that_cannot_be_read_hides_no_other_release(sources):
    (sources.releases / "release-3.yaml").write_text("name: [\n")
    assert pace_without_cluster(sources, orders(), None).source == "capacity facts of release-2"


def test_without_any_release_that_can_be_read_number_and_age_are_judged_all_the_same(sources):
    for name in ("release-2", "release-3"):
        (sources.releases / f"{name}.yaml").write_text("name: [\n")
    with pytest.raises(RejectedError, match="no release of shop has capacity facts"):
        pace_without_cluster(sources, orders(), None)
    alert = alert_of(backlog(961), None, orders(), raised=False)
    assert (alert.raised, alert.reasons) == (True, ("more than 960 wait",))
    said = backlog_finding(backlog(961), alert, None, NOW, [], where()).message().plain()
    assert "At present capacity: not known: no release that can be read has capacity facts" in said
