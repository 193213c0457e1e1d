"""Traffic over the real cluster: who is ready, who listens, how far apart they are.

Rules: a service or a pod is named as the journal names it: `name`, or `namespace/name` outside the
cluster's own namespace. Requests go where kube-proxy sends them: to any ready endpoint, and where none
is ready to those that still serve while they terminate. A pod listens while its container runs on a
node that is up; whoever watches hears of the end of each container that it was told listens, once, and
nothing is kept of a pod that no request has reached. A node that is down says nothing any more, not
even that it refuses or resets: no message reaches it or comes from it. Source: Kubernetes facts
section 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.cluster.context import Cluster
from emulator.cluster.objects import EndpointSlice, Pod, Service, Stored
from emulator.cluster.settings import Network as Delays
from emulator.cluster.traffic.ports import Disturb, Network, Serving
from emulator.cluster.traffic.runner import Traffic


class Directory:
    """The services and the pods of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._store = cluster.store
        self._home = cluster.settings.namespace
        self._shown: dict[str, tuple[str, ...]] = {}
        self._living: dict[str, int] = {}  # of each container that was told listens, its number
        self._watchers: list[Callable[[str], None]] = []
        self._store.on("Service", self._heard_service)
        self._store.on("EndpointSlice", self._heard_slice)
        self._store.on("Pod", self._heard_pod)

    def pod(self, name: str) -> Pod | None:
        """The pod of that name, None where there is none."""
        found: Pod | None = self._store.get("Pod", self._key(name))
        return found

    def ready(self, service: str) -> tuple[str, ...]:
        """The pods that kube-proxy may choose, the longest ready first."""
        shown = self._shown.get(service)
        if shown is not None:
            return shown
        found: Service | None = self._store.get("Service", self._key(service))
        if found is None:
            return ()
        pods = tuple(found.ready.values()) or tuple(
            each.pod for each in found.endpoints.values() if each.serving
        )
        names = tuple(self._name(pod) for pod in pods)
        if not any(each.removed for each in found.slices):  # of those nobody hears any more
            self._shown[service] = names
        return names

    def listens(self, pod: str) -> bool:
        """Whether the pod's container runs, on a node that is up."""
        found = self.pod(pod)
        if found is None or not _runs(found) or not _is_up(found):
            return False
        self._living[pod] = found.restarts
        return True

    def serving(self, service: str) -> Serving | None:
        """None: how a replica serves is the load's word."""
        return None

    def watch(self, fn: Callable[[str], None]) -> None:
        """Calls `fn` with each pod whose container has stopped or that is gone."""
        self._watchers.append(fn)

    # -- what is heard ---------------------------------------------------------------------------

    def _heard_service(self, op: str, service: Service) -> None:
        self._shown.pop(self._name(service), None)

    def _heard_slice(self, op: str, slice_: EndpointSlice) -> None:
        self._shown.pop(self._name(slice_.service), None)

    def _heard_pod(self, op: str, pod: Pod) -> None:
        if not self._living:
            return
        name = self._name(pod)
        known = self._living.get(name)
        if known is None or (known == pod.restarts and _runs(pod)):
            return
        del self._living[name]
        for fn in self._watchers:
            fn(name)

    # -- names -----------------------------------------------------------------------------------

    def _key(self, name: str) -> str:
        return name if "/" in name else f"{self._home}/{name}"

    def _name(self, obj: Stored) -> str:
        return obj.name if obj.namespace == self._home else obj.key


def _runs(pod: Pod) -> bool:
    return not pod.removed and pod.process is not None and pod.state.phase == "running"


def _is_up(pod: Pod) -> bool:
    return pod.node is not None and pod.node.up


class Distances:
    """What a message takes between a part, the zone that clients are in, and a pod's node."""

    def __init__(self, directory: Directory, delays: Delays) -> None:
        self._directory = directory
        self._near = delays.delay
        self._far = delays.delay + delays.between_zones

    def delay(self, part: str, pod: str) -> int | None:
        """Nanoseconds, None while the node is down; who is in no zone is near to everyone."""
        found = self._directory.pod(pod)
        if found is None:
            return self._near
        node = found.node
        if node is None or not node.up:
            return None
        return self._far if part and node.zone and node.zone != part else self._near


class Trouble(Network, Disturb, Protocol):
    """The faults that befall calls; `base` is the network as it is without them."""

    base: Network | None


def bind(cluster: Cluster, trouble: Trouble | None = None) -> Traffic:
    """The traffic of a cluster, with the distances of its settings and the faults of its calls."""
    directory = Directory(cluster)
    distances = Distances(directory, cluster.settings.network)
    if trouble is None:
        return Traffic(cluster.kernel, cluster.streams, directory, distances)
    trouble.base = distances
    return Traffic(cluster.kernel, cluster.streams, directory, trouble, trouble)
