"""The part of the as-built document that tells of the plan."""

from __future__ import annotations

import jinja2

from include.capacity.report import brief
from include.release.document import TEMPLATES


def rendered(plan):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = lambda value: str(value).replace("|", "\\|")
    return environment.get_template("capacity.md.j2").render(plan=plan)


def test_the_document_has_arithmetic_readings_and_comparison(frozen):
    text = rendered(frozen().plan)
    for part in (
        "| planned | 7 | 320Mi | 320Mi | 250m | none |",
        "3. Pods with 1 pod out, each at most 100 % full: 2600 / 500 = 5.2, so 6, and 1 that may be out: 7.",
        "| if instead | load | then the plan is | and 7 x 320Mi |",
        "| 2.5 times today's users on top | 2000 + 2.5 x 2000 = 7000 users, of whom 65 % at once = 4550 | 12 x 320Mi, 250m | does not hold it: 3500 of 4550 |",
        "Compared with the deployment file of release 2:",
        "| cpu | 1000m | 500m (differs) | 2 times 250m",
    ):
        assert part in text


def test_the_document_says_why_a_trial_is_small_and_when_there_is_no_plan(frozen):
    assert "This environment is a trial: fewer pods run than planned" in rendered(
        frozen(environment="qa").plan
    )
    assert "No plan: the release has no capacity facts" in rendered(None)


def test_who_decides_gets_the_plan_in_short(plan):
    app, processor, in_all = brief(plan())
    assert app == (
        "app-deployment: 7 x 320Mi, 250m; at peak, every pod runs: 371.4 users (74 % of 500), 233.1 MiB (73 % of 320Mi); "
        "at peak, 1 pod out: 433.3 users (87 % of 500), 272 MiB (85 % of 320Mi); "
        "first gives way users: more were not measured, at 3500 with 7 pods"
    )
    assert processor.startswith("order-processor: 1 x 1280Mi, 500m; full queue: 960 to 1440 orders an hour")
    assert in_all == "In all: 8 pods, which ask for 3520 MiB memory and 2250m CPU."
    trial = brief(plan(environment="qa"))
    assert trial[0].startswith("This environment is a trial: ")
    assert trial[1].startswith("app-deployment: 2 x 320Mi, 250m (planned: 7 x 320Mi, 250m); ")
