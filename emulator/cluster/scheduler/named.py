"""Pods whose manifest names their node: they go there, and nobody schedules them.

Rules: such a pod is on its node from the beginning, without an event, whatever taints, selectors and the
cordon say. It is booked where it fits; where it does not, it is the kubelet's to reject. One that names
a node that is not there waits for it, until the pod garbage collector takes it.
Source: Kubernetes facts section 5; kubernetes' documentation of nodeName.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.objects import Node, Pod
from emulator.cluster.scheduler.filters import fits


class Named:
    """The pods that name their node; `book` puts a pod into the scheduler's books."""

    def __init__(self, cluster: Cluster, book: Callable[[Pod, Node], None]) -> None:
        self._cluster = cluster
        self._book = book
        self._waiting: dict[str, dict[Pod, None]] = {}

    def add(self, pod: Pod) -> None:
        """A new pod goes to its node, or waits for it."""
        name = pod.template.node_name
        node: Node | None = self._cluster.store.get("Node", name)
        if node is None:
            self._waiting.setdefault(name, {})[pod] = None
        else:
            self._bind(pod, node)

    def forget(self, pod: Pod) -> None:
        """A pod is no more; idempotent."""
        if not self._waiting:
            return
        name = pod.template.node_name
        waiting = self._waiting.get(name)
        if waiting is not None and pod in waiting:
            del waiting[pod]
            if not waiting:
                del self._waiting[name]

    def joined(self, node: Node) -> None:
        """A node has come: who waits for one of its name goes there when that is heard."""
        if node.name in self._waiting:
            self._cluster.kernel.call_in(self._cluster.lag(), partial(self._go, node))

    def _go(self, node: Node) -> None:
        if node.removed:
            return
        journal = self._cluster.journal
        before = journal.cause
        for pod in self._waiting.pop(node.name, {}):
            self._bind(pod, node)
            self._cluster.store.changed(pod)
            journal.cause = before

    def _bind(self, pod: Pod, node: Node) -> None:
        pod.node = node
        if fits(node, pod):
            subject = self._cluster.store.subject(pod)
            self._cluster.record("bind", subject, node=node.name, requests=pod.requests)
            self._book(pod, node)
