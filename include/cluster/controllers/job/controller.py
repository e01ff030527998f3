"""Jobs: pods until enough of them have succeeded, or the Job has failed."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from include.cluster.controllers import conditions, owners, pods
from include.cluster.controllers.base import Cluster, Controller, Key, RetryError
from include.cluster.controllers.job import counting, failure, indexes
from include.cluster.controllers.job.backoff import Record, wait
from include.cluster.controllers.job.state import TRACKING, State, done, tracked
from include.cluster.errors import ApiError
from include.cluster.registry.clock import stamp
from include.cluster.store import Change

Object = dict[str, Any]

_BURST = 500
_SUCCESS = ("CompletionsReached", "Reached expected number of succeeded pods")


class Jobs(Controller):
    """The Job controller."""

    name = "job-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._records: dict[str, Record] = {}
        self._seen: dict[str, set[str]] = {}

    def initial(self) -> Iterable[Key]:
        """All Jobs; and pods that a Job left behind, freed on the way."""
        for job in self.registry.list("jobs"):
            yield job["metadata"]["namespace"], job["metadata"]["name"]
        for pod in self.registry.list("pods"):
            self._free_orphan(pod)

    def observe(self, change: Change) -> None:
        """Jobs, and pods that a Job controls or that are held for one."""
        plural, namespace, name = change.key
        if plural == "jobs":
            if change.type != "DELETED":
                self.enqueue((namespace, name))
                return
            uid = change.object["metadata"]["uid"]
            self._records.pop(uid, None)
            self._seen.pop(uid, None)
            for pod in self.index.controlled("pods", uid):
                self._free_orphan(pod)
        elif plural == "pods":
            for seen in (change.object, change.old):
                reference = owners.controller_of(seen) if seen is not None else None
                if reference is not None and reference["kind"] == "Job":
                    self.enqueue((namespace, reference["name"]))
            if change.type != "DELETED":
                self._free_orphan(change.object)

    def _free_orphan(self, pod: Object) -> None:
        """A pod whose Job is gone waits for nobody's count."""
        if not tracked(pod):
            return
        reference = owners.controller_of(pod)
        if reference is None or (reference["kind"] == "Job" and self.index.key(reference["uid"]) is None):
            self.enqueue((pod["metadata"]["namespace"], f"pod/{pod['metadata']['name']}"))

    async def reconcile(self, key: Key) -> float | None:
        """Looks at a Job (or, as ``pod/name``, frees a pod that was left behind)."""
        namespace, name = key
        if name.startswith("pod/"):
            self._release(namespace, name.removeprefix("pod/"))
            return None
        job = self.registry.find("jobs", namespace, name)
        if job is None:
            return None
        if done(job):
            self._records.pop(job["metadata"]["uid"], None)
            self._seen.pop(job["metadata"]["uid"], None)
            return None
        return self._sync(job)

    def _release(self, namespace: str, name: str) -> None:
        pod = self.registry.find("pods", namespace, name)
        reference = owners.controller_of(pod) if pod else None
        if pod and (reference is None or self.index.key(reference["uid"]) is None):
            if reference is None and self._adoptable(pod):
                return
            counting.untrack(self, pod)

    def _adoptable(self, pod: Object) -> bool:
        for job in self.registry.list("jobs", pod["metadata"]["namespace"]):
            if not job["metadata"].get("deletionTimestamp") and owners.selects(
                job, pod["metadata"].get("labels")
            ):
                self.enqueue((job["metadata"]["namespace"], job["metadata"]["name"]))
                return True
        return False

    def _sync(self, job: Object) -> float | None:
        state = State(copy.deepcopy(job), owners.claim(self, job, "pods"))
        before = copy.deepcopy(job.get("status") or {})
        status = state.status
        uncounted = state.uncounted
        state.failed = (
            int(status.get("failed", 0))
            + sum(1 for pod in state.new_failed if failure.counts(state, pod))
            + len(uncounted.get("failed", ()))
        )
        if "startTime" not in status and not state.suspended:
            status["startTime"] = stamp()
        record = self._record(state)
        state.finished = state.decided or failure.find(state)
        if state.indexed:
            self._look_at_indexes(state)
        again, refused = None, None
        active = len(state.active)
        if state.finished is not None:
            active -= self._delete(state, state.active)
        else:
            if not state.job["metadata"].get("deletionTimestamp"):
                active, again, refused = self._manage(state, record)
            self._decide(state, active)
        if active:
            status["active"] = active
        else:
            status.pop("active", None)
        status["ready"] = state.ready
        status["terminating"] = state.terminating
        fields = ("active", "ready", "terminating", "conditions", "startTime")
        changed = any(before.get(field) != status.get(field) for field in fields)
        counting.settle(self, state, changed=changed)
        if refused is not None:
            raise RetryError(refused.message)
        left = failure.deadline_in(state)
        waits = [seconds for seconds in (again, left) if seconds is not None and seconds > 0]
        return min(waits) if waits else None

    def _record(self, state: State) -> Record:
        """The Job's back-off; pods held back by a finalizer are seen again and count once."""
        uid = state.job["metadata"]["uid"]
        seen = self._seen.setdefault(uid, set())
        fresh = [
            [pod for pod in finished if pod["metadata"]["uid"] not in seen]
            for finished in (state.new_succeeded, state.new_failed)
        ]
        seen.update(pod["metadata"]["uid"] for finished in fresh for pod in finished)
        record = self._records.get(uid, Record()).after(*fresh)
        self._records[uid] = record
        return record

    def _look_at_indexes(self, state: State) -> None:
        state.counted_indexes = indexes.parse(state.status.get("completedIndexes"))
        fresh = {state.index(pod) for pod in state.new_succeeded}
        state.succeeded_indexes = state.counted_indexes | {index for index in fresh if index is not None}
        state.succeeded = len(state.succeeded_indexes)
        if not state.per_index:
            return
        state.failed_indexes = failure.failed_indexes(state)
        if state.finished is None:
            state.finished = failure.by_indexes(state)
        running = {state.index(pod) for pod in state.active}
        over = state.succeeded_indexes | state.failed_indexes | running
        for pod in sorted(filter(state.is_failed, state.pods), key=pods.finished_at):
            index = state.index(pod)
            if index is not None and index not in over:
                state.held[index] = pod

    def _manage(self, state: State, record: Record) -> tuple[int, float | None, ApiError | None]:
        """Makes or deletes pods. Returns how many are active now, when to look again, and the first refusal."""
        active = len(state.active)
        if state.suspended:
            for pod in state.active:
                # Ended by the user's wish: it counts as neither success nor failure.
                counting.untrack(self, pod)
            return active - self._delete(state, state.active), None, None
        terminating = state.terminating if state.replaces_failed_only else 0
        wanted = self._wanted(state, active)
        surplus = active + terminating - wanted
        if surplus > 0 and active:
            victims = pods.deletion_order(state.active)[: min(surplus, _BURST)]
            for pod in victims:
                counting.untrack(self, pod)
            return active - self._delete(state, victims), None, None
        lacking = min(wanted - terminating - active, _BURST)
        if lacking <= 0:
            return active, None, None
        if not state.per_index:
            seconds = record.wait(self.settings)
            if seconds > 0:
                return active, seconds, None
        chosen: list[int | None] = [None] * lacking
        again = None
        if state.indexed:
            chosen, again = self._pending_indexes(state, lacking)
        made, refused = self._create(state, chosen)
        return active + made, again, refused

    def _wanted(self, state: State, active: int) -> int:
        parallelism = int(state.spec.get("parallelism", 1))
        completions = state.spec.get("completions")
        if completions is None:
            return active if state.succeeded > 0 else parallelism
        return max(min(int(completions) - state.succeeded, parallelism), 0)

    def _pending_indexes(self, state: State, lacking: int) -> tuple[list[int | None], float | None]:
        taken = (
            state.succeeded_indexes
            | (state.failed_indexes or set())
            | {state.index(pod) for pod in state.active}
        )
        if state.replaces_failed_only:
            taken |= {state.index(pod) for pod in state.pods if pods.terminating(pod)}
        pending = [index for index in range(int(state.spec["completions"])) if index not in taken][:lacking]
        waits = {
            index: wait(indexes.failures(held) + 1, pods.finished_at(held), self.settings)
            for index, held in state.held.items()
        }
        due: list[int | None] = [index for index in pending if waits.get(index, 0) <= 0]
        later = [waits[index] for index in pending if waits.get(index, 0) > 0]
        return due, min(later, default=None)

    def _create(self, state: State, chosen: list[int | None]) -> tuple[int, ApiError | None]:
        made, rest = 0, list(chosen)
        for batch in pods.slow_start(len(rest)):
            refused: ApiError | None = None
            for index in rest[:batch]:
                try:
                    made += self._create_one(state, index)
                except ApiError as error:
                    refused = refused or error
            rest = rest[batch:]
            if refused is not None:
                return made, refused
        return made, None

    def _create_one(self, state: State, index: int | None) -> int:
        name = state.job["metadata"]["name"]
        if index is None:
            template, prefix = copy.deepcopy(state.job["spec"]["template"]), f"{name}-"
        else:
            earlier = None
            if state.per_index:
                held = state.held.get(index)
                earlier = indexes.failures(held) + 1 if held else 0
            template, prefix = indexes.template(state.job, index, earlier), f"{name}-{index}-"
        meta = template.setdefault("metadata", {})
        meta["finalizers"] = [*(meta.get("finalizers") or []), TRACKING]
        return 1 if pods.create(self, state.job, template, generate_name=prefix) else 0

    def _delete(self, state: State, victims: list[Object]) -> int:
        for pod in victims:
            pods.delete(self, state.job, pod)
        state.terminating += len(victims)
        state.ready -= sum(1 for pod in victims if pods.ready(pod))
        return len(victims)

    def _decide(self, state: State, active: int) -> None:
        """Complete when enough have succeeded; else the Suspended condition follows the spec."""
        completions = state.spec.get("completions")
        enough = state.succeeded > 0 if completions is None else state.succeeded >= int(completions)
        if enough and active == 0:
            state.finished = conditions.plain("SuccessCriteriaMet", "True", *_SUCCESS)
            return
        present = conditions.find(state.status, "Suspended")
        if state.suspended and (present is None or present["status"] != "True"):
            self._set_suspended(state, "True", "JobSuspended", "Job suspended")
            state.status.pop("startTime", None)
            self.registry.event(state.job, "Normal", "Suspended", "Job suspended", component=self.name)
        elif not state.suspended and present is not None and present["status"] == "True":
            self._set_suspended(state, "False", "JobResumed", "Job resumed")
            state.status["startTime"] = stamp()
            self.registry.event(state.job, "Normal", "Resumed", "Job resumed", component=self.name)

    def _set_suspended(self, state: State, status: str, reason: str, message: str) -> None:
        found = conditions.plain("Suspended", status, reason, message)
        listed = state.status.setdefault("conditions", [])
        places = [place for place, entry in enumerate(listed) if entry["type"] == "Suspended"]
        if places:
            listed[places[0]] = found
        else:
            listed.append(found)

    def write_status(self, state: State) -> None:
        """Stores the Job's status as it is in ``state``."""
        meta, status = state.job["metadata"], copy.deepcopy(state.status)
        self.registry.edit(
            "jobs",
            meta["namespace"],
            meta["name"],
            lambda new: new.update(status=status),
            manager=self.name,
            subresource="status",
        )

    def tell_end(self, job: Object, last: Object) -> None:
        """Writes the event of a Job's end."""
        if last["type"] == "Complete":
            self.registry.event(job, "Normal", "Completed", "Job completed", component=self.name)
        else:
            self.registry.event(job, "Warning", last["reason"], last["message"], component=self.name)
