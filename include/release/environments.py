"""Where a release can go: the models behind ``include/config/environments.yaml``, and what is allowed there."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from include.release.policies import ApprovalPolicy, ChangeWindow, Channel, GatePolicy
from include.release.problems import Problem
from include.release.spec import Name, Strict, Text

ANYONE = "*"


class RolloutPolicy(Strict):
    """When a rollout that does not get on is given up before its progress deadline."""

    crash_restarts: Annotated[int, Field(ge=1)] = Field(
        default=3, title="Restarts of a new container that are a crash loop"
    )
    image_grace_seconds: Annotated[int, Field(ge=0)] = Field(
        default=20, title="Seconds an image may not be found"
    )
    config_grace_seconds: Annotated[int, Field(ge=0)] = Field(
        default=20, title="Seconds a container may lack its ConfigMap, Secret or volume"
    )
    quota_grace_seconds: Annotated[int, Field(ge=0)] = Field(
        default=30, title="Seconds a quota may refuse pods"
    )
    timeout_seconds: Annotated[int, Field(ge=10)] = Field(
        default=1800, title="Seconds the whole rollout may take"
    )


class Environment(Strict):
    """One place to release to."""

    name: Name = Field(title="Name, as the form offers it")
    title: Text = Field(title="What it is for")
    connection: Text = Field(title="Airflow connection (type kubernetes) of its cluster")
    namespace: Name = Field(title="Namespace")
    apps: list[Name] = Field(
        default=[], title="Applications that may be released here; none given: every one"
    )
    image_lock: Text = Field(title="Lock file in include/config/images: registry and digests")
    may_trigger: list[Text] = Field(min_length=1, title="Users who may release here; '*' is everybody")
    may_approve: list[Text] = Field(min_length=1, title="Users who may approve a release here")
    documents: Text = Field(
        title="Where as-built documents go: a path in the project, file:// or s3://connection@bucket/path"
    )
    take_over_fields: bool = Field(
        default=False, title="Take fields that somebody else set by hand, instead of stopping"
    )
    keep_config_maps: Annotated[int, Field(ge=1)] = Field(
        default=5, title="Versions of each ConfigMap to keep"
    )
    capacity: Name = Field(default="full", title="Policy in capacity.yaml that sizes its workloads")
    rollout: RolloutPolicy = Field(default=RolloutPolicy(), title="When a rollout is given up early")
    window: ChangeWindow = Field(default=ChangeWindow(), title="When releases may start")
    gate: GatePolicy = Field(default=GatePolicy(), title="Which QA verdict a build needs")
    gives_verdict: bool = Field(
        default=False, title="A release here is a QA verdict on its builds: passed or failed"
    )
    approval: ApprovalPolicy = Field(default=ApprovalPolicy(), title="Whether a change needs an approval")
    tell: list[Channel] = Field(default=[Channel(kind="log")], title="Who is told what became of a change")
    records: Text = Field(
        default="plan_reduce_repeat_records",
        title="Airflow connection of the database of verdicts and changes",
    )
    keep_records_days: Annotated[int, Field(ge=1)] = Field(
        default=730, title="Days that verdicts and changes are kept; the newest of each are kept for ever"
    )


class VerdictRecorder(Strict):
    """A user whom CI logs in as, and the name that its verdicts have."""

    user: Text = Field(title="Airflow user")
    source: Name = Field(title="Source of its verdicts, as gate.trusted names it; no environment's name")


class Environments(Strict):
    """All environments."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Environments")

    environments: list[Environment] = Field(min_length=1, title="Environments")
    verdict_recorders: list[VerdictRecorder] = Field(
        default=[], title="Who may record verdicts over HTTP, and under which name"
    )

    def find(self, name: str) -> Environment | None:
        """The environment of that name."""
        return next((each for each in self.environments if each.name == name), None)


def may_trigger(environment: Environment, user: str | None) -> Problem | None:
    """None when ``user`` may release to ``environment``, else why not."""
    if ANYONE in environment.may_trigger or (user is not None and user in environment.may_trigger):
        return None
    return Problem(
        "include/config/environments.yaml",
        f"{environment.name}.may_trigger",
        f"triggered by {user}" if user else "triggered by nobody (a schedule or an asset)",
        f"one of {', '.join(environment.may_trigger)}",
        "ask one of them to trigger it, or have the list changed and reviewed",
    )


def belongs(environment: Environment, app: str) -> Problem | None:
    """None when ``app`` may be changed in this environment, else why not."""
    if not environment.apps or app in environment.apps:
        return None
    return Problem(
        "include/config/environments.yaml",
        f"{environment.name}.apps",
        f"application {app}",
        f"one of {', '.join(environment.apps)}",
        "choose another environment, or add the application to this one",
    )
