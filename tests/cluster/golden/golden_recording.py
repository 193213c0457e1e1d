"""Reading the recordings of a real control plane, and the same view of the simulated one.

A recording is a list of steps; each has the rows that followed it until the next: what a watch of a real
1.36.2 showed (KWOK's instant kubelets stand where real ones would). `watch` makes rows of the same
shape from the simulated cluster's store.

The normalisers, each with its reason:

- `names`: suffixes and hashes are drawn or made from another hash; pods are numbered in the order of
  their first row, ReplicaSets named by their order.
- `distinct`: an object's row that repeats the one before says nothing new; how often a controller
  writes the same is timing.
- `settled`: counts between the first and the last depend on how fast the writers were (15 to 35 ms each
  on the recorded machine), so of them the first, the last and the order are compared, not each value.
- Times are left out, but for the differences that a test names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from instant import InstantRuntime

from emulator.cluster.apiserver.api import ObjectAPI
from emulator.cluster.apiserver.resources import DEPLOYMENTS, SERVICES
from emulator.cluster.context import Cluster
from emulator.cluster.distributions import Constant
from emulator.cluster.events import Event
from emulator.cluster.kernel import Kernel
from emulator.cluster.objects import (
    Deployment,
    EndpointSlice,
    Node,
    Pod,
    ReplicaSet,
    Service,
    Stored,
)
from emulator.cluster.settings import ClusterSettings, NodePool, Registry
from emulator.cluster.streams import Streams
from emulator.cluster.system import System
from emulator.domain.journal import Journal
from emulator.domain.timefmt import MILLISECOND, SECOND

DATA = Path(__file__).parents[2] / "data"

Row = dict[str, Any]


def steps(name: str) -> dict[str, list[Row]]:
    """The rows of a recording by the step that they follow."""
    found: dict[str, list[Row]] = {}
    current: list[Row] = []
    for line in (DATA / name).read_text().splitlines():
        row = json.loads(line)
        if "step" in row:
            current = found.setdefault(row["step"], [])
        else:
            current.append(row)
    return found


# -- the simulated cluster, seen alike ------------------------------------------------------------


class Simulated:
    """A simulated cluster of three nodes with instant kubelets, and what a watch of it shows."""

    def __init__(self, nodes: int = 3, cpu: int = 32_000) -> None:
        pool = NodePool(name="n", count=nodes, cpu=cpu)
        settings = ClusterSettings(
            namespace="default",
            service_range="10.96.0.0/16",
            pools=(pool,),
            registry=Registry(latency=Constant(0), bandwidth=2**60),
            start=Constant(0),
            stop=Constant(0),
        )
        self.kernel = Kernel(Journal())
        self.cluster = Cluster(self.kernel, Streams(1), settings, InstantRuntime())
        self.system = System(self.cluster)
        self.api = ObjectAPI(self.system)
        self.rows: list[Row] = []
        self.cluster.store.tap(self._heard)

    def advance(self, nanoseconds: int) -> list[Row]:
        """Lets time pass; the rows since the last call."""
        self.kernel.advance(self.kernel.now + nanoseconds)
        rows, self.rows = self.rows, []
        return rows

    def deployment(self, name: str, replicas: int, **spec: Any) -> Deployment:
        """Creates a Deployment of one container."""
        container = {"name": "c", "image": "fake", "resources": spec.pop("resources", {})}
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [container]},
                },
                **spec,
            },
        }
        self.api.create(DEPLOYMENTS, "default", manifest)
        deployment = self.cluster.store.get("Deployment", f"default/{name}")
        assert isinstance(deployment, Deployment)
        return deployment

    def service(self, name: str, port: int = 80, target: int = 80) -> Service:
        """Creates a Service for the pods of a Deployment of the same name."""
        manifest = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {
                "selector": {"app": name},
                "ports": [{"port": port, "targetPort": target}],
            },
        }
        self.api.create(SERVICES, "default", manifest)
        service = self.cluster.store.get("Service", f"default/{name}")
        assert isinstance(service, Service)
        return service

    def _heard(self, op: str, obj: Stored) -> None:
        kind, shown = VIEWS[obj.kind](obj)
        row = {"t": self.kernel.now / SECOND, "k": kind, "e": op, "n": obj.name, "o": shown}
        self.rows.append(row)


def _conditions(obj: Deployment | Pod | Node) -> dict[str, list[Any]]:
    return {
        each.type: [each.status, each.reason or None, each.message or None]
        for each in obj.conditions.values()
    }


def _deployment(obj: Deployment) -> tuple[str, Row]:
    return "deployments", {
        "replicas": obj.replicas,
        "updated": obj.updated,
        "ready": obj.ready,
        "available": obj.available,
        "unavailable": obj.unavailable,
        "terminating": obj.terminating_pods,
        "gen": [obj.generation, obj.observed or None],
        "conds": _conditions(obj),
    }


def _replica_set(obj: ReplicaSet) -> tuple[str, Row]:
    return "replicasets", {
        "spec": obj.wanted,
        "replicas": obj.replicas,
        "ready": obj.ready,
        "available": obj.available,
        "terminating": obj.terminating_pods,
        "ann": {
            "desired-replicas": str(obj.desired),
            "max-replicas": str(obj.maximum),
            "revision": str(obj.revision),
        },
    }


def _pod(obj: Pod) -> tuple[str, Row]:
    return "pods", {
        "phase": obj.phase,
        "reason": obj.reason or None,
        "node": obj.node.name if obj.node else None,
        "ip": obj.ip or None,
        "del": obj.terminating,
        "grace": obj.grace,
        "conds": _conditions(obj),
    }


def _slice(obj: EndpointSlice) -> tuple[str, Row]:
    endpoints = [
        [
            [each.ip],
            {"ready": each.ready, "serving": each.serving, "terminating": each.terminating},
            each.pod.name,
        ]
        for each in obj.endpoints.values()
    ]
    ports = None
    if obj.ports is not None:
        ports = [
            {"name": port.name, "protocol": port.protocol, "port": port.target_port}
            for port in obj.ports
        ]
    return "endpointslices", {"eps": endpoints, "ports": ports}


def _event(obj: Event) -> tuple[str, Row]:
    return "events", {
        "type": obj.type,
        "reason": obj.reason,
        "msg": obj.note,
        "obj": f"{obj.about.kind}/{obj.about.name}",
        "count": obj.count,
        "src": obj.source,
    }


def _service(obj: Service) -> tuple[str, Row]:
    return "services", {"type": obj.type, "selector": obj.selector}


def _node(obj: Node) -> tuple[str, Row]:
    ready = obj.conditions.get("Ready")
    return "nodes", {
        "taints": [{"key": each.key, "effect": each.effect} for each in obj.taints] or None,
        "ready": [[ready.status, ready.reason, ready.message]] if ready else [],
    }


VIEWS: dict[str, Callable[[Any], tuple[str, Row]]] = {
    "Deployment": _deployment,
    "EndpointSlice": _slice,
    "Event": _event,
    "Node": _node,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "Service": _service,
}


# -- normalisers ----------------------------------------------------------------------------------

_SUFFIX = r"[bcdfghjklmnpqrstvwxz2456789]"


class Names:
    """Spells ReplicaSets and pods by their order of appearance: `app#1`, `app#1-2`."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._known: dict[str, str] = {}
        sets: dict[str, int] = {}
        pods: dict[str, int] = {}
        for row in rows:
            name = row["n"]
            if row["k"] == "replicasets" and name not in self._known:
                owner = name.rsplit("-", 1)[0]
                sets[owner] = sets.get(owner, 0) + 1
                self._known[name] = f"{owner}#{sets[owner]}"
            if row["k"] == "pods" and name not in self._known:
                owner = name.rsplit("-", 1)[0]
                pods[owner] = pods.get(owner, 0) + 1
                self._known[name] = f"{self._known.get(owner, owner)}-{pods[owner]}"

    def __call__(self, text: str) -> str:
        for name in sorted(self._known, key=len, reverse=True):
            text = text.replace(name, self._known[name])
        return re.sub(r"\bto n-?\d+\b", "to NODE", text)


def distinct(items: Iterable[Any]) -> list[Any]:
    """The items without those that repeat the one before."""
    found: list[Any] = []
    for item in items:
        if not found or found[-1] != item:
            found.append(item)
    return found


def of(rows: list[Row], kind: str, name: str | None = None) -> list[Row]:
    """The rows about a kind of objects, or about one of them."""
    return [row for row in rows if row["k"] == kind and name in (None, row["n"])]


def condition_story(rows: list[Row], kind: str, name: str) -> dict[str, list[Any]]:
    """What each condition of an object said, one after the other, with names spelled out."""
    spell = Names(rows)
    story: dict[str, list[Any]] = {}
    for row in of(rows, kind, name):
        for condition, said in row["o"]["conds"].items():
            words = [spell(each) if isinstance(each, str) else each for each in said]
            if not story.get(condition) or story[condition][-1] != words:
                story.setdefault(condition, []).append(words)
    return story


def event_bag(rows: list[Row], kind: str | None = None) -> list[tuple[str, ...]]:
    """The events, sorted: type, reason, text, about what kind; pods are `POD`, they are alike."""
    spell = Names(rows)
    bag = []
    for row in of(rows, "events"):
        shown = row["o"]
        about = shown["obj"].split("/")[0]
        if kind in (None, about):
            text = re.sub(r"(#\d+)-\d+", r"\1-POD", spell(shown["msg"]))
            bag.append((shown["type"], shown["reason"], text, about, shown["src"]))
    return sorted(bag)


def sizes(rows: list[Row], name: str) -> list[int]:
    """The sizes that a ReplicaSet was given, one after the other."""
    return distinct(row["o"]["spec"] for row in of(rows, "replicasets", name))


def settled(rows: list[Row], kind: str, name: str, fields: tuple[str, ...]) -> list[Any]:
    """The first and the last value of an object's counts."""
    shown = [tuple(row["o"][field] for field in fields) for row in of(rows, kind, name)]
    return [shown[0], shown[-1]]


def pod_stories(rows: list[Row]) -> list[Any]:
    """Each pod's story, sorted: phase, placed, has an address, on its way out, grace, Ready."""
    stories = []
    for name in dict.fromkeys(row["n"] for row in of(rows, "pods")):
        story: list[Any] = []
        for row in of(rows, "pods", name):
            shown = row["o"]
            ready = shown["conds"].get("Ready", [None])[0] == "True"
            story.append(
                (
                    row["e"] == "DELETED",
                    shown["phase"],
                    shown["node"] is not None,
                    shown["del"],
                    shown["grace"],
                    ready,
                )
            )
        stories.append(distinct(story))
    return sorted(stories, key=repr)


def endpoint_stories(rows: list[Row]) -> list[Any]:
    """Each endpoint's states, one after the other, sorted; None once it is gone."""
    names = dict.fromkeys(each[2] for row in of(rows, "endpointslices") for each in row["o"]["eps"])
    stories = []
    for name in names:
        story: list[Any] = []
        for row in of(rows, "endpointslices"):
            found = [each[1] for each in row["o"]["eps"] if each[2] == name]
            if found or story:
                story.append(tuple(found[0].values()) if found else None)
        stories.append(distinct(story))
    return sorted(stories, key=repr)


LATER = 3 * SECOND
SOON = 100 * MILLISECOND
