"""``python -m include.cluster serve|kubeconfig|images``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from include.cluster import kubeconfig, server, tls
from include.cluster.auth import ROLES, Tokens
from include.cluster.images import cli as images
from include.cluster.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["images"]:
        return images.main(arguments[1:])
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        if options.command == "kubeconfig":
            _write_kubeconfig(options)
        else:
            asyncio.run(server.serve(_settings(options)))
    except (server.ServeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.cluster", description="The embedded stand-in cluster."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the cluster until SIGTERM or Ctrl-C")
    serve.add_argument(
        "--state-dir", type=Path, required=True, help="where objects, certificates and logs are kept"
    )
    serve.add_argument("--images-dir", type=Path, required=True, help="the image store")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    serve.add_argument(
        "--port", type=int, default=0, help="the port; 0 takes the one used before, or a free one"
    )
    serve.add_argument(
        "--crash-backoff", type=float, nargs=2, metavar=("FIRST", "MOST"), help="seconds between restarts"
    )
    more = commands.add_parser("kubeconfig", help="write a kubeconfig for another user")
    more.add_argument(
        "--state-dir", type=Path, required=True, help="the state directory of a cluster that has run"
    )
    more.add_argument("--user", required=True, help="the user's name")
    more.add_argument("--role", choices=ROLES, default="view", help="what the user may do")
    more.add_argument("--namespace", default="", help="the only namespace in which the user may do it")
    more.add_argument("--output", type=Path, required=True, help="the file to write")
    commands.add_parser("images", help="build and list images", add_help=False)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    backoff = {}
    if options.crash_backoff:
        backoff = dict(
            zip(("crash_backoff_initial", "crash_backoff_max"), options.crash_backoff, strict=True)
        )
    return Settings(
        state_dir=options.state_dir.resolve(),
        images_dir=options.images_dir.resolve(),
        host=options.host,
        port=options.port,
        **backoff,
    )


def _write_kubeconfig(options: argparse.Namespace) -> None:
    state = options.state_dir.resolve()
    port = state / "port"
    if not port.exists():
        raise server.ServeError(f"no cluster has run with the state directory {state}")
    token = Tokens(state).user_token(options.user, options.role, options.namespace)
    url, ca = f"https://127.0.0.1:{port.read_text().strip()}", tls.ca_certificate(state)
    text = kubeconfig.render(url, ca, token, user=options.user, namespace=options.namespace or "default")
    kubeconfig.write(options.output, text)


if __name__ == "__main__":
    sys.exit(main())
