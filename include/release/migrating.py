"""Running a migration's Job and following it to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from include.jobs.carrying import Carrier
from include.jobs.ending import JobError
from include.jobs.load import Load
from include.release.frozen import Frozen
from include.release.jobs import LABEL_MIGRATION, Errand, apply_errand, job_of
from include.release.kube import Cluster
from include.release.spec import Migration

Say = Callable[[str], None]


class MigrationError(JobError):
    """A migration's Job did not end well; the text is for on-call. ``exit_code`` is its program's, if it ended."""


@dataclass(frozen=True)
class Migrated:
    """What a migration's Job did. ``said`` is the last line of its log."""

    id: str
    job: str
    seconds: float
    said: str


class Runner:
    """Runs the migrations of one frozen release, up or down, and asks about them.

    Args:
        cluster: where.
        frozen: what.
        asked_by: DAG run and how often it was cleared; see ``jobs.job_for``.
        say: receives every line that on-call should read.
    """

    def __init__(self, cluster: Cluster, frozen: Frozen, asked_by: str, say: Say) -> None:
        self.cluster = cluster
        self.frozen = frozen
        self.asked_by = asked_by
        self.say = say
        self.namespace = frozen.environment.namespace

    def run(self, step: Migration) -> Migrated:
        """Apply one migration; see ``do``."""
        return self.do(apply_errand(step))

    def do(self, errand: Errand) -> Migrated:
        """Run one errand's Job to its end, or go on with the Job that an earlier try left.

        Raises:
            MigrationError: it failed, or cannot start.
            KubeError: the cluster does not answer.
        """
        carrier = Carrier(self.cluster, self.namespace, self.say)
        try:
            done = carrier.carry(self._load(errand))
        except JobError as error:
            raise MigrationError(str(error), error.exit_code, error.lines) from None
        return Migrated(errand.id, done.job, done.seconds, done.said)

    def ask(self, errands: Sequence[Errand]) -> list[str]:
        """Run errands that only ask, all at once; returns what each printed. Raises as ``do``."""
        carrier = Carrier(self.cluster, self.namespace, _quiet)
        loads = [self._load(errand) for errand in errands]
        try:
            names = [carrier.start(load) for load in loads]
            done = [carrier.follow(load, name) for load, name in zip(loads, names, strict=True)]
        except JobError as error:
            raise MigrationError(str(error), error.exit_code, error.lines) from None
        return ["\n".join(each.lines) for each in done]

    def _load(self, errand: Errand) -> Load:
        # A try that saw its Job fail would have ended the task for good. So the worker or the node was lost
        # meanwhile, which says nothing about the migration; the ledger does.
        return Load(
            manifest=job_of(self.frozen, errand, self.asked_by),
            label=errand.id,
            title=errand.title,
            subject=errand.subject,
            what_now=errand.what_now("{job}"),
            gone="Whether the migration is applied is in the ledger; clear this task to ask it.",
            cannot_start="put the cause right and clear this task; if it is in the spec, trigger a new run",
            failed_before="failed while nobody watched",
            beside=f"{LABEL_MIGRATION}={errand.id}",
            start_grace=self.frozen.environment.rollout.image_grace_seconds,
        )


def _quiet(_line: str) -> None:
    """For questions: the answer is told, not how it was asked for."""
