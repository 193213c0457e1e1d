"""Services: addresses, ports, aliases, and who answers behind a name.

Rules: allocation comes before validation and is undone when the Service is refused; an address and a
node port belong to one Service and are given back once. A name resolves bare, with its namespace, or
fully qualified. An alias is a Service of its own that the next owner takes over, address and all.
Source: Kubernetes facts sections 0.3, 0.4, 1, 7.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from emulator.cluster.allocators import (
    AddressAllocator,
    AllocationError,
    PortAllocator,
    RangeFull,
)
from emulator.cluster.apiserver import allocation, resources
from emulator.cluster.apiserver.status import Rejected, already_exists
from emulator.cluster.context import Cluster
from emulator.cluster.controllers.endpoints import Endpoints
from emulator.cluster.objects import Group, Pod, Service
from emulator.cluster.quota import Quotas
from emulator.cluster.templates import read_ports, read_service

Json = dict[str, Any]

_HEADLESS = "None"
_ROW = resources.SERVICES


class Services:
    """Every Service of the cluster, and the allocators behind them."""

    def __init__(self, cluster: Cluster, endpoints: Endpoints, quotas: Quotas) -> None:
        self._cluster = cluster
        self._endpoints = endpoints
        self._quotas = quotas
        self._addresses = AddressAllocator(cluster.settings.service_range)
        self._addresses.claim(self._addresses.first)  # default/kubernetes
        self._node_ports = PortAllocator()
        self._balancers = AddressAllocator(cluster.settings.balancer_range)

    # -- create, take over, delete ---------------------------------------------------------------

    def create(
        self, manifest: Json, namespace: str, group: Group | None = None, *, alias: bool = False
    ) -> Service:
        """Makes a Service of what `resources` has read. Raises Rejected and leaves nothing behind."""
        cluster = self._cluster
        name = manifest["metadata"]["name"]
        if cluster.store.get("Service", f"{namespace}/{name}") is not None:
            raise already_exists("", "services", name)
        service = Service(name, namespace, cluster.now, group=group)
        service.alias = alias
        allocation.prepare(manifest)
        try:
            self._allocate(service, manifest)
            _ROW.validate(manifest)
            self._open_ports(service, manifest)
            read_service(service, manifest)
            self._quotas.admit_service(service)
        except Rejected:
            self._release(service)
            raise
        self._register(service)
        return service

    def rehearse(self, manifest: Json, namespace: str) -> None:
        """Fills in what a create would get, and takes nothing: the address is the range's base.

        Raises Rejected.
        """
        name = manifest["metadata"]["name"]
        if self._cluster.store.get("Service", f"{namespace}/{name}") is not None:
            raise already_exists("", "services", name)
        allocation.prepare(manifest)
        if allocation.needs_address(manifest) and not manifest["spec"].get("clusterIP"):
            allocation.set_address(manifest, self._addresses.base)
        _ROW.validate(manifest)

    def update(self, service: Service, manifest: Json) -> None:
        """Stores a changed Service; `manifest` has been prepared and validated. Raises Rejected."""
        before = service.selector
        held = {port.node_port for port in service.ports if port.node_port}
        had_address = service.cluster_ip
        if allocation.needs_address(manifest) and not had_address:
            self._allocate(service, manifest)
            self._cluster.addresses[service.cluster_ip] = service
        elif had_address and not allocation.needs_address(manifest):
            self._cluster.addresses.pop(had_address, None)
            self._give_back(had_address)
            service.cluster_ip = ""
        self._open_ports(service, manifest, held)
        for number in held - {port.node_port for port in service.ports}:
            self._node_ports.release(number)
        read_service(service, manifest)
        self._cluster.store.changed(service)
        if service.selector != before:
            self._endpoints.selector_changed(service)

    def _register(self, service: Service) -> None:
        cluster = self._cluster
        group = service.group
        if service.cluster_ip and service.cluster_ip != _HEADLESS:
            cluster.addresses[service.cluster_ip] = service
        if group is not None:
            if service.alias:
                group.aliases[service.name] = service
            else:
                group.service = service
        cluster.store.add(
            service,
            type=service.type,
            clusterIP=service.cluster_ip,
            ports=[port.raw() for port in service.ports],
            workload=group.name if group else "",
            alias=service.alias,
        )
        if service.type == "LoadBalancer":
            self._provision(service)

    def take_over(self, service: Service, group: Group, manifest: Json) -> None:
        """Hands an alias to another workload, address and all."""
        cluster = self._cluster
        old = service.group
        if old is not None:
            old.aliases.pop(service.name, None)
        cluster.store.join(service, group)
        address = service.cluster_ip
        allocation.prepare(manifest)
        allocation.set_address(manifest, address)
        read_service(service, manifest)
        service.ports = read_ports(manifest)
        service.generation += 1
        group.aliases[service.name] = service
        cluster.record(
            "alias",
            cluster.store.subject(service),
            workload=group.name,
            before=old.name if old else "",
        )
        cluster.store.changed(service)
        self._endpoints.selector_changed(service)

    def delete(self, service: Service) -> None:
        """Removes a Service and gives back what it held."""
        cluster = self._cluster
        group = service.group
        if group is not None:
            if service.alias:
                group.aliases.pop(service.name, None)
            elif group.service is service:
                group.service = None
        cluster.addresses.pop(service.cluster_ip, None)
        cluster.addresses.pop(service.ip, None)
        self._release(service)
        cluster.store.remove(service)

    # -- allocation ------------------------------------------------------------------------------

    @property
    def allocated(self) -> dict[str, int]:
        """How many addresses and node ports Services hold; the API server's own is not counted."""
        return {
            "cluster addresses": self._addresses.used - 1,
            "node ports": self._node_ports.used,
            "balancer addresses": self._balancers.used,
        }

    @property
    def closed(self) -> bool:
        """Whether a range is closed."""
        return self._addresses.closed or self._node_ports.closed

    def close(self, *, addresses: bool, node_ports: bool) -> None:
        """Whether others hold all that is free of the service range, and of the node ports."""
        self._addresses.closed = addresses
        self._node_ports.closed = node_ports

    def _allocate(self, service: Service, manifest: Json) -> None:
        if not allocation.needs_address(manifest):
            service.cluster_ip = manifest["spec"].get("clusterIP", "")
            return
        asked = manifest["spec"].get("clusterIP")
        try:
            if asked:
                self._addresses.claim(asked)
                service.cluster_ip = asked
            else:
                stream = self._cluster.stream(f"Service/{service.name}", "cluster-ip")
                service.cluster_ip = self._addresses.allocate(stream)
        except RangeFull:
            raise allocation.addresses_full(manifest) from None
        except AllocationError as error:
            raise allocation.address_refused(manifest, str(error), asked) from None
        if not service.name:
            raise allocation.nameless(manifest, service.cluster_ip)
        allocation.set_address(manifest, service.cluster_ip)

    def _open_ports(self, service: Service, manifest: Json, held: Collection[int] = ()) -> None:
        """Gives every port its node port; `held` are those that the Service has already."""
        if allocation.needs_node_ports(manifest):
            for index, port in enumerate(manifest["spec"].get("ports", ())):
                asked = port.get("nodePort", 0)
                if asked not in held or not asked:
                    port["nodePort"] = self._node_port(service, manifest, index, asked)
                service.ports = read_ports(manifest)[: index + 1]  # a refusal gives these back
        service.ports = read_ports(manifest)

    def _node_port(self, service: Service, manifest: Json, index: int, asked: int) -> int:
        try:
            if asked:
                self._node_ports.claim(asked)
                return asked
            stream = self._cluster.stream(f"Service/{service.name}/{index}", "node-port")
            return self._node_ports.allocate(stream)
        except RangeFull:
            raise allocation.node_ports_full() from None
        except AllocationError as error:
            raise allocation.node_port_refused(manifest, index, str(error)) from None

    def _give_back(self, address: str) -> None:
        if address and address != _HEADLESS:
            self._addresses.release(address)

    def _release(self, service: Service) -> None:
        if service.timer is not None:
            service.timer.cancel()
        self._give_back(service.cluster_ip)
        for port in service.ports:
            if port.node_port:
                self._node_ports.release(port.node_port)
        if service.ip:
            self._balancers.release(service.ip)

    def _provision(self, service: Service) -> None:
        cluster = self._cluster

        def ready() -> None:
            service.timer = None
            stream = cluster.stream(f"Service/{service.name}", "balancer-ip")
            try:
                service.ip = self._balancers.allocate(stream)
            except RangeFull as full:
                text = f"Error syncing load balancer: {full}"
                cluster.event(
                    service,
                    "SyncLoadBalancerFailed",
                    text,
                    source="service-controller",
                    warning=True,
                )
                return
            cluster.addresses[service.ip] = service
            cluster.event(
                service, "EnsuredLoadBalancer", "Ensured load balancer", source="service-controller"
            )
            subject = cluster.store.subject(service)
            cluster.record("service", subject, loadBalancerIP=service.ip)
            cluster.store.changed(service)

        delay = cluster.draw(cluster.settings.balancer, service.name, "balancer")
        service.timer = cluster.kernel.call_in(delay, ready)

    # -- resolution ------------------------------------------------------------------------------

    def find(self, host: str) -> Service | None:
        """The Service that a host names: bare, qualified, or by address."""
        cluster = self._cluster
        if service := cluster.addresses.get(host):
            return service
        name = host
        for suffix in (".cluster.local", ".svc"):
            name = name.removesuffix(suffix)
        name, _, namespace = name.partition(".")
        found: Service | None = cluster.store.get(
            "Service", f"{namespace or cluster.settings.namespace}/{name}"
        )
        return found

    def bare(self, host: str) -> str:
        """A host without what the cluster may put behind a Service's name."""
        for suffix in (".cluster.local", ".svc", f".{self._cluster.settings.namespace}"):
            host = host.removesuffix(suffix)
        return host

    def owns(self, host: str) -> bool:
        """Whether an address lies in the ranges of the cluster."""
        return self._addresses.in_range(host) or self._balancers.in_range(host)

    def choose(self, service: Service) -> Pod | None:
        """A pod as kube-proxy chooses it: any ready one alike, else one that still serves."""
        pods = tuple(service.ready.values())
        if not pods:
            pods = tuple(each.pod for each in service.endpoints.values() if each.serving)
        if len(pods) < 2:
            return pods[0] if pods else None
        service.routes += 1
        stream = self._cluster.stream(f"{service.name}/{service.routes}", "route")
        return pods[stream.below(len(pods))]
