"""The application: the page of guards, its data as JSON, and saved evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.configuration import conf
from fastapi import Depends, FastAPI, HTTPException, Query, status
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse

from include.records.page import TEMPLATES
from include.release.kube import KubeError
from include.release.loading import Sources
from include.release.problems import RejectedError
from include.restarts.alerting import judged, usable
from include.restarts.evidence import LABEL_GUARD
from include.restarts.guards import Guards
from include.restarts.liveness import STATES, capacity_problem, live_triggerers
from include.restarts.loading import only_to_rearm, placed_guards, read_right_guards
from include.restarts.page import Links, Row, render, render_evidence, row, wrong_row
from include.restarts.places import read_places
from include.restarts.surveying import look_at, survey
from plugins.guards_app.airflow_facts import ALIVE, Facts, ask_airflow
from plugins.records_app.lookups import connect
from plugins.records_app.pages import HEADERS, dag_link, refused, run_link
from plugins.records_app.users import may_see

Reader = Annotated[BaseUser, Depends(may_see(ALIVE))]
LATE = timedelta(minutes=5)
"""After so long without a look of guards_alive nobody is told of a guard that dies."""
_ORDER = {
    state: place for place, state in enumerate(("not alive", "waiting", "pressed", "acting", "disarmed"))
}

app = FastAPI(title="Red button", description=__doc__, docs_url=None, redoc_url=None)
app.exception_handler(HTTPException)(refused)


@app.get("/guards", response_class=HTMLResponse)
def guards(_user: Reader) -> HTMLResponse:
    """The page."""
    now = datetime.now(UTC)
    rows: list[Row] = []
    facts, notices = Facts(), list[str]()
    try:
        rows, facts, notices = _gather(now)
    except RejectedError as error:
        notices = [str(error)]
    text = render(rows, _links(), now=now, looked=facts.looked, notices=notices)
    return HTMLResponse(text, headers=HEADERS)


@app.get("/guards.js", include_in_schema=False)
def script() -> FileResponse:
    """The page's few lines of script."""
    return FileResponse(TEMPLATES / "releases.js", media_type="text/javascript")


@app.get("/guards.json")
def guards_json(_user: Reader) -> Any:
    """The same as data."""
    try:
        rows, facts, notices = _gather(datetime.now(UTC))
    except RejectedError as error:
        return JSONResponse({"detail": str(error)}, status.HTTP_500_INTERNAL_SERVER_ERROR)
    looked = facts.looked.isoformat() if facts.looked else None
    return {"guards": [each.to_json() for each in rows], "looked": looked, "notices": notices}


@app.get("/evidence", response_class=PlainTextResponse)
def evidence(
    _user: Reader,
    guard: Annotated[str, Query(max_length=63)],
    name: Annotated[str, Query(max_length=253, pattern=r"^evidence-[a-z0-9.-]+$")],
) -> PlainTextResponse:
    """Saved evidence of a guard, as text."""
    sources = Sources.from_environment()
    try:
        known = placed_guards(sources, to_rearm=True)
        place = next((place for found, place, _ in known if found.name == guard), None)
        saved = connect(place).get("ConfigMap", place.namespace, name) if place else None
    except (RejectedError, KubeError) as error:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, str(error)) from None
    # Only what a guard saved, whatever name is asked for.
    if saved is None or (saved["metadata"].get("labels") or {}).get(LABEL_GUARD) != guard:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no evidence {name} of a guard {guard} is kept")
    return PlainTextResponse(render_evidence(guard, name, saved.get("data") or {}), headers=HEADERS)


def _gather(now: datetime) -> tuple[list[Row], Facts, list[str]]:
    """The rows, what Airflow says, and what is wrong with more than one guard. Raises RejectedError."""
    sources = Sources.from_environment()
    right, places = read_right_guards(sources, to_rearm=True), read_places(sources).environments
    configured, wrong = right.guards, only_to_rearm(right, sources)
    every = configured.model_copy(update={"guards": [*configured.guards, *wrong]})
    seen = survey(every, places, connect, counts=True)
    facts = ask_airflow([f"{each.name}_guard" for each in configured.guards])
    memory = usable(facts.memory, now)
    rows = []
    for guard in configured.guards:
        place = places.find(guard.environment)
        if place is not None:
            look = look_at(guard, seen, facts.dag(f"{guard.name}_guard"))
            rows.append(
                row(guard, place, judged(guard, look, configured, memory, now), seen[place.name], now)
            )
    for guard in wrong:
        place = places.find(guard.environment)
        if place is not None:
            rows.append(wrong_row(guard, place, seen[place.name], now))
    rows.sort(key=lambda each: _ORDER.get(each.liveness.state, len(STATES)))
    beats = [beat for each in seen.values() for beat in each.beats]
    notices = [each.text for each in right.wrong]
    return rows, facts, [*notices, *_notices(facts, configured, live_triggerers(beats, configured, now), now)]


def _notices(facts: Facts, configured: Guards, triggerers: int, now: datetime) -> list[str]:
    found = []
    if facts.alive.paused:
        found.append(f"The DAG {ALIVE} is paused: nobody is told when a guard is not alive. Unpause it.")
    elif facts.looked is None or now - facts.looked > LATE:
        found.append(
            f"The DAG {ALIVE} has not looked for more than {LATE.seconds // 60} minutes: nobody is told when a guard "
            "is not alive. Does the scheduler run?"
        )
    capacity = conf.getint("triggerer", "capacity")
    if crowded := capacity_problem(len(configured.guards), capacity, max(triggerers, 1)):
        found.append(crowded)
    return found


def _links() -> Links:
    def saved(guard: str, name: str) -> str:
        return f"evidence?{urlencode({'guard': guard, 'name': name})}"

    return Links(dag_link, run_link, saved)
