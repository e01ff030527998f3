"""A shop that is asked by a command: a Job with the image and the environment of one of its Deployments.

The Job is named by what it carries: step, run, command and image. So a try after a crash finds the Job of the try
before it, and a step that is done is not run again. The command is told by its environment: ``PAYMENTS_STEP``,
``PAYMENTS_RUN`` (the same for every try: its key to do a thing once), ``PAYMENTS_BY`` and ``PAYMENTS_REASON``. It
ends with 0 when the step is done; a JSON object on its last line may count payments.
"""

from __future__ import annotations

import json
import time
from typing import Any

from include.jobs.state import exit_text, job_state, pod_problem
from include.payments.job_manifest import CONTAINER, LABEL_CONTENT, Errand, manifest_of
from include.payments.shop import Answer, ShopError, Step, read_answer
from include.release.creating import create_once
from include.release.kube import Cluster, KubeError
from include.release.problems import Problem
from include.release.texts import last_lines
from include.restarts.redact import redact

POLL_SECONDS = 0.3
STARTS_WITHIN = 60.0
"""Seconds that an image may take, or a place on a node, before it is given up."""


class CommandShop:
    """Runs a command for each step.

    Args:
        cluster: where.
        namespace: the shop's.
        deployment: whose first container's image, environment and volumes the command gets.
        commands: the command of each step.
        by: the guard.
        timeout: seconds for one command.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        deployment: str,
        commands: dict[Step, list[str]],
        *,
        by: str,
        timeout: float = 30,
    ) -> None:
        self.cluster, self.namespace, self.deployment = cluster, namespace, deployment
        self.commands, self.by, self.timeout = commands, by, timeout
        self.where = f"commands in the image of Deployment {deployment} in namespace {namespace}"

    def hold(self, reason: str, run: str) -> Answer:
        """Hold payments."""
        return self._run("hold", run, reason)

    def roll_back(self, reason: str, run: str) -> Answer:
        """Roll back those that wait."""
        return self._run("roll_back", run, reason)

    def release(self, run: str) -> Answer:
        """End the hold of a run."""
        return self._run("release", run, "")

    def state(self) -> Answer:
        """Count payments."""
        # A question is asked anew each time; what it counted a minute ago is no answer.
        return self._run("state", f"{time.time_ns():x}", "", keep=False)

    def _run(self, step: Step, run: str, reason: str, *, keep: bool = True) -> Answer:
        live = self.cluster.get("Deployment", self.namespace, self.deployment)
        if live is None:
            fix = "correct deployment: of the guard's payments in guards.yaml"
            raise self._error(
                step, f"there is no Deployment {self.deployment}", "one with the image of the commands", fix
            )
        errand = Errand(step, run, reason, self.by, tuple(self.commands[step]), int(self.timeout))
        wanted = manifest_of(errand, live, self.namespace)
        name = self._start(wanted)
        pods = self._finish(step, name)
        log = self._log(pods)
        state = job_state(self.cluster.get("Job", self.namespace, name) or {})
        if state.phase != "complete":
            ended = next(filter(None, map(exit_text, pods)), "") or state.reason
            found = f"Job {name} failed ({ended}): {last_lines(redact(log), 5) or 'it wrote nothing'}"
            raise self._error(
                step, found, "exit code 0", "put the cause right; the next try runs it again", True
            )
        if not keep:
            self.cluster.delete("Job", self.namespace, name)
        return self._answer(step, log)

    def _start(self, wanted: dict[str, Any]) -> str:
        """The name of the Job to follow: one that runs or is done, else a new one beside those that failed."""
        content = wanted["metadata"]["labels"][LABEL_CONTENT]
        jobs = self.cluster.list("Job", self.namespace, labels=f"{LABEL_CONTENT}={content}")
        for phase in ("complete", "running"):
            for job in jobs:
                if job_state(job).phase == phase and not job["metadata"].get("deletionTimestamp"):
                    return str(job["metadata"]["name"])
        taken = {job["metadata"]["name"] for job in jobs}
        base, number = wanted["metadata"]["name"], 1
        while (name := f"{base}-{number}") in taken:
            number += 1
        wanted["metadata"]["name"] = name
        # There already after an answer that was lost, or by a try beside this one: its Job is as good.
        create_once(self.cluster, wanted, self.namespace)
        return str(name)

    def _finish(self, step: Step, name: str) -> list[dict[str, Any]]:
        """Wait for the Job's end; returns its pods."""
        deadline = time.monotonic() + self.timeout + STARTS_WITHIN
        started = time.monotonic()
        while True:
            job = self.cluster.get("Job", self.namespace, name)
            pods = self.cluster.list("Pod", self.namespace, labels=f"job-name={name}")
            if job is None:
                raise self._error(
                    step, f"Job {name} was deleted", "its end", "the next try runs it again", True
                )
            if job_state(job).phase != "running":
                return pods
            trouble = next(filter(None, map(pod_problem, pods)), "")
            late = time.monotonic() - started > STARTS_WITHIN and trouble
            if late or time.monotonic() > deadline:
                self.cluster.delete("Job", self.namespace, name)
                found = f"Job {name} does not {'start' if trouble else 'end'}: {trouble or f'{self.timeout:g} s are over'}"
                raise self._error(
                    step, found, "a command that ends", "see the Job's pod, or its timeout_seconds", True
                )
            time.sleep(POLL_SECONDS)

    def _log(self, pods: list[dict[str, Any]]) -> str:
        for pod in pods:
            try:
                return self.cluster.log(self.namespace, pod["metadata"]["name"], CONTAINER, tail=50)
            except KubeError as error:
                if error.transient:
                    raise
        return ""

    def _answer(self, step: Step, log: str) -> Answer:
        lines = log.strip().splitlines()
        last = lines[-1].strip() if lines else ""
        try:
            value = json.loads(last)
            if not isinstance(value, dict):
                raise ValueError("no JSON object")
            return read_answer(value if "states" in value or step != "state" else {"states": value})
        except ValueError as error:
            if step != "state":
                return Answer()
            found = f"its last line is {redact(last)[:200]!r}: {error}"
            wanted = 'JSON such as {"states": {"held": {"payments": 3, "cents": 4500}}}'
            raise self._error(step, found, wanted, "let the command end with such a line") from None

    def _error(self, step: Step, found: str, expected: str, fix: str, transient: bool = False) -> ShopError:
        # What a command says goes into logs, XComs and messages.
        return ShopError(Problem(self.where, step, redact(found), expected, fix), transient=transient)
