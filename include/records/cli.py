"""The records on the command line: what was released and runs, verdicts from CI, retention."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from typing import Any

from include.records import terminal
from include.records.database import RecordsError
from include.records.models import utc_now
from include.records.overview import check_names, overview
from include.records.places import Where, where
from include.records.recording import read_finding, record, split_image
from include.records.store import Records
from include.release.loading import Sources
from include.release.problems import RejectedError


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, or 1 with an error for a reader."""
    options = _parser().parse_args(argv)
    try:
        place = where()
        records = Records(place.records)
        command = {"releases": _releases, "verdict": _verdict, "verdicts": _verdicts, "prune": _prune}
        return command[options.command](options, records, place)
    except (RejectedError, RecordsError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _releases(options: argparse.Namespace, records: Records, place: Where) -> int:
    environments = Sources.from_environment().environments()
    check_names(records, environments, options.app, options.environment)
    places = overview(records, environments, place.connect, app=options.app, environment=options.environment)
    history = records.changes(options.app, options.environment, options.limit)
    if options.json:
        _print_json(
            {
                "places": [each.to_json() for each in places],
                "history": [each.model_dump(mode="json") for each in history],
            }
        )
    else:
        terminal.print_releases(places, history, records.shown)
    return 0


def _verdict(options: argparse.Namespace, records: Records, _place: Where) -> int:
    names = ("digest", "image", "app", "passed", "reason", "link", "run")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    finding = read_finding(split_image(given), "the options")
    recorded = record(
        records, finding, source=options.source, by=options.by, sources=Sources.from_environment()
    )
    if options.json:
        _print_json(
            {
                "verdict": recorded.verdict.model_dump(mode="json"),
                "known_as": recorded.known_as,
                "notice": recorded.notice,
            }
        )
        return 0
    verdict = recorded.verdict
    sys.stdout.write(f"{verdict.image} ({verdict.digest[:19]}): {verdict.text}\n")
    if recorded.notice:
        sys.stderr.write(f"notice: {recorded.notice}\n")
    return 0


def _verdicts(options: argparse.Namespace, records: Records, _place: Where) -> int:
    found = records.verdicts(options.digest, options.limit)
    if options.json:
        _print_json([each.model_dump(mode="json") for each in found])
    else:
        terminal.print_verdicts(found)
    return 0


def _prune(options: argparse.Namespace, records: Records, _place: Where) -> int:
    gone = records.prune(utc_now(), options.keep_days)
    sys.stdout.write(
        f"removed what is older than {options.keep_days} days: {gone.verdicts} verdicts, {gone.changes} changes, "
        f"{gone.told} marks of messages; the newest of each stay\n"
    )
    return 0


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.records", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    releases = commands.add_parser("releases", help="the last deploys, and whether they are what runs now")
    releases.add_argument("--environment", help="only this environment")
    releases.add_argument("--app", help="only this application")
    releases.add_argument("--limit", type=_count, default=20, help="changes of the history (default: 20)")

    verdict = commands.add_parser("verdict", help="record a verdict on a build (docs/verdicts.md)")
    verdict.add_argument("--image", required=True, help="name:tag, or registry/name:tag@sha256:...")
    verdict.add_argument("--digest", help="sha256:...; not needed when --image has it")
    verdict.add_argument("--app", required=True, help="application")
    outcome = verdict.add_mutually_exclusive_group(required=True)
    outcome.add_argument("--passed", action="store_true", default=None, help="the build passed")
    outcome.add_argument("--failed", dest="passed", action="store_false", help="the build failed")
    verdict.add_argument("--reason", help="why; needed for a fail")
    verdict.add_argument("--link", help="where to read more")
    verdict.add_argument("--run", help="the pipeline's number: saying the same again for it adds nothing")
    verdict.add_argument("--source", default="ci", help="name to report under, as in gate.trusted (ci)")
    verdict.add_argument("--by", default=getpass.getuser(), help="who says so (the user)")

    verdicts = commands.add_parser("verdicts", help="the verdicts, newest first")
    verdicts.add_argument("--digest", help="only on this build; its first digits are enough")
    verdicts.add_argument("--limit", type=_count, default=50, help="how many (default: 50)")

    prune = commands.add_parser("prune", help="remove what is too old; the newest of each stay")
    prune.add_argument("--keep-days", type=_count, required=True, help="days to keep")
    for each in (releases, verdict, verdicts):
        each.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100000")
    return int(text)
