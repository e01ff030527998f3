"""Import the Kubernetes provider once in the scheduler and the triggerer, before they start tasks.

It costs about 3 s of CPU. Tasks of the LocalExecutor are forked from the scheduler and find it there.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

PROVIDER = "airflow.providers.cncf.kubernetes.hooks.kubernetes"
COMPONENTS = frozenset({"scheduler", "triggerer"})


class Preload:
    """A listener of the start of Airflow's long-lived processes."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Import what the tasks need, when this process is one that starts tasks or runs triggers.

        The hook is called before Airflow says which component this is; its command line does.
        """
        if type(component).__name__ == "Job" and COMPONENTS.intersection(sys.argv[1:3]):
            warm_up()


def warm_up() -> None:
    """Import what tasks need."""
    importlib.import_module(PROVIDER)


class PreloadPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "plan_reduce_repeat_preload"
    listeners = [Preload()]
