"""The first task: freeze the release and check all that can be known before something changes."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context

from include.release.asking import OUTSIDE_WINDOW, wrong_request
from include.release.checking import Checked, Request, check
from include.release.frozen import Frozen
from include.release.loading import Sources
from include.release.problems import RejectedError, listed
from include.release.texts import plural
from plugins.operators.base import give_up, say
from plugins.operators.failure import rejection


class FreezeAndCheckOperator(BaseOperator):
    """Reads the spec, resolves images and names, and hands on the frozen release."""

    ui_color = "#e4ecf7"

    def execute(self, context: Context) -> str:
        """Returns the frozen release as JSON. Fails with every problem at once; nothing was changed then."""
        params, dag_run = context["params"], context["dag_run"]
        conf: dict[str, Any] = getattr(dag_run, "conf", None) or {}
        user = getattr(dag_run, "triggering_user_name", None)
        request = Request(
            params["release"],
            params["environment"],
            user,
            bool(params["dry_run"]),
            wrong_request(conf, params["reason"], list(context["dag"].params)),
            params.get(OUTSIDE_WINDOW) or "",
        )
        intent = "Dry run of" if request.dry_run else "Release"
        say(
            self,
            f"{intent} {request.release} to {request.environment}, asked for by {user or 'nobody'}: {params['reason']}",
        )
        try:
            checked = check(request, Sources.from_environment())
        except RejectedError as error:
            raise give_up(self, str(error), reason=rejection(error), kind="refused") from None
        say(self, summary(checked))
        return checked.frozen.to_json()


def summary(checked: Checked) -> str:
    """What was frozen, as the task log shows it."""
    frozen: Frozen = checked.frozen
    release = frozen.release
    steps = release.migrations.steps if release.migrations else []
    lines = [
        f"Frozen: {frozen.title}, from {frozen.source}, digest {frozen.digest[:16]}",
        f"Goes to: connection {frozen.environment.connection}, namespace {frozen.environment.namespace}",
        f"Brings: {plural(len(frozen.config_maps), 'ConfigMap')}, {plural(len(steps), 'migration')}, "
        + ", ".join(f"{each['kind']} {each['metadata']['name']}" for each in frozen.objects),
        *(f"Build: {short} is {resolved}" for short, resolved in frozen.images.items()),
    ]
    if checked.risks:
        lines += ["Worth a look (not in the way of the release):", *listed(checked.risks).splitlines()]
    return "\n".join([*lines, "No problem found. The tasks after this one read only what was frozen here."])
