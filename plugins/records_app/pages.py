"""What the pages of this project have in common: their headers, where they lead, and who asks without a login."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from fastapi import HTTPException, Request, status
from fastapi.responses import JSONResponse, Response

from plugins.records_app.users import login_page

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def refused(request: Request, error: HTTPException) -> Response:
    """The answer to a refused request: the login for who wants to read a page and has none, else the reason as JSON."""
    page = "text/html" in request.headers.get("accept", "")
    if error.status_code == status.HTTP_401_UNAUTHORIZED and page and request.method == "GET":
        return login_page(request)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def dag_link(dag_id: str) -> str:
    """Airflow's page of a DAG."""
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{base}/dags/{quote(dag_id, safe='')}"


def run_link(name: str) -> str:
    """Airflow's page of a run, by its name ``dag_id/run_id``."""
    dag_id, _, run_id = name.partition("/")
    return f"{dag_link(dag_id)}/runs/{quote(run_id, safe='')}"
