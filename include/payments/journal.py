"""The journal of a guard's payments: a ConfigMap that says what was held, settled and released, by which run.

What is about to be asked of the shop is written before it is asked, and confirmed after: whoever was killed in
between leaves a note, and the next try asks again, which the shop does once per run.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from include.payments.shop import States
from include.release.frozen import MANAGED_BY
from include.release.kube import Cluster, KubeError
from include.release.problems import Problem, RejectedError
from include.restarts.evidence import LABEL_GUARD

KEY = "payments"
KEEP = 10
"""Settlements and releases that are remembered."""
TRIES = 20


class _Note(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    run: str
    at: str = ""
    reason: str = ""


N = TypeVar("N", bound=_Note)


class Hold(_Note):
    """A hold that was begun and not released. ``confirmed`` once the shop has said so."""

    confirmed: bool = False
    states: States = {}
    """What the shop counted when it was confirmed."""


class Settlement(_Note):
    """What a run settled, and how."""

    how: str
    confirmed: bool = False
    states: States = {}
    """What had become of the payments that it is about, when last seen."""


class Released(_Note):
    """A hold that was ended. ``run`` is the one that had held, ``by`` the one that ended it."""

    by: str = ""


class Journal(BaseModel):
    """All of it, newest last."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    holds: list[Hold] = []
    settlements: list[Settlement] = []
    released: list[Released] = []

    def hold(self, run: str) -> Hold | None:
        """The hold of a run."""
        return next((each for each in self.holds if each.run == run), None)

    def settlement(self, run: str) -> Settlement | None:
        """What a run settled."""
        return next((each for each in self.settlements if each.run == run), None)

    def release_of(self, run: str) -> Released | None:
        """The end of a run's hold."""
        return next((each for each in self.released if each.run == run), None)

    def with_hold(self, hold: Hold) -> Journal:
        """With this in place of the run's former one."""
        return self.model_copy(update={"holds": [*_others(self.holds, hold.run), hold]})

    def with_settlement(self, settlement: Settlement) -> Journal:
        """With this in place of the run's former one."""
        kept = [*_others(self.settlements, settlement.run), settlement][-KEEP:]
        return self.model_copy(update={"settlements": kept})

    def with_release(self, released: Released) -> Journal:
        """With a run's hold ended."""
        kept = [*_others(self.released, released.run), released][-KEEP:]
        return self.model_copy(update={"holds": _others(self.holds, released.run), "released": kept})


def _others(notes: list[N], run: str) -> list[N]:
    return [each for each in notes if each.run != run]


class JournalStore:
    """Reads and writes a guard's journal, in ConfigMap ``payments-<guard>``."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        guard: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.cluster, self.namespace, self.guard, self._now = cluster, namespace, guard, now
        self.name = f"payments-{guard}"

    def now(self) -> str:
        """The time, as the journal has it."""
        return self._now().isoformat(timespec="seconds")

    def read(self) -> Journal:
        """What it says. Raises RejectedError when somebody has made it unreadable, and KubeError."""
        return self._parse(self.cluster.get("ConfigMap", self.namespace, self.name))

    def change(self, decide: Callable[[Journal], Journal]) -> Journal:
        """Read, decide and write; decided again when somebody else has written meanwhile. Raises as ``read``."""
        for attempt in itertools.count(1):
            found = self.cluster.get("ConfigMap", self.namespace, self.name)
            before = self._parse(found)
            after = decide(before)
            if after == before and found is not None:
                return after
            manifest = self._manifest(after, found)
            try:
                (self.cluster.replace if found else self.cluster.create)(manifest, self.namespace)
            except KubeError as error:
                # Also 404: somebody deleted it between reading and writing.
                again = error.status == 409 or (error.status == 404 and found is not None)
                if not again or attempt == TRIES:
                    raise
                time.sleep(random.uniform(0.01, 0.05))  # noqa: S311  only to keep two apart
                continue
            return after
        raise AssertionError  # the loop has no other end

    def _parse(self, found: dict[str, Any] | None) -> Journal:
        text = ((found or {}).get("data") or {}).get(KEY)
        if not text:
            return Journal()
        try:
            return Journal.model_validate_json(text)
        except ValidationError as error:
            # Going on as if nothing were held could leave payments held for ever.
            where = f"ConfigMap {self.name} in namespace {self.namespace}"
            fix = f"put it right, or delete it after a look at the shop's queue: kubectl -n {self.namespace} get cm {self.name}"
            wrong = str(error.errors()[0]["msg"])
            problem = Problem(
                where, KEY, f"what cannot be read: {wrong}", "the journal as it was written", fix
            )
            raise RejectedError([problem], subject="the journal of the payments") from None

    def _manifest(self, journal: Journal, found: dict[str, Any] | None) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": self.name, "namespace": self.namespace}
        if found is not None:
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        labels = ((found or {}).get("metadata") or {}).get("labels") or {}
        metadata["labels"] = {**labels, **MANAGED_BY, LABEL_GUARD: self.guard}
        data = {**((found or {}).get("data") or {}), KEY: journal.model_dump_json(indent=1)}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
