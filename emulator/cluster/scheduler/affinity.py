"""Node selectors and node affinity: which nodes a pod asks for, and which it likes.

Rules: a node must carry every item of the selector and meet one required term of the affinity; a term
is met when all its expressions are, an empty one never is. Preferred terms add their weights. Terms
about other pods are not read.
Source: component-helpers scheduling/corev1/nodeaffinity; Kubernetes facts section 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.cluster.objects import Node, PodTemplate
from emulator.domain.kube import Object

_INTEGER = re.compile(r"[-+]?[0-9]+")


def matches(template: PodTemplate, node: Node) -> bool:
    """Whether a node is one that a pod asks for."""
    labels = node.labels
    for key, value in template.node_selector.items():
        if labels.get(key) != value:
            return False
    required = _node_affinity(template).get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_meets(term, node) for term in required.get("nodeSelectorTerms", ()))


def liking(template: PodTemplate, node: Node) -> int:
    """The weights of the preferred terms that a node meets."""
    return sum(
        each["weight"]
        for each in _preferred(template)
        if _meets(each.get("preference", {}), node, empty=True)
    )


def has_likings(template: PodTemplate) -> bool:
    """Whether a pod prefers some nodes to others."""
    return template.affinity is not None and bool(_preferred(template))


def _preferred(template: PodTemplate) -> list[dict[str, Any]]:
    field = "preferredDuringSchedulingIgnoredDuringExecution"
    return list(_node_affinity(template).get(field) or ())


def _node_affinity(template: PodTemplate) -> Object:
    return (template.affinity or {}).get("nodeAffinity") or {}


def _meets(term: Object, node: Node, *, empty: bool = False) -> bool:
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return empty
    return all(_holds(each, node.labels) for each in expressions) and all(
        _holds(each, {"metadata.name": node.name}) for each in fields
    )


def _holds(requirement: Object, labels: Mapping[str, str]) -> bool:
    held = labels.get(requirement["key"])
    values: Sequence[str] = requirement.get("values") or ()
    operator = requirement["operator"]
    if operator == "In":
        return held in values
    if operator == "NotIn":
        return held not in values
    if operator == "Exists":
        return held is not None
    if operator == "DoesNotExist":
        return held is None
    if held is None or not _INTEGER.fullmatch(held):
        return False
    if operator == "Gt":
        return int(held) > int(values[0])
    return int(held) < int(values[0])
