"""Services: addresses, ports, aliases, and who answers behind a name.

Rules: allocation comes before validation and is undone when the Service is refused; an address and a
node port belong to one Service and are given back once. A name resolves bare, with its namespace, or
fully qualified. An alias is a Service of its own that the next owner takes over, address and all.
Source: Kubernetes facts sections 0.3, 0.4, 1, 7.
"""

from __future__ import annotations

from emulator.cluster.allocators import (
    AddressAllocator,
    AllocationError,
    PortAllocator,
    RangeFull,
)
from emulator.cluster.context import Cluster
from emulator.cluster.manifests import (
    Rejected,
    already_exists,
    bad_value,
    internal,
    invalid,
    validate_service,
)
from emulator.cluster.objects import Pod, ServiceState, WorkloadState
from emulator.domain.kube import Object, PortStatus

_WITH_NODE_PORTS = frozenset({"NodePort", "LoadBalancer"})


class Services:
    """Every Service of the cluster, and the allocators behind them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._addresses = AddressAllocator(cluster.settings.service_range)
        self._addresses.claim(self._addresses.first)  # default/kubernetes
        self._node_ports = PortAllocator()
        self._balancers = AddressAllocator(cluster.settings.balancer_range)

    # -- create, take over, delete ---------------------------------------------------------------

    def create(self, workload: WorkloadState, manifest: Object, *, alias: bool) -> ServiceState:
        """Makes a Service, or hands an alias over. Raises Rejected and leaves nothing behind."""
        name = manifest["metadata"]["name"]
        held = self._cluster.services.get(name)
        if held is not None:
            if held.workload == workload.name:
                return held
            if not alias or not self._is_alias(held):
                raise already_exists("services", name)
            return self._take_over(held, workload, manifest)
        service = ServiceState(
            name, manifest, manifest["spec"].get("type", "ClusterIP"), workload.name
        )
        try:
            self._allocate(service, manifest)
            validate_service(manifest)
            service.ports = self._open_ports(service, manifest)
        except Rejected:
            self._release(service)
            raise
        self._register(workload, service, alias)
        return service

    def _is_alias(self, service: ServiceState) -> bool:
        owner = self._cluster.workloads.get(service.workload)
        return owner is None or service.name in owner.aliases

    def _register(self, workload: WorkloadState, service: ServiceState, alias: bool) -> None:
        cluster = self._cluster
        cluster.services[service.name] = service
        if service.cluster_ip:
            cluster.addresses[service.cluster_ip] = service
        if alias:
            workload.aliases[service.name] = service
        else:
            workload.service = service
        cluster.record(
            "service",
            f"Service/{service.name}",
            type=service.type,
            clusterIP=service.cluster_ip,
            ports=[port.raw() for port in service.ports],
            workload=workload.name,
            alias=alias,
        )
        if service.type == "LoadBalancer":
            self._provision(workload, service)

    def _take_over(
        self, service: ServiceState, workload: WorkloadState, manifest: Object
    ) -> ServiceState:
        cluster = self._cluster
        before = service.workload
        if old := cluster.workloads.get(before):
            old.aliases.pop(service.name, None)
        service.workload = workload.name
        service.manifest = manifest
        service.ports = _read_ports(manifest)
        workload.aliases[service.name] = service
        cluster.record("alias", f"Service/{service.name}", workload=workload.name, before=before)
        return service

    def delete(self, service: ServiceState) -> None:
        """Removes a Service and gives back what it held."""
        cluster = self._cluster
        del cluster.services[service.name]
        cluster.addresses.pop(service.cluster_ip, None)
        cluster.addresses.pop(service.ip, None)
        self._release(service)
        cluster.record("service", f"Service/{service.name}", gone=True)

    # -- allocation ------------------------------------------------------------------------------

    def _allocate(self, service: ServiceState, manifest: Object) -> None:
        if service.type == "ExternalName":
            return
        name, asked = service.name, manifest["spec"].get("clusterIP")
        try:
            if asked:
                self._addresses.claim(asked)
                service.cluster_ip = asked
            else:
                stream = self._cluster.stream(f"Service/{name}", "cluster-ip")
                service.cluster_ip = self._addresses.allocate(stream)
        except RangeFull as full:
            raise internal(f'failed to allocate a serviceIP for Service "{name}": {full}') from None
        except AllocationError as error:
            cause = bad_value("spec.clusterIPs", [asked], f"failed to allocate IP {asked}: {error}")
            raise invalid("Service", name, [cause]) from None

    def _open_ports(self, service: ServiceState, manifest: Object) -> tuple[PortStatus, ...]:
        ports = _read_ports(manifest)
        if service.type not in _WITH_NODE_PORTS:
            return ports
        opened: list[PortStatus] = []
        for index, port in enumerate(ports):
            number = self._node_port(service, index, port.node_port)
            opened.append(PortStatus(port.name, port.port, port.target_port, port.protocol, number))
            service.ports = tuple(opened)  # a refusal of the next one gives these back
        return tuple(opened)

    def _node_port(self, service: ServiceState, index: int, asked: int) -> int:
        try:
            if asked:
                self._node_ports.claim(asked)
                return asked
            stream = self._cluster.stream(f"Service/{service.name}/{index}", "node-port")
            return self._node_ports.allocate(stream)
        except RangeFull as full:
            raise internal(f"failed to allocate a nodePort: {full}") from None
        except AllocationError as error:
            cause = bad_value(f"spec.ports[{index}].nodePort", asked, str(error))
            raise invalid("Service", service.name, [cause]) from None

    def _release(self, service: ServiceState) -> None:
        if service.timer is not None:
            service.timer.cancel()
        if service.cluster_ip:
            self._addresses.release(service.cluster_ip)
        for port in service.ports:
            if port.node_port:
                self._node_ports.release(port.node_port)
        if service.ip:
            self._balancers.release(service.ip)

    def _provision(self, workload: WorkloadState, service: ServiceState) -> None:
        cluster = self._cluster

        def ready() -> None:
            service.timer = None
            stream = cluster.stream(f"Service/{service.name}", "balancer-ip")
            try:
                service.ip = self._balancers.allocate(stream)
            except RangeFull as full:
                text = f"Error syncing load balancer: {full}"
                cluster.event(
                    workload, "Service", service.name, "SyncLoadBalancerFailed", text, warning=True
                )
                return
            cluster.addresses[service.ip] = service
            cluster.event(
                workload, "Service", service.name, "EnsuredLoadBalancer", "Ensured load balancer"
            )
            cluster.changed(workload, "Service")

        delay = cluster.settings.balancer.sample(cluster.stream(service.name, "balancer"))
        service.timer = cluster.kernel.call_in(delay, ready)

    # -- resolution ------------------------------------------------------------------------------

    def find(self, host: str) -> ServiceState | None:
        """The Service that a host names: bare, qualified, or by address."""
        cluster = self._cluster
        if service := cluster.addresses.get(host):
            return service
        return cluster.services.get(self.bare(host))

    def bare(self, host: str) -> str:
        """A host without what the cluster may put behind a Service's name."""
        for suffix in (".cluster.local", ".svc", f".{self._cluster.settings.namespace}"):
            host = host.removesuffix(suffix)
        return host

    def owns(self, host: str) -> bool:
        """Whether an address lies in the ranges of the cluster."""
        return self._addresses.in_range(host) or self._balancers.in_range(host)

    def endpoints(self, service: ServiceState) -> list[Pod]:
        """The ready pods behind a Service."""
        workload = self._cluster.workloads.get(service.workload)
        if workload is None:
            return []
        return [pod for pod in workload.pods if pod.ready and not pod.terminating]


def _read_ports(manifest: Object) -> tuple[PortStatus, ...]:
    return tuple(
        PortStatus(
            port.get("name", ""),
            port["port"],
            port.get("targetPort", port["port"]),
            port.get("protocol", "TCP"),
            port.get("nodePort", 0),
        )
        for port in manifest["spec"].get("ports", ())
    )
