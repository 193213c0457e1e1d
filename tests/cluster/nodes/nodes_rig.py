"""A simulated cluster whose nodes come and go: instant kubelets, one Deployment, and what is seen of it.

Rules: a container starts and stops at once, as in the recordings; the leases are in step where a test
says so (KWOK renews those of all nodes together).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from instant import InstantRuntime

from emulator.cluster.apiserver.api import ObjectAPI
from emulator.cluster.apiserver.resources import DEPLOYMENTS, SERVICES
from emulator.cluster.context import Cluster
from emulator.cluster.distributions import Constant
from emulator.cluster.events import Event
from emulator.cluster.kernel import Kernel
from emulator.cluster.objects import Deployment, Node, Pod, Service, Stored
from emulator.cluster.settings import ClusterSettings, NodePool, Registry
from emulator.cluster.streams import Streams
from emulator.cluster.system import System
from emulator.domain.journal import Journal, Row
from emulator.domain.timefmt import SECOND

NEVER = float("inf")


class Seen(NamedTuple):
    """A change of an object of the store."""

    t: int
    op: str
    obj: Stored


class Rig:
    """A cluster, driven by a test."""

    def __init__(
        self,
        nodes: int = 3,
        *,
        seed: int = 1,
        pools: tuple[NodePool, ...] = (),
        stop: int = 0,
    ) -> None:
        """`nodes` alike, or `pools`; `stop` is what a container takes to end, in nanoseconds."""
        settings = ClusterSettings(
            namespace="default",
            pools=pools or (NodePool("n", nodes),),
            registry=Registry(latency=Constant(0), bandwidth=2**60),
            start=Constant(0),
            stop=Constant(stop),
        )
        self.kernel = Kernel(Journal())
        self.cluster = Cluster(self.kernel, Streams(seed), settings, InstantRuntime())
        self.system = System(self.cluster)
        self.api = ObjectAPI(self.system)
        self.nodes = self.system.nodes
        self.seen: list[Seen] = []
        self.cluster.store.tap(lambda op, obj: self.seen.append(Seen(self.now, op, obj)))

    # -- driving ---------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The present."""
        return self.kernel.now

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.kernel.advance(self.now + round(seconds * SECOND))

    def rest(self, limit: float = 3600) -> None:
        """Lets time pass until nothing is scheduled; fails where that takes longer than `limit`."""
        end = self.now + round(limit * SECOND)
        self.kernel.run_while(lambda: True, end)
        assert self.kernel.peek() == NEVER, "something is scheduled still"

    def in_step(self) -> None:
        """All nodes renew their leases at the same instants from now on."""
        for node in self.cluster.nodes:
            node.lease = self.now

    def deploy(self, replicas: int, tolerations: tuple[dict[str, Any], ...] = ()) -> Deployment:
        """A Deployment `app` and its Service; returns when all replicas are ready."""
        made = self.create(replicas, tolerations)
        ports = [{"port": 80, "targetPort": 80}]
        manifest = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "app"},
            "spec": {"selector": {"app": "app"}, "ports": ports},
        }
        self.api.create(SERVICES, "default", manifest)
        self.kernel.run_while(lambda: made.ready < replicas, self.now + 300 * SECOND)
        assert made.ready == replicas
        self.advance(10)
        return made

    def create(self, replicas: int, tolerations: tuple[dict[str, Any], ...] = ()) -> Deployment:
        """The Deployment alone, at its beginning."""
        labels = {"app": "app"}
        pod = {"containers": [{"name": "c", "image": "fake"}], "tolerations": list(tolerations)}
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "app"},
            "spec": spec,
        }
        self.api.create(DEPLOYMENTS, "default", manifest)
        made = self.cluster.store.get("Deployment", "default/app")
        assert isinstance(made, Deployment)
        return made

    # -- seeing ----------------------------------------------------------------------------------

    def node(self, number: int) -> Node:
        """The node of that number, from 1."""
        return self.cluster.nodes[number - 1]

    @property
    def pods(self) -> list[Pod]:
        """Every pod, the oldest first."""
        return self.cluster.store.all("Pod")

    def pods_on(self, node: Node) -> list[Pod]:
        """The pods of a node, the oldest first."""
        return [pod for pod in self.pods if pod.node is node]

    def planned(self) -> list[Pod]:
        """The pods that the taint manager is going to delete."""
        return list(self.nodes.taints.planned)

    @property
    def service(self) -> Service:
        """The Service `app`."""
        service = self.cluster.store.get("Service", "default/app")
        assert isinstance(service, Service)
        return service

    def rows(self, kind: str, subject: str = "") -> list[Row]:
        """The journal's rows of a kind, of one subject where one is given."""
        return [
            row
            for row in self.kernel.journal.rows
            if row.kind == kind and subject in ("", row.subject)
        ]

    def said(self, reason: str, source: str = "") -> list[Event]:
        """The events of a reason, the oldest first; only those of a source where one is given."""
        events = [each.obj for each in self.seen if isinstance(each.obj, Event)]
        return [
            each
            for each in dict.fromkeys(events)
            if each.reason == reason and source in ("", each.source)
        ]

    def until_taint(self, node: Node, taint: str, limit: float = 60) -> int:
        """Goes on until a node has a taint `key:effect`; the instant at which that was."""
        end = self.now + round(limit * SECOND)
        self.kernel.run_while(lambda: taint not in taints(node), end)
        assert taint in taints(node), f"{node.name} is not tainted {taint}"
        return self.now


def lose(rig: Rig, nodes: Iterable[Node]) -> None:
    """Loses nodes now, all with the same last renewal."""
    rig.in_step()
    for node in nodes:
        rig.nodes.lose(node)


def lose_one(rig: Rig, number: int = 1) -> tuple[Node, int]:
    """Loses a node now, and goes on until that is noticed; the node and the instant of the loss."""
    node, at = rig.node(number), rig.now
    rig.nodes.lose(node)
    rig.kernel.run_while(lambda: node.ready == "True", at + 60 * SECOND)
    return node, at


def taints(node: Node) -> list[str]:
    """A node's taints as the journal spells them."""
    return [f"{each.key}:{each.effect}" for each in node.taints]


def conditions(obj: Node | Pod) -> dict[str, str]:
    """The statuses of an object's conditions."""
    return {kind: each.status for kind, each in obj.conditions.items()}
