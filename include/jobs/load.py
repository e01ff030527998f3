"""What a Job carries, and how texts for on-call speak of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from include.jobs.naming import LABEL_CONTENT

START_GRACE, PLACE_GRACE = 60.0, 120.0


@dataclass(frozen=True)
class Load:
    """What a Job carries, and how texts for on-call speak of it.

    Attributes:
        manifest: the Job, with its name (``naming.job_name``) and its label ``LABEL_CONTENT``, on its pods too.
        label: how lines of progress begin: ``shop-logs plan``.
        title: what it does, in words.
        subject: how an error begins: ``Planning the clean-up of shop-logs``.
        what_now: what on-call does when it failed; ``{job}`` is its name.
        gone: what on-call does when somebody deleted the Job.
        cannot_start: what on-call does when it cannot start.
        failed_before: how a Job is spoken of that an earlier try left failed; this one runs it again.
        beside: label selector of the Jobs among which one of the same content that runs is gone on with.
        start_grace: seconds that what keeps a pod from starting may last (image, configuration, node).
        place_grace: seconds that what keeps it from being made, or from its volumes, may last (quota, mount).
        silence: seconds without a line of its log after which whoever follows it is asked; 0: never.
    """

    manifest: dict[str, Any]
    label: str
    title: str
    subject: str
    what_now: str
    gone: str = "Clear this task to run it again."
    cannot_start: str = "put the cause right and clear this task"
    failed_before: str = "failed"
    beside: str = ""
    start_grace: float = START_GRACE
    place_grace: float = PLACE_GRACE
    silence: float = 0.0

    @property
    def name(self) -> str:
        """The Job's name, unless one of the same content runs already."""
        return str(self.manifest["metadata"]["name"])

    @property
    def content(self) -> str:
        """Digest of what it carries."""
        return str(self.manifest["metadata"]["labels"][LABEL_CONTENT])

    @property
    def container(self) -> str:
        """The container whose log and exit code count."""
        return str(self.manifest["spec"]["template"]["spec"]["containers"][0]["name"])

    @property
    def command(self) -> str:
        """What it runs, as a reader may run it."""
        main = self.manifest["spec"]["template"]["spec"]["containers"][0]
        return " ".join([*main.get("command", []), *main.get("args", [])])

    @property
    def seconds(self) -> int:
        """Its time limit."""
        return int(self.manifest["spec"]["activeDeadlineSeconds"])
