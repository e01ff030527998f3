"""Jobs: how often and how many at once, when they are complete, when they have failed."""

from __future__ import annotations

import pytest

from tests.conformance.kit.api import Object, until
from tests.conformance.kit.manifests import IDLE, container, job, python, sh
from tests.conformance.kit.namespace import Namespace, condition, container_status, phase, terminated


def complete(ns: Namespace, name: str = "j") -> Object:
    return ns.wait("jobs", name, "complete", lambda item: condition(item, "Complete").get("status") == "True")


def failed(ns: Namespace, name: str = "j") -> Object:
    return ns.wait("jobs", name, "failed", lambda item: condition(item, "Failed").get("status") == "True", 90)


def test_a_job_completes(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("echo done"))))
    done = complete(ns)
    status = done["status"]
    assert status["succeeded"] == 1
    assert "failed" not in status
    assert "active" not in status
    assert status["startTime"] <= status["completionTime"]
    assert condition(done, "SuccessCriteriaMet")["status"] == "True"
    assert condition(done, "Complete")["reason"] == "CompletionsReached"
    (pod,) = ns.list("pods", "batch.kubernetes.io/job-name=j")
    assert phase(pod) == "Succeeded"
    assert pod["metadata"]["labels"]["job-name"] == "j"
    assert ns.log(pod["metadata"]["name"]) == "done\n"
    assert ns.event("j", "SuccessfulCreate")["message"] == f"Created pod: {pod['metadata']['name']}"
    assert ns.event("j", "Completed")["message"] == "Job completed"
    assert ns.post("jobs", job("j", container(ns.image, sh("true")))).code == 409


def test_completions_run_so_many_at_once(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("sleep 1")), completions=4, parallelism=2))
    most = 0
    while True:
        seen = ns.get("jobs", "j").get("status", {})
        most = max(most, seen.get("active", 0))
        if seen.get("succeeded") == 4:
            break
        assert not condition({"status": seen}, "Failed")
    assert most == 2
    complete(ns)
    assert [phase(pod) for pod in ns.list("pods")] == ["Succeeded"] * 4


def test_indexed_jobs_know_their_index(ns: Namespace) -> None:
    main = container(ns.image, sh("echo $JOB_COMPLETION_INDEX"))
    ns.create("jobs", job("j", main, completions=2, parallelism=2, completionMode="Indexed"))
    assert complete(ns)["status"]["completedIndexes"] == "0,1"
    pods = {
        pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]: pod for pod in ns.list("pods")
    }
    assert {index: ns.log(pod["metadata"]["name"]) for index, pod in pods.items()} == {"0": "0\n", "1": "1\n"}
    assert pods["1"]["metadata"]["name"].startswith("j-1-")


def test_backoff_limit(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("exit 3")), backoffLimit=0))
    ended = failed(ns)
    reason = condition(ended, "Failed")
    assert reason["reason"] == "BackoffLimitExceeded"
    assert reason["message"] == "Job has reached the specified backoff limit"
    assert condition(ended, "FailureTarget")["status"] == "True"
    assert ended["status"]["failed"] == 1
    assert "completionTime" not in ended["status"]
    (pod,) = ns.list("pods")
    assert terminated(pod)["exitCode"] == 3
    assert ns.event("j", "BackoffLimitExceeded")["type"] == "Warning"


def test_a_failed_pod_is_tried_again(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("exit 3")), backoffLimit=1))
    assert failed(ns)["status"]["failed"] == 2
    assert [phase(pod) for pod in ns.list("pods")] == ["Failed", "Failed"]


def test_on_failure_starts_the_container_again_in_its_pod(ns: Namespace) -> None:
    volume = {"name": "v", "emptyDir": {}}
    script = "[ -e /data/tried ] && exit 0; echo x > /data/tried; exit 1"
    main = container(ns.image, sh(script), volumeMounts=[{"name": "v", "mountPath": "/data"}])
    body = job("j", main, restart="OnFailure")
    body["spec"]["template"]["spec"]["volumes"] = [volume]
    ns.create("jobs", body)
    done = complete(ns)
    assert "failed" not in done["status"]
    (pod,) = ns.list("pods")
    assert container_status(pod)["restartCount"] == 1


def test_active_deadline(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, python(IDLE)), activeDeadlineSeconds=2))
    ended = failed(ns)
    assert condition(ended, "Failed")["reason"] == "DeadlineExceeded"
    assert condition(ended, "Failed")["message"] == "Job was active longer than specified deadline"
    until("its pod is gone", lambda: ns.list("pods") == [])
    ns.event("j", "DeadlineExceeded")


def test_ttl_deletes_a_finished_job_with_its_pods(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("true")), ttlSecondsAfterFinished=1))
    ns.gone("jobs", "j")
    until("its pods are gone", lambda: ns.list("pods") == [])


def test_a_suspended_job_runs_when_it_is_resumed(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("true")), suspend=True))
    waiting = ns.wait(
        "jobs", "j", "suspended", lambda item: condition(item, "Suspended").get("status") == "True"
    )
    assert condition(waiting, "Suspended")["reason"] == "JobSuspended"
    assert "startTime" not in waiting["status"]
    assert ns.list("pods") == []
    ns.patch("jobs", "j", {"spec": {"suspend": False}}).expect(200)
    done = complete(ns)
    assert condition(done, "Suspended")["status"] == "False"
    assert condition(done, "Suspended")["reason"] == "JobResumed"


def test_a_job_suspended_while_it_runs_ends_its_pods(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, python(IDLE))))
    ns.wait("jobs", "j", "running", lambda item: item.get("status", {}).get("ready") == 1)
    ns.patch("jobs", "j", {"spec": {"suspend": True}}).expect(200)
    until("no pod is left", lambda: ns.list("pods") == [])
    seen = ns.wait(
        "jobs", "j", "suspended", lambda item: condition(item, "Suspended").get("status") == "True"
    )
    assert "active" not in seen["status"]
    assert "failed" not in seen["status"]


def test_parallelism_changes_while_it_runs(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, python(IDLE)), completions=3, parallelism=1))
    ns.wait("jobs", "j", "one pod", lambda item: item.get("status", {}).get("active") == 1)
    ns.patch("jobs", "j", {"spec": {"parallelism": 2}}).expect(200)
    ns.wait("jobs", "j", "two pods", lambda item: item["status"].get("active") == 2)


@pytest.mark.parametrize(("code", "reason"), [(42, "PodFailurePolicy"), (1, "BackoffLimitExceeded")])
def test_pod_failure_policy(ns: Namespace, code: int, reason: str) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    main = container(ns.image, sh(f"exit {code}"))
    ns.create("jobs", job("j", main, backoffLimit=0 if code == 1 else 5, podFailurePolicy={"rules": [rule]}))
    ended = failed(ns)
    assert condition(ended, "Failed")["reason"] == reason
    assert ended["status"]["failed"] == 1


def test_a_deleted_pod_of_a_job_is_made_again(ns: Namespace) -> None:
    # with 0 it would count as done when its end is seen before its deletion
    failing = IDLE.replace("sys.exit(0)", "sys.exit(1)")
    ns.create("jobs", job("j", container(ns.image, python(failing))))
    (first,) = until("a pod", lambda: ns.list("pods"))
    ns.pod_ready(first["metadata"]["name"])
    ns.delete("pods", first["metadata"]["name"])

    def others() -> list[Object]:
        return [pod for pod in ns.list("pods") if pod["metadata"]["uid"] != first["metadata"]["uid"]]

    assert until("another pod", others)
