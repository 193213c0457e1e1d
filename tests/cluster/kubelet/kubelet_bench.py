"""A bench for the kubelet alone: pods that are bound from the start, and no controller.

Rules: a pod is made from a manifest, as `kubectl run` would; its process follows the `Plan` that the
bench holds for its image, and listens on every port. Times count from the beginning of the bench.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emulator.cluster.context import Cluster
from emulator.cluster.deletion import Deletion
from emulator.cluster.events import Event
from emulator.cluster.kernel import Kernel
from emulator.cluster.kubelet import Kubelet
from emulator.cluster.objects import Node, Pod
from emulator.cluster.settings import ClusterSettings, NodePool
from emulator.cluster.streams import Streams
from emulator.cluster.templates import read_template
from emulator.domain.journal import Journal, Row
from emulator.domain.timefmt import MILLISECOND
from emulator.domain.workload import (
    ContainerStart,
    Notify,
    Plan,
    Process,
    Request,
    Response,
)

REACTION = 10 * MILLISECOND  # from the API server to the kubelet
LATENCY = 200 * MILLISECOND  # of the registry
START = 300 * MILLISECOND
STOP = 100 * MILLISECOND
BANDWIDTH = 50 * 2**20
#: When the container of a pod whose image is there runs.
RUNNING = REACTION + START
PRESENT = "present:1"


@dataclass
class Scripted:
    """A process that follows its plan."""

    plan: Plan | None
    ports: frozenset[int] | None = None
    stopped: bool = False

    def listens(self, port: int) -> bool:
        return not self.stopped and (self.ports is None or port in self.ports)

    def answer(self, request: Request) -> Response:
        raise NotImplementedError

    def logs(self) -> str:
        return ""

    def stop(self) -> None:
        self.stopped = True


@dataclass
class Runtime:
    """Starts what `plans` says of an image; an exception there is raised instead."""

    plans: dict[str, Plan | Exception | None] = field(default_factory=dict)
    starts: list[ContainerStart] = field(default_factory=list)
    told: list[Notify] = field(default_factory=list)
    ports: frozenset[int] | None = None

    def start(self, container: ContainerStart, notify: Notify) -> Process:
        self.starts.append(container)
        self.told.append(notify)
        plan = self.plans.get(container.image, Plan())
        if isinstance(plan, Exception):
            raise plan
        return Scripted(plan, self.ports)


class Bench:
    """A cluster of nodes with kubelets."""

    def __init__(
        self,
        seed: int = 0,
        *,
        nodes: int = 1,
        images: tuple[str, ...] = (PRESENT,),
        **settings: Any,
    ) -> None:
        self.runtime = Runtime()
        self.kernel = Kernel(Journal())
        pool = NodePool("node", nodes, images=images)
        self.cluster = Cluster(
            self.kernel,
            Streams(seed),
            ClusterSettings(namespace="default", **settings),
            self.runtime,
        )
        self.deletion = Deletion(self.cluster)
        self.kubelet = Kubelet(self.cluster, self.deletion)
        self.nodes = [Node(f"node-{n}", pool, 0) for n in range(1, nodes + 1)]
        self._count = 0

    def pod(
        self,
        *,
        node: int = 0,
        image: str = PRESENT,
        plan: Plan | Exception | None = None,
        spec: dict[str, Any] | None = None,
        **container: Any,
    ) -> Pod:
        """A new pod, bound to a node; `plan` is what its image does."""
        if plan is not None:
            self.runtime.plans[image] = plan
        self._count += 1
        made = {"name": "c", "image": image, **container}
        template = read_template({"spec": {"containers": [made], **(spec or {})}})
        pod = Pod(f"app-{self._count}", "default", self.kernel.now, template)
        pod.node = self.nodes[node]
        pod.node.take(pod, 1)
        pod.booked = True
        pod.set_condition("PodScheduled", "True", self.kernel.now)
        self.cluster.store.add(pod)
        return pod

    # -- time ------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.kernel.now

    def to(self, time: int) -> None:
        """Goes to an instant."""
        self.kernel.advance(time)

    def on(self, duration: int) -> None:
        """Lets time pass."""
        self.kernel.advance(self.kernel.now + duration)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is going to happen."""
        return self.kernel.peek() == float("inf")

    # -- nodes -----------------------------------------------------------------------------------

    def lose(self, node: int = 0) -> None:
        self.nodes[node].up = False
        self.kubelet.node_lost(self.nodes[node])

    def restore(self, node: int = 0) -> None:
        self.nodes[node].up = True
        self.kubelet.node_back(self.nodes[node])

    # -- what was said ---------------------------------------------------------------------------

    def rows(self, kind: str, pod: Pod | None = None) -> list[Row]:
        return [
            row
            for row in self.cluster.journal.rows
            if row.kind == kind and (pod is None or row.subject.endswith(f"/{pod.name}"))
        ]

    def said(self, *reasons: str, pod: Pod | None = None) -> list[tuple[int, str]]:
        """Time and text of the events as they were written; all of them without reasons."""
        return [
            (row.t, row.data["note"])
            for row in self.rows("event", pod)
            if not reasons or row.data["reason"] in reasons
        ]

    def reasons(self, pod: Pod | None = None) -> list[str]:
        return [row.data["reason"] for row in self.rows("event", pod)]

    def event(self, reason: str, text: str = "") -> Event:
        """The only event of a reason (and text), as it stands now."""
        (event,) = [
            each
            for each in self.cluster.events.all(self.now)
            if each.reason == reason and text in each.note
        ]
        return event

    def exits(self, pod: Pod | None = None) -> list[tuple[int, int, str]]:
        return [(row.t, row.data["code"], row.data["reason"]) for row in self.rows("exit", pod)]


def tcp(port: int = 80, **fields: Any) -> dict[str, Any]:
    """A probe that connects."""
    return {"tcpSocket": {"port": port}, **fields}


def http(port: int = 80, path: str = "/ready", **fields: Any) -> dict[str, Any]:
    """A probe that asks."""
    return {"httpGet": {"port": port, "path": path}, **fields}


def command(**fields: Any) -> dict[str, Any]:
    """A probe that runs a command in the container."""
    return {"exec": {"command": ["true"]}, **fields}


def condition(pod: Pod, kind: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition."""
    found = pod.conditions[kind]
    return found.status, found.reason, found.message
