"""The application: the page of operations, its data as JSON, and the documentation that it links to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse

from include.operations.needs import LOGS, ORDERS
from include.operations.page import Links, render
from include.operations.procedures import OVERDUE
from include.records.page import TEMPLATES
from include.release.loading import PROJECT
from plugins.operations_app.gathering import gather
from plugins.records_app.pages import HEADERS, dag_link, refused, run_link
from plugins.records_app.users import User

DAGS = ("log_cleanup", "order_backlog", "order_processor", OVERDUE)
"""Whoever may see one of them has the page, and of it what concerns the DAGs that they may see."""
DOCS = PROJECT / "docs"
PAGES = (LOGS, ORDERS, "operations")
May = Callable[[str], bool]

app = FastAPI(title="On-call", description=__doc__, docs_url=None, redoc_url=None)
app.exception_handler(HTTPException)(refused)


def may_see_which(user: User) -> May:
    """Which DAGs Airflow lets this user see. Raises HTTPException 401, and 403 when there is none for this page."""

    @cache
    def may(dag_id: str) -> bool:
        details = DagDetails(id=dag_id)
        return bool(get_auth_manager().is_authorized_dag(method="GET", details=details, user=user))

    if not any(may(each) for each in DAGS):
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"you may see none of the DAGs {', '.join(DAGS)}")
    return may


Reader = Annotated[May, Depends(may_see_which)]


@app.get("/operations", response_class=HTMLResponse)
def operations(may: Reader) -> HTMLResponse:
    """The page."""
    now = datetime.now(UTC)
    return HTMLResponse(render(gather(may, now), _links(), now=now), headers=HEADERS)


@app.get("/operations.json")
def operations_json(may: Reader) -> Any:
    """The same as data."""
    return gather(may, datetime.now(UTC)).to_json()


@app.get("/operations.js", include_in_schema=False)
def script() -> FileResponse:
    """The page's few lines of script."""
    return FileResponse(TEMPLATES / "releases.js", media_type="text/javascript")


@app.get("/docs/{page}", response_class=PlainTextResponse)
def documentation(_may: Reader, page: str) -> PlainTextResponse:
    """A page of the documentation that on-call needs, as text."""
    path = DOCS / f"{page}.md"
    if page not in PAGES or not path.is_file():
        raise HTTPException(
            status.HTTP_404_NOT_FOUND, f"no page {page} is installed here; see docs/ of the project"
        )
    return PlainTextResponse(path.read_text(encoding="utf-8"), headers=HEADERS)


def _links() -> Links:
    def page(name: str) -> str | None:
        return f"docs/{name}" if (DOCS / f"{name}.md").is_file() else None

    return Links(dag_link, run_link, page)
