"""Label and field selectors, as queries and as objects write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from include.cluster.errors import bad_request
from include.cluster.rules import names

Object = dict[str, Any]

_TOKEN = re.compile(r"\s*(==|!=|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)")
_COMMON = ("metadata.name", "metadata.namespace")
# The fields that lists can be selected by, besides name and namespace.
_FIELDS = {
    "pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type",
    ),
    "jobs": ("status.successful",),
    "namespaces": ("status.phase", "name"),
    "nodes": ("spec.unschedulable",),
    "replicasets": ("status.replicas",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
}  # fmt: skip
# Kinds with a conversion of their own word the refusal shorter than the common one.
_OWN_WORDS = ("pods", "events", "jobs", "namespaces", "nodes", "replicasets", "secrets", "services")


@dataclass(frozen=True)
class Requirement:
    """One condition on a label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether the labels meet it."""
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if value is None or not re.fullmatch(r"-?\d+", value):
            return False
        limit = int(self.values[0])
        return int(value) > limit if self.operator == ">" else int(value) < limit


@dataclass(frozen=True)
class LabelSelector:
    """Conditions that all have to hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether the labels are selected."""
        return not self.nothing and all(one.matches(labels) for one in self.requirements)

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.nothing and not self.requirements


def parse_labels(text: str) -> LabelSelector:
    """Reads ``app=web,tier in (a,b),!old``.

    Raises:
        ApiError: 400 in the words of Kubernetes.
    """
    return LabelSelector(tuple(_Parser(text).requirements()))


def from_object(selector: Object | None) -> LabelSelector:
    """Reads a ``spec.selector`` with matchLabels and matchExpressions; a missing one selects nothing."""
    if selector is None:
        return LabelSelector(nothing=True)
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    found = [
        Requirement(key, "in", (value,)) for key, value in sorted((selector.get("matchLabels") or {}).items())
    ]
    for one in selector.get("matchExpressions") or []:
        operator = operators.get(str(one.get("operator")), "exists")
        found.append(Requirement(str(one.get("key")), operator, tuple(one.get("values") or [])))
    return LabelSelector(tuple(found))


def from_labels(labels: dict[str, str] | None) -> LabelSelector:
    """Reads a plain map as Services have it; an empty one selects nothing."""
    if not labels:
        return LabelSelector(nothing=True)
    return LabelSelector(tuple(Requirement(key, "in", (value,)) for key, value in sorted(labels.items())))


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        word = self.peek()
        self.at += 1
        return word

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self.peek():
            found.append(self.requirement())
            word = self.take()
            if word == "":
                break
            if word != ",":
                raise bad_request(f"found '{word}', expected: ',' or 'end of string'")
            if self.peek() in ("", ","):
                raise bad_request(f"found '{self.peek()}', expected: identifier after ','")
        return found

    def requirement(self) -> Requirement:
        try:
            return self._requirement()
        except _UnparsableError as error:
            raise bad_request(f"unable to parse requirement: {error}") from None

    def _requirement(self) -> Requirement:
        word = self.take()
        absent = word == "!"
        if absent:
            word = self.take()
        if not _identifier(word):
            raise _UnparsableError(f"found '{word}', expected: identifier")
        key = _checked(word, names.qualified_name(word), "key")
        if absent:
            return Requirement(key, "!")
        operator = self.peek()
        if operator in ("", ","):
            return Requirement(key, "exists")
        self.take()
        if operator in ("in", "notin"):
            return Requirement(key, operator, self._values(key))
        if operator in ("=", "==", "!=", "<", ">"):
            return self._compared(key, operator)
        raise _UnparsableError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")

    def _compared(self, key: str, operator: str) -> Requirement:
        value = self.peek()
        if value in ("", ","):
            value = ""
        elif _identifier(value):
            self.take()
        else:
            raise _UnparsableError(f"found '{value}', expected: identifier")
        if operator in ("<", ">"):
            if not re.fullmatch(r"-?\d+", value):
                raise _UnparsableError(
                    f"values[0][{key}]: Invalid value: {names.quoted(value)}: for 'Gt', 'Lt' operators, the value must "
                    "be an integer"
                )
            return Requirement(key, operator, (value,))
        _checked(value, names.label_value(value), f"values[0][{key}]")
        return Requirement(key, "notin" if operator == "!=" else "in", (value,))

    def _values(self, key: str) -> tuple[str, ...]:
        word = self.take()
        if word != "(":
            raise _UnparsableError(f"found '{word}' expected: '('")
        values: list[str] = []
        while True:
            word = self.take()
            if word == ")":
                return tuple(values or [""])
            if word == ",":
                continue
            if not _identifier(word):
                raise _UnparsableError(f"found '{word}', expected: ',', ')' or identifier")
            values.append(_checked(word, names.label_value(word), f"values[{len(values)}][{key}]"))


class _UnparsableError(ValueError):
    """What is wrong with one requirement."""


def _identifier(word: str) -> bool:
    return bool(word) and word not in ("=", "==", "!=", "!", "<", ">", "(", ")", ",")


def _checked(value: str, problems: list[str], where: str) -> str:
    if problems:
        raise _UnparsableError(f"{where}: Invalid value: {names.quoted(value)}: {'; '.join(problems)}")
    return value


@dataclass(frozen=True)
class FieldSelector:
    """Conditions on fields; all have to hold."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, obj: Object) -> bool:
        """Whether the object is selected."""
        return all((_field(obj, name) == value) is equal for name, equal, value in self.terms)

    def exact(self, name: str) -> str | None:
        """The value that the field has to have, if one is asked for."""
        return next((value for found, equal, value in self.terms if found == name and equal), None)


def parse_fields(plural: str, text: str) -> FieldSelector:
    """Reads ``metadata.name=x,status.phase!=Running``.

    Raises:
        ApiError: 400 for a field that lists of this kind cannot be selected by.
    """
    terms: list[tuple[str, bool, str]] = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        match = re.match(r"^([^=!]*)(!=|==|=)(.*)$", part, re.DOTALL)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        name, operator, value = match.groups()
        if re.search(r"(?<!\\)=", value):
            raise bad_request("invalid field selector: unescaped character in value: 61")
        _known(plural, name)
        terms.append((name, operator != "!=", re.sub(r"\\([\\,=])", r"\1", value)))
    return FieldSelector(tuple(terms))


def _known(plural: str, name: str) -> None:
    if name in _COMMON or name in _FIELDS.get(plural, ()):
        return
    if plural in _OWN_WORDS:
        raise bad_request(f"field label not supported: {name}")
    raise bad_request(f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"')


def _field(obj: Object, name: str) -> str:
    special = {
        "status.successful": ("status", "succeeded"),
        "name": ("metadata", "name"),
        "source": ("source", "component"),
    }
    value: Any = obj
    for part in special.get(name, tuple(name.split("."))):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        zeros = {"status.successful": "0", "status.replicas": "0", "spec.unschedulable": "false"}
        return zeros.get(name, "false" if name == "spec.hostNetwork" else "")
    return str(value)
