"""Mistakes in log_retention.yaml: each is refused with its line, what was found, what is right, and the fix."""

from __future__ import annotations

import pytest

from include.logs.loading import placed_volumes, read_retention, read_volume, volume_names
from include.logs.salvaging import Wrong
from include.release.loading import Sources
from include.release.problems import Problem, RejectedError

CLASS = "      - name: orders\n"
SECOND = """
  - name: web-logs
    title: Logs of the web servers
    path: /var/log/web
    classes:
      - {name: all, globs: ["**"], keep_days: 30, archive: false}
"""


def problems(sources: Sources) -> list[Problem]:
    with pytest.raises(RejectedError) as raised:
        read_retention(sources)
    return list(raised.value.problems)


def line_of(sources: Sources, text: str) -> int:
    lines = (sources.config / "log_retention.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_the_shipped_file_is_right():
    retention = read_retention(Sources.from_environment())
    assert [each.name for each in retention.volumes] == ["shop-logs"]
    volume = retention.volumes[0]
    assert (volume.floor_percent, volume.target_percent) == (20, 30)
    assert (volume.bytes_of_size, volume.bytes_to_approve) == (1 << 30, 500 << 20)
    placed = read_volume(Sources.from_environment(), "shop-logs")
    assert placed.image.startswith("standin.local/shop:2.0.0@sha256:")
    assert placed.place == "claim course4-logs of namespace course4 (production)"


MISTAKES = {
    "time zone": (
        ("time_zone: Europe/Berlin", "time_zone: Europe/Paderborn"),
        ("time_zone", "Europe/Paderborn", "a name of the IANA time zone database", "write it as Europe/Berlin or UTC"),
    ),
    "clock": (
        ('start: "04:00"', 'start: "24:00"'),
        ("start", "24:00", 'a time of day as HH:MM, such as "06:00"', ""),
    ),
    "clock that YAML reads as a number": (
        ('finish_by: "06:00"', "finish_by: 6"),
        ("finish_by", None, 'a time of day as HH:MM, such as "06:00"', 'write "06:00", with quotes'),
    ),
    "approvers of a claim": (
        ("    approve_above: 500Mi\n", "    approve_above: 500Mi\n    may_approve: [ada, bob]\n"),
        ("volumes[0].may_approve", "ada, bob", "nothing: may_approve of the environment in environments.yaml counts for a claim", "remove it"),
    ),
    "days below nothing": (
        ("globs: [app.log]\n        keep_days: 7", "globs: [app.log]\n        keep_days: -1"),
        ("volumes[0].classes[0].keep_days", None, "a number of days from 0 to 36500, such as 30", ""),
    ),
    "finish at the start": (
        ('finish_by: "06:00"', 'finish_by: "04:00"'),
        ("finish_by", "04:00", "a time that is not the start, 04:00", "give it the time that a clean-up takes, and some more"),
    ),
    "window without the start": (
        ('start: "03:30"', 'start: "05:30"'),
        ("window", "mon, tue, wed, thu, fri, sat, sun 05:30 to 07:00",
         "open hours that have the start, 04:00: every run would ask a person", "widen the window, or move start"),
    ),
    "window that never opens": (
        ('end: "07:00"}]', 'end: "07:00"}]\n  freezes: [{start: 2026-01-01T00:00, end: 2900-01-01T00:00, reason: x}]'),
        ("window", "no open time within a year", "hours in which it may start", "end the freeze, or open more hours"),
    ),
    "environment": (
        ("environment: production", "environment: prod"),
        ("volumes[0].environment", "prod", "one of qa, production, payments", "correct it, or add it to environments.yaml"),
    ),
    "claim that is missing": (
        ("    claim: course4-logs\n", ""),
        ("volumes[0].claim", "nothing", "claim: PersistentVolumeClaim in the environment's namespace", "add claim:"),
    ),
    "claim field that is misspelt": (
        ("claim: course4-logs", "claims: course4-logs"),
        ("volumes[0].claims", "unknown key claims", None, "write claim: instead"),
    ),
    "claim without an environment": (
        ("    environment: production\n", ""),
        ("volumes[0].claim", "claim, user, fs_group, image, used_by", "a directory of the worker has nothing of the kind, and a claim has an environment",
         "add environment:, if it is a claim in a cluster; else remove them"),
    ),
    "image that is not locked": (
        ("image: shop:2.0.0", "image: shop:3.0.0"),
        ("volumes[0].image", "shop:3.0.0", None, "write one of them, or a whole reference with its registry"),
    ),
    "application": (
        ("apps: [shop]", "apps: [shoop]"),
        ("volumes[0].apps[0]", "shoop", "one of shop", "correct the name"),
    ),
    "relative path": (
        ("path: /home/sre/course4", "path: home/sre"),
        ("volumes[0].path", "home/sre", None, ""),
    ),
    "path that leaves": (
        ("path: /home/sre/course4", "path: /home/../etc"),
        ("volumes[0].path", "/home/../etc", None, ""),
    ),
    "path of the system": (
        ("path: /home/sre/course4", "path: /etc/shop"),
        ("volumes[0].path", "/etc/shop", "a directory of logs, such as /var/log/shop: everything in it may be deleted",
         "name the directory that the classes are about"),
    ),
    "path of the Job's own": (
        ("path: /home/sre/course4", "path: /program/logs"),
        ("volumes[0].path", "/program/logs", "a directory that is not the Job's own (/program, /request, /archive, /tmp)",
         "mount the claim elsewhere: /logs would do"),
    ),
    "path of much more than logs": (
        ("path: /home/sre/course4", "path: /usr/local"),
        ("volumes[0].path", "/usr/local", "a directory of logs, such as /var/log/shop: everything in it may be deleted",
         "name the directory that the classes are about"),
    ),
    "floor above the target": (
        ("floor: 20 %", "floor: 40 %"),
        ("volumes[0].target", "30 %", "no less than the floor, 40 %", "raise target, or lower floor"),
    ),
    "floor that is no share": (
        ("floor: 20 %", "floor: 20"),
        ("volumes[0].floor", "the number 20", "a share above 0 % and at most 100 %, such as 85 %", "write 20 %"),
    ),
    "size": (
        ("keep_size: 200Mi", "keep_size: 200mb"),
        ("volumes[0].classes[0].keep_size", "200mb", "a size above 0, such as 256Mi or 10Gi", "write 200Mi"),
    ),
    "size in words": (
        ("size: 1Gi", "size: 1 Gigabyte"),
        ("volumes[0].size", "1 Gigabyte", "a size above 0, such as 256Mi or 10Gi", "write 1Gi"),
    ),
    "size of a CPU": (
        ("size: 1Gi", "size: 250m"),
        ("volumes[0].size", "250m", "a size above 0, such as 256Mi or 10Gi", "write 250Mi"),
    ),
    "days with a unit": (
        ("keep_days: 30", "keep_days: 30d"),
        ("volumes[0].classes[2].keep_days", "30d", "a number of days, such as 30", "write 30"),
    ),
    "weeks": (
        ("keep_days: 30", "keep_days: 4 weeks"),
        ("volumes[0].classes[2].keep_days", "4 weeks", "a number of days, such as 30", "write 28"),
    ),
    "more kept than there is": (
        ("keep_size: 200Mi", "keep_size: 2Gi"),
        ("volumes[0].classes[0].keep_size", "2Gi", "less than the volume has, 1Gi", "lower it"),
    ),
    "archive shorter than the minimum": (
        ("archive_keep_days: 730", "archive_keep_days: 300"),
        ("volumes[0].classes[2].archive_keep_days", "300 days in the archive after 30 days live",
         "together at least minimum_days, 365 days", "keep archives for 335 days or more"),
    ),
    "deleted before the minimum": (
        ("archive_keep_days: 730", "archive: false"),
        ("volumes[0].classes[2].keep_days", "30 days, and no archive", "at least minimum_days, 365 days",
         "keep it for 365 days, or archive it"),
    ),
    "retention of archives that are not made": (
        ("keep_days: 30\n        archive_keep_days: 730", "keep_days: 400\n        archive: false\n        archive_keep_days: 730"),
        ("volumes[0].classes[2].archive_keep_days", "730 days for archives that are not made",
         "archive: true, or no archive_keep_days", "remove one"),
    ),
    "loss of what must be kept": (
        ("keep_days: 30\n        archive_keep_days: 730", "keep_days: 400\n        archive: false\n        truncate: {accept_loss: it is noise}"),
        ("volumes[0].classes[2].truncate", "loss is accepted, of lines that are kept for 365 days",
         "no truncation without an archive below the minimum", "archive: true"),
    ),
    "truncation without a reason": (
        ("minimum_days: 365", "minimum_days: 365\n        truncate: {}"),
        ("volumes[0].classes[2].truncate.accept_loss", "nothing", None, "add accept_loss:"),
    ),
    "class twice": (
        ("name: orders", "name: access"),
        ("volumes[0].classes[2].name", "access again", "each name once", "choose another"),
    ),
    "class that is never reached": (
        (CLASS, '      - {name: every, globs: ["*"], keep_days: 400, archive: false}\n' + CLASS),
        ("volumes[0].classes[3].globs", "only files of every", "files that no class before it has: the first that matches counts",
         "move it before them, or remove it"),
    ),
    "class that takes what another must keep": (
        (CLASS, '      - {name: noise, globs: ["*.log.1"], keep_days: 10, archive: false}\n' + CLASS),
        ("volumes[0].classes[3].globs", "files such as order_processing.log.1, which noise has already and keeps for 10 days only",
         "nothing that is kept for less than minimum_days, 365 days",
         "move orders before noise, or make the patterns of one of them narrower"),
    ),
    "glob that leaves": (
        ('"app.log.*", "app.log-*"', '"../*"'),
        ("volumes[0].classes[1].globs[0]", "../*", None, ""),
    ),
    "glob of the clean-up's own": (
        ('"app.log.*", "app.log-*"', '".log-cleanup/archives/**"'),
        ("volumes[0].classes[1].globs[0]", ".log-cleanup/archives/**", None, ""),
    ),
    "glob with a range that makes no sense": (
        ('"app.log.*", "app.log-*"', '"app.log.[9-0]"'),
        ("volumes[0].classes[1].globs[0]", "app.log.[9-0]", "a range that goes upwards, such as [a-z]", "turn it round"),
    ),
    "hold without an owner": (
        ("volumes:\n", 'holds:\n  - {case: "2026-118", globs: ["*"]}\n\nvolumes:\n'),
        ("holds[0].owner", "nothing", "holds[0].owner: Who placed it, and may end it", "add owner:"),
    ),
    "hold without a case": (
        ("volumes:\n", 'holds:\n  - {case: "", owner: Legal, globs: ["*"]}\n\nvolumes:\n'),
        ("holds[0].case", None, "string should have at least 1 character", ""),
    ),
    "hold on a volume that is not there": (
        ("volumes:\n", 'holds:\n  - {case: "1", owner: Legal, globs: ["*"], volumes: [shop-log]}\n\nvolumes:\n'),
        ("holds[0].volumes[0]", "shop-log", "one of shop-logs", "correct it: a hold that applies nowhere holds nothing"),
    ),
    "archives in their own claim": (
        ("approve_above: 500Mi", "approve_above: 500Mi\n    archive_to: {claim: course4-logs}"),
        ("volumes[0].archive_to.claim", "the claim of the logs", "another claim",
         "remove archive_to: then archives lie in .log-cleanup/archives"),
    ),
    "e-mail to nobody": (
        ("- {kind: log}\n", "- {kind: email}\n"),
        ("tell[0]", None, "addresses for an e-mail, such as to: [sre@example.com]", ""),
    ),
}  # fmt: skip


def test_a_file_that_is_no_yaml_has_one_problem(rewrite):
    (problem,) = problems(rewrite(("volumes:", "volumes: [")))
    assert problem.found.startswith("no YAML: ")
    assert problem.fix == "check indentation, quotes, colons"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_what_is_right(rewrite, name):
    change, (field, found, expected, fix) = MISTAKES[name]
    sources = rewrite(change)
    (problem,) = problems(sources)
    assert problem.field == field
    assert found is None or problem.found.strip("'") == found
    assert expected is None or problem.expected == expected
    assert problem.fix == fix
    assert problem.where.endswith(f"log_retention.yaml:{problem.line}")
    # The line is that of the key itself, or of the entry that lacks it.
    key = field.rpartition(".")[2].partition("[")[0]
    text = (sources.config / "log_retention.yaml").read_text().splitlines()[problem.line - 1]
    assert key in text or problem.found == "nothing" or "- " in text


def test_logs_of_a_program_below_usr_are_logs(rewrite):
    sources = rewrite(("path: /home/sre/course4", "path: /usr/local/tomcat/logs"))
    assert read_retention(sources).volumes[0].path == "/usr/local/tomcat/logs"


def test_two_volumes_of_one_place_are_refused(rewrite):
    sources = rewrite()
    path = sources.config / "log_retention.yaml"
    path.write_text(
        path.read_text() + SECOND + SECOND.replace("web-logs", "more").replace("/log/web", "/log/web/old")
    )
    (problem,) = problems(sources)
    assert problem.field == "volumes[2].path"
    assert problem.found == "/var/log/web/old, which the volume web-logs has already (/var/log/web)"


def test_archives_on_the_worker_lie_outside_the_logs(rewrite):
    sources = rewrite()
    path = sources.config / "log_retention.yaml"
    path.write_text(
        path.read_text()
        + SECOND.replace("    classes", "    archive_to: {path: /var/log/web/old}\n    classes")
    )
    (problem,) = problems(sources)
    assert problem.expected == "a directory outside /var/log/web, where classes would match archives"


def test_archives_do_not_lie_in_the_logs_of_another_volume(rewrite):
    sources = rewrite()
    path = sources.config / "log_retention.yaml"
    inside = "    archive_to: {path: /var/log/web/old}\n    classes"
    other = SECOND.replace("web-logs", "more").replace("/var/log/web", "/var/log/more")
    path.write_text(path.read_text() + SECOND + other.replace("    classes", inside))
    (problem,) = problems(sources)
    assert problem.field == "volumes[2].archive_to.path"
    assert problem.found == "/var/log/web/old, in /var/log/web, the logs of web-logs"


def test_one_wrong_volume_does_not_stop_the_others(rewrite):
    sources = rewrite(("claim: course4-logs", "claims: course4-logs"), ("volumes:\n", "volumes:" + SECOND))
    placed, wrong = placed_volumes(sources)
    assert [each.name for each in placed] == ["web-logs"]
    (only,) = wrong
    line = line_of(sources, "name: shop-logs")
    assert only.volume == "shop-logs"
    assert only.text.startswith(f"shop-logs (line {line}): it is not cleaned up until this is put right: ")
    assert "unknown key claims" in only.text and only.text.endswith(" To do: write claim: instead.")
    with pytest.raises(RejectedError, match="unknown key claims"):
        read_volume(sources, "shop-logs")
    assert volume_names(sources) == ["web-logs"]


def test_a_wrong_time_zone_is_told_and_the_volumes_are_cleaned_up(rewrite):
    placed, wrong = placed_volumes(rewrite(("Europe/Berlin", "Europe/Paderborn")))
    assert [each.name for each in placed] == ["shop-logs"]
    assert placed[0].retention.time_zone == "UTC"
    assert [each.text.partition(" until")[0] for each in wrong] == ["time_zone: the default counts (UTC)"]


HOLD = 'holds:\n  - {case: "2026-118", globs: ["*"]PART}\nvolumes:' + SECOND


@pytest.mark.parametrize(
    ("part", "left"),
    [(", volumes: [shop-logs]", ["web-logs"]), ("", []), (", volumes: [shop-log]", [])],
    ids=["of one volume", "of all", "of a volume that is not there"],
)
def test_a_wrong_hold_stops_the_volumes_it_may_be_about(rewrite, part, left):
    sources = rewrite(("volumes:\n", HOLD.replace("PART", part)))
    if not left:
        with pytest.raises(RejectedError, match="owner"):
            placed_volumes(sources)
        return
    placed, wrong = placed_volumes(sources)
    assert [each.name for each in placed] == left
    assert isinstance(wrong[0], Wrong)
    line = line_of(sources, "2026-118")
    assert wrong[0].text.startswith(
        f"the hold for case 2026-118 (line {line}): shop-logs is not cleaned up until this is put right: "
    )


@pytest.mark.parametrize(
    ("owner", "said"), [(", owner: Legal", 1), ("", 2)], ids=["a right hold", "a wrong hold"]
)
def test_a_hold_on_a_wrong_volume_does_not_stop_the_others(rewrite, owner, said):
    hold = HOLD.replace("PART", owner + ", volumes: [shop-logs]")
    sources = rewrite(("volumes:\n", hold), ("size: 1Gi", "size: 1 Gigabyte"))
    placed, wrong = placed_volumes(sources)
    assert [each.name for each in placed] == ["web-logs"]
    assert len(wrong) == said
    assert "1 Gigabyte" in " ".join(each.text for each in wrong)
    assert placed[0].retention.holds_of("web-logs") == []


LIKE_HOLDS = '{case: "2026-118", owner: Legal, globs: ["*"], volumes: [shop-logs]}'


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("volumes:\n", f"hold:\n  - {LIKE_HOLDS}\nvolumes:{SECOND}", "hold"),
        ("volumes:\n", f"legal_holds:\n  - {LIKE_HOLDS}\nvolumes:{SECOND}", "legal_holds"),
        ("volumes:\n", f"Retained: x\nvolumes:{SECOND}", "Retained"),
        (
            "compliance: {name: Compliance}\n",
            f"compliance:\n  name: Compliance\n  holds:\n    - {LIKE_HOLDS}\n",
            "compliance.holds",
        ),
        ("volumes:\n", f"volumes:{SECOND}    kept:\n      - {LIKE_HOLDS}\n", "volumes[0].kept"),
        ("volumes:\n", f"volumes:{SECOND}    holds: [app.log]\n", "volumes[0].holds"),
        (
            "volumes:\n",
            f"holds:\n  - {LIKE_HOLDS}\nholds:\n  - {LIKE_HOLDS.replace('shop-logs', 'web-logs')}\nvolumes:{SECOND}",
            "holds",
        ),
    ],
)
def test_a_key_that_may_be_the_holds_stops_every_volume(rewrite, old, new, field):
    sources = rewrite((old, new))
    with pytest.raises(RejectedError) as raised:
        placed_volumes(sources)
    problem = next(each for each in raised.value.problems if each.field == field)
    assert problem.line
    if field != "holds":
        assert problem.fix.startswith("write holds: at the beginning of a line if these are legal holds; ")
        assert "no volume is cleaned up" in problem.why


def test_a_volume_that_is_not_configured_is_named_with_those_that_are(sources):
    with pytest.raises(RejectedError) as raised:
        read_volume(sources, "shop-log")
    (problem,) = raised.value.problems
    assert (problem.found, problem.expected) == ("no volume 'shop-log'", "one of shop-logs")
