"""``python -m include.cluster images build|list``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from include.cluster.images.builder import BuildError
from include.cluster.images.reference import ReferenceError
from include.cluster.images.store import ImageStore


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.cluster images", description=__doc__)
    parser.add_argument("--images-dir", type=Path, required=True, help="the image store")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build a Dockerfile's stage and name it")
    build.add_argument("context", type=Path, help="the directory that COPY reads")
    build.add_argument("-f", "--file", type=Path, help="the Dockerfile (default: CONTEXT/Dockerfile)")
    build.add_argument("-t", "--tag", action="append", required=True, help="a name for the image")
    build.add_argument("--target", default="", help="the stage (default: the last one without RUN)")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    commands.add_parser("list", help="names and digests of all images")
    return parser


def main(argv: list[str]) -> int:
    """Builds or lists images. Returns the exit status: 0, or 1 with one line on standard error."""
    options = _parser().parse_args(argv)
    store = ImageStore(options.images_dir)
    if options.command == "list":
        for name, digest in store.list().items():
            sys.stdout.write(f"{name}  {digest}\n")
        return 0
    args = dict(entry.partition("=")[::2] for entry in options.build_arg)
    try:
        image = store.build(
            options.file or options.context / "Dockerfile", options.context, args, options.target
        )
        for tag in options.tag:
            store.tag(image, tag)
    except (BuildError, ReferenceError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{tag}  {image.digest}\n" for tag in options.tag))
    return 0
