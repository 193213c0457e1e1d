"""The scores: which of the nodes that fit is the best.

Rules: integers only, each plugin from 0 to 100, times its weight. What gives every node the same score
is not computed. A container without requests counts as 100m and 200Mi where free room is compared.
Source: Kubernetes facts section 5; pkg/scheduler/framework/plugins/{noderesources,tainttoleration,
nodeaffinity,imagelocality}.
"""

from __future__ import annotations

from emulator.cluster.objects import Node, Pod
from emulator.cluster.scheduler import affinity, spread
from emulator.cluster.scheduler.filters import tolerates
from emulator.cluster.settings import MEBIBYTE, Registry

MAX_SCORE = 100
TAINT_WEIGHT = 3
AFFINITY_WEIGHT = 2
SPREAD_WEIGHT = 2
#: What a container without a request counts as.
USUAL_CPU = 100
USUAL_MEMORY = 200 * MEBIBYTE
_IMAGE_LEAST = 23 * MEBIBYTE
_IMAGE_MOST = 1000 * MEBIBYTE

Unasked = dict[Node, list[int]]


class Scorer:
    """Scores nodes; `unasked` is what pods without requests count as, by node: [cpu, memory]."""

    def __init__(self, registry: Registry, peers: spread.Peers, unasked: Unasked) -> None:
        self._registry = registry
        self._peers = peers
        self._unasked = unasked

    def best(self, nodes: list[Node], pod: Pod, everyone: list[Node], *, mixed: bool) -> list[Node]:
        """The nodes with the highest score, in the order of `nodes`.

        `everyone` are all nodes of the cluster; `mixed` says that some have a zone and some not.
        """
        totals = self._resources(nodes, pod)
        counts = self._peers.of(pod, nodes)
        if counts is not None and (counts or mixed):
            _add(totals, spread.scores(counts, nodes), SPREAD_WEIGHT)
        if affinity.has_likings(pod.template):
            _add(totals, _likings(nodes, pod), AFFINITY_WEIGHT)
        for node in nodes:
            if node.taints:
                _add(totals, _taints(nodes, pod), TAINT_WEIGHT)
                break
        image = pod.template.image
        present = [image in node.images for node in nodes]
        if 0 < sum(present) < len(nodes):
            _add(totals, self._images(image, present, everyone), 1)
        most = max(totals)
        if totals.count(most) == 1:
            return [nodes[totals.index(most)]]
        return [node for node, total in zip(nodes, totals, strict=True) if total == most]

    def _resources(self, nodes: list[Node], pod: Pod) -> list[int]:
        """LeastAllocated and BalancedAllocation, over cpu and memory."""
        requests = pod.requests
        cpu, memory = requests.get("cpu"), requests.get("memory")
        counted_cpu = USUAL_CPU if cpu is None else cpu
        counted_memory = USUAL_MEMORY if memory is None else memory
        cpu, memory = cpu or 0, memory or 0
        unasked = self._unasked
        totals = []
        asks = cpu or memory
        for node in nodes:
            used, allocatable = node.used, node.allocatable
            used_cpu, used_memory = used["cpu"], used["memory"]
            room_cpu, room_memory = allocatable["cpu"], allocatable["memory"]
            more_cpu, more_memory = used_cpu + counted_cpu, used_memory + counted_memory
            if unasked and (more := unasked.get(node)):
                more_cpu += more[0]
                more_memory += more[1]
            if 0 < room_cpu >= more_cpu and 0 < room_memory >= more_memory:
                # the two functions below, spelled out: this is where the time goes
                total = (
                    (room_cpu - more_cpu) * MAX_SCORE // room_cpu
                    + (room_memory - more_memory) * MAX_SCORE // room_memory
                ) // 2
                if asks:
                    whole = 2 * room_cpu * room_memory
                    apart = (used_cpu + cpu) * room_memory - (used_memory + memory) * room_cpu
                    total += MAX_SCORE * (whole - abs(apart)) // whole
            else:
                total = least_allocated(more_cpu, room_cpu, more_memory, room_memory)
                if asks:
                    total += balanced(used_cpu + cpu, room_cpu, used_memory + memory, room_memory)
            totals.append(total)
        return totals

    def _images(self, image: str, present: list[bool], everyone: list[Node]) -> list[int]:
        known = self._registry.find(image).size
        size = self._registry.size if known is None else known
        holders = sum([image in node.images for node in everyone])
        spread_size = min(max(size * holders // len(everyone), _IMAGE_LEAST), _IMAGE_MOST)
        score = MAX_SCORE * (spread_size - _IMAGE_LEAST) // (_IMAGE_MOST - _IMAGE_LEAST)
        return [score if each else 0 for each in present]


def least_allocated(cpu: int, all_cpu: int, memory: int, all_memory: int) -> int:
    """The mean share, in percent, that is left of what a node has."""
    score = weights = 0
    for asked, whole in ((cpu, all_cpu), (memory, all_memory)):
        if whole:
            weights += 1
            score += max(whole - asked, 0) * MAX_SCORE // whole
    return score // weights if weights else 0


def balanced(cpu: int, all_cpu: int, memory: int, all_memory: int) -> int:
    """100 less the standard deviation of the two used shares, in percent."""
    if not all_cpu or not all_memory:
        return MAX_SCORE
    if cpu > all_cpu or memory > all_memory:
        cpu, memory = min(cpu, all_cpu), min(memory, all_memory)
    whole = 2 * all_cpu * all_memory
    return MAX_SCORE * (whole - abs(cpu * all_memory - memory * all_cpu)) // whole


def _likings(nodes: list[Node], pod: Pod) -> list[int]:
    raw = [affinity.liking(pod.template, node) for node in nodes]
    most = max(raw)
    return [MAX_SCORE * each // most for each in raw] if most > 0 else raw


def _taints(nodes: list[Node], pod: Pod) -> list[int]:
    """The fewer taints of effect PreferNoSchedule are not tolerated, the more."""
    soft = tuple(
        each for each in pod.template.tolerations if each.effect in ("", "PreferNoSchedule")
    )
    raw = [
        sum(
            taint.effect == "PreferNoSchedule" and not tolerates(soft, taint)
            for taint in node.taints
        )
        for node in nodes
    ]
    most = max(raw)
    if not most:
        return [MAX_SCORE] * len(nodes)
    return [MAX_SCORE - MAX_SCORE * each // most for each in raw]


def _add(totals: list[int], scores: list[int], weight: int) -> None:
    for index, score in enumerate(scores):
        totals[index] += weight * score
