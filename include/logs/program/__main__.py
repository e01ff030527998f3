"""One step of a clean-up: ``python3 -m logcleanup COMMAND --request FILE``.

Prints lines for people and, last, ``SUMMARY {json}``. Exit codes: see problems. A step that has finished in
this run answers what it answered then; one that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Dict, List, Optional

from .holder import is_own, read_holder, working
from .problems import BAD_REQUEST, DONE, EXIT_CODES, FAILED, OUT_OF_SPACE, StepError
from .request import Request, read_request
from .summary import keep, kept, print_summary, say

COMMANDS = {
    "measure": "measuring",
    "plan": "planning",
    "archive": "archiving",
    "verify": "verifying",
    "delete": "deleting",
    "space": "spacing",
    "report": "reporting",
    "restore": "restoring",
    "release": "releasing",
}
"""Each command's module; its ``run(request)`` returns the facts of the answer."""
READ_ONLY = ("measure", "plan", "space", "report", "restore")
"""What a dry run may do; it needs no lock, since it writes to its own directory only."""
UNLOCKED = ("release",)
HELP_WIDTH = 100
"""Columns; to find out those of a terminal takes every step modules that it does not need."""
NO_ROOM_FOR_ARCHIVES = "no_space_for_archives"
"""What ``archive`` says when the volume with the archives has filled up."""


def main(arguments: Optional[List[str]] = None) -> int:
    """Run a step. Returns its exit code."""
    codes = "\n".join(f"  {code}  {text}" for code, text in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="logcleanup",
        description="One step of a log clean-up.",
        epilog="exit codes:\n" + codes,
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=HELP_WIDTH),
    )
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("--request", required=True, metavar="FILE", help="request.json")
    parser.add_argument("--root", metavar="DIR", help="where the volume is, if not where the request says")
    parser.add_argument("--archive-to", metavar="DIR", help="the same of the directory for archives")
    found = parser.parse_args(arguments)
    facts: Dict[str, Any] = {"command": found.command}
    try:
        request = placed(read_request(found.request), found.root, found.archive_to)
        facts.update(step(found.command, request))
    except StepError as error:
        say(error.text)
        print_summary({**facts, "ok": False, "error": error.text, "code": error.code, **error.facts})
        return error.code
    except Exception as error:  # whatever it is, the caller gets its line
        traceback.print_exc()
        text = f"{type(error).__name__}: {error}"
        print_summary({**facts, "ok": False, "error": text, "code": FAILED})
        return FAILED
    print_summary(facts)
    return DONE


def placed(request: Request, root: Optional[str], archive_to: Optional[str]) -> Request:
    """The request for where the volume really is. Raises StepError unless these are absolute paths."""
    for path in (root, archive_to):
        if path and not path.startswith("/"):
            raise StepError(f"{path} is no absolute path", BAD_REQUEST)
    return replace(request, root=root or request.root, archive_to=archive_to or request.archive_to)


def step(command: str, request: Request) -> Dict[str, Any]:
    """Do a step, or answer what it answered when it finished. Raises StepError."""
    try:
        return _step(command, request)
    except OSError as error:
        if error.errno not in OUT_OF_SPACE:
            raise
        full = _module(".full")
        if request.dry_run or not full.give_up_reserve(request):
            raise full.no_room(command, request, error) from error
    except StepError as error:
        if error.facts.get("alert") == NO_ROOM_FOR_ARCHIVES and not request.archive_to:
            error.facts.update(_module(".full").seen(request, "its archives have no room"))
        raise
    return step(command, request)


def _step(command: str, request: Request) -> Dict[str, Any]:
    """The same. Raises OSError where there is no room."""
    if request.dry_run and command not in (*READ_ONLY, *UNLOCKED):
        raise StepError(f"{command} changes things, and this is a dry run. Nothing has been changed.")
    layout = request.layout
    layout.prepare()
    if request.dry_run:
        layout.mark_dry()
    answer = kept(layout.answer(command))
    if answer is not None and answer.get("volume", request.volume) != request.volume:
        raise StepError(
            f"{request.root} is the root of volume {answer['volume']} too, which this run cleans up already.\n"
            "Put the classes of both together in one volume.",
            BAD_REQUEST,
        )
    if answer is not None and command not in UNLOCKED and not _more_to_report(command, request):
        say(f"This run has done `{command}` before; the answer of then:")
        return {**answer, "done_before": True}
    run = _module("." + COMMANDS[command]).run
    with nullcontext() if request.dry_run or command in UNLOCKED else working(request):
        facts = run(request)
    facts = {"ok": True, "command": command, "volume": request.volume, "run": request.run, **facts}
    keep(layout.answer(command), facts)
    return dict(facts)


def _module(name: str) -> Any:
    """A module that not every step needs: loading them all takes as long as many a step."""
    return importlib.import_module(name, __package__)


def _more_to_report(command: str, request: Request) -> bool:
    """Whether a run that has reported has taken the volume again, for a step that was cleared."""
    holder = read_holder(request.layout) if command == "report" else None
    return holder is not None and is_own(holder, request)


if __name__ == "__main__":
    sys.exit(main())
