"""Steps of a clean-up where the logs are: as a Job on the stand-in cluster, and on the worker."""

from __future__ import annotations

from include.logs.requesting import request_of
from include.logs.running import carry_step
from tests.include.logs.conftest import fill


def test_a_job_with_the_claim_mounted_plans_a_small_tree(claimed):
    fill(claimed.root, app_DOT_log=0, app_DOT_log_DOT_1=3, app_DOT_log_DOT_2=30, order_processing_DOT_log=1)
    said: list[str] = []
    asker = claimed.asker()
    request = request_of(claimed.placed, asker)
    answer = carry_step(claimed.cluster, claimed.placed, "plan", request, asker, said.append)
    assert answer.facts["entries"] == 1
    assert answer.facts["volume"] == "shop-logs"
