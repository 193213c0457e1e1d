"""Label and field selectors: read from a query, matched against objects.

Rules: a label selector is read as Kubernetes' own parser reads it, with its errors; a field selector
knows the fields of its kind alone. What cannot be read is a 400. Source: apimachinery's
`labels/selector.go` and `fields/selector.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.cluster.apiserver.causes import show
from emulator.cluster.apiserver.status import Rejected, bad_request
from emulator.cluster.apiserver.validation import names

_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^=!(),<>\s]+)")
_SYMBOLS = frozenset(("==", "!=", "=", "!", "(", ")", ",", "<", ">"))
_WORDS = {"in": "in", "notin": "notin"}
_BINARY = {"in", "notin", "=", "==", "!=", ">", "<"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: `operator` is in, notin, exists, absent, > or <."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it."""
        value, operator = labels.get(self.key), self.operator
        if operator == "in":
            return value in self.values
        if operator == "notin":
            return value not in self.values
        if operator == "exists":
            return value is not None
        if operator == "absent":
            return value is None
        if value is None or not re.fullmatch("-?[0-9]+", value):
            return False
        limit = int(self.values[0])
        return int(value) > limit if operator == ">" else int(value) < limit


LabelSelector = tuple[Requirement, ...]


class _Malformed(Exception):
    """What the parser found, and what it expected."""


class _Parser:
    """The tokens of a selector, one after the other; '' is its end."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = [*_TOKEN.findall(text), ""]
        self._position = 0

    def look(self) -> str:
        return self._tokens[self._position]

    def take(self) -> str:
        word = self._tokens[self._position]
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return word


def parse_labels(text: str) -> LabelSelector:
    """The requirements of a `labelSelector` query. Raises Rejected (400)."""
    parser = _Parser(text)
    found: list[Requirement] = []
    try:
        while word := parser.look():
            if word in _SYMBOLS and word != "!":
                raise _Malformed(f"found '{word}', expected: !, identifier, or 'end of string'")
            try:
                found.append(_requirement(parser))
            except _Malformed as error:
                raise _Malformed(f"unable to parse requirement: {error}") from None
            word = parser.take()
            if word == ",":
                following = parser.look()
                if not following or (following in _SYMBOLS and following != "!"):
                    raise _Malformed(f"found '{following}', expected: identifier after ','")
            elif word:
                raise _Malformed(f"found '{word}', expected: ',' or 'end of string'")
    except _Malformed as error:
        raise bad_request(str(error)) from None
    return tuple(sorted(found, key=lambda each: each.key))


def _requirement(parser: _Parser) -> Requirement:
    negated = parser.look() == "!"
    if negated:
        parser.take()
    key = parser.take()
    if not key or key in _SYMBOLS:
        raise _Malformed(f"found '{key}', expected: identifier")
    if details := names.qualified(key):
        raise _Malformed(f"<nil>: Invalid value: {show(key)}: {'; '.join(details)}")
    if negated:
        return Requirement(key, "absent")
    if parser.look() in ("", ","):
        return Requirement(key, "exists")
    operator = parser.take()
    if operator not in _BINARY:
        raise _Malformed(f"found '{operator}', expected: {_OPERATORS}")
    values = _values(parser) if operator in _WORDS else (_value(parser),)
    if operator in "<>" and not re.fullmatch("[-+]?[0-9]+", values[0]):
        text = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise _Malformed(f"values[0]: Invalid value: {show(values[0])}: {text}")
    for index, value in enumerate(values):
        if wrong := names.label_value(value):
            at = f"values[{index}][{key}]"
            raise _Malformed(f"{at}: Invalid value: {show(value)}: {'; '.join(wrong)}")
    meaning = {"=": "in", "==": "in", "!=": "notin"}.get(operator, operator)
    return Requirement(key, meaning, values)


def _value(parser: _Parser) -> str:
    word = parser.look()
    if word in ("", ","):
        return ""
    if word in _SYMBOLS:
        raise _Malformed(f"found '{word}', expected: identifier")
    return parser.take()


def _values(parser: _Parser) -> tuple[str, ...]:
    word = parser.take()
    if word != "(":
        raise _Malformed(f"found '{word}' expected: '('")
    found, value = [], ""
    while True:
        word = parser.take()
        if word in (",", ")"):
            found.append(value)
            value = ""
            if word == ")":
                return tuple(sorted(set(found)))
        elif word and word not in _SYMBOLS and not value:
            value = word
        elif value:
            raise _Malformed(f"found '{word}', expected: ',' or ')'")
        else:
            raise _Malformed(f"found '{word}', expected: ',', or identifier")


def matches_labels(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether the labels meet every requirement."""
    return all(each.matches(labels) for each in selector)


_EXPRESSIONS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}


def matches_selector(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels meet the selector of a workload: matchLabels and matchExpressions."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    return all(
        Requirement(
            each.get("key", ""),
            _EXPRESSIONS.get(each.get("operator", ""), "exists"),
            tuple(each.get("values", ())),
        ).matches(labels)
        for each in selector.get("matchExpressions", ())
    )


_COMMON = ("metadata.name", "metadata.namespace")
#: The fields that can be selected by, kind by kind; every kind has its name and namespace.
FIELDS: dict[str, tuple[str, ...]] = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "Event": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "Node": ("spec.unschedulable",),
    "Namespace": ("status.phase",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.type"),
    "ReplicaSet": ("status.replicas",),
}


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One term of a field selector."""

    path: tuple[str, ...]
    value: str
    equal: bool = True

    def matches(self, obj: Any) -> bool:
        """Whether the object's field is (or is not) the value; an absent one is ''."""
        for part in self.path:
            obj = obj.get(part) if isinstance(obj, dict) else None
        if isinstance(obj, bool):
            obj = "true" if obj else "false"
        found = "" if obj is None else str(obj)
        return (found == self.value) is self.equal


FieldSelector = tuple[FieldTerm, ...]


def parse_fields(text: str, kind: str) -> FieldSelector:
    """The terms of a `fieldSelector` query on objects of `kind`. Raises Rejected (400)."""
    found = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"(.*?)(!=|==|=)(.*)", term)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = match.groups()
        if field not in _COMMON and field not in FIELDS.get(kind, ()):
            raise _unknown_field(field, kind)
        path = ("source", "component") if field == "source" else tuple(field.split("."))
        if field in ("spec.unschedulable", "spec.hostNetwork") and value == "false":
            found.append(FieldTerm(path, "true", operator == "!="))
        else:
            found.append(FieldTerm(path, value, operator != "!="))
    return tuple(found)


def _unknown_field(field: str, kind: str) -> Rejected:
    if kind in FIELDS:
        return bad_request(f"field label not supported: {field}")
    known = ", ".join(show(each) for each in _COMMON)
    return bad_request(f'"{field}" is not a known field selector: only {known}')


def matches_fields(selector: FieldSelector, obj: Mapping[str, Any]) -> bool:
    """Whether the object meets every term."""
    return all(each.matches(obj) for each in selector)
