"""The plan as the task log shows it: the arithmetic, what it holds, and how it compares."""

from __future__ import annotations

from include.capacity.fit import Fit
from include.capacity.plan import Plan, WorkloadPlan
from include.release.texts import indented, table


def plan_text(plan: Plan) -> str:
    """The whole plan. Figures are exact where they are used, and rounded where they are shown."""
    parts = [f"Capacity plan, by policy {plan.policy}:\n" + indented("\n".join(plan.rules))]
    parts += [workload_text(each) for each in plan.workloads]
    parts.append(f"In all: {plan.in_all}.")
    return "\n\n".join(parts)


def brief(plan: Plan) -> list[str]:
    """The plan for somebody who decides: a line per workload, and why what runs is not what was planned."""
    lines = [f"This environment is a trial: {plan.trial}."] if plan.trial else []
    for each in plan.workloads:
        text = f"{each.workload}: {each.runs.text}"
        if each.runs != each.planned:
            text += f" (planned: {each.planned.text})"
        for held in each.holds:
            text += f"; {held.case}: {held.each}, {held.memory}"
        if each.gives_way:
            first = each.gives_way[0]
            text += f"; first gives way {first.what}, at {first.in_all}"
        lines += [text, *(f"{each.workload}, not as planned: {why}" for why in each.differs)]
    return [*lines, f"In all: {plan.in_all}."]


def workload_text(plan: WorkloadPlan) -> str:
    """The plan of one Deployment."""
    parts = [
        f"{plan.workload}: {plan.runs.text}"
        + (" (the plan asks for " + plan.planned.text + ")" if plan.differs else "")
    ]
    parts.append(_block("Not as planned:", plan.differs))
    parts.append(_block("Facts:", plan.facts))
    for made in plan.assumptions:
        others = f" (or: {'; '.join(made.others)})"
        parts.append(_block(f"Assumed: {made.question}", [f"{made.binding}{others}", f"Why: {made.because}"]))
    parts.append(
        _block("Arithmetic:", [f"{number}. {line}" for number, line in enumerate(plan.arithmetic, start=1)])
    )
    held = [(each.case, each.pods, each.each, each.memory, each.cpu) for each in plan.holds]
    if held:
        parts.append(
            "What each pod carries:\n" + indented(table(("case", "pods", "load", "memory", "CPU"), held))
        )
    rows = [(each.what, each.at, each.in_all) for each in plan.gives_way]
    if rows:
        parts.append("What gives way, the first first:\n" + indented(table(("what", "at", "in all"), rows)))
    if plan.readings:
        read = [
            (
                each.reading,
                each.needs,
                each.planned.text,
                each.runs if not each.binding else f"{each.runs} (binding)",
            )
            for each in plan.readings
        ]
        header = ("if instead", "load", "then the plan is", f"and {plan.full.text}")
        parts.append("Under each reading of the facts:\n" + indented(table(header, read)))
    if plan.compared:
        compared = [
            (each.figure, each.documented, each.planned, "same" if each.same else "differs", each.words)
            for each in plan.compared
        ]
        header_of = ("figure", "theirs", "ours", "", "why")
        parts.append(f"Compared with {plan.source}:\n" + indented(table(header_of, compared)))
    return "\n".join(part for part in parts if part)


def fit_text(fit: Fit, title: str) -> str:
    """Whether it fits into the cluster, with the figures."""
    lines = list(fit.lines)
    if not fit.problems:
        lines.insert(
            0, f"{title} fits into the cluster" + ("" if fit.complete else ", as far as could be seen")
        )
    lines += [f"NOTICE: {each}" for each in fit.notices]
    return "\n".join(lines)


def _block(head: str, lines: list[str]) -> str:
    return head + "\n" + indented("\n".join(lines)) if lines else ""
