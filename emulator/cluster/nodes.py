"""The nodes of a cluster as its operators, its faults and its tests act on them.

Rules: what an operation does at once is what the machine or the operator does; what the control plane
makes of it follows in its own time (`controllers`). An operation that changes nothing does nothing,
and a node that has been removed is no more. A kubelet posts its node's status on its beats, and at
once when it starts. Source: Kubernetes facts section 8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.drain import Drains
from emulator.cluster.controllers.eviction import TaintManager
from emulator.cluster.controllers.nodes import NodeLifecycle
from emulator.cluster.controllers.podgc import PodGC
from emulator.cluster.deletion import Deletion
from emulator.cluster.kernel import Timer
from emulator.cluster.node_writes import note, set_taints, tell
from emulator.cluster.objects import Node, Taint
from emulator.cluster.objects.nodes import BEAT

_HEALTHY = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)
_RUNTIME_DOWN = "container runtime is down"


class Kubelets(Protocol):
    """What the kubelets do when their machine goes and comes."""

    def node_lost(self, node: Node) -> None:
        """The machine is down: its processes end, and nothing is said of its pods any more."""

    def node_back(self, node: Node) -> None:
        """The machine has booted: its pods are started again, or ended where they are to end."""


class Nodes:
    """Operations on the nodes of one cluster, and the controllers that look after them."""

    def __init__(self, cluster: Cluster, deletion: Deletion, kubelets: Kubelets) -> None:
        self._cluster = cluster
        self._kubelets = kubelets
        self.lifecycle = NodeLifecycle(cluster)
        self.taints = TaintManager(cluster, deletion)
        self.podgc = PodGC(cluster, deletion)
        self._drains = Drains(cluster, deletion)
        self._unwell: dict[Node, str] = {}
        self._closed: dict[Node, None] = {}  # unschedulable, as its kubelet said last
        self._beats: dict[Node, Timer] = {}

    def in_zone(self, zone: str) -> tuple[Node, ...]:
        """The nodes of a zone, the oldest first."""
        return tuple(node for node in self._cluster.nodes if node.zone == zone)

    # -- come and go -----------------------------------------------------------------------------

    def enroll(self, node: Node) -> None:
        """A node that was there before the world began; its beats have a phase of their own."""
        node.lease -= self._cluster.stream(node.name, "lease").below(BEAT)
        self._enter(node)

    def add(self, node: Node) -> None:
        """A node joins; one that is not `up` is an object without a kubelet.

        A node that comes back under its name finds the pods of the old one. Raises ValueError for a
        name that is taken.
        """
        if self._cluster.store.get("Node", node.key) is not None:
            raise ValueError(f"node {node.name} exists already")
        node.lease = self._cluster.now
        self._enter(node)
        self.lifecycle.joined(node)
        survived = self._adopt(node)
        if node.up and not survived:
            self._kubelets.node_back(node)

    def _adopt(self, node: Node) -> bool:
        """Hands a node the pods of its namesake; says whether their machine has not been down."""
        up = False
        for pod in self._cluster.store.all("Pod"):
            old = pod.node
            if old is not None and old.removed and old.name == node.name:
                up |= old.up
                pod.node = node
                if pod.booked:
                    node.take(pod, 1)
        return up

    def _enter(self, node: Node) -> None:
        cluster = self._cluster
        if node.up:
            self._post_conditions(node)
        cluster.nodes.append(node)
        cluster.store.add(node, allocatable=node.allocatable, zone=node.zone)
        if node.taints or not node.up:
            note(cluster, node)
        cluster.journal.cause = 0

    def remove(self, node: Node) -> None:
        """The Node object is deleted; its pods stay until they are collected."""
        if node.removed:
            return
        self._hush(node)
        self._unwell.pop(node, None)
        self._closed.pop(node, None)
        self._cluster.nodes.remove(node)
        self._cluster.store.remove(node)

    # -- down and up -----------------------------------------------------------------------------

    def lose(self, node: Node) -> None:
        """The machine is down, without a word."""
        if not node.up:
            return
        node.lease = node.last_beat(self._cluster.now)
        node.up = False
        self._hush(node)
        self._kubelets.node_lost(node)
        self.lifecycle.silent(node)

    def restore(self, node: Node) -> None:
        """The machine is up again, or its kubelet is well again."""
        well = self._unwell.pop(node, None) is None
        if node.up:
            if not well:
                self._post_later(node)
            return
        node.up = True
        node.lease = self._cluster.now
        if not node.removed:
            self.lifecycle.speaks(node)
            self._post(node)
        self._kubelets.node_back(node)

    def not_ready(self, node: Node, text: str = _RUNTIME_DOWN) -> None:
        """The kubelet is up and says that its node is not ready; its containers run on."""
        if not node.removed and node not in self._unwell:
            self._unwell[node] = text
            self._post_later(node)

    # -- on purpose ------------------------------------------------------------------------------

    def cordon(self, node: Node) -> None:
        """Lets no new pod come to a node."""
        self._drains.cordon(node)
        self._post_later(node)

    def uncordon(self, node: Node) -> None:
        """Lets pods come again."""
        self._drains.cordon(node, False)
        self._post_later(node)

    def drain(self, node: Node, done: Callable[[], None] | None = None) -> None:
        """Cordons a node and evicts its pods; `done` is called when the last one is seen gone."""
        self._drains.drain(node, done)
        self._post_later(node)

    def taint(self, node: Node, taint: Taint) -> None:
        """Puts a taint on a node, in place of one of the same key and effect."""
        if not node.removed:
            others = _others(node, taint.key, taint.effect)
            set_taints(self._cluster, node, (*others, taint))

    def untaint(self, node: Node, key: str, effect: str = "") -> None:
        """Takes the taints of a key off a node; only those of an effect where one is given."""
        if not node.removed:
            set_taints(self._cluster, node, _others(node, key, effect))

    # -- what the kubelet says of its node ---------------------------------------------------------

    def _post_later(self, node: Node) -> None:
        """Posts the status on the next beat, where it is news then."""
        if node.up and not node.removed and node not in self._beats:
            now = self._cluster.now
            self._beats[node] = self._cluster.kernel.call_at(
                node.next_beat(now), partial(self._post, node)
            )

    def _hush(self, node: Node) -> None:
        if (timer := self._beats.pop(node, None)) is not None:
            timer.cancel()

    def _post(self, node: Node) -> None:
        self._hush(node)
        before = node.ready
        posted = self._post_conditions(node)
        if posted:
            tell(self._cluster, node)
        if node.ready != before:
            self._say(node, "NodeReady" if node.ready == "True" else "NodeNotReady")
        if node.unschedulable and node not in self._closed:
            self._closed[node] = None
            self._say(node, "NodeNotSchedulable")
        elif not node.unschedulable and node in self._closed:
            del self._closed[node]
            self._say(node, "NodeSchedulable")

    def _post_conditions(self, node: Node) -> bool:
        """Writes the conditions as the kubelet sees them; says whether they differ."""
        now = self._cluster.now
        changed = [node.set_condition(kind, "False", now, *said) for kind, *said in _HEALTHY]
        text = self._unwell.get(node)
        if text is None:
            said = ("KubeletReady", "kubelet is posting ready status")
            changed.append(node.set_condition("Ready", "True", now, *said))
        else:
            changed.append(node.set_condition("Ready", "False", now, "KubeletNotReady", text))
        return any(changed)

    def _say(self, node: Node, reason: str) -> None:
        cluster = self._cluster
        text = f"Node {node.name} status is now: {reason}"
        cluster.event(node, reason, text, source="kubelet", cause=cluster.journal.cause)


def _others(node: Node, key: str, effect: str) -> tuple[Taint, ...]:
    return tuple(each for each in node.taints if each.key != key or effect not in ("", each.effect))
