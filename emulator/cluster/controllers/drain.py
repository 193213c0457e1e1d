"""Cordon and drain, as `kubectl` does them.

Rules: a drain cordons the node, then evicts each of its pods through the eviction API (a deletion with
the pod's own grace, condition DisruptionTarget) and looks every second whether they are gone. There
are no disruption budgets and no DaemonSets; pods without a controller go too, as with `--force`. On a
node that is down the pods hang, and so does the drain. Sources: kubectl drain's documentation;
Kubernetes facts section 6.5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.deletion import Deletion
from emulator.cluster.node_writes import tell
from emulator.cluster.objects import Node, Pod
from emulator.cluster.store import DELETED
from emulator.domain.timefmt import SECOND

LOOK = SECOND


class _Drain:
    """A drain under way: the pods that are not gone yet."""

    __slots__ = ("begun", "done", "left")

    def __init__(self, begun: int, pods: tuple[Pod, ...], done: Callable[[], None] | None) -> None:
        self.begun = begun
        self.left = dict.fromkeys(pods)
        self.done = done


class Drains:
    """What keeps pods off nodes on purpose."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._open: list[_Drain] = []
        cluster.store.on("Pod", self._heard)

    def cordon(self, node: Node, unschedulable: bool = True) -> None:
        """Lets no new pod come to a node, or lets them come again."""
        if node.unschedulable != unschedulable and not node.removed:
            node.unschedulable = unschedulable
            tell(self._cluster, node)

    def drain(self, node: Node, done: Callable[[], None] | None = None) -> None:
        """Cordons a node and evicts its pods; `done` is called when the last one is seen gone."""
        cluster = self._cluster
        self.cordon(node)
        pods = tuple(node.pods.values())
        drain = _Drain(cluster.now, pods, done)
        if pods:
            self._open.append(drain)
            for pod in pods:
                self._evict(pod)
        elif done is not None:
            cluster.kernel.call_in(0, done)

    def _evict(self, pod: Pod) -> None:
        cluster = self._cluster
        before = cluster.journal.cause
        if pod.set_condition(
            "DisruptionTarget",
            "True",
            cluster.now,
            "EvictionByEvictionAPI",
            "Eviction API: evicting",
        ):
            cluster.store.changed(pod)
        self._deletion.delete_pod(pod)
        cluster.journal.cause = before

    def _heard(self, op: str, pod: Pod) -> None:
        if op != DELETED or not self._open:
            return
        for drain in tuple(self._open):
            drain.left.pop(pod, None)
            if not drain.left:
                self._open.remove(drain)
                self._end(drain)

    def _end(self, drain: _Drain) -> None:
        if drain.done is None:
            return
        now = self._cluster.now
        looks = -((drain.begun - now) // LOOK)
        self._cluster.kernel.call_at(drain.begun + looks * LOOK, partial(drain.done))
