"""The page of guards in Airflow's navigation (docs/red-button.md)."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from plugins.releases_page import BASE, WhenAsked

GUARDS_PREFIX = "/red-button"


class GuardsPlugin(AirflowPlugin):
    """Registers the application and the navigation entry."""

    name = "plan_reduce_repeat_guards"
    fastapi_apps = [
        {"app": WhenAsked("plugins.guards_app.app"), "url_prefix": GUARDS_PREFIX, "name": "Red button"}
    ]
    external_views = [
        {
            "name": "Guards",
            "href": f"{BASE}{GUARDS_PREFIX}/guards",
            "url_route": "guards",
            "destination": "nav",
            "nav_top_level": True,
        }
    ]
