"""A scheduler, its nodes and pods, and nothing else: no controller, no kubelet, no latency.

Rules: a pod that is told to go stays until `gone`; that is what a kubelet would do.
"""

from __future__ import annotations

from typing import Any

from emulator.cluster.context import Cluster
from emulator.cluster.deletion import Deletion
from emulator.cluster.kernel import Kernel
from emulator.cluster.objects import Node, Pod, Stored
from emulator.cluster.scheduler import Scheduler
from emulator.cluster.settings import ClusterSettings, NodePool
from emulator.cluster.streams import Streams
from emulator.cluster.templates import read_template
from emulator.domain.journal import Journal
from emulator.domain.timefmt import SECOND
from emulator.domain.workload import ContainerStart, Notify, Process

ZONE = "topology.kubernetes.io/zone"


class NoContainers:
    """A runtime that nobody asks for anything."""

    def start(self, start: ContainerStart, notify: Notify) -> Process:
        """Is not to be called."""
        raise AssertionError(start.pod)


class Alone:
    """The scheduler of a cluster with these pools."""

    def __init__(self, *pools: NodePool, seed: int = 0, **settings: Any) -> None:
        self.journal = Journal()
        self.kernel = Kernel(self.journal)
        values = {"reaction": 0, "scheduler_rate": None, "namespace": "default", **settings}
        self.cluster = Cluster(
            self.kernel, Streams(seed), ClusterSettings(**values), NoContainers()
        )
        self.deletion = Deletion(self.cluster)
        self.scheduler = Scheduler(self.cluster, self.deletion)
        for pool in pools:
            for number in range(1, pool.count + 1):
                self.join(Node(f"{pool.name}-{number}", pool, self.kernel.now))

    def join(self, node: Node) -> Node:
        """A node joins."""
        self.cluster.nodes.append(node)
        self.cluster.store.add(node)
        return node

    def pod(
        self,
        name: str,
        *,
        owner: Stored | None = None,
        priority: int = 0,
        labels: dict[str, str] | None = None,
        image: str = "image:1",
        requests: dict[str, str] | None = None,
        node: Node | None = None,
        **spec: Any,
    ) -> Pod:
        """A pod, stored and tried at once; `requests` are `cpu: 1` where none are given."""
        asked = {"cpu": "1"} if requests is None else requests
        container = {"name": "c", "image": image, "resources": {"requests": asked}}
        manifest = {
            "metadata": {"labels": labels or {}},
            "spec": {"containers": [container], "priority": priority, **spec},
        }
        pod = Pod(name, "default", self.kernel.now, read_template(manifest), owner=owner)
        pod.node = node
        self.cluster.store.add(pod)
        self.kernel.advance(self.kernel.now)
        return pod

    def placed(self, name: str, **facts: Any) -> str:
        """The name of the node that a new pod is bound to; empty where it fits nowhere."""
        return where(self.pod(name, **facts))

    def gone(self, pod: Pod) -> None:
        """A pod is no more."""
        self.deletion.delete_pod(pod, 0)
        self.kernel.advance(self.kernel.now)

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        self.kernel.advance(self.kernel.now + int(seconds * SECOND))

    def notes(self, reason: str, about: Pod | None = None) -> list[str]:
        """What events with a reason say, in order."""
        return [
            row.data["note"]
            for row in self.journal.rows
            if row.kind == "event"
            and row.data["reason"] == reason
            and (about is None or row.subject == f"Pod/{about.name}")
        ]

    def times(self, reason: str, about: Pod) -> list[int]:
        """When events with a reason were said of a pod."""
        return [
            row.t
            for row in self.journal.rows
            if row.kind == "event"
            and row.data["reason"] == reason
            and row.subject == f"Pod/{about.name}"
        ]


def where(pod: Pod) -> str:
    """The name of a pod's node; empty without one."""
    return pod.node.name if pod.node else ""
