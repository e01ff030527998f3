"""Which records and which cluster the command line means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from include.release.environments import Environment
from include.release.kube import Cluster
from include.release.loading import PROJECT
from include.release.problems import Problem, RejectedError

RECORDS_SETTING = "PLAN_REDUCE_REPEAT_RECORDS"


@dataclass(frozen=True)
class Where:
    """URL of the records, and the kubeconfig of the cluster to ask (None: there is none)."""

    records: str
    kubeconfig: str | None

    def connect(self, environment: Environment) -> Cluster:
        """The cluster. Raises RejectedError when there is none, or its kubeconfig cannot be read."""
        if self.kubeconfig is None:
            raise _refused("KUBECONFIG", f"no kubeconfig to ask {environment.name} with", "set KUBECONFIG")
        from kubernetes.config import new_client_from_config  # noqa: PLC0415 (costs a second)

        try:
            return Cluster(new_client_from_config(self.kubeconfig), attempts=1)
        except Exception as error:  # (the client raises whatever its YAML and TLS libraries raise)
            raise _refused(self.kubeconfig, str(error).splitlines()[0], "is this a kubeconfig?") from None


def where(environ: Mapping[str, str] = os.environ, project: Path = PROJECT) -> Where:
    """The records that the setting names, with KUBECONFIG; without it those of this checkout's demo.

    Raises:
        RejectedError: neither is there.
    """
    url = environ.get(RECORDS_SETTING, "").strip()
    if url:
        return Where(url, environ.get("KUBECONFIG") or None)
    demo = Path(environ.get("DEMO_DIR") or project / ".demo").resolve()
    database = demo / "records" / "records.db"
    if not database.is_file():
        fix = f"set {RECORDS_SETTING} to sqlite:////path/records.db or postgresql://user:password@host/name"
        raise _refused("the records", f"{RECORDS_SETTING} is not set, and no demo has run here", fix)
    kubeconfig = demo / "cluster" / "kubeconfig"
    return Where(f"sqlite:///{database}", str(kubeconfig) if kubeconfig.is_file() else None)


def _refused(what: str, found: str, fix: str) -> RejectedError:
    problem = Problem(what, "", found, "the database of verdicts and changes, or a cluster to ask", fix)
    return RejectedError([problem], subject="the settings", changed="Nothing was done.")
