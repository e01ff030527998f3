"""``python -m include.restarts classify FILE|FOLDER...``: why the containers in saved pods ended."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from include.release.problems import RejectedError
from include.restarts.cause.cases import Case, read_cases
from include.restarts.cause.measuring import Judged, label_of, matrix


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Returns the exit status: 2 when the files cannot be read."""
    options = _parser().parse_args(arguments)
    try:
        cases = list(read_cases(options.paths))
        found = [(case, *case.judged()) for case in cases]
    except RejectedError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for case, container, judged in found:
        sys.stdout.write(
            _as_json(case, container, judged) if options.json else _as_text(case, container, judged)
        )
    labelled = [judged for case, _, judged in found if case.label]
    if labelled and not options.json:
        sys.stdout.write(f"\n{matrix(labelled)}\n")
    return 0


def _as_text(case: Case, container: str, judged: Judged) -> str:
    finding = judged.finding
    role = "" if finding.role == "main" else f" of {finding.role}"
    also = f" (or {', '.join(finding.alternatives)})" if finding.alternatives else ""
    return f"{case.name}  {container}  {finding.cause}{role}{also}  {finding.evidence}\n"


def _as_json(case: Case, container: str, judged: Judged) -> str:
    finding = judged.finding
    line = {
        "case": case.name,
        "container": container,
        "cause": finding.cause,
        "role": finding.role,
        "label": label_of(finding),
        "alternatives": list(finding.alternatives),
        "evidence": finding.evidence,
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.restarts", description="The restart watch, by hand."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    classify = commands.add_parser(
        "classify",
        help="say why the containers in saved pods ended",
        description="Says why containers ended, from files: a Pod as kubectl get pod -o json prints it, or "
        "{pod, events, logs, label}. With labels it prints how well they were found.",
    )
    classify.add_argument(
        "paths", nargs="+", type=Path, metavar="FILE|FOLDER", help="*.json of pods or cases"
    )
    classify.add_argument("--json", action="store_true", help="one JSON object a case, for other programs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
