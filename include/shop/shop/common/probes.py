"""The endpoints every program has: health, readiness, version, metrics."""

from __future__ import annotations

from typing import Callable, Optional

from . import build
from .server import Server
from .web import Request, Response, Router

Reason = Callable[[], Optional[str]]
"""Returns why the program is not ready, or None."""

Samples = Callable[[], dict[str, float]]
"""Returns metric names (with labels) and values."""


def add_probes(
    router: Router,
    program: str,
    server: Callable[[], Server],
    not_ready: Reason = lambda: None,
    samples: Samples = dict,
) -> None:
    """Serve `/healthz`, `/readyz`, `/version` and `/metrics`."""
    build.build_id()  # from the files as they are now, when the program starts

    def ready(_: Request) -> Response:
        reason = "draining: the pod is about to end" if server().draining.is_set() else not_ready()
        if reason:
            return Response(503, {"ready": False, "reason": reason})
        return Response(200, {"ready": True})

    def metrics(_: Request) -> Response:
        running = server()
        version = build.version(program)
        lines = ["# TYPE shop_http_requests_total counter"]
        lines += [f'shop_http_requests_total{{status="{s}"}} {n}' for s, n in sorted(running.counts.items())]
        lines += ["# TYPE shop_http_seconds_total counter", f"shop_http_seconds_total {running.seconds:.6f}"]
        lines += ["# TYPE shop_build_info gauge"]
        lines += [f'shop_build_info{{program="{program}",version="{version["version"]}"}} 1']
        for name, value in samples().items():
            lines += [f"# TYPE {name.split('{')[0]} gauge", f"{name} {value:g}"]
        return Response(200, "\n".join(lines) + "\n")

    router.add("GET", "/healthz", lambda _: Response(200, {"healthy": True}))
    router.add("GET", "/readyz", ready)
    router.add("GET", "/version", lambda _: Response(200, build.version(program)))
    router.add("GET", "/metrics", metrics)
