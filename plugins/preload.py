"""Import what tasks need once, in the scheduler and the triggerer, before they start tasks.

Tasks of the LocalExecutor are forked from the scheduler and find it there. The Kubernetes provider costs about 0.7 s of
CPU and the project's own modules 0.2 s, which each task would pay for itself; docs/benchmarks.md has what it costs.

So Python code below include/ and plugins/ is what it was when these two were started: whoever changes it starts them
again, as for Airflow's own plugins. DAG files, release specs and configuration are read anew by every run.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

PROVIDER = "airflow.providers.cncf.kubernetes.hooks.kubernetes"
PACKAGES = ("plugins.hooks", "plugins.operators", "plugins.sensors", "plugins.triggers", "plugins.notifiers")
"""What DAG files import from; with it comes what it uses of include/."""
_PROCEDURES = ("plugins.params", "plugins.procedure", "plugins.log_procedure", "plugins.order_procedure")
MODULES = (PROVIDER, *_PROCEDURES, *PACKAGES)
COMPONENTS = frozenset({"scheduler", "triggerer"})

logger = logging.getLogger(__name__)


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
    """Import it. What cannot be imported is left to the tasks that need it: they say why in their logs."""
    for name in MODULES:
        _import(name)
    for package in (sys.modules[name] for name in PACKAGES if name in sys.modules):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            _import(module.name)


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:
        logger.warning("%s cannot be preloaded", name, exc_info=True)


class PreloadPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "plan_reduce_repeat_preload"
    listeners = [Preload()]
