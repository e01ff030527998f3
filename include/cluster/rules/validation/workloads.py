"""Deployments, ReplicaSets and Jobs."""

from __future__ import annotations

import re
from typing import Any

from include.cluster.rules import godump, selectors
from include.cluster.rules.validation import pods, selector
from include.cluster.rules.validation.errors import IMMUTABLE, NOT_NEGATIVE, Errors

Object = dict[str, Any]

_MISMATCH = "`selector` does not match template `labels`"
_NO_SELECTOR = "invalid label selector"
_MOST_INDEXED = 100_000
_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)


def deployment(errors: Errors, obj: Object) -> None:
    """A Deployment's spec."""
    spec = obj.get("spec") or {}
    errors.not_negative("spec.replicas", spec.get("replicas"))
    _selector(errors, spec)
    _replicated_template(errors, spec)
    _strategy(errors, "spec.strategy", spec.get("strategy") or {})
    errors.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    errors.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline = spec.get("progressDeadlineSeconds")
    errors.not_negative("spec.progressDeadlineSeconds", deadline)
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        errors.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def replica_set(errors: Errors, obj: Object) -> None:
    """A ReplicaSet's spec."""
    spec = obj.get("spec") or {}
    errors.not_negative("spec.replicas", spec.get("replicas"))
    errors.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    _selector(errors, spec)
    _replicated_template(errors, spec)


def _selector(errors: Errors, spec: Object) -> None:
    found = spec.get("selector")
    if found is None:
        errors.required("spec.selector")
        return
    known = len(errors.causes)
    selector.check(errors, "spec.selector", found)
    if len(errors.causes) > known:
        errors.invalid("spec.selector", _shown(found), _NO_SELECTOR)
    elif not found.get("matchLabels") and not found.get("matchExpressions"):
        errors.invalid("spec.selector", found, "empty selector is invalid for deployment")


def _shown(found: Object) -> Object:
    terms = [{**one, "operator": one.get("operator") or ""} for one in found.get("matchExpressions") or []]
    ordered = [{key: one[key] for key in ("key", "operator", "values") if key in one} for one in terms]
    return {**found, "matchExpressions": ordered} if ordered else found


def _matches(errors: Errors, spec: Object) -> None:
    if any(cause.message.endswith(_NO_SELECTOR) for cause in errors.causes):
        return  # what is no selector selects nothing
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    found = selectors.from_object(spec.get("selector"))
    if not found.empty and not found.matches(labels or {}):
        errors.invalid("spec.template.metadata.labels", labels, _MISMATCH)


def _replicated_template(errors: Errors, spec: Object) -> None:
    template = spec.get("template") or {}
    _matches(errors, spec)
    pods.template(errors, "spec.template", template)
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        errors.unsupported("spec.template.spec.restartPolicy", pod.get("restartPolicy") or "", ("Always",))
    if pod.get("activeDeadlineSeconds") is not None:
        why = "activeDeadlineSeconds in ReplicaSet is not Supported"
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", why)


def _strategy(errors: Errors, field: str, strategy: Object) -> None:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            why = "may not be specified when strategy `type` is 'Recreate'"
            errors.forbidden(f"{field}.rollingUpdate", why)
    elif kind == "RollingUpdate":
        _rolling(errors, f"{field}.rollingUpdate", rolling or {})
    else:
        errors.unsupported(field, {"Type": kind, "RollingUpdate": rolling}, ("Recreate", "RollingUpdate"))


def _rolling(errors: Errors, field: str, rolling: Object) -> None:
    for name in ("maxUnavailable", "maxSurge"):
        value = rolling.get(name)
        if isinstance(value, str) and not re.fullmatch(r"[0-9]+%", value):
            errors.invalid(f"{field}.{name}", value, _PERCENT)
        elif isinstance(value, int) and value < 0:
            errors.invalid(f"{field}.{name}", value, NOT_NEGATIVE)
    unavailable = rolling.get("maxUnavailable")
    if _number(unavailable) == 0 and _number(rolling.get("maxSurge")) == 0:
        errors.invalid(f"{field}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    if isinstance(unavailable, str) and (_number(unavailable) or 0) > 100:
        errors.invalid(f"{field}.maxUnavailable", unavailable, "must not be greater than 100%")


def _number(value: Any) -> int | None:
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9]+)%", value)
        return int(match[1]) if match else None
    return value if isinstance(value, int) else None


def check_update(errors: Errors, new: Object, old: Object) -> None:
    """A Deployment or ReplicaSet keeps its selector."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors.immutable("spec.selector", spec.get("selector"), before.get("selector"))


# -- jobs ----------------------------------------------------------------------------------------------------


def job(errors: Errors, obj: Object) -> None:
    """A Job's spec."""
    spec = obj.get("spec") or {}
    _job_numbers(errors, spec)
    mode = spec.get("completionMode") or ""
    if mode == "Indexed" and spec.get("completions") is None:
        errors.required("spec.completions", "when completion mode is Indexed")
    elif mode and mode not in ("NonIndexed", "Indexed"):
        errors.unsupported("spec.completionMode", mode, ("NonIndexed", "Indexed"))
    _failure_policy(errors, spec)
    replacement = spec.get("podReplacementPolicy")
    if replacement and replacement not in ("Failed", "TerminatingOrFailed"):
        errors.unsupported("spec.podReplacementPolicy", replacement, ("Failed", "TerminatingOrFailed"))
    pods.template(errors, "spec.template", spec.get("template") or {})
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") or ""
    field = "spec.template.spec.restartPolicy"
    if policy in ("", "Always"):
        errors.required(field, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        errors.unsupported(field, policy, ("OnFailure", "Never"))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        errors.invalid(field, policy, 'only "Never" is supported when podFailurePolicy is specified')
    if spec.get("selector") is None:
        errors.required("spec.selector")
    else:
        selector.check(errors, "spec.selector", spec["selector"])
        _matches(errors, spec)


def _job_numbers(errors: Errors, spec: Object) -> None:
    for name in (
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex", "maxFailedIndexes",
    ):  # fmt: skip
        errors.not_negative(f"spec.{name}", spec.get(name))
    if spec.get("backoffLimitPerIndex") is not None and spec.get("completionMode") != "Indexed":
        errors.invalid(
            "spec.backoffLimitPerIndex", spec["backoffLimitPerIndex"], "requires indexed completion mode"
        )
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    indexed, most = spec.get("completionMode") == "Indexed", spec.get("maxFailedIndexes")
    if most is not None and not indexed:
        errors.invalid("spec.maxFailedIndexes", most, "requires indexed completion mode")
    elif most is not None and most > (spec.get("completions") or 0):
        errors.invalid("spec.maxFailedIndexes", most, "must be less than or equal to completions")
    if indexed and (spec.get("parallelism") or 0) > _MOST_INDEXED:
        why = f"must be less than or equal to {_MOST_INDEXED} when completion mode is Indexed"
        errors.invalid("spec.parallelism", spec["parallelism"], why)


def _failure_policy(errors: Errors, spec: Object) -> None:
    actions = ("Count", "FailIndex", "FailJob", "Ignore")
    for index, rule in enumerate((spec.get("podFailurePolicy") or {}).get("rules") or []):
        field = f"spec.podFailurePolicy.rules[{index}]"
        errors.choice(f"{field}.action", rule.get("action") or "", actions)
        codes = rule.get("onExitCodes")
        if codes is None and not rule.get("onPodConditions"):
            errors.invalid(field, "", "specifying one of OnExitCodes and OnPodConditions is required")
        if codes is not None:
            errors.choice(f"{field}.onExitCodes.operator", codes.get("operator") or "", ("In", "NotIn"))
            if not codes.get("values"):
                errors.invalid(f"{field}.onExitCodes.values", [], "at least one value is required")
            for place, code in enumerate(codes.get("values") or []):
                if code == 0 and codes.get("operator") == "In":
                    errors.invalid(
                        f"{field}.onExitCodes.values[{place}]", 0, "must not be 0 for the In operator"
                    )


def job_update(errors: Errors, new: Object, old: Object) -> None:
    """What a Job may not change."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    if not elastic:
        errors.immutable("spec.completions", spec.get("completions"), before.get("completions"))
    errors.immutable("spec.selector", spec.get("selector"), before.get("selector"))
    if spec.get("template") != before.get("template") and not _may_schedule(spec, before, old):
        errors.invalid("spec.template", godump.template(spec.get("template") or {}), IMMUTABLE)
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        errors.immutable(f"spec.{name}", spec.get(name), before.get(name))


def _may_schedule(spec: Object, before: Object, old: Object) -> bool:
    # A Job that is suspended and has not started may still say where its pods go.
    if not before.get("suspend") or (old.get("status") or {}).get("startTime"):
        return False
    free = ("nodeSelector", "tolerations", "affinity", "schedulingGates")

    def rest(template: Object) -> Object:
        pod = {key: value for key, value in (template.get("spec") or {}).items() if key not in free}
        return {**template, "spec": pod, "metadata": {}}

    return rest(spec.get("template") or {}) == rest(before.get("template") or {})
