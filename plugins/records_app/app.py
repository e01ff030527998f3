"""The application: the page, its data as JSON, documents, and verdicts."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from airflow.sdk import ObjectStoragePath
from fastapi import Body, FastAPI, HTTPException, Query, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse

from include.records.database import RecordsError
from include.records.models import Change, utc_now
from include.records.page import TEMPLATES, Links, render
from include.records.recording import read_finding, record, recorder_of, split_image
from include.release.fields import shown
from include.release.problems import Problem, RejectedError
from plugins.records_app.lookups import Lookup, look
from plugins.records_app.pages import HEADERS, refused, run_link
from plugins.records_app.users import Reader, User

HISTORY, VERDICTS = 50, 200
Environment = Annotated[str | None, Query(max_length=63)]

app = FastAPI(title="Plan-Reduce-Repeat", description=__doc__, docs_url=None, redoc_url=None)
app.exception_handler(HTTPException)(refused)


@app.exception_handler(RejectedError)
def _rejected(_request: Request, error: RejectedError) -> JSONResponse:
    problems = [
        {
            "where": each.where,
            "field": each.field,
            "found": each.found,
            "expected": each.expected,
            "fix": each.fix,
        }
        for each in error.problems
    ]
    return JSONResponse({"detail": str(error), "problems": problems}, status.HTTP_422_UNPROCESSABLE_CONTENT)


@app.exception_handler(RequestValidationError)
def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    problems = [
        Problem("the request", ".".join(map(str, each["loc"][1:])), shown(each.get("input")), each["msg"])
        if each["type"] != "json_invalid"
        else Problem("the request", "", "a body that is no JSON", f"JSON ({each['ctx']['error']})")
        for each in error.errors()
    ]
    return _rejected(request, RejectedError(problems, subject="the request", changed="Nothing was done."))


@app.exception_handler(RecordsError)
def _no_records(_request: Request, error: RecordsError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status.HTTP_503_SERVICE_UNAVAILABLE)


@app.get("/releases", response_class=HTMLResponse)
def releases(_user: Reader, environment: Environment = None) -> HTMLResponse:
    """The page: last change and live state per app and environment, history, verdicts."""
    found: Lookup | None = None
    trouble = ""
    content: dict[str, Any] = {"places": [], "history": [], "verdicts": []}
    try:
        found = look()
        content = _gather(found, environment)
    except (RejectedError, RecordsError) as error:
        trouble = str(error)
    names = [each.name for each in found.environments.environments] if found else []
    text = render(
        **content, links=_links(), now=utc_now(), environments=names, chosen=environment, trouble=trouble
    )
    return HTMLResponse(text, headers=HEADERS)


@app.get("/releases.js", include_in_schema=False)
def script() -> FileResponse:
    """The page's few lines of script."""
    return FileResponse(TEMPLATES / "releases.js", media_type="text/javascript")


@app.get("/releases.json")
def releases_json(_user: Reader, environment: Environment = None) -> dict[str, Any]:
    """The same as data."""
    content = _gather(look(), environment)
    return {
        "places": [each.to_json() for each in content["places"]],
        "history": [each.model_dump(mode="json") for each in content["history"]],
        "verdicts": [each.model_dump(mode="json") for each in content["verdicts"]],
    }


@app.get("/document", response_class=PlainTextResponse)
def document(_user: Reader, run: Annotated[str, Query(max_length=500)]) -> PlainTextResponse:
    """The as-built document of a recorded run, as text."""
    change = next(filter(None, (records.change(run) for records, _ in look().of(None))), None)
    if change is None or not change.document:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no as-built document is recorded for {run}")
    try:
        text = ObjectStoragePath(change.document).read_text()
    except (OSError, ValueError) as error:
        reason = f"the document {change.document} cannot be read: {error}"
        raise HTTPException(status.HTTP_404_NOT_FOUND, reason) from None
    return PlainTextResponse(text, headers=HEADERS)


@app.get("/verdicts")
def verdicts(
    _user: Reader, digest: Annotated[str | None, Query(pattern="^sha256:[0-9a-f]{64}$")] = None
) -> list[dict[str, Any]]:
    """The verdicts on a build, or the last ones on any, newest first."""
    return [
        each.model_dump(mode="json")
        for records, _ in look().of(None)
        for each in records.verdicts(digest, VERDICTS)
    ]


@app.post("/verdicts", status_code=status.HTTP_201_CREATED)
def add_verdict(user: User, body: Annotated[Any, Body()]) -> dict[str, Any]:
    """Record a verdict on a build. Only for the users in ``verdict_recorders`` of environments.yaml."""
    found = look()
    name = user.get_name()
    source = recorder_of(name, found.environments.verdict_recorders)
    if source is None:
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            f"{name} may not record verdicts: not in verdict_recorders of include/config/environments.yaml",
        )
    finding = read_finding(split_image(body) if isinstance(body, dict) else body, "the request")
    recorded = [
        record(records, finding, source=source, by=name, sources=found.sources)
        for records, _ in found.of(None)
    ]
    first = recorded[0]
    return {
        "verdict": first.verdict.model_dump(mode="json"),
        "known_as": first.known_as,
        "notice": first.notice,
    }


def _gather(found: Lookup, environment: str | None) -> dict[str, Any]:
    """What the page shows. Raises RejectedError for an unknown environment, RecordsError."""
    asked = found.of(environment)
    history = [change for records, only in asked for change in records.changes(None, only, HISTORY)]
    history.sort(key=lambda change: change.started, reverse=True)
    verdicts = [verdict for records, _ in asked for verdict in records.verdicts(None, VERDICTS)]
    return {"places": found.places(environment), "history": history[:HISTORY], "verdicts": verdicts}


def _links() -> Links:
    def run(change: Change) -> str | None:
        _, _, run_id = change.run.partition("/")
        return run_link(change.run) if run_id else None

    def document(change: Change) -> str | None:
        return f"document?run={quote(change.run, safe='')}" if change.document else None

    return Links(run, document, home="releases")
