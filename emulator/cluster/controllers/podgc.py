"""The pod garbage collector: forces out what no kubelet will ever end.

Rules: it looks every twenty seconds, at instants that are computed: there is a timer only while there
is something to collect. A pod whose node is gone, or that names one that is not there, is collected 40 s
after a look has found that; a pod on its way out goes at the next look when its node is not ready and
tainted as out of service. What is collected is Failed and deleted without grace. Ended pods are not
counted (the threshold of 12,500 is not modelled), and a pod on its way out that was never placed is
gone before any look.
Source: Kubernetes facts section 8 (podgc).
"""

from __future__ import annotations

from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client
from emulator.cluster.controllers.zones import next_instant
from emulator.cluster.deletion import Deletion
from emulator.cluster.kernel import Timer
from emulator.cluster.node_writes import paced
from emulator.cluster.objects import Node, Pod
from emulator.cluster.objects.nodes import OUT_OF_SERVICE
from emulator.cluster.objects.pods import TERMINAL
from emulator.cluster.store import DELETED
from emulator.domain.timefmt import SECOND

LOOK = 20 * SECOND
QUARANTINE = 40 * SECOND


class PodGC:
    """The collector of the whole cluster."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._client = Client(cluster.settings.controller_rate)
        self._phase = cluster.stream("pod-garbage-collector", "look").below(LOOK)
        self._gone: dict[str, int | None] = {}  # when a missing node's quarantine is over
        self._out: dict[Node, None] = {}  # out of service
        self._timer: Timer | None = None
        cluster.store.on("Node", self._heard)
        cluster.store.on("Pod", self._heard_pod)

    def _heard(self, op: str, node: Node) -> None:
        self._out.pop(node, None)
        if op == DELETED:
            if self._orphans(node.name):
                self._gone[node.name] = None
                self._plan()
            return
        if self._gone:
            self._gone.pop(node.name, None)
        if node.tainted(OUT_OF_SERVICE) and node.ready != "True":
            self._out[node] = None
            self._plan()

    def _heard_pod(self, op: str, pod: Pod) -> None:
        if op == DELETED:
            return
        name = _missing(pod)
        if name is None:
            if self._out and pod.terminating and pod.node in self._out:
                self._plan()
        elif (
            name not in self._gone
            and pod.phase not in TERMINAL
            and self._cluster.store.get("Node", name) is None
        ):
            self._gone[name] = None
            self._plan()

    def _orphans(self, name: str) -> list[Pod]:
        """The pods that were placed on a node of that name, which is gone."""
        return [pod for pod in self._cluster.store.all("Pod") if _missing(pod) == name]

    # -- the look --------------------------------------------------------------------------------

    def _plan(self) -> None:
        if self._timer is None:
            when = next_instant(self._phase, LOOK, self._cluster.now + 1)
            self._timer = self._cluster.kernel.call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._cluster.now
        for node in tuple(self._out):
            for pod in tuple(node.pods.values()):
                if pod.terminating:
                    paced(self._cluster, self._client, partial(self._force, pod, orphan=False))
        for name, until in tuple(self._gone.items()):
            if until is None:
                self._gone[name] = now + QUARANTINE
            elif until <= now:
                del self._gone[name]
                for pod in self._orphans(name):
                    paced(self._cluster, self._client, partial(self._force, pod, orphan=True))
        if self._gone:
            self._plan()

    def _force(self, pod: Pod, *, orphan: bool) -> None:
        cluster = self._cluster
        if pod.removed:
            return
        before = cluster.journal.cause
        if pod.phase not in TERMINAL:
            pod.phase = "Failed"
            if orphan:
                pod.set_condition(
                    "DisruptionTarget",
                    "True",
                    cluster.now,
                    "DeletionByPodGC",
                    "PodGC: node no longer exists",
                )
            cluster.record("pod", cluster.store.subject(pod), ready=pod.ready, phase=pod.phase)
            cluster.store.changed(pod)
        self._deletion.delete_pod(pod, 0)
        cluster.journal.cause = before


def _missing(pod: Pod) -> str | None:
    """The name of the node that a pod is on and that is gone, or that it names and waits for."""
    node = pod.node
    if node is None:
        return pod.template.node_name or None
    return node.name if node.removed else None
