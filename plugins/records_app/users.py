"""Who asks: Airflow's own login, and Airflow's own permission to read the release DAG."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request, status
from fastapi.responses import RedirectResponse, Response

DAG = "release"


def may_read(user: Annotated[BaseUser, Depends(get_user)]) -> BaseUser:
    """The user, when Airflow lets them see the release DAG. Raises HTTPException 401 or 403."""
    if not get_auth_manager().is_authorized_dag(method="GET", details=DagDetails(id=DAG), user=user):
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"you may not see the DAG {DAG}")
    return user


Reader = Annotated[BaseUser, Depends(may_read)]
User = Annotated[BaseUser, Depends(get_user)]


def login_page(request: Request) -> Response:
    """Where somebody without a login is sent who asked for a page."""
    there = get_auth_manager().get_url_login(next_url=str(request.url))
    return RedirectResponse(there, status.HTTP_303_SEE_OTHER)
