"""The scheduler: which node a pod goes to, and what is said when none fits.

Rules: a node fits when every request, and one more pod, is within what it can allocate; among those
the least allocated one wins, equals are drawn. A pod that fits nowhere waits; it is tried again when
something is freed, not before its own back-off (1 s doubling to 10 s) is over.
Source: Kubernetes facts section 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.objects import Node, Pod
from emulator.domain.timefmt import SECOND

_SCALE = 10_000


class Scheduler:
    """Binds pods to nodes; `bound` is told of each pod that has one."""

    def __init__(self, cluster: Cluster, bound: Callable[[Pod], None]) -> None:
        self._cluster = cluster
        self._bound = bound
        self._waiting: dict[str, Pod] = {}

    def add(self, pod: Pod) -> None:
        """Takes a new pod and tries it at once."""
        self._try(pod)

    def forget(self, pod: Pod) -> None:
        """The pod is on its way out: it is not tried again."""
        self._waiting.pop(pod.name, None)

    def freed(self) -> None:
        """Something was freed: the waiting pods are tried again, first come first."""
        for pod in tuple(self._waiting.values()):
            ready = pod.last_attempt + min(1 << (pod.attempts - 1), 10) * SECOND
            when = max(ready, self._cluster.now)
            if "schedule" not in pod.timers:
                pod.timers["schedule"] = self._cluster.kernel.call_at(
                    when, partial(self._retry, pod)
                )

    def _retry(self, pod: Pod) -> None:
        pod.timers.pop("schedule", None)
        self._try(pod)

    def _try(self, pod: Pod) -> None:
        cluster = self._cluster
        fitting = [node for node in cluster.nodes if _fits(node, pod)]
        if fitting:
            self._waiting.pop(pod.name, None)
            self._bind(pod, self._choose(fitting, pod))
            return
        pod.attempts += 1
        pod.last_attempt = cluster.now
        self._waiting[pod.name] = pod
        text = self._explain(pod)
        pod.set_condition("PodScheduled", "False", cluster.now, "Unschedulable", text)
        pod.cause = cluster.event(
            pod.workload, "Pod", pod.name, "FailedScheduling", text, warning=True
        )
        cluster.changed(pod.workload, "Pod")

    def _choose(self, nodes: list[Node], pod: Pod) -> Node:
        scores = [(_free_share(node, pod), node) for node in nodes]
        best = max(score for score, _ in scores)
        equals = [node for score, node in scores if score == best]
        if len(equals) == 1:
            return equals[0]
        return equals[self._cluster.stream(pod.name, "node").below(len(equals))]

    def _bind(self, pod: Pod, node: Node) -> None:
        cluster = self._cluster
        node.take(pod, 1)
        pod.node = node
        pod.set_condition("PodScheduled", "True", cluster.now)
        pod.cause = cluster.event(
            pod.workload,
            "Pod",
            pod.name,
            "Scheduled",
            f"Successfully assigned {pod.workload.namespace}/{pod.name} to {node.name}",
        )
        self._bound(pod)
        cluster.changed(pod.workload, "Pod")

    def _explain(self, pod: Pod) -> str:
        nodes = self._cluster.nodes
        if not nodes:
            return "no nodes available to schedule pods"
        counts = Counter(reason for node in nodes for reason in _lacking(node, pod))
        reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
        total = len(nodes)
        return (
            f"0/{total} nodes are available: {reasons}. no new claims to deallocate, preemption: "
            f"0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
        )


def _fits(node: Node, pod: Pod) -> bool:
    used, allocatable = node.used, node.allocatable
    for resource, amount in pod.requests.items():
        if amount > allocatable.get(resource, 0) - used.get(resource, 0) and amount:
            return False
    return used["pods"] < allocatable["pods"]


def _lacking(node: Node, pod: Pod) -> list[str]:
    reasons = [
        f"Insufficient {resource}"
        for resource, amount in pod.requests.items()
        if amount and amount > node.allocatable.get(resource, 0) - node.used.get(resource, 0)
    ]
    if node.used["pods"] >= node.allocatable["pods"]:
        reasons.append("Too many pods")
    return reasons


def _free_share(node: Node, pod: Pod) -> int:
    """LeastAllocated over cpu and memory, in ten-thousandths."""
    total = 0
    for name in ("cpu", "memory"):
        capacity = node.allocatable[name]
        if capacity:
            total += (capacity - node.used[name] - pod.requests.get(name, 0)) * _SCALE // capacity
    return total
