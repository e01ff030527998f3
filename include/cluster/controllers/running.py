"""Starting and ending all controllers together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from include.cluster.controllers.base import Cluster, Controller
from include.cluster.controllers.claims import Claims
from include.cluster.controllers.deployment import Deployments
from include.cluster.controllers.endpoints import Endpoints
from include.cluster.controllers.expiry import EventExpiry
from include.cluster.controllers.garbage import GarbageCollector
from include.cluster.controllers.index import Index
from include.cluster.controllers.job import FinishedJobs, Jobs
from include.cluster.controllers.namespaces import Namespaces
from include.cluster.controllers.proxy import ServiceProxy
from include.cluster.controllers.quota import ResourceQuotas
from include.cluster.controllers.replicaset import ReplicaSets
from include.cluster.controllers.scheduler import Scheduler
from include.cluster.settings import Settings
from include.cluster.store import Change

if TYPE_CHECKING:
    from include.cluster.registry import Registry

logger = logging.getLogger(__name__)

KINDS: tuple[type[Controller], ...] = (
    Namespaces,
    Deployments,
    ReplicaSets,
    Jobs,
    FinishedJobs,
    Scheduler,
    Claims,
    ServiceProxy,
    Endpoints,
    GarbageCollector,
    ResourceQuotas,
    EventExpiry,
)


class Running:
    """The controllers of one stand-in at work."""

    def __init__(self, controllers: list[Controller], endings: list[Callable[[], None]]) -> None:
        self.controllers = controllers
        self._endings = endings

    @property
    def idle(self) -> bool:
        """Whether no controller has anything to do right now."""
        return all(controller.idle for controller in self.controllers)

    async def stop(self) -> None:
        """Ends all controllers; the next start takes up what they leave."""
        for end in self._endings:
            end()
        for controller in reversed(self.controllers):
            await controller.stop()


def start(registry: Registry, settings: Settings, kinds: tuple[type[Controller], ...] = KINDS) -> Running:
    """Starts the controllers on the running event loop.

    Args:
        registry: what they read and write.
        settings: of the stand-in.
        kinds: which ones; all by default.
    """
    index = Index(registry)
    # The index comes first: a controller that hears of a change finds it there.
    endings = [index.follow()]
    cluster = Cluster(registry, settings, index)
    controllers = [kind(cluster) for kind in kinds]

    def tell(change: Change) -> None:
        for controller in controllers:
            try:
                controller.observe(change)
            except Exception:
                # Whoever wrote has its answer; the controller finds the object at its next look.
                logger.exception("%s: %s", controller.name, change.key)

    endings.append(registry.store.listen(tell))
    for controller in controllers:
        controller.start()
    return Running(controllers, endings)
