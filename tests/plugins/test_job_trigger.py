"""The trigger that waits for a Job."""

from __future__ import annotations

import asyncio

from airflow.serialization.serialized_objects import BaseSerialization

from include.jobs.carrying import Carrier
from include.jobs.ending import Ended
from include.jobs.load import Load
from include.jobs.naming import LABEL_CONTENT, job_name, short_digest
from plugins.triggers.jobs import JobTrigger
from tests.standin import TEST


async def test_the_trigger_hands_on_how_the_job_ended(cluster, namespace, connection):
    from include.cluster.images import ImageStore

    connection(cluster.kubeconfig)
    image = ImageStore(TEST / "images").resolve("standin.local/python:3")
    container = {"name": "work", "image": f"standin.local/python:3@{image.digest}",
                 "command": ["python3", "-c", "print('done')"]}  # fmt: skip
    content = short_digest(container)
    labels = {LABEL_CONTENT: content}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    meta = {"name": job_name("work", content, "dag/run/0"), "labels": labels}
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta,
                "spec": {"backoffLimit": 0, "activeDeadlineSeconds": 60, "template": template}}  # fmt: skip
    load = Load(manifest, "work", "does something", "The work", "look at Job {job}")
    carrier = Carrier(cluster.connect(), namespace, print)
    trigger = JobTrigger.of("kubernetes_shop", namespace, load, carrier.start(load))

    path, arguments = trigger.serialize()
    assert path == "plugins.triggers.jobs.JobTrigger"
    kept = BaseSerialization.deserialize(BaseSerialization.serialize(arguments))
    event = await asyncio.wait_for(anext(JobTrigger(**kept).run()), 60)
    ended = Ended(**event.payload)
    assert (ended.phase, ended.lines) == ("complete", ["done"])
    assert carrier.settle(load, ended).said == "done"


async def test_a_cluster_that_is_away_is_an_event_not_a_crash(connection, tmp_path, monkeypatch):
    from include.jobs import waiting

    monkeypatch.setattr(waiting, "LOST_AFTER", 0.0)
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
        "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n"
    )
    connection(kubeconfig)
    awaited = {
        "namespace": "ns",
        "job": "work",
        "container": "work",
        "seconds": 60,
        "start_grace": 1,
        "place_grace": 1,
    }
    trigger = JobTrigger(connection="kubernetes_shop", awaited=awaited)
    event = await asyncio.wait_for(anext(trigger.run()), 30)
    assert event.payload["phase"] == "lost"
    assert "does not answer" in event.payload["reason"]
