"""The filters: why a pod cannot go to a node.

Rules: the filters run in Kubernetes' order and the first that fails speaks alone; the one of resources
names every resource that is short. A failure is resolvable when fewer pods on the node would mend it:
a shortage is, unless the node could not hold the pod when empty. `extra` is what pods nominated to the
node will take. Source: Kubernetes facts section 5; pkg/scheduler/framework/plugins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulator.cluster.objects import Node, Pod, PodTemplate, Taint, Toleration
from emulator.cluster.scheduler import affinity

#: The filters, as bits: what a pod failed at decides which events can help it.
UNSCHEDULABLE, TAINTS, AFFINITY, RESOURCES = 1, 2, 4, 8

_UNSCHEDULABLE_TAINT = Taint("node.kubernetes.io/unschedulable", "NoSchedule")
_NONE: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Failure:
    """What one filter says of one node; `filter` is its bit."""

    filter: int
    reasons: tuple[str, ...]
    resolvable: bool = False


_CORDONED = Failure(UNSCHEDULABLE, ("node(s) were unschedulable",))
_TAINTED = Failure(TAINTS, ("node(s) had untolerated taint(s)",))
_UNWANTED = Failure(AFFINITY, ("node(s) didn't match Pod's node affinity/selector",))


def tolerates(tolerations: tuple[Toleration, ...], taint: Taint) -> bool:
    """Whether one of the tolerations covers a taint."""
    for each in tolerations:
        if each.effect and each.effect != taint.effect:
            continue
        if each.key and each.key != taint.key:
            continue
        if each.operator == "Exists" or (each.key and each.value == taint.value):
            return True
    return False


def is_cordoned(node: Node, template: PodTemplate) -> bool:
    """Whether a node takes no new pods, and this one is no exception."""
    return node.unschedulable and not tolerates(template.tolerations, _UNSCHEDULABLE_TAINT)


def is_tainted(node: Node, template: PodTemplate) -> bool:
    """Whether a taint keeps a pod away."""
    for taint in node.taints:
        if taint.effect != "PreferNoSchedule" and not tolerates(template.tolerations, taint):
            return True
    return False


def fits(node: Node, pod: Pod, extra: Mapping[str, int] = _NONE) -> bool:
    """Whether every request, and one more pod, is within what is left of a node."""
    used, allocatable = node.used, node.allocatable
    for resource, amount in pod.requests.items():
        if amount and amount > (
            allocatable.get(resource, 0) - used.get(resource, 0) - extra.get(resource, 0)
        ):
            return False
    return used["pods"] + extra.get("pods", 0) < allocatable["pods"]


def shortage(node: Node, pod: Pod, extra: Mapping[str, int] = _NONE) -> Failure:
    """What a node that does not fit lacks."""
    used, allocatable = node.used, node.allocatable
    reasons = []
    resolvable = True
    if used["pods"] + extra.get("pods", 0) >= allocatable["pods"]:
        reasons.append("Too many pods")
    for resource, amount in pod.requests.items():
        whole = allocatable.get(resource, 0)
        if amount and amount > whole - used.get(resource, 0) - extra.get(resource, 0):
            reasons.append(f"Insufficient {resource}")
            resolvable = resolvable and amount <= whole
    return Failure(RESOURCES, tuple(reasons), resolvable)


def check(node: Node, pod: Pod, extra: Mapping[str, int] = _NONE) -> Failure | None:
    """What keeps a pod off a node; None where nothing does."""
    template = pod.template
    if node.unschedulable and is_cordoned(node, template):
        return _CORDONED
    if node.taints and is_tainted(node, template):
        return _TAINTED
    if (template.node_selector or template.affinity) and not affinity.matches(template, node):
        return _UNWANTED
    return None if fits(node, pod, extra) else shortage(node, pod, extra)


def plain_fits(node: Node, requests: list[tuple[str, int]]) -> bool:
    """`check` for the usual case: no taints, nothing picky, nobody nominated. Says if it passes."""
    used, allocatable = node.used, node.allocatable
    if used["pods"] >= allocatable["pods"]:
        return False
    try:
        for resource, amount in requests:
            if amount > allocatable[resource] - used[resource]:
                return False
    except KeyError:  # a resource that this node has not, or that nobody has used
        return False
    return True


def may_help(node: Node, pod: Pod, rejected: int) -> bool:
    """Whether a node, new or changed, passes a filter at which a pod failed (its queueing hint)."""
    template = pod.template
    if rejected & UNSCHEDULABLE and not is_cordoned(node, template):
        return True
    if rejected & TAINTS and not is_tainted(node, template):
        return True
    if rejected & AFFINITY and affinity.matches(template, node):
        return True
    return bool(rejected & RESOURCES) and all(
        amount <= node.allocatable.get(resource, 0) for resource, amount in pod.requests.items()
    )
