"""The suite runs unchanged on the embedded cluster and, with KUBECONFIG and IMAGE set, on any other.

IMAGE has ``python3`` and ``sh`` and is on the node. No internet, cluster DNS or storage class is assumed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conformance.kit.api import Api, until
from tests.conformance.kit.embedded import IMAGE, embedded_cluster, named_cluster
from tests.conformance.kit.namespace import Namespace


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[str]:
    """The cluster under test."""
    named = named_cluster()
    if named:
        yield named
        return
    with embedded_cluster(os.environ.get("PYTEST_XDIST_WORKER", "main")) as path:
        yield path


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> Api:
    return Api(kubeconfig)


@pytest.fixture(scope="session")
def image() -> str:
    """An image with python3 and sh that is on the node."""
    named = os.environ.get("IMAGE")
    if named_cluster() and not named:
        pytest.exit("KUBECONFIG is set: set IMAGE to an image on the node that has python3 and sh", 2)
    return named or IMAGE


@pytest.fixture(scope="session")
def opened(api: Api) -> Iterator[list[str]]:
    """Names of the namespaces that were made; at the end each must be gone."""
    names: list[str] = []
    yield names

    def left() -> list[str]:
        found = api.request("GET", "/api/v1/namespaces", labelSelector="purpose=conformance").expect(200)[
            "items"
        ]
        return [item["metadata"]["name"] for item in found if item["metadata"]["name"] in names]

    until("the namespaces of the tests are gone", lambda: not left(), 120, every=0.5)


@pytest.fixture
def make_namespace(
    api: Api, image: str, opened: list[str], request: pytest.FixtureRequest
) -> Iterator[object]:
    """Makes a namespace each time it is called; all are deleted when the test ends."""
    made: list[Namespace] = []

    def make() -> Namespace:
        space = Namespace(api, image)
        made.append(space)
        opened.append(space.name)
        space.open()
        return space

    request.node.namespaces = made
    yield make
    for space in made:
        space.close()


@pytest.fixture
def ns(make_namespace: object) -> Namespace:
    """A namespace of the test's own."""
    space: Namespace = make_namespace()  # type: ignore[operator]
    return space


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add what the cluster shows to the report of a failed test."""
    report = yield
    if call.when == "call" and report.failed:  # type: ignore[attr-defined]
        for space in getattr(item, "namespaces", []):
            try:
                report.sections.append(("cluster", space.report()))  # type: ignore[attr-defined]
            except Exception as failed:  # the test's own failure must stay readable
                report.sections.append(("cluster", f"no report: {failed}"))  # type: ignore[attr-defined]
    return report
