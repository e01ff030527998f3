"""The approval task, and the tasks that need what it puts on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from include.records.models import Verdict
from include.release.applying import apply_object
from include.release.approval import Approval
from include.release.policies import ApprovalPolicy, GatePolicy
from plugins.operators import approved
from plugins.operators.approve import ApproveOperator
from plugins.operators.configure import ConfigureOperator
from plugins.operators.deploy import DeployOperator
from tests.dagtasks import bag
from tests.plugins.conftest import make_context

POLICY = ApprovalPolicy(required=True, rollbacks=True, answer_within_minutes=30, valid_minutes=20)


class Question:
    """What Airflow would show, and the answers to it."""

    def __init__(self, cluster: Any, frozen: Any, task: ApproveOperator, **params: Any) -> None:
        self.client, self.frozen, self.task = cluster.connect(), frozen, task
        self.context = make_context(**params)
        ti = self.ti = self.context["ti"]
        ti.id, ti.try_number = "ti-1", 1
        ti.values["freeze_and_check", "return_value"] = frozen.to_json()
        ti.xcom_push = lambda key, value: ti.values.__setitem__(("approve", key), value)
        self.context["task_instance"] = ti
        self.shown: list[dict[str, Any]] = []

    def show(self, **detail: Any) -> None:
        self.shown.append(detail)

    def ask(self) -> TaskAwaitingInput:
        with pytest.raises(TaskAwaitingInput) as raised:
            self.task.execute(self.context)
        return raised.value

    @property
    def asked(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ti.values["approve", "asked"]
        return found

    def answer(
        self, user: str | None = "admin", chosen: str = "Approve", *, minutes_ago: int = 0, **said: str
    ) -> Any:
        """Resume the task as Airflow does; returns what it puts on record."""
        event = {
            "chosen_options": [chosen],
            "params_input": said,
            "responded_at": datetime.now(UTC) - timedelta(minutes=minutes_ago),
            "responded_by_user": {"id": user, "name": user} if user else None,
            "timedout": False,
        }
        return self.resume(event)

    def resume(self, event: dict[str, Any]) -> Any:
        result = self.task.resume_execution("execute_complete", {"event": event}, self.context)
        self.ti.values["approve", "return_value"] = result
        return result

    def asked_again(self, *args: Any, **said: Any) -> list[str]:
        """Answer, expect to be asked again; returns why."""
        number = self.asked["number"]
        with pytest.raises(TaskAwaitingInput):
            self.answer(*args, **said)
        assert self.asked["number"] == number + 1
        found: list[str] = self.asked["since"]
        return found

    def refused(self, *args: Any, **said: Any) -> str:
        """Answer, expect the task to fail without a retry; returns the text."""
        with pytest.raises(AirflowFailException) as raised:
            self.answer(*args, **said)
        return str(raised.value)

    def touch(self) -> None:
        """Somebody changes a live object by hand."""
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "annotations": {"by": "hand"}},
        }
        self.client.apply(body, self.frozen.environment.namespace, manager="somebody", force=True)


SERVICE = (
    "objects:\n",
    "objects:\n  - apiVersion: v1\n    kind: Service\n    metadata: {name: web}\n"
    "    spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8000, protocol: TCP}]}\n",
)


@pytest.fixture
def question(cluster: Any, connection: Any, small: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    connection(cluster.kubeconfig)

    def make(
        kind: str = "release",
        may: tuple[str, ...] = ("admin", "oncall"),
        policy: Any = POLICY,
        gate: Any = None,
        **params: Any,
    ) -> Any:
        frozen = small(
            SERVICE,
            ("replicas: 2", "replicas: 0"),
            approval=policy,
            gate=gate or GatePolicy(),
            may_approve=list(may),
        )
        task = ApproveOperator(task_id="approve", kind=kind)  # type: ignore[arg-type]
        made = Question(cluster, frozen, task, **params)
        monkeypatch.setattr(hitl, "upsert_hitl_detail", made.show)
        client, namespace = made.client, frozen.environment.namespace
        service = next(each for each in frozen.objects if each["kind"] == "Service")
        client.apply(service, namespace, manager="plan-reduce-repeat", force=True)
        return made

    return make


def test_an_environment_without_approvals(question, capsys):
    asked = question(policy=ApprovalPolicy())
    assert asked.task.execute(asked.context)["required"] is False
    assert "A release in test needs no approval" in capsys.readouterr().out
    assert asked.shown == []


def test_who_may_is_asked_and_has_all_that_is_needed(question, capsys):
    asked = question()
    waits = asked.ask()
    assert (waits.method_name, waits.timeout) == ("execute_complete", timedelta(minutes=30))
    [shown] = asked.shown
    assert shown["subject"] == "Approve small (small) in test?"
    assert shown["assigned_users"] == [{"id": "admin", "name": "admin"}]  # oncall has triggered it
    assert shown["options"] == ["Approve", "Reject"]
    assert shown["defaults"] is None  # silence never approves
    assert shown["params"]["question"]["value"] == asked.asked["code"]
    assert shown["params"]["why"]["value"] is None
    for part in (
        "**oncall** asks for it: a test",
        "**Deployment web**: would be created",
        "New ConfigMaps: `page-",
    ):
        assert part in shown["body"]
    said = capsys.readouterr().out
    assert asked.asked["code"] in said
    assert "ASKED AGAIN" not in said


def test_what_it_replaces_is_said_first_and_that_nothing_changes(question, monkeypatch):
    asked = question()
    asked.ask()
    assert asked.shown[0]["body"].startswith("**Nothing of small in test is deployed yet: this replaces")
    for manifest in (*asked.frozen.config_maps, *asked.frozen.objects):
        apply_object(asked.client, manifest, asked.frozen, "release/before", dry_run=False)
    monkeypatch.setattr(approved, "read_saved", lambda *_: SimpleNamespace(applied=["first"]))
    asked.ask()
    body, digest = asked.shown[-1]["body"], asked.frozen.digest[:12]
    assert body.startswith(f"**Nothing changes: small (sha256:{digest}), brought by run release/before is")
    assert "**Deployment web**: stays as it is" in body


def test_an_approval_goes_on_record(question):
    asked = question()
    asked.ask()
    record = asked.answer(why=" looks\n good ", question=asked.asked["code"])
    approval = Approval.model_validate(record)
    assert (approval.by, approval.why, approval.question) == ("admin", "looks good", 1)
    assert approval.digest.startswith(asked.asked["code"])
    assert approval.parts["release"] == asked.frozen.digest
    assert asked.ti.values["approve", "said"].startswith("Approved by admin at 2")
    [answer] = asked.ti.values["approve", "answers"]
    assert (answer["by"], answer["result"]) == ("admin", "approved")


@pytest.mark.parametrize("user", ["dev", "oncall", None])
def test_an_answer_by_somebody_who_may_not_refuses(question, user):
    asked = question()
    asked.ask()
    text = asked.refused(user, why="let me", question=asked.asked["code"])
    assert f"{user or 'somebody unknown'} answered, who may not; admin may" in text
    assert "Nothing has been changed." in text
    assert asked.ti.values["approve", "answers"][0]["result"] == "refused: may not answer"


def test_everybody_may_but_who_triggered_it(question):
    asked = question(may=("*",))
    asked.ask()
    assert asked.shown[0]["assigned_users"] == []
    assert "oncall answered, who may not; anybody but oncall, who triggered it may" in asked.refused(
        "oncall", why="me"
    )
    assert asked.answer("dev", why="fine", question=asked.asked["code"])["by"] == "dev"


def test_nobody_may_is_said_at_once(question):
    asked = question(may=("oncall",))
    with pytest.raises(AirflowFailException, match="only oncall, who triggered this run"):
        asked.task.execute(asked.context)
    assert asked.shown == []


def test_a_rejection_refuses_with_its_reason(question):
    asked = question()
    asked.ask()
    text = asked.refused(chosen="Reject", why="not on a Friday")
    assert text.startswith("The release of small (small) in test was not approved: admin rejected it at 2")
    assert "not on a Friday. Nothing has been changed." in text


def test_silence_refuses(question):
    asked = question()
    asked.ask()
    with pytest.raises(AirflowFailException, match=r"nobody answered within 30 minutes \(admin could have\)"):
        asked.resume({"error": "The Human-in-the-loop response timeout has passed", "error_type": "timeout"})


def test_what_changed_meanwhile_is_asked_again_with_what_changed(question, capsys):
    asked = question()
    asked.ask()
    first = asked.asked["code"]
    asked.touch()
    [text] = asked.asked_again(why="looks good", question=first)
    assert text.startswith("Service web: changed in the cluster")
    assert "+    by: hand" in text
    assert "### Changed since it was asked before" in asked.shown[-1]["body"]
    second = asked.asked["code"]
    assert second != first
    said = capsys.readouterr().out
    assert f"enters its code, {second}" in said
    # Airflow's page still has the first text: its code does not approve the second question, and nor does none.
    assert (
        f"carried the code {first}; the question that was open had {second}"
        in asked.asked_again(why="looks good", question=first)[0]
    )
    assert "carried no code" in asked.asked_again(why="looks good")[0]
    record = asked.answer(why="seen it", question=second)
    assert (record["by"], record["question"]) == ("admin", 4)
    assert [each["result"] for each in asked.ti.values["approve", "answers"]] == ["asked again"] * 3 + [
        "approved"
    ]


def verdict(frozen: Any, *, passed: bool, at: int) -> Verdict:
    """What CI says of the release's only build, at a minute of an hour."""
    [image] = frozen.images.values()
    moment = datetime.now(UTC) - timedelta(minutes=60 - at)
    return Verdict(digest=image.partition("@")[2], image="python:3", app="small", passed=passed, source="ci", by="ci",
                   at=moment)  # fmt: skip


def test_a_verdict_that_came_meanwhile_counts(question, records):
    asked = question(gate=GatePolicy(required=True, trusted=["ci"]))
    records.add_verdict(verdict(asked.frozen, passed=True, at=1))
    asked.ask()
    assert "- python:3 (" in asked.shown[0]["body"]
    first = asked.asked["code"]
    records.add_verdict(verdict(asked.frozen, passed=True, at=2))
    assert asked.asked_again(why="fine", question=first) == ["QA verdict on python:3: is not what it was"]
    assert asked.answer(why="fine", question=asked.asked["code"])["by"] == "admin"
    records.add_verdict(verdict(asked.frozen, passed=False, at=3))
    configure, _ = changing()
    assert "gate of test" in run(configure, asked)
    assert "gate of test" in asked.refused(why="fine", question=asked.asked["code"])


def test_a_first_answer_needs_no_code_and_a_later_try_does(question):
    asked = question()
    asked.ask()
    assert asked.answer(why="by a script")["by"] == "admin"
    asked.ti.try_number = 2
    asked.ask()
    assert "carried no code" in asked.asked_again(why="by a script")[0]


def test_an_answer_without_a_reason_or_that_is_old_is_asked_again(question):
    asked = question()
    asked.ask()
    code = asked.asked["code"]
    assert asked.asked_again(question=code) == ["The answer gave no reason; who approves says why"]
    assert asked.asked_again(question=code, why="fine", minutes_ago=21) == [
        "The answer was older than 20 minutes when it was looked at"
    ]


def test_a_dry_run_shows_what_would_be_asked(question, capsys):
    asked = question(dry_run=True)
    asked.task.execute(asked.context)
    assert asked.shown == []
    said = capsys.readouterr().out
    assert "Dry run: this would be asked" in said
    assert "Deployment web" in said


def test_a_dry_run_that_the_gate_would_refuse_shows_what_would_be_asked_too(question, records, capsys):
    asked = question(gate=GatePolicy(required=True, trusted=["ci"]), dry_run=True)
    assert asked.task.execute(asked.context)["required"] is True
    assert asked.shown == []
    said = capsys.readouterr().out
    for part in (
        "Dry run: the gate would refuse this release, so nobody would be asked until it is open",
        "Dry run: this would be asked",
        "**The gate would refuse this release now:**",
        "no verdict on sha256:",
        "**Deployment web**: would be created",
    ):
        assert part in said, part
    assert "asks for none" not in said


def test_a_rollback_is_approved_by_its_own_rule(question):
    asked = question("rollback", policy=POLICY.model_copy(update={"required": False}))
    asked.ask()
    assert asked.shown[0]["subject"] == "Approve rollback to small (small) in test?"
    assert "+++ Deployment web (after this rollback)" in asked.shown[0]["body"]
    asked = question("rollback", policy=POLICY.model_copy(update={"rollbacks": False}))
    assert asked.task.execute(asked.context)["required"] is False


def run(task: Any, asked: Any) -> str:
    """Run a task that changes something; returns why it was refused, empty when it was not."""
    try:
        task.execute(asked.context)
    except AirflowFailException as error:
        return str(error)
    return ""


def changing() -> tuple[ConfigureOperator, DeployOperator]:
    """Two tasks that change something, the second after the first."""
    with DAG("release", schedule=None):
        configure, deploy = ConfigureOperator(task_id="configure"), DeployOperator(task_id="deploy")
        configure >> deploy
    return configure, deploy


def test_nothing_changes_without_an_approval_of_exactly_this(question):
    asked = question()
    configure, deploy = changing()
    maps = [each["metadata"]["name"] for each in asked.frozen.config_maps]
    refusal = run(configure, asked)
    assert "found:    none on record" in refusal
    assert "clear `approve`" in refusal
    assert asked.client.get("ConfigMap", asked.frozen.environment.namespace, maps[0]) is None
    asked.ask()
    asked.answer(why="fine", question=asked.asked["code"])
    assert run(configure, asked) == ""
    asked.ti.values["configure", "return_value"] = {}
    asked.touch()
    assert "since then changed: Service web" in run(deploy, asked)
    # Asked again, and approved as it is now.
    asked.ask()
    asked.answer(why="fine", question=asked.asked["code"])
    assert run(deploy, asked) == ""
    assert run(deploy, asked) == ""  # what this run did itself is no deviation
    restore = DeployOperator(task_id="restore", approved_by=None)
    asked.ti.values["approve", "return_value"] = None
    assert "none on record" in run(deploy, asked)
    assert run(restore, asked) == ""


def test_an_old_approval_holds_for_a_change_that_has_begun_and_not_for_a_cleared_run(question):
    asked = question()
    configure, deploy = changing()
    asked.ask()
    record = asked.answer(why="fine", question=asked.asked["code"])
    record["at"] = (datetime.now(UTC) - timedelta(minutes=21)).isoformat()
    assert "at most 20 minutes old" in run(configure, asked)
    assert "at most 20 minutes old" in run(deploy, asked)
    asked.ti.values["configure", "return_value"] = {"created": []}
    assert run(deploy, asked) == ""
    asked.context["dag_run"].clear_number = 1
    assert "at most 20 minutes old" in run(deploy, asked)


@pytest.mark.parametrize("dag_id", ["release", "rollback"])
def test_every_task_that_brings_the_change_needs_the_approval(dag_id):
    dag = bag().dags[dag_id]
    changing = [task for task in dag.tasks if getattr(task, "changes_cluster", False)]
    by_hand = [task for task in changing if not task.task_id.startswith("roll_back.")]
    back = [task for task in changing if task.task_id.startswith("roll_back.")]
    assert len(by_hand) >= 3
    assert {task.approved_by for task in by_hand} == {"approve"}
    assert all("approve" in task.get_flat_relative_ids(upstream=True) for task in by_hand)
    assert bool(back) == (dag_id == "release")
    # The automatic way back is part of what was approved, and has to work when nobody is awake.
    assert {task.approved_by for task in back} <= {None}
