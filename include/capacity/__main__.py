"""``python -m include.capacity RELEASE [ENVIRONMENT]``: the plan of a release, worked out from its file. Asks no cluster."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from include.capacity.planning import make_plan
from include.capacity.report import plan_text
from include.release.loading import Sources, shown_path
from include.release.problems import RejectedError


def main(argv: list[str] | None = None) -> int:
    """Print the plan, or what is wrong with the files. Returns the exit status."""
    sources = Sources.from_environment()
    parser = argparse.ArgumentParser(prog="python -m include.capacity", description=__doc__)
    known = ", ".join(sources.release_names()) or "none is there"
    parser.add_argument("release", help=f"one of {known}; its file will do")
    parser.add_argument("environment", nargs="?", default="production", help="whose policy holds")
    options = parser.parse_args(argv)
    # What completion in a shell gives: include/releases/release-2.yaml.
    name = Path(options.release).name.removesuffix(".yaml")
    if name not in sources.release_names():
        parser.error(f"no release {name} in {shown_path(sources.releases)}, only: {known}")
    try:
        environment = sources.environments().find(options.environment)
        if environment is None:
            parser.error(
                f"no environment {options.environment}, only {', '.join(sources.environment_names())}"
            )
        release = sources.read_release(name).release
        if release.capacity is None:
            text = f"{release.name} has no capacity facts: it runs what its objects say"
        else:
            text = plan_text(
                make_plan(release.capacity, sources.capacity_policy(environment), release.objects)
            )
    except RejectedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
