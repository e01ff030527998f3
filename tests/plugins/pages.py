"""The pages of a plugin as Airflow mounts them, behind its own login."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.plugins_manager import AirflowPlugin


def mounted(plugin: type[AirflowPlugin]) -> Callable[[], Iterator[Any]]:
    """A fixture: a client of the plugin's applications.

    Its ``token(user, role)`` are the headers of a user who is logged in, ``reader`` those of one who may only look.
    """

    @pytest.fixture(scope="module")
    def airflow() -> Iterator[Any]:
        from airflow.api_fastapi import app as api
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from airflow.utils.db import initdb
        from fastapi import FastAPI

        initdb()
        root = FastAPI()
        manager = api.init_auth_manager()
        for each in plugin.fastapi_apps:
            root.mount(each["url_prefix"], each["app"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from fastapi.testclient import TestClient
        client = TestClient(root, follow_redirects=False)

        def token(user: str, role: str) -> dict[str, str]:
            made = manager.generate_jwt(SimpleAuthManagerUser(username=user, role=role))
            return {"Authorization": f"Bearer {made}"}

        client.token = token
        client.reader = token("ro", "viewer")
        yield client
        api.purge_cached_app()

    return airflow
