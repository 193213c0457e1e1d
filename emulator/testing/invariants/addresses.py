"""Invariant 3: cluster addresses, balancer addresses and node ports.

Rules: an address belongs to one live Service at most, lies in its range, and is neither the network's
own, nor the broadcast address, nor `.1`, which is the Service `default/kubernetes`'s; a node port
belongs to one Service and lies in 30000-32767. What a Service held is free when the Service is
DELETED, and that happens once. Ranges are those of the journal's header; one that it does not give is
not checked. Source: Kubernetes facts section 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from emulator.domain.journal import Row
from emulator.testing.invariants.base import Service, Violation, kind_of, name_of, read_service

NODE_PORTS = range(30000, 32768)
#: The Service that holds the first address of the range.
API_SERVER = "default/kubernetes"


class Addresses:
    """Invariant 3: an address, or a node port, has one live Service at most, and is a lawful one."""

    invariant = 3
    kinds: frozenset[str] | None = frozenset({"world", "object", "service"})

    def __init__(self) -> None:
        self._ranges: dict[str, IPv4Network] = {}
        self._live: dict[str, Service] = {}
        self._balancer: dict[str, str] = {}  # address by Service
        self._holders: dict[str, str] = {}  # Service by address, or by "port N"

    def feed(self, row: Row) -> Iterable[Violation]:
        """The header, or a Service that comes, changes or goes."""
        if row.kind == "world":
            ranges = row.data.get("ranges", {})
            self._ranges = {name: IPv4Network(cidr) for name, cidr in ranges.items()}
            return ()
        if kind_of(row.subject) != "Service":
            return ()
        if row.kind == "service":
            texts = self._balanced(row)
        elif row.data.get("op") == "ADDED":
            texts = self._added(row)
        else:
            texts = self._deleted(name_of(row.subject))
        return [Violation(self.invariant, row.n, f"{row.subject}: {text}") for text in texts]

    def finish(self, end_time: int) -> Iterable[Violation]:
        """Nothing is due: what stays behind is invariant 12's."""
        return ()

    def _added(self, row: Row) -> Iterator[str]:
        service = read_service(row)
        if service.name in self._live:
            yield "it is added, and it was there"
            return
        self._live[service.name] = service
        if service.address:
            yield from self._lawful(service.address, "service", service.name)
            yield from self._take(service.address, service.name)
        for port in service.ports:
            number = port.get("nodePort")
            if number:
                if number not in NODE_PORTS:
                    yield f"the node port {number} is outside of 30000-32767"
                yield from self._take(f"port {number}", service.name)
            elif service.type == "NodePort":
                yield f"it is a NodePort and port {port.get('port')} has none"

    def _lawful(self, address: str, which: str, name: str) -> Iterator[str]:
        network = self._ranges.get(which)
        if network is None:
            return
        try:
            value = IPv4Address(address)
        except AddressValueError:
            yield f"{address!r} is no address"
            return
        if value not in network:
            yield f"{address} lies outside of {network}"
        elif value in (network.network_address, network.broadcast_address):
            yield f"{address} is the network or the broadcast address of {network}"
        elif which == "service" and value == network.network_address + 1 and name != API_SERVER:
            yield f"{address} is the API server's own"

    def _take(self, what: str, name: str) -> Iterator[str]:
        holder = self._holders.setdefault(what, name)
        if holder != name:
            yield f"it is given {what}, which Service/{holder} holds"

    def _balanced(self, row: Row) -> Iterator[str]:
        address, name = row.data.get("loadBalancerIP"), name_of(row.subject)
        if not address:
            return
        service = self._live.get(name)
        if service is None:
            yield f"it is given {address}, and it is not there"
            return
        if service.type != "LoadBalancer":
            yield f"it is given {address} of a load balancer, and is of type {service.type}"
        held = self._balancer.setdefault(name, str(address))
        if held != address:
            yield f"it is given {address}, and holds {held}"
        yield from self._lawful(str(address), "balancer", name)
        yield from self._take(str(address), name)

    def _deleted(self, name: str) -> Iterator[str]:
        service = self._live.pop(name, None)
        if service is None:
            yield "it is deleted, and it was not there: what it held is released twice"
            return
        held = [service.address, self._balancer.pop(name, "")]
        held += [f"port {port['nodePort']}" for port in service.ports if port.get("nodePort")]
        for what in held:
            if self._holders.get(what) == name:
                del self._holders[what]
