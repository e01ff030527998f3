"""Guards: the models behind ``include/config/guards.yaml``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from include.release.policies import Channel
from include.release.strict import Name, Strict, Text
from include.restarts.facts import ANY, CAUSES, Cause

Minutes = Annotated[float, Field(gt=0, le=24 * 60, strict=False)]


def _threshold(value: Any) -> Any:
    """In words, as a threshold of 0 is a mistake with consequences."""
    if isinstance(value, int) and not isinstance(value, bool) and not 1 <= value <= 100:
        extreme = "; 0 would press at the first restart" if value == 0 else ""
        raise ValueError(f"a number of restarts from 1 to 100: it presses at more than that{extreme}")
    return value


def _causes(value: Any) -> Any:
    """One finding instead of one for each kind of value that there can be."""
    if value == ANY:
        return value
    causes = value if isinstance(value, list) else []
    strange = [str(each) for each in causes if each not in CAUSES]
    twice = sorted({str(each) for each in causes if causes.count(each) > 1})
    if strange or twice or not causes:
        why = f" (not {', '.join(strange)})" if strange else f" ({', '.join(twice)} once)" if twice else ""
        raise ValueError(f"any, or a list such as [network], of {', '.join(CAUSES)}{why}")
    return value


def _step(value: Any) -> Any:
    """One finding instead of two, one as a path and one as a command."""
    words = value if isinstance(value, list) else [value]
    if value is not None and not (words and all(isinstance(each, str) and each.strip() for each in words)):
        raise ValueError(
            "a path such as /queue/hold (http), or a command such as [python3, -m, queue] (command)"
        )
    return value


Threshold = Annotated[
    int, BeforeValidator(_threshold), Field(json_schema_extra={"minimum": 1, "maximum": 100})
]
Step = Annotated[Text | list[Text] | None, BeforeValidator(_step)]
Causes = Annotated[Literal["any"] | list[Cause], BeforeValidator(_causes)]


class Probe(Strict):
    """A question to the upstream, asked from inside the cluster."""

    kind: Literal["service", "job"] = Field(
        title="service: GET through the API server's proxy of a Service; job: a command in a Job"
    )
    service: Name | None = Field(default=None, title="service: name of the Service")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(default=None, title="service: its port")
    path: Annotated[str, Field(pattern=r"^/\S*$")] = Field(default="/", title="service: path to ask for")
    command: list[Text] = Field(
        default=[],
        title="job: command that ends with 0 when the upstream answers, run in the guarded container's image and environment",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = Field(default=10, title="Seconds to answer in")

    @model_validator(mode="after")
    def _complete(self) -> Probe:
        if self.kind == "service" and not (self.service and self.port):
            raise ValueError("service and port, such as service: gateway-service, port: 5010")
        if self.kind == "job" and not self.command:
            raise ValueError("the command that asks the upstream, such as command: [python3, -c, ...]")
        given = self.command if self.kind == "service" else self.service or self.port or self.path != "/"
        if given:
            other = "no command: that is for kind: job" if self.kind == "service" else "the command alone"
            raise ValueError(f"{other}, or it is not known what is to be asked")
        return self


class Payments(Strict):
    """What becomes of payments while the button is pressed."""

    kind: Literal["upcommerce", "http", "command"] = Field(
        title="upcommerce: the queue of this project's shop; http: calls to your shop; command: a Job"
    )
    service: Name | None = Field(default=None, title="Service of the shop that has the queue")
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(default=None, title="Its port")
    settle: Literal["roll_back", "keep"] = Field(
        title="Payments that wait: roll_back tells the customers no, keep leaves them for replay after the re-arm"
    )
    told: Text = Field(
        default="the payment service is stopped for a while",
        title="Reason that customers are given while payments wait, and when they are rolled back",
    )
    hold: Step = Field(default=None, title="http: path; command: command that holds new ones")
    roll_back: Step = Field(default=None, title="... that rolls back what waits")
    release: Step = Field(default=None, title="... that releases what is held")
    state: Step = Field(default=None, title="... that answers the counts as JSON")
    deployment: Name | None = Field(
        default=None, title="command: Deployment whose image and environment it runs in"
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = Field(default=30, title="Seconds for one call")

    @model_validator(mode="after")
    def _complete(self) -> Payments:
        steps = {"hold": self.hold, "release": self.release, "state": self.state}
        steps |= {"roll_back": self.roll_back} if self.settle == "roll_back" or self.roll_back else {}
        if self.kind == "command":
            if not self.deployment:
                raise ValueError("deployment: the one in whose image the commands are")
            wrong = [name for name, value in steps.items() if not isinstance(value, list) or not value]
            if wrong:
                raise ValueError(f"{', '.join(wrong)}: a command, such as [python3, -m, queue, hold]")
            return self
        if not (self.service and self.port):
            raise ValueError("service and port of the shop, such as service: upcommerce-service, port: 5000")
        given = [name for name, value in (*steps.items(), ("roll_back", self.roll_back)) if value is not None]
        if self.kind == "upcommerce" and given:
            raise ValueError(
                f"no {', '.join(dict.fromkeys(given))}: kind upcommerce knows them; or kind: http"
            )
        if self.kind == "http":
            wrong = [n for n, v in steps.items() if not isinstance(v, str) or not v.startswith("/")]
            if wrong:
                raise ValueError(f"{', '.join(wrong)}: a path, such as /queue/hold")
        return self


class Guard(Strict):
    """One watched Deployment and what is done when it keeps restarting."""

    name: Name = Field(title="Name; the DAGs are <name>_guard and <name>_rearm")
    title: Text = Field(title="What it protects")
    environment: Name = Field(
        title="Environment of environments.yaml: cluster, namespace, who may, whom to tell"
    )
    deployment: Name = Field(title="Deployment that is watched and scaled to zero")
    threshold: Threshold = Field(
        default=3, title="Press when one container, over all pods, has more restarts than this"
    )
    window_minutes: Minutes = Field(default=15, title="... in so many minutes")
    causes: Causes = Field(
        default=["network"], title=f"Causes that count; {ANY} counts every restart and asks nothing"
    )
    init_containers: bool = Field(default=True, title="Restarts of init containers count")
    sidecars: bool = Field(default=True, title="Restarts of sidecars (init containers that stay) count")
    containers: list[Text] = Field(default=[], title="Only these containers; none given: all")
    upstream: Probe | None = Field(
        default=None, title="Asked when restarts of unknown cause would decide; none: then it alerts"
    )
    payments: Payments | None = Field(default=None, title="What becomes of payments")
    tell: list[Channel] | None = Field(default=None, title="Whom to tell; none given: the environment's list")
    cooldown_minutes: Minutes = Field(
        default=30,
        title="After a re-arm, and between two alerts of one kind: no press by itself, people are told",
    )
    approval: bool = Field(default=False, title="A person approves the press (the environment's may_approve)")
    answer_within_minutes: Annotated[int, Field(ge=1)] = Field(
        default=15, title="Minutes to answer in; silence does not press"
    )
    dry_run: bool = Field(default=False, title="Do everything but act, and say what would have been done")


class Storm(Strict):
    """When automatic presses stop: many guards at once, or a node that is not ready, is no payment gateway."""

    guards: Annotated[int, Field(ge=1)] = Field(default=3, title="More guards than this tripping ...")
    minutes: Minutes = Field(default=10, title="... in so many minutes stop automatic presses")
    nodes: bool = Field(default=True, title="A node that is not ready stops them too")


class Guards(Strict):
    """All guards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Guards")

    storm: Storm = Field(default=Storm(), title="Storm brake, for all guards of one cluster")
    liveness_minutes: Annotated[float, Field(ge=1, le=24 * 60, strict=False)] = Field(
        default=3, title="Minutes without a sign of life after which a guard is not alive"
    )
    relist_seconds: Annotated[int, Field(ge=5, le=3600)] = Field(
        default=60, title="Seconds between two full lists"
    )
    guards: list[Guard] = Field(default=[], title="Guards")

    def find(self, name: str) -> Guard | None:
        """The guard of that name."""
        return next((each for each in self.guards if each.name == name), None)
