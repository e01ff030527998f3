"""Who asks: Airflow's own login, and Airflow's own permission to read a DAG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request, status
from fastapi.responses import RedirectResponse, Response


def may_see(dag: str) -> Callable[[BaseUser], BaseUser]:
    """A dependency: the user, when Airflow lets them see a DAG. It raises HTTPException 401 or 403."""

    def user_of(user: Annotated[BaseUser, Depends(get_user)]) -> BaseUser:
        if not get_auth_manager().is_authorized_dag(method="GET", details=DagDetails(id=dag), user=user):
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"you may not see the DAG {dag}")
        return user

    return user_of


Reader = Annotated[BaseUser, Depends(may_see("release"))]
User = Annotated[BaseUser, Depends(get_user)]


def login_page(request: Request) -> Response:
    """Where somebody without a login is sent who asked for a page."""
    there = get_auth_manager().get_url_login(next_url=str(request.url))
    return RedirectResponse(there, status.HTTP_303_SEE_OTHER)
