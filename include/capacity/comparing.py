"""Another answer beside the plan's, figure by figure, with the reason from the arithmetic."""

from __future__ import annotations

from fractions import Fraction

from include.capacity.facts import Documented, Queue, Serving
from include.capacity.figures import (
    amount,
    cpu_text,
    fraction,
    memory_text,
    number,
    percent,
    share_text,
    whole_up,
)
from include.capacity.plan import Compared, Size
from include.capacity.policy import CapacityPolicy
from include.capacity.queue import Work
from include.capacity.serving import Load, Worked
from include.release.texts import plural


def compare_serving(
    facts: Serving, answer: Documented, worked: Worked, size: Size, policy: CapacityPolicy
) -> list[Compared]:
    """The figures of a workload that serves users."""
    rows = []
    if answer.replicas is not None:
        words = _replicas_words(answer.replicas, size.replicas, worked.load, policy)
        rows.append(_row("replicas", str(answer.replicas), str(size.replicas), words))
    if answer.memory is not None:
        words = _memory_words(facts, amount(answer.memory), worked)
        rows.append(_row("memory", answer.memory, size.memory_request or "none", words))
    if answer.cpu is not None:
        words = _cpu_words(amount(answer.cpu), worked)
        rows.append(_row("cpu", answer.cpu, size.cpu_request or "none", words))
    return rows


def compare_queue(
    facts: Queue, answer: Documented, work: Work, size: Size, policy: CapacityPolicy
) -> list[Compared]:
    """The figures of a queue's workers."""
    rows = []
    if answer.replicas is not None:
        words = _workers_words(facts, answer, size)
        rows.append(_row("replicas", str(answer.replicas), str(size.replicas), words))
    if answer.memory is not None:
        theirs = amount(answer.memory)
        words = f"a full queue used {memory_text(work.memory)}, {share_text(work.memory / theirs)} of {memory_text(theirs)}"
        if work.memory > theirs * percent(policy.queues.memory):
            words += f"; the policy allows {policy.queues.memory}, and with more the container is killed in the middle of orders"
        rows.append(_row("memory", answer.memory, size.memory_request or "none", words))
    if answer.cpu is not None:
        rows.append(
            _row("cpu", answer.cpu, size.cpu_request or "none", _times_words(facts, amount(answer.cpu), work))
        )
    return rows


def _row(figure: str, documented: str, planned: str, words: str) -> Compared:
    if figure == "replicas" or planned == "none":
        return Compared(
            figure=figure, documented=documented, planned=planned, same=documented == planned, words=words
        )
    return Compared(
        figure=figure,
        documented=documented,
        planned=planned,
        same=amount(documented) == amount(planned),
        words=words,
    )


def _workers_words(facts: Queue, answer: Documented, size: Size) -> str:
    theirs, at_a_time = answer.replicas or 0, fraction(facts.at_a_time)
    if theirs == size.replicas:
        return "the same"
    words = f"{theirs} x {number(at_a_time)} = {number(theirs * at_a_time)} orders at a time, {number(at_a_time)} in all are meant"
    if answer.memory and answer.cpu:
        memory, cpu = theirs * amount(answer.memory), theirs * amount(answer.cpu)
        words += f", and {memory_text(memory)} and {cpu_text(cpu)} asked for in all"
    return f"{words}; {answer.note}" if answer.note else words


def _replicas_words(theirs: int, ours: int, load: Load, policy: CapacityPolicy) -> str:
    if theirs == ours:
        return "the same"
    if theirs == 0:
        return "nobody would be served"
    if theirs > ours:
        return f"more than needed: {ours} keep every rule"
    words = f"{number(load.peak)} / {theirs} = {number(load.peak / theirs)} users a pod"
    if load.peak > load.users * theirs:
        return f"{words}, but a pod was measured with {number(load.users)}: {theirs} hold {number(load.users * theirs)}"
    left = max(theirs - policy.pods_out, 0)
    if load.peak > load.users * left:
        each = f"{number(load.peak)} / {left} = {number(load.peak / left)} users a pod, but " if left else ""
        return (
            f"{words} while every pod runs. With {plural(policy.pods_out, 'pod')} out {each}a pod was measured with "
            f"{number(load.users)}: {left} hold {number(load.users * left)}, short by {whole_up(load.peak - load.users * left)}"
        )
    full = share_text(load.peak / theirs / load.users)
    return (
        f"{words}: {full} of the {number(load.users)} measured, and the policy allows {policy.at_peak.users}"
    )


def _memory_words(facts: Serving, theirs: Fraction, worked: Worked) -> str:
    load, need = worked.load, max(worked.memory_needs)
    allocated = amount(facts.memory)
    if theirs == worked.memory:
        scaled = allocated * (1 + load.memory_change)
        words = f"the same: {memory_text(need)} are needed"
        if scaled == theirs and load.memory_change:
            words += f"; {memory_text(allocated)} {facts.memory_change} is {memory_text(scaled)} as well"
        return words
    used = worked.each_with_out * load.memory_per_user
    case = f"a pod with {number(worked.each_with_out)} users uses {memory_text(used)}, {share_text(used / theirs)} of it"
    if theirs < need:
        return f"too little: {memory_text(need)} are needed; {case}"
    return f"more than needed, which is {memory_text(need)}; {case}"


def _cpu_words(theirs: Fraction, worked: Worked) -> str:
    need = max(worked.cpu_needs)
    if theirs == worked.cpu:
        return f"the same: {cpu_text(need)} are needed"
    return f"{'too little' if theirs < need else 'more than needed'}: {cpu_text(need)} are needed"


def _times_words(facts: Queue, theirs: Fraction, work: Work) -> str:
    asked, times = number(work.times), theirs / work.cpu_of
    sum_of = f"{asked} times {cpu_text(work.cpu_of)}, a container of {facts.cpu.of}, is {cpu_text(work.cpu)}"
    if theirs == work.cpu:
        return f"the same: {sum_of}"
    words = f"{sum_of}; {cpu_text(theirs)} is {number(times, 2)} times"
    if work.per == "pod" and theirs == work.cpu * facts.processes:
        words += f", which is right if the recommendation is for each of its {facts.processes} processes"
    return words
