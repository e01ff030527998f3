"""The page of releases in Airflow's navigation, and the call by which CI records verdicts (docs/verdicts.md)."""

from __future__ import annotations

import importlib
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/plan-reduce-repeat"
BASE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
"""Where Airflow is on its host, if not at the top."""


class WhenAsked:
    """An ASGI application that is imported by its first request: every component imports this file."""

    def __init__(self, module: str) -> None:
        self.module = module
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if self._app is None:
            self._app = importlib.import_module(self.module).app
        await self._app(scope, receive, send)


class ReleasesPlugin(AirflowPlugin):
    """Registers the application and the navigation entry."""

    name = "plan_reduce_repeat_releases"
    fastapi_apps = [
        {"app": WhenAsked("plugins.records_app.app"), "url_prefix": PREFIX, "name": "Plan-Reduce-Repeat"}
    ]
    external_views = [
        {
            "name": "Releases",
            "href": f"{BASE}{PREFIX}/releases",
            "url_route": "releases",
            "destination": "nav",
            "nav_top_level": True,
        }
    ]
