"""The simulated platform: the contract of `emulator.platform`, kept by the simulated cluster.

Rules: a call is answered after the API's latency, in simulated time; objects are made in the order of
the platform (Deployment, Service, aliases) and a refusal leaves the earlier ones to the caller.
Nothing of another workload is touched, but an alias, which its next owner takes over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from emulator.cluster import manifests
from emulator.cluster.context import Cluster
from emulator.cluster.deployments import Deployments, ready_count
from emulator.cluster.kubelet import Kubelet
from emulator.cluster.manifests import Rejected
from emulator.cluster.objects import DeploymentState, Pod, ServiceState, WorkloadState
from emulator.cluster.scheduler import Scheduler
from emulator.cluster.services import Services
from emulator.domain.kube import (
    ContainerStatus,
    DeploymentStatus,
    Observation,
    PodStatus,
    ServiceStatus,
)
from emulator.domain.timefmt import SECOND
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

_DEADLINE = 600


class SimulatedPlatform:
    """A cluster that keeps the platform contract."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._services = Services(cluster)
        self._scheduler = Scheduler(cluster, lambda pod: self._kubelet.run(pod))
        self._deployments = Deployments(cluster, self._scheduler.add)
        self._kubelet = Kubelet(cluster, self._deployments.readiness_changed, self._gone)
        self._routes = 0

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
        state = cluster.workloads.get(wanted.name)
        if state is None:
            state = cluster.workloads[wanted.name] = WorkloadState(wanted.name, wanted.namespace)
        try:
            self._apply_deployment(state, wanted)
            self._services.create(state, wanted.service, alias=False)
            for alias in wanted.aliases:
                self._services.create(state, alias, alias=True)
        except Rejected as rejected:
            cluster.record(
                "refused",
                f"Workload/{wanted.name}",
                code=rejected.error.code,
                message=rejected.error.message,
            )
            return rejected.error
        return self._observe(state)

    def _apply_deployment(self, state: WorkloadState, wanted: Workload) -> None:
        manifest = wanted.deployment
        name = manifest["metadata"]["name"]
        held = self._cluster.deployments.get(name)
        if held is state:
            return
        if held is not None:
            raise manifests.already_exists("deployments.apps", name)
        manifests.validate_deployment(manifest)
        spec = manifest["spec"]
        ports = tuple(port.get("targetPort", 0) for port in wanted.service["spec"].get("ports", ()))
        state.deployment = DeploymentState(
            name,
            manifest,
            spec.get("replicas", 1),
            manifests.read_template(manifest, ports),
            spec.get("progressDeadlineSeconds", _DEADLINE) * SECOND,
            self._cluster.now,
        )
        self._deployments.create(state)

    def delete(self, workload: str, done: Callable[[PlatformError | None], None]) -> None:
        """Removes every object of the workload; its pods end in their own time."""

        def act() -> None:
            self._delete(workload)
            done(None)

        self._later(workload, "delete", act)

    def _delete(self, name: str) -> None:
        state = self._cluster.workloads.get(name)
        if state is None:
            return
        for alias in tuple(state.aliases.values()):
            self._services.delete(alias)
        state.aliases.clear()
        if state.service is not None:
            self._services.delete(state.service)
            state.service = None
        self._deployments.delete(state)
        for pod in tuple(state.pods):
            self._scheduler.forget(pod)
            self._kubelet.terminate(pod)
        self._forget_if_empty(state)

    # -- observe, watch, logs --------------------------------------------------------------------

    def observe(self, workload: str, done: Callable[[Observation | PlatformError], None]) -> None:
        """What there is of a workload now; a read takes no simulated time."""
        state = self._cluster.workloads.get(workload)
        if state is None:
            done(Observation(self._cluster.now, None, None, (), (), ()))
        else:
            done(self._observe(state))

    def watch(self, sink: Callable[[Change], None]) -> Callable[[], None]:
        """Reports every change until the returned function is called."""
        return self._cluster.watch(sink)

    def logs(self, workload: str, done: Callable[[tuple[ContainerLog, ...]], None]) -> None:
        """What the containers have written, the oldest pod first."""
        state = self._cluster.workloads.get(workload)
        done(tuple(_log(pod) for pod in state.pods if pod.process) if state else ())

    def _observe(self, state: WorkloadState) -> Observation:
        return Observation(
            self._cluster.now,
            _deployment_status(state),
            _service_status(state, state.service) if state.service else None,
            tuple(_service_status(state, alias) for alias in state.aliases.values()),
            tuple(_pod_status(pod) for pod in state.pods),
            tuple(state.events),
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
        pods = self._services.endpoints(service)
        if not pods:
            return NoRoute(service.workload, service.name)
        self._routes += 1
        pod = pods[0]
        if len(pods) > 1:
            pod = pods[
                self._cluster.stream(f"{service.name}/{self._routes}", "route").below(len(pods))
            ]
        return Route(service.workload, service.name, pod.name, _Target(pod, opened.target_port))

    # -- the parts' joints -----------------------------------------------------------------------

    def _gone(self, pod: Pod) -> None:
        self._deployments.pod_gone(pod)
        self._scheduler.freed()
        self._forget_if_empty(pod.workload)

    def _forget_if_empty(self, state: WorkloadState) -> None:
        if state.deployment is None and state.service is None and not state.pods:
            self._cluster.workloads.pop(state.name, None)

    def _later(self, workload: str, verb: str, fn: Callable[[], None]) -> None:
        cluster = self._cluster
        delay = cluster.settings.api_latency.sample(cluster.stream(f"{workload}/{verb}", "api"))
        cluster.kernel.call_in(delay, fn)


class _Target:
    """A pod's port, as the gateway calls it."""

    __slots__ = ("_pod", "_port")

    def __init__(self, pod: Pod, port: int) -> None:
        self._pod = pod
        self._port = port

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        """The container's answer. Raises ConnectionError when it does not listen there."""
        process = self._pod.process
        if process is None or not process.listens(self._port):
            raise ConnectionRefusedError(f"{self._pod.name} does not listen on port {self._port}")
        return process.answer(replace(request, port=self._port))


def _deployment_status(state: WorkloadState) -> DeploymentStatus | None:
    deployment = state.deployment
    if deployment is None:
        return None
    ready = ready_count(state)
    return DeploymentStatus(
        deployment.name,
        state.namespace,
        deployment.replicas,
        ready,
        ready,
        len(state.pods),
        tuple(deployment.conditions.values()),
        deployment.manifest,
    )


def _service_status(state: WorkloadState, service: ServiceState) -> ServiceStatus:
    return ServiceStatus(
        service.name,
        state.namespace,
        service.type,
        service.cluster_ip,
        service.ports,
        service.manifest,
        ip=service.ip,
    )


def _pod_status(pod: Pod) -> PodStatus:
    container = ContainerStatus(
        pod.template.container, pod.template.image, pod.ready, pod.restarts, pod.state, pod.last
    )
    return PodStatus(
        pod.name,
        pod.workload.namespace,
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
    return ContainerLog(
        pod.workload.namespace, pod.name, pod.template.container, pod.process.logs()
    )
