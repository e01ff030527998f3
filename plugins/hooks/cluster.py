"""From an Airflow connection to a cluster: the provider's hooks, and the small client of ``include.release``."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseHook

from include.release.kube import Cluster
from include.release.kube_async import AsyncCluster
from include.release.problems import Problem, RejectedError

_PROVIDER = "airflow.providers.cncf.kubernetes.hooks.kubernetes"


class ClusterHook(BaseHook):
    """Connects to the cluster of an Airflow connection of type ``kubernetes``.

    The provider is imported when a connection is made: it costs seconds, which a DAG file must not.
    """

    conn_name_attr = "kubernetes_conn_id"
    conn_type = "kubernetes"
    hook_name = "Kubernetes cluster of a release"

    def __init__(self, kubernetes_conn_id: str) -> None:
        super().__init__()
        self.kubernetes_conn_id = kubernetes_conn_id

    def get_conn(self, *, attempts: int = 4) -> Cluster:
        """The cluster, asked so often. Raises RejectedError when the connection is missing or cannot be read."""
        provider: Any = importlib.import_module(_PROVIDER)
        hook = provider.KubernetesHook(conn_id=self.kubernetes_conn_id)
        extras: dict[str, Any] = {}
        try:
            extras = hook.conn_extras
            return Cluster(hook.get_conn(), attempts=attempts)
        except Exception as error:
            raise self._unusable(error, extras) from error

    @contextlib.asynccontextmanager
    async def get_async_conn(self) -> AsyncIterator[AsyncCluster]:
        """The cluster, for a trigger."""
        provider: Any = importlib.import_module(_PROVIDER)
        hook = provider.AsyncKubernetesHook(conn_id=self.kubernetes_conn_id)
        async with hook.get_conn() as client:
            yield AsyncCluster(client)

    def _unusable(self, error: Exception, extras: dict[str, Any]) -> RejectedError:
        where = f"connection {self.kubernetes_conn_id}"
        if type(error).__name__ == "AirflowNotFoundException":
            found, fix = (
                "no such connection",
                "add it under Admin, Connections, or as an environment variable: ",
            )
            fix += f"AIRFLOW_CONN_{self.kubernetes_conn_id.upper()}"
        else:
            found = f"{type(error).__name__}: {error}".splitlines()[0]
            path = extras.get("kube_config_path")
            fix = (
                f"is {path} there, and a kubeconfig?"
                if path
                else "set kube_config_path, kube_config or in_cluster"
            )
        problem = Problem(where, "", found, "a connection of type kubernetes with a usable kubeconfig", fix)
        return RejectedError([problem], subject="the connection to the cluster")
