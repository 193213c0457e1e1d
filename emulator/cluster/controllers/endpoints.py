"""The EndpointSlice controller: which pods stand behind a Service.

Rules: a pod is listed once it has an address and until it is gone or has ended; it is ready when its
Ready condition is True and its deletion has not been asked for, or always where the Service publishes
those that are not ready; it is serving when the condition is True. A slice is made with its Service,
shows the Service's present ports and holds at most 100 endpoints; a Service without a selector and one
that is a mere name (ExternalName) get none. Every change of an endpoint is a row of the journal.
Source: Kubernetes facts sections 0.7 and 7; endpointslice_controller syncService.
"""

from __future__ import annotations

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client, WorkQueue
from emulator.cluster.labels import ServiceIndex
from emulator.cluster.objects import Endpoint, EndpointSlice, Pod, Service
from emulator.cluster.objects.pods import TERMINAL
from emulator.cluster.store import ADDED, DELETED
from emulator.domain import names
from emulator.domain.kube import PortStatus

MAX_ENDPOINTS = 100


class Endpoints:
    """The controller of every Service's slices."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client = Client(cluster.settings.controller_rate)
        self._index = ServiceIndex()
        self._dirty: dict[Service, dict[str, Pod]] = {}
        self._queue: WorkQueue[Service] = WorkQueue(cluster.kernel, cluster.lag, self._sync)
        cluster.store.on("Service", self._heard)
        cluster.store.on("Pod", self._heard_pod)

    # -- what is heard ---------------------------------------------------------------------------

    def _heard(self, op: str, service: Service) -> None:
        if op == DELETED:
            self._index.remove_service(service)
            self._dirty.pop(service, None)
            for endpoint in service.endpoints.values():
                pod = endpoint.pod
                pod.services = tuple([each for each in pod.services if each is not service])
        elif op == ADDED:
            self._add(service)

    def _add(self, service: Service) -> None:
        if _selects(service):
            self._index.add_service(service, self._pods)
        self._reselect(service)

    @property
    def settling(self) -> bool:
        """Whether some Service's endpoints are not yet what its pods are."""
        return bool(self._dirty)

    def _pods(self) -> list[Pod]:
        return self._cluster.store.all("Pod")

    def _reselect(self, service: Service) -> None:
        dirty = self._dirty.setdefault(service, {})
        for pod in self._index.pods_of(service):
            if service not in pod.services:
                pod.services = (*pod.services, service)
            dirty[pod.key] = pod
        for endpoint in service.endpoints.values():
            dirty[endpoint.pod.key] = endpoint.pod
        self._queue.add(service)

    def service_changed(self, service: Service) -> None:
        """A Service selects other pods from now on, or shows them otherwise."""
        for pod in self._index.remove_service(service):  # pods without an address among them
            if service in pod.services:
                pod.services = tuple(each for each in pod.services if each is not service)
        self._add(service)

    def relabel(self, pod: Pod, labels: dict[str, str]) -> None:
        """A pod carries other labels from now on."""
        self._index.remove_pod(pod)
        before = pod.services
        pod.labels = labels
        self._index.add_pod(pod)
        pod.services = tuple(self._index.services_of(pod))
        for service in dict.fromkeys((*before, *pod.services)):
            self._dirty.setdefault(service, {})[pod.key] = pod
            self._queue.add(service)

    def _heard_pod(self, op: str, pod: Pod) -> None:
        if op == ADDED:
            self._index.add_pod(pod)
            pod.services = tuple(self._index.services_of(pod))
            return
        if op == DELETED:
            self._index.remove_pod(pod)
            listed = -1
        else:
            listed = (
                bool(pod.ip) + 2 * pod.ready + 4 * pod.terminating + 8 * (pod.phase in TERMINAL)
            )
        if listed == pod.listed:  # nothing else of a pod shows in an endpoint
            return
        pod.listed = listed
        for service in pod.services:
            if pod.ip or pod.key in service.endpoints:
                self._dirty.setdefault(service, {})[pod.key] = pod
                self._queue.add(service)

    # -- what is written -------------------------------------------------------------------------

    def _sync(self, service: Service) -> None:
        if service.removed:
            return
        if not service.slices and _selects(service):
            self._new_slice(service)
        pods = self._dirty.get(service)
        stale = [each for each in service.slices if _stale(each)]
        if not pods and not stale:
            self._dirty.pop(service, None)
            return
        if wait := self._client.admit(service, self._cluster.now):
            self._queue.add_after(service, wait)
            return
        self._dirty.pop(service, None)
        touched: dict[EndpointSlice, None] = dict.fromkeys(stale)
        for each in stale:
            each.ports = service.ports
        for pod in (pods or {}).values():
            slice_ = self._update(service, pod)
            if slice_ is not None:
                touched[slice_] = None
        for each in touched:
            self._cluster.store.changed(each)

    def _new_slice(self, service: Service) -> EndpointSlice:
        cluster = self._cluster
        serial = len(service.slices)
        stream = cluster.stream(f"{service.key}/{service.created}/{serial}", "slice")
        suffix = names.suffix(stream.below(names.SUFFIXES))
        slice_ = EndpointSlice(names.pod_name(service.name, suffix), service, cluster.now)
        service.slices.append(slice_)
        cluster.store.add(slice_, service=service.name)
        return slice_

    def _update(self, service: Service, pod: Pod) -> EndpointSlice | None:
        """Brings one pod's endpoint up to date; the slice that has changed, if any."""
        endpoint = service.endpoints.get(pod.key)
        selected = service in pod.services
        if pod.removed or pod.phase in TERMINAL or not pod.ip or not selected:
            return self._drop(service, pod, endpoint)
        ready = service.publish_not_ready or (pod.ready and not pod.terminating)
        flags = (ready, pod.ready, pod.terminating)
        if endpoint is None:
            slice_ = self._room(service)
            endpoint = service.endpoints[pod.key] = Endpoint(pod, pod.ip, slice_)
            slice_.endpoints[pod.key] = endpoint
            slice_.ports = service.ports
        elif flags == (endpoint.ready, endpoint.serving, endpoint.terminating):
            return None
        endpoint.ready, endpoint.serving, endpoint.terminating = flags
        if ready:
            service.ready[pod.key] = pod
        else:
            service.ready.pop(pod.key, None)
        self._cluster.record(
            "endpoint",
            self._cluster.store.subject(service),
            pod=pod.name,
            ready=ready,
            serving=pod.ready,
            terminating=pod.terminating,
        )
        return endpoint.slice

    def _drop(self, service: Service, pod: Pod, endpoint: Endpoint | None) -> EndpointSlice | None:
        if endpoint is None:
            return None
        del service.endpoints[pod.key]
        del endpoint.slice.endpoints[pod.key]
        service.ready.pop(pod.key, None)
        subject = self._cluster.store.subject(service)
        self._cluster.record("endpoint", subject, pod=pod.name, gone=True)
        return endpoint.slice

    def _room(self, service: Service) -> EndpointSlice:
        for slice_ in service.slices:
            if len(slice_.endpoints) < MAX_ENDPOINTS:
                return slice_
        return self._new_slice(service)


def _selects(service: Service) -> bool:
    """Whether the controller looks after a Service's slices."""
    return bool(service.selector) and service.type != "ExternalName"


def _stale(slice_: EndpointSlice) -> bool:
    """Whether a slice shows other ports than its Service has."""
    ports, wanted = slice_.ports, slice_.service.ports
    return ports is not None and ports is not wanted and _shown(ports) != _shown(wanted)


def _shown(ports: tuple[PortStatus, ...]) -> list[tuple[str, str, int]]:
    return [(port.name, port.protocol, port.target_port) for port in ports]
