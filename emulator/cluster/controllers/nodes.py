"""The node lifecycle controller: who is silent, who is tainted, whose pods are not ready.

Rules: it looks every five seconds, at instants that are computed: there is a timer only while the next
look would see something. A kubelet that has not renewed its lease for 50 s (60 s before its first
status) is Unknown; its pods are then not ready, whatever their containers do. A status that says not
ready leaves the pods as they are. NoSchedule taints follow the conditions and `unschedulable` as soon
as a change is heard. Source: Kubernetes facts sections 0.9 and 8 (nodelifecycle monitorNodeHealth).
"""

from __future__ import annotations

from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client, WorkQueue
from emulator.cluster.controllers.zones import Zones, next_instant, taint_key
from emulator.cluster.kernel import Timer
from emulator.cluster.node_writes import paced, set_taints, tell
from emulator.cluster.objects import Node, Pod, Taint
from emulator.cluster.objects.nodes import NO_SCHEDULE, NOT_READY, UNREACHABLE, UNSCHEDULABLE
from emulator.cluster.store import DELETED, MODIFIED
from emulator.domain.timefmt import SECOND

LOOK = 5 * SECOND
GRACE = 50 * SECOND
STARTUP_GRACE = 60 * SECOND

_SOURCE = "node-controller"
_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_OURS = frozenset({NOT_READY, UNREACHABLE, UNSCHEDULABLE})


class NodeLifecycle:
    """The controller of every node."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._phase = cluster.stream("node-controller", "look").below(LOOK)
        self._client = Client(cluster.settings.controller_rate)
        self.zones = Zones(cluster, self._phase)
        self._queue: WorkQueue[Node] = WorkQueue(cluster.kernel, cluster.lag, self._taint)
        self._judged: dict[Node, str] = {}  # what the last look found, where it was not ready
        self._unseen: dict[Node, None] = {}  # another Ready condition than the last look found
        self._silent: dict[Node, None] = {}  # no beat any more, and not Unknown yet
        self._news: list[tuple[Node, str, str]] = []
        self._timer: Timer | None = None
        cluster.store.on("Node", self._heard)

    # -- what is heard ---------------------------------------------------------------------------

    def _heard(self, op: str, node: Node) -> None:
        if op == DELETED:
            self.zones.drop(node)
            self._judged.pop(node, None)
            self._unseen.pop(node, None)
            self._silent.pop(node, None)
            self._say_later(node, "RemovingNode", f"Removing Node {node.name} from Controller")
        elif op == MODIFIED:
            if _no_schedule(node) != _held(node):
                self._queue.add(node)
            if (node.ready != self._judged.get(node, "True")) != (node in self._unseen):
                self._note(self._unseen, node, node not in self._unseen)

    def joined(self, node: Node) -> None:
        """A node has come while the cluster lives."""
        self._say_later(node, "RegisteredNode", f"Registered Node {node.name} in Controller")
        if not node.up:
            self.silent(node)

    def silent(self, node: Node) -> None:
        """A kubelet renews its lease no more: the look that will see it is planned."""
        if not node.removed and (node.ready != "Unknown" or not node.conditions):
            self._note(self._silent, node, True)

    def speaks(self, node: Node) -> None:
        """A kubelet renews its lease again."""
        self._note(self._silent, node, False)

    def _note(self, notes: dict[Node, None], node: Node, holds: bool) -> None:
        if holds:
            notes[node] = None
        else:
            notes.pop(node, None)
        self._plan()

    def _say_later(self, node: Node, reason: str, what: str) -> None:
        self._news.append((node, reason, f"Node {node.name} event: {what}"))
        self._plan()

    # -- the look --------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Wakes at the first look that will see something."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._cluster.now
        least = [_expiry(node) for node in self._silent]
        if self._news or self._unseen:
            least.append(now)
        if least:
            when = next_instant(self._phase, LOOK, max(min(least), now + 1))
            self._timer = self._cluster.kernel.call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        cluster = self._cluster
        self._say_news()
        nodes = cluster.nodes
        lost: list[Node] = []
        for node in nodes:
            before = self._judged.get(node, "True")
            now_unknown = node in self._silent and cluster.now >= _expiry(node)
            if now_unknown and node.ready == "True":
                lost.append(node)
            if now_unknown or node.ready != before:
                self._judge(node, now_unknown)
            self.zones.review(node)
        self.zones.judge(nodes)
        if lost:
            cluster.kernel.call_in(cluster.lag(), partial(self._give_up, lost))
        self._plan()

    def _judge(self, node: Node, unknown: bool) -> None:
        """Takes note of how a node is, and says Unknown of one whose grace is over."""
        self._unseen.pop(node, None)
        self._judged[node] = "Unknown" if unknown else node.ready
        if self._judged[node] == "True":
            del self._judged[node]
        if not unknown:
            return
        del self._silent[node]
        now = self._cluster.now
        for kind in _CONDITIONS:
            if kind in node.conditions:
                reason, text = "NodeStatusUnknown", "Kubelet stopped posting node status."
            else:
                reason, text = "NodeStatusNeverUpdated", "Kubelet never posted node status."
            node.set_condition(kind, "Unknown", now, reason, text)
        tell(self._cluster, node)

    def _say_news(self) -> None:
        cluster = self._cluster
        news, self._news = self._news, []
        for node, reason, text in news:
            cluster.event(node, reason, text, source=_SOURCE, cause=cluster.journal.cause)

    # -- what follows ----------------------------------------------------------------------------

    def _taint(self, node: Node) -> None:
        """Brings the NoSchedule taints in line with the conditions."""
        wanted = _no_schedule(node)
        if node.removed or wanted == (held := _held(node)):
            return
        kept = [
            each
            for each in node.taints
            if each.effect != NO_SCHEDULE or each.key not in _OURS or each.key in wanted
        ]
        now = self._cluster.now
        new = [Taint(key, NO_SCHEDULE, added=now) for key in wanted if key not in held]
        set_taints(self._cluster, node, (*kept, *new))

    def _give_up(self, nodes: list[Node]) -> None:
        """Tells that nodes are lost, and takes their pods for not ready."""
        cluster = self._cluster
        nodes = [each for each in nodes if not each.removed and each.ready != "True"]
        for node in nodes:
            cluster.event(
                node,
                "NodeNotReady",
                f"Node {node.name} status is now: NodeNotReady",
                source=_SOURCE,
                cause=cluster.journal.cause,
            )
        for node in nodes:
            for pod in tuple(node.pods.values()):
                self._mark(pod)

    def _mark(self, pod: Pod) -> None:
        condition = pod.conditions.get("Ready")
        if condition is not None and condition.status != "False":
            paced(self._cluster, self._client, partial(self._mark_now, pod))

    def _mark_now(self, pod: Pod) -> None:
        cluster = self._cluster
        condition = pod.conditions["Ready"]
        node = pod.node
        if pod.removed or condition.status == "False" or node is None or node.ready == "True":
            return
        before = cluster.journal.cause
        pod.set_condition("Ready", "False", cluster.now, condition.reason, condition.message)
        if pod.ready:
            pod.ready = False
            cluster.record("pod", cluster.store.subject(pod), ready=False, phase=pod.phase)
        cluster.store.changed(pod)
        cluster.event(pod, "NodeNotReady", "Node is not ready", source=_SOURCE, warning=True)
        cluster.journal.cause = before


def _expiry(node: Node) -> int:
    """When a silent node's grace is over; `conditions` are empty until its first status."""
    return node.lease + (GRACE if node.conditions else STARTUP_GRACE)


def _no_schedule(node: Node) -> tuple[str, ...]:
    """The keys of the NoSchedule taints that a node ought to have from the controller."""
    keys = [key] if (key := taint_key(node)) is not None else []
    return (*keys, UNSCHEDULABLE) if node.unschedulable else tuple(keys)


def _held(node: Node) -> tuple[str, ...]:
    """The keys of those that it has, in the order of `_no_schedule`."""
    held = [each.key for each in node.taints if each.effect == NO_SCHEDULE and each.key in _OURS]
    return tuple(sorted(held, key=lambda key: key == UNSCHEDULABLE))
