"""How well the causes are found: labels of recorded cases, a confusion matrix, precision and recall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from include.restarts.cause.finding import Finding

LABELS = (
    "network", "oom", "liveness", "startup_probe", "image", "config", "application", "init", "sidecar",
    "clean_exit", "signal", "eviction", "unknown",
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """One case, with the truth and what was found."""

    case: str
    label: str
    also: tuple[str, ...]
    finding: Finding

    @property
    def found(self) -> str:
        """The finding in the labels of the cases."""
        return label_of(self.finding)

    @property
    def exact(self) -> bool:
        """Whether it is the label itself."""
        return self.found == self.label

    @property
    def defensible(self) -> bool:
        """Whether the label or one that is defensible for the case was found."""
        return self.found in (self.label, *self.also)

    @property
    def presses(self) -> bool:
        """Whether it counts as network, in whatever container."""
        return self.finding.cause == "network"

    @property
    def may_press(self) -> bool:
        """Whether the network is a defensible cause of the case."""
        return "network" in (self.label, *self.also)

    @property
    def must_press(self) -> bool:
        """Whether the network is the cause: by its label, or of the container that the label names by its role."""
        named = self.label in ("init", "sidecar") and "network" in self.also and "config" not in self.also
        return self.label == "network" or named


def label_of(finding: Finding) -> str:
    """The label of the recordings: they name init containers and sidecars instead of their cause."""
    if finding.cause == "node":
        return "eviction"
    return finding.cause if finding.role == "main" else finding.role


def matrix(judged: Iterable[Judged]) -> str:
    """Confusion matrix (a row is the truth), then precision and recall of each label, as a text."""
    everything = list(judged)
    counts = Counter((each.label, each.found) for each in everything)
    used = [name for name in LABELS if any(name in pair for pair in counts)]
    wide = max(len(name) for name in LABELS) + 1
    lines = [f"{len(everything)} cases; rows: label, columns: found", ""]
    lines.append(" " * wide + "".join(f"{name[:9]:>10}" for name in used))
    for truth in used:
        cells = "".join(f"{counts[truth, found] or '.':>10}" for found in used)
        lines.append(f"{truth:<{wide}}{cells}")
    lines += ["", f"{'':<{wide}}{'precision':>10}{'recall':>10}{'also':>10}"]
    lines += [_row(name, everything, wide) for name in used]
    right, fine = sum(each.exact for each in everything), sum(each.defensible for each in everything)
    lines += ["", f"exactly the label: {right} of {len(everything)}; label or a defensible one: {fine}"]
    lines.append(_network(everything))
    lines += [_wrong(each) for each in everything if not each.exact]
    return "\n".join(lines)


def _row(name: str, everything: list[Judged], wide: int) -> str:
    found = [each for each in everything if each.found == name]
    truth = [each for each in everything if each.label == name]
    right = sum(each.exact for each in found)
    precision = f"{right / len(found):.2f}" if found else "-"
    recall = f"{right / len(truth):.2f}" if truth else "-"
    fine = sum(each.defensible for each in truth)
    return f"{name:<{wide}}{precision:>10}{recall:>10}{f'{fine}/{len(truth)}':>10}"


def _network(everything: list[Judged]) -> str:
    """What the button is about, whatever the role: pressed without reason, and missed."""
    false = [each.case for each in everything if each.presses and not each.may_press]
    missed = [each.case for each in everything if each.must_press and not each.presses]
    return (
        f"cause network in any container: {sum(each.presses for each in everything)} found, "
        f"{len(false)} without reason{_names(false)}, {len(missed)} missed{_names(missed)}"
    )


def _names(cases: list[str]) -> str:
    return f" ({', '.join(cases)})" if cases else ""


def _wrong(each: Judged) -> str:
    also = f" (or {', '.join(each.also)})" if each.also else ""
    return f"  {'~' if each.defensible else 'x'} {each.case}: {each.label}{also}, found {each.found}: {each.finding.evidence}"
