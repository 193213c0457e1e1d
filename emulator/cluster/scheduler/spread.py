"""How many of a pod's peers are where: what spreads the pods of a service over nodes and zones.

Rules: peers are the pods of one ReplicaSet, or, for a pod without owner, those that its Services
select; a pod on its way out is none. They are counted as pods are placed and go, not recounted. The
score takes the default constraints: hostname with skew 3 and zone with skew 5, both wishes only.
Source: Kubernetes facts section 5; plugins/podtopologyspread/{scoring,common}.go.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from emulator.cluster.labels import matches
from emulator.cluster.objects import Node, Pod, Stored
from emulator.cluster.objects.nodes import ZONE

MAX_SCORE = 100
_HOST_SKEW = 3
_ZONE_SKEW = 5
_SCALE = 10**9


class _Family:
    """The placed pods of one owner."""

    __slots__ = ("counts", "pods")

    def __init__(self) -> None:
        self.pods: dict[Pod, Node] = {}
        self.counts: dict[Node, int] = {}


class Peers:
    """The placed pods of every owner, by node."""

    def __init__(self) -> None:
        self._families: dict[Stored, _Family] = {}

    def add(self, pod: Pod, node: Node) -> None:
        """A pod has been placed."""
        owner = pod.owner
        if owner is None:
            return
        family = self._families.get(owner)
        if family is None:
            family = self._families[owner] = _Family()
        family.pods[pod] = node
        family.counts[node] = family.counts.get(node, 0) + 1

    def remove(self, pod: Pod) -> None:
        """A pod counts no more; idempotent."""
        owner = pod.owner
        family = None if owner is None else self._families.get(owner)
        if owner is None or family is None:
            return
        node = family.pods.pop(pod, None)
        if node is None:
            return
        if not family.pods:
            del self._families[owner]
            return
        left = family.counts[node] - 1
        if left:
            family.counts[node] = left
        else:
            del family.counts[node]

    def of(self, pod: Pod, nodes: list[Node]) -> dict[Node, int] | None:
        """How many peers each node has; None where nothing says who the pod's peers are."""
        owner = pod.owner
        if owner is not None:
            family = self._families.get(owner)
            return {} if family is None else family.counts
        selector: dict[str, str] = {}
        for service in pod.services:
            selector |= service.selector
        if not selector:
            return None
        return {
            node: sum(
                not each.terminating
                and each.namespace == pod.namespace
                and matches(selector, each.labels)
                for each in node.pods.values()
            )
            for node in nodes
        }


def scores(counts: dict[Node, int], nodes: list[Node]) -> list[int]:
    """The score of each node, 0 to 100: the more peers, the less."""
    zones: dict[str, int] = dict.fromkeys([node.labels.get(ZONE, "") for node in nodes], 0)
    for node, count in counts.items():
        zone = node.labels.get(ZONE, "")
        if zone in zones:
            zones[zone] += count
    host_weight, zone_weight = _weight(len(nodes)), _weight(len(zones))
    raw = []
    for node in nodes:
        score = counts.get(node, 0) * host_weight + (_HOST_SKEW - 1) * _SCALE
        if ZONE in node.labels:
            score += zones[node.labels[ZONE]] * zone_weight + (_ZONE_SKEW - 1) * _SCALE
        raw.append((score + _SCALE // 2) // _SCALE)
    most, least = max(raw), min(raw)
    return [MAX_SCORE * (most + least - each) // most for each in raw]


@lru_cache(maxsize=1024)
def _weight(size: int) -> int:
    """ln(size + 2), in billionths: a decimal logarithm is the same on every machine."""
    return int(Decimal(size + 2).ln() * _SCALE)
