"""The Job controller, and the one that removes finished Jobs."""

from __future__ import annotations

from include.cluster.controllers.job.controller import Jobs
from include.cluster.controllers.job.ttl import FinishedJobs

__all__ = ["FinishedJobs", "Jobs"]
