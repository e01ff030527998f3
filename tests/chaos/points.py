"""One point: a release whose client is killed at one change and run again, and what it left."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.release.kube import Cluster
from include.release.loading import PROJECT
from tests.chaos import looking, shop
from tests.chaos.child import load_dag
from tests.chaos.counting import Change, Counter, When
from tests.chaos.dagrun import DagRun
from tests.chaos.proxy import proxy
from tests.chaos.supervising import Memory, Tries
from tests.standin import Standin

RELEASE_DAG = str(PROJECT / "dags" / "release.py")
RUN_ID = "manual__chaos"


@dataclass
class Left:
    """What a run left behind, in the cluster and beside it."""

    states: dict[str, str]
    objects: dict[str, Any]
    ledger: list[str]
    records: dict[str, list[str]]
    documents: list[str]
    told: list[str]
    """What people were told, at least once each."""
    changes: list[Change] = field(default_factory=list)
    killed: Change | None = None
    cleared: list[list[str]] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    """Tasks whose second copy ended without a word."""
    log: Path = Path()
    seconds: float = 0.0

    def difference(self, other: Left) -> str:
        """How ``other``, which was killed, differs from this one."""
        found = other._comparable()
        if other.cleared:  # before that it told, rightly, that it had failed
            found["told"] = [text for text in other.told if text in self.told]
        return looking.compare(self._comparable(), found)

    def _comparable(self) -> dict[str, Any]:
        return {"states": self.states, "objects": self.objects, "ledger": self.ledger,
                "records": self.records, "documents": self.documents, "told": self.told}  # fmt: skip


class Chaos:
    """Runs releases on one stand-in cluster, each in a shop of its own.

    Args:
        standin: the cluster.
        home: where configuration, records and logs of each shop go.
        faulty: whether the release fails its smoke check, so that it is rolled back.
    """

    def __init__(self, standin: Standin, home: Path, *, faulty: bool = False) -> None:
        self.standin, self.home, self.faulty = standin, home, faulty
        self.cluster: Cluster = standin.connect()
        self.dag = load_dag(RELEASE_DAG)  # here: Airflow reads one DAG file at a time in a process

    def run(
        self,
        at: Change | None = None,
        when: When = "before",
        *,
        second_copy_after: Callable[[], float] | None = None,
    ) -> Left:
        """A release that is killed ``when`` it makes the change ``at`` of another run, and run again.

        Args:
            at: the change; never, when none is given.
            when: before or after it.
            second_copy_after: seconds until each task is started a second time beside itself.
        """
        begun = time.monotonic()
        namespace = f"chaos-{uuid.uuid4().hex[:8]}"
        folder = self.home / namespace
        place = shop.prepare(folder, namespace, self.standin.kubeconfig, faulty=self.faulty)
        try:
            shop.install(place, self.cluster)
            left = self._go(place, Counter(at.key if at else None, when), second_copy_after)
        finally:
            self.cluster.delete("Namespace", "", namespace)
        left.seconds = time.monotonic() - begun
        return left

    def _go(self, place: shop.Shop, counter: Counter, second_copy_after: Callable[[], float] | None) -> Left:
        with proxy(place.kubeconfig, counter, place.folder / "kubeconfig") as kubeconfig:
            environment = place.environment(kubeconfig)
            run = start(self.dag, place, counter, environment, drop_data=self.faulty)
            run.second_copy_after = second_copy_after
            run.go()
            cleared = []
            while run.crashed:
                cleared.append(run.clear_crashed())
                run.go()
        shop.wait(lambda: shop.is_ready(self.cluster, place.namespace), "pods that are all ready")
        return Left(
            run.states(),
            looking.look(self.cluster, place.namespace, place.names()),
            place.ledger(place.kubeconfig.parent, self.cluster),
            looking.records(place.folder / "records.db"),
            looking.documents(place.folder / "documents", place.namespace),
            sorted({text.splitlines()[0].replace(place.namespace, "NAMESPACE") for text in counter.told}),
            counter.changes, counter.killed, cleared,
            [task for task, ended in run.lost_copies if ended.message is None], place.folder / "log.txt",
        )  # fmt: skip

    def forget(self, left: Left) -> None:
        """Remove the files of a shop that nobody needs to look at."""
        shutil.rmtree(left.log.parent, ignore_errors=True)


def start(
    dag: Any, place: shop.Shop, counter: Counter, environment: dict[str, str], *, drop_data: bool
) -> DagRun:
    """A run of release 2 that has not begun."""
    conf = {
        "release": shop.AFTER,
        "environment": place.namespace,
        "dry_run": False,
        "reason": "to see it killed",
        "drop_data": drop_data,  # so that a rollback takes migrations back, whatever the new pods wrote meanwhile
    }
    tries = Tries(Memory(dag.dag_id, RUN_ID), counter, environment, place.folder / "log.txt")
    return DagRun(RELEASE_DAG, dag, conf, shop.USER, tries)
