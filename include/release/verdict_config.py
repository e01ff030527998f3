"""Do gates, the environments that give verdicts, and CI's names fit together?"""

from __future__ import annotations

from include.release.environments import Environments
from include.release.problems import Problem
from include.release.yamlfile import Document, Keys, path_text


def verdict_problems(value: Environments, document: Document) -> list[Problem]:
    """What would keep a gate shut for ever, or let CI speak for an environment."""
    problems = []
    givers = {each.name: each.gives_verdict for each in value.environments}
    for index, each in enumerate(value.environments):
        keys: Keys = ("environments", index, "gate", "trusted")
        if each.gate.required and not each.gate.trusted:
            where = document.where(("environments", index, "gate"))
            fix = "name an environment with gives_verdict: true, or a source of verdict_recorders"
            problems.append(Problem(where, path_text(keys), "nobody", "who gives verdicts", fix))
        for place, name in enumerate(each.gate.trusted):
            if givers.get(name) is False:
                at: Keys = (*keys, place)
                problems.append(
                    Problem(
                        document.where(at),
                        path_text(at),
                        f"{name}, an environment that gives no verdict",
                        "an environment that does, or a name that CI reports under",
                        f"set gives_verdict: true for {name}, or trust another one",
                    )
                )
            other = value.find(name)
            if each.gate.required and other is not None and other.records != each.records:
                at = ("environments", index, "records")
                problems.append(
                    Problem(
                        document.where(at),
                        path_text(at),
                        f"{each.records}, while {name}, which it trusts, writes to {other.records}",
                        "one connection for both",
                        "name the same connection in both",
                    )
                )
    for index, recorder in enumerate(value.verdict_recorders):
        if recorder.source in givers:
            at = ("verdict_recorders", index, "source")
            problems.append(
                Problem(
                    document.where(at),
                    path_text(at),
                    f"{recorder.source}, the name of an environment",
                    "a name of its own",
                    "choose another name: an environment's verdicts come from releases to it",
                )
            )
    return problems
