"""The simulated platform: the contract of `emulator.platform`, kept by the simulated cluster.

Rules: a call is answered after the API's latency, in simulated time; objects are made in the order of
the platform (Deployment, Service, aliases) and a refusal leaves the earlier ones to the caller.
Nothing of another workload is touched, but an alias, which its next owner takes over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from emulator.cluster.apiserver import resources
from emulator.cluster.apiserver.likeness import Likenesses
from emulator.cluster.apiserver.status import Rejected, already_exists
from emulator.cluster.context import Cluster
from emulator.cluster.objects import Deployment, Group, Pod, Service
from emulator.cluster.system import System
from emulator.domain.kube import (
    ContainerStatus,
    DeploymentStatus,
    Object,
    Observation,
    PodStatus,
    ServiceStatus,
)
from emulator.domain.workload import Request, Response
from emulator.platform import (
    Capability,
    Change,
    ContainerLog,
    NoRoute,
    PlatformError,
    Route,
    Workload,
)

Made = Response | Awaitable[Response]
#: What lies between the gateway and a pod: handed the pod and what answers, it answers in its way.
Between = Callable[[Pod, Callable[[], Made]], Made]


class SimulatedPlatform:
    """A cluster that keeps the platform contract. A call passes what is `between`, if anything is."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.system = System(cluster)
        self._services = self.system.services
        self._likenesses = Likenesses()
        self._asked = 0
        self.between: Between | None = None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """A simulation misses no change, lives in virtual time and gives load balancers addresses."""
        return frozenset(Capability)

    # -- apply and delete ------------------------------------------------------------------------

    def apply(
        self, workload: Workload, done: Callable[[Observation | PlatformError], None]
    ) -> None:
        """Makes the objects as described, in simulated time."""
        self._later(workload.name, "apply", lambda: done(self._apply(workload)))

    def _apply(self, wanted: Workload) -> Observation | PlatformError:
        cluster = self._cluster
        group = cluster.groups.get(wanted.name)
        if group is None:
            group = cluster.groups[wanted.name] = Group(wanted.name, wanted.namespace)
        try:
            self._apply_deployment(group, wanted)
            self._apply_service(group, wanted.service)
            for alias in wanted.aliases:
                self._apply_alias(group, alias)
        except Rejected as rejected:
            error = PlatformError(rejected.code, rejected.reason, rejected.message, rejected.causes)
            cluster.record(
                "refused", f"Workload/{wanted.name}", code=error.code, message=error.message
            )
            return error
        return self._observe(group)

    def _apply_deployment(self, group: Group, wanted: Workload) -> None:
        name = wanted.deployment["metadata"]["name"]
        held = self._cluster.store.get("Deployment", f"{wanted.namespace}/{name}")
        if held is None:
            manifest = self._read(resources.DEPLOYMENTS, wanted.deployment, group)
            self.system.create_deployment(manifest, wanted.namespace, group)
        elif held.group is not group:
            raise already_exists("apps", "deployments", name)

    def _read(self, row: resources.Resource, manifest: Object, group: Group) -> dict[str, Any]:
        return self._likenesses.read(row, manifest, group.namespace, group.name)

    def _held(self, group: Group, manifest: Object) -> Service | None:
        name = manifest["metadata"]["name"]
        held: Service | None = self._cluster.store.get("Service", f"{group.namespace}/{name}")
        return held

    def _apply_service(self, group: Group, manifest: Object) -> None:
        held = self._held(group, manifest)
        if held is None:
            read = self._read(resources.SERVICES, manifest, group)
            self._services.create(read, group.namespace, group)
        elif held.group is not group:
            raise already_exists("", "services", held.name)

    def _apply_alias(self, group: Group, manifest: Object) -> None:
        held = self._held(group, manifest)
        if held is None:
            read = self._read(resources.SERVICES, manifest, group)
            self._services.create(read, group.namespace, group, alias=True)
        elif held.group is group:
            return
        elif not held.alias:
            raise already_exists("", "services", held.name)
        else:
            read = self._read(resources.SERVICES, manifest, group)
            self._services.take_over(held, group, read)

    def delete(self, workload: str, done: Callable[[PlatformError | None], None]) -> None:
        """Removes every object of the workload; its pods end in their own time."""

        def act() -> None:
            self._delete(workload)
            done(None)

        self._later(workload, "delete", act)

    def _delete(self, name: str) -> None:
        group = self._cluster.groups.get(name)
        if group is None:
            return
        for alias in tuple(group.aliases.values()):
            self._services.delete(alias)
        if group.service is not None:
            self._services.delete(group.service)
        if group.deployment is not None:
            self.system.delete_deployment(group.deployment)
        if not group.objects:
            self._cluster.groups.pop(name, None)

    # -- observe, watch, logs --------------------------------------------------------------------

    def observe(self, workload: str, done: Callable[[Observation | PlatformError], None]) -> None:
        """What there is of a workload now; a read takes no simulated time."""
        state = self._cluster.groups.get(workload)
        if state is None:
            done(Observation(self._cluster.now, None, None, (), (), ()))
        else:
            done(self._observe(state))

    def watch(self, sink: Callable[[Change], None]) -> Callable[[], None]:
        """Reports every change until the returned function is called."""
        return self._cluster.watch(sink)

    def logs(self, workload: str, done: Callable[[tuple[ContainerLog, ...]], None]) -> None:
        """What the containers have written, the oldest pod first."""
        state = self._cluster.groups.get(workload)
        done(tuple(_log(pod) for pod in state.pods if pod.process) if state else ())

    def _observe(self, state: Group) -> Observation:
        return Observation(
            self._cluster.now,
            _deployment_status(state.deployment) if state.deployment else None,
            _service_status(state.service) if state.service else None,
            tuple([_service_status(alias) for alias in state.aliases.values()]),
            tuple(_pod_status(pod) for pod in state.pods),
            tuple([event.record() for event in state.events]),
        )

    # -- routes ----------------------------------------------------------------------------------

    def owns(self, host: str) -> bool:
        """Whether a host is an address of this cluster's ranges."""
        return self._services.owns(host)

    def bare(self, host: str) -> str:
        """A host without what the cluster may put behind a Service's name."""
        return self._services.bare(host)

    def route(self, host: str, port: int) -> Route | NoRoute:
        """A ready pod behind a name or an address, drawn as kube-proxy draws."""
        service = self._services.find(host)
        if service is None:
            return NoRoute()
        opened = next((each for each in service.ports if each.port == port), None)
        if opened is None:
            return NoRoute(service=service.name, ports=tuple(each.port for each in service.ports))
        workload = service.group.name if service.group else ""
        pod = self._services.choose(service)
        if pod is None:
            return NoRoute(workload, service.name)
        target = _Target(pod, opened.target_port, self.between)
        return Route(workload, service.name, pod.name, target)

    # -- the parts' joints -----------------------------------------------------------------------

    def _later(self, workload: str, verb: str, fn: Callable[[], None]) -> None:
        cluster = self._cluster

        def answered() -> None:
            self._asked -= 1
            fn()

        self._asked += 1
        cluster.kernel.call_in(cluster.api_delay(workload, verb), answered)

    @property
    def settling(self) -> bool:
        """Whether a request is under way, or a Service's endpoints have yet to follow."""
        return self._asked > 0 or self.system.endpoints.settling


class _Target:
    """A pod's port, as the gateway calls it."""

    __slots__ = ("_between", "_pod", "_port")

    def __init__(self, pod: Pod, port: int, between: Between | None) -> None:
        self._pod = pod
        self._port = port
        self._between = between

    def __call__(self, request: Request) -> Made:
        """The container's answer. Raises ConnectionError when there is none."""
        if self._between is None:
            return self._answer(request)
        return self._between(self._pod, partial(self._answer, request))

    def _answer(self, request: Request) -> Made:
        process = self._pod.process
        node = self._pod.node
        if node is None or not node.up:
            raise ConnectionError(f"{self._pod.name} does not answer: its node is down")
        if process is None or not process.listens(self._port):
            raise ConnectionRefusedError(f"{self._pod.name} does not listen on port {self._port}")
        return process.answer(replace(request, port=self._port))


def _deployment_status(deployment: Deployment) -> DeploymentStatus:
    return DeploymentStatus(
        deployment.name,
        deployment.namespace,
        deployment.wanted,
        deployment.ready,
        deployment.available,
        deployment.updated,
        tuple(deployment.conditions.values()),
        {} if deployment.manifest is None else deployment.manifest,
    )


def _service_status(service: Service) -> ServiceStatus:
    return ServiceStatus(
        service.name,
        service.namespace,
        service.type,
        service.cluster_ip,
        service.ports,
        {} if service.manifest is None else service.manifest,
        ip=service.ip,
        endpoints=len(service.ready),
    )


def _pod_status(pod: Pod) -> PodStatus:
    container = ContainerStatus(
        pod.template.container, pod.template.image, pod.ready, pod.restarts, pod.state, pod.last
    )
    return PodStatus(
        pod.name,
        pod.namespace,
        pod.phase,
        tuple(pod.conditions.values()),
        (container,) if pod.node is not None else (),
        pod.created,
        pod.started,
        pod.ip,
        pod.node.name if pod.node else "",
        pod.terminating,
    )


def _log(pod: Pod) -> ContainerLog:
    assert pod.process is not None
    return ContainerLog(pod.namespace, pod.name, pod.template.container, pod.process.logs())
