"""The page of operations in Airflow's navigation (docs/operations.md)."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from plugins.releases_page import BASE, WhenAsked

OPERATIONS_PREFIX = "/on-call"


class OperationsPlugin(AirflowPlugin):
    """Registers the application and the navigation entry."""

    name = "plan_reduce_repeat_operations"
    fastapi_apps = [
        {"app": WhenAsked("plugins.operations_app.app"), "url_prefix": OPERATIONS_PREFIX, "name": "On-call"}
    ]
    external_views = [
        {
            "name": "Operations",
            "href": f"{BASE}{OPERATIONS_PREFIX}/operations",
            "url_route": "operations",
            "destination": "nav",
            "nav_top_level": True,
        }
    ]
