from __future__ import annotations

import pytest

from include.cluster.errors import ApiError
from tests.include.cluster.controllers.kit import NS, World, deployment, job


async def test_a_namespace_has_an_account_and_the_root_certificate(world: World) -> None:
    assert world.get("serviceaccounts", "default")
    assert world.get("configmaps", "kube-root-ca.crt")["data"] == {"ca.crt": "a certificate"}
    world.registry.delete("configmaps", NS, "kube-root-ca.crt")
    await world.settle()
    assert world.get("configmaps", "kube-root-ca.crt")


async def test_the_built_in_namespaces_are_there(world: World) -> None:
    names = {one["metadata"]["name"] for one in world.registry.list("namespaces")}
    assert names == {"default", "kube-node-lease", "kube-public", "kube-system", NS}


async def test_a_deleted_namespace_goes_when_it_is_empty(world: World) -> None:
    world.behave = lambda pod: "run" if "job-name" in pod["metadata"]["labels"] else "ready"
    world.create("deployments", deployment())
    world.create("jobs", job())
    await world.run()
    world.registry.delete("namespaces", "", NS)
    await world.settle()
    assert world.registry.get("namespaces", "", NS)["status"]["phase"] == "Terminating"
    assert world.list("pods")
    with pytest.raises(ApiError) as refused:
        world.create("configmaps", {"metadata": {"name": "late"}})
    assert refused.value.code == 403
    await world.run()
    assert world.registry.find("namespaces", "", NS) is None
    assert [one for plural in ("pods", "configmaps", "events", "jobs") for one in world.list(plural)] == []
