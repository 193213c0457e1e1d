"""Services: addresses, ports, aliases, and who answers behind a name.

Rules: allocation comes before validation and is undone when the Service is refused; an address and a
node port belong to one Service and are given back once; an update that is refused has changed nothing.
A port number that a new Service gives several protocols has one node port for all of them. A name
resolves bare, with its namespace, or fully qualified. An alias is a Service of its own that the next
owner takes over, address and all.
Source: Kubernetes facts sections 0.3, 0.4, 1, 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emulator.cluster.allocators import (
    AddressAllocator,
    AllocationError,
    PortAllocator,
    RangeFull,
)
from emulator.cluster.apiserver import allocation, resources
from emulator.cluster.apiserver.status import Rejected, already_exists
from emulator.cluster.balancers import Balancers
from emulator.cluster.context import Cluster
from emulator.cluster.controllers.endpoints import Endpoints
from emulator.cluster.objects import Group, Pod, Service
from emulator.cluster.quota import Quotas
from emulator.cluster.templates import read_ports, read_service
from emulator.domain.kube import PortStatus

Json = dict[str, Any]

_HEADLESS = "None"
_ROW = resources.SERVICES
_WITH_NODE_PORTS = frozenset(("LoadBalancer", "NodePort"))


@dataclass(slots=True)
class _Taken:
    """What one request has allocated, to be given back where it is refused."""

    address: str = ""
    node_ports: list[int] = field(default_factory=list)


class Services:
    """Every Service of the cluster, and the allocators behind them."""

    def __init__(self, cluster: Cluster, endpoints: Endpoints, quotas: Quotas) -> None:
        self._cluster = cluster
        self._endpoints = endpoints
        self._quotas = quotas
        self._addresses = AddressAllocator(cluster.settings.service_range)
        self._addresses.claim(self._addresses.first)  # default/kubernetes
        self._node_ports = PortAllocator()
        self._balancers = Balancers(cluster)

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
        taken = _Taken()
        try:
            service.cluster_ip = self._address(service, manifest, taken)
            _ROW.validate(manifest)
            service.ports = self._open_ports(service, manifest, taken, new=True)
            read_service(service, manifest)
            self._quotas.admit_service(service)
        except Rejected:
            self._undo(taken)
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
        taken = _Taken()
        try:
            address = self._address(service, manifest, taken)
            ports = self._open_ports(service, manifest, taken)
            self._quotas.admit_service_update(service, manifest["spec"]["type"], len(ports))
        except Rejected:
            self._undo(taken)
            raise
        before = _behind(service)
        if address != service.cluster_ip:
            self._cluster.addresses.pop(service.cluster_ip, None)
            self._give_back(service.cluster_ip)
            service.cluster_ip = address
            self._announce(service)
        kept = {port.node_port for port in ports}
        for number in _node_ports(service):
            if number not in kept:
                self._node_ports.release(number)
        service.ports = ports
        read_service(service, manifest)
        if service.type != "LoadBalancer":
            self._balancers.release(service)
        self._cluster.store.changed(service)
        if service.type == "LoadBalancer":
            self._balancers.ensure(service)
        if _behind(service) != before:
            self._endpoints.service_changed(service)

    def _register(self, service: Service) -> None:
        cluster = self._cluster
        group = service.group
        self._announce(service)
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
            self._balancers.ensure(service)

    def _announce(self, service: Service) -> None:
        if service.cluster_ip and service.cluster_ip != _HEADLESS:
            self._cluster.addresses[service.cluster_ip] = service

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
        self._endpoints.service_changed(service)

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

    def _address(self, service: Service, manifest: Json, taken: _Taken) -> str:
        """The cluster address that a Service is to have; the one that it has, it keeps."""
        asked: str = manifest["spec"].get("clusterIP", "")
        if not allocation.needs_address(manifest):
            return asked
        if service.cluster_ip and service.cluster_ip != _HEADLESS:
            return service.cluster_ip
        try:
            if asked:
                self._addresses.claim(asked)
                taken.address = asked
            else:
                stream = self._cluster.stream(f"Service/{service.name}", "cluster-ip")
                taken.address = self._addresses.allocate(stream)
        except RangeFull:
            raise allocation.addresses_full(manifest) from None
        except AllocationError as error:
            raise allocation.address_refused(manifest, str(error), asked) from None
        if not service.name:
            raise allocation.nameless(manifest, taken.address)
        allocation.set_address(manifest, taken.address)
        return taken.address

    def _open_ports(
        self, service: Service, manifest: Json, taken: _Taken, *, new: bool = False
    ) -> tuple[PortStatus, ...]:
        """The ports, with a node port where one is asked for or all are to have one."""
        spec = manifest["spec"]
        if spec["type"] in _WITH_NODE_PORTS:
            always = allocation.needs_node_ports(manifest)
            held = _node_ports(service)
            shared: dict[int, int] = {}
            for index, port in enumerate(spec.get("ports", ())):
                asked = port.get("nodePort") or (_asked_for(spec, port["port"]) if new else 0)
                if new:
                    asked = asked or shared.get(port["port"], 0)
                    known = asked == shared.get(port["port"])
                else:
                    known = asked in held or asked in taken.node_ports
                if asked:
                    port["nodePort"] = asked
                if (asked or always) and not known:
                    port["nodePort"] = self._node_port(service, manifest, index, asked)
                    taken.node_ports.append(port["nodePort"])
                if port.get("nodePort"):
                    shared.setdefault(port["port"], port["nodePort"])
        return read_ports(manifest)

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

    def _undo(self, taken: _Taken) -> None:
        self._give_back(taken.address)
        for number in taken.node_ports:
            self._node_ports.release(number)

    def _release(self, service: Service) -> None:
        self._give_back(service.cluster_ip)
        for number in _node_ports(service):
            self._node_ports.release(number)
        self._balancers.release(service)

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
        return self._addresses.in_range(host) or self._balancers.owns(host)

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


def _node_ports(service: Service) -> list[int]:
    """The node ports that a Service holds, each once."""
    return list(dict.fromkeys(port.node_port for port in service.ports if port.node_port))


def _asked_for(spec: Json, number: int) -> int:
    """The node port that some entry of a port asks for; 0 where none does."""
    found = (port.get("nodePort", 0) for port in spec["ports"] if port["port"] == number)
    return next(filter(None, found), 0)


def _behind(service: Service) -> tuple[object, ...]:
    """What of a Service its slices depend on."""
    return service.type, service.selector, service.publish_not_ready, service.ports
