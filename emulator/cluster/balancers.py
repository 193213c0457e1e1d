"""The addresses of load balancers: the service controller of a cloud.

Rules: a Service of type LoadBalancer gets its address some time after it was made or has become one. An
attempt that finds the range full says so and is made again after 5 s, doubling to 300 s. Who stops
being a load balancer loses the address at once. Source: cloud-provider controllers/service,
minRetryDelay and maxRetryDelay; the API server clears the status with the type.
"""

from __future__ import annotations

from emulator.cluster.allocators import AddressAllocator, RangeFull
from emulator.cluster.context import Cluster
from emulator.cluster.objects import Service
from emulator.domain.timefmt import SECOND

_RETRY_FIRST = 5 * SECOND
_RETRY_LAST = 300 * SECOND


class Balancers:
    """Gives load balancers their addresses, and takes them back."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._addresses = AddressAllocator(cluster.settings.balancer_range)

    @property
    def used(self) -> int:
        """How many addresses Services hold."""
        return self._addresses.used

    def owns(self, host: str) -> bool:
        """Whether an address lies in the range."""
        return self._addresses.in_range(host)

    def ensure(self, service: Service) -> None:
        """Begins to provision a load balancer, unless it has its address or is being provisioned."""
        if service.timer is None and not service.ip:
            self._attempt(service, 0, _RETRY_FIRST)

    def release(self, service: Service) -> None:
        """Ends what is under way and gives the address back; idempotent."""
        if service.timer is not None:
            service.timer.cancel()
            service.timer = None
        if service.ip:
            self._cluster.addresses.pop(service.ip, None)
            self._addresses.release(service.ip)
            service.ip = ""

    def _attempt(self, service: Service, wait: int, retry: int) -> None:
        """One attempt, begun after `wait`; the next, where it fails, begins `retry` after its end."""
        cluster = self._cluster

        def ready() -> None:
            service.timer = None
            stream = cluster.stream(f"Service/{service.name}", "balancer-ip")
            try:
                service.ip = self._addresses.allocate(stream)
            except RangeFull as full:
                text = f"Error syncing load balancer: {full}"
                cluster.event(
                    service,
                    "SyncLoadBalancerFailed",
                    text,
                    source="service-controller",
                    warning=True,
                )
                self._attempt(service, retry, min(2 * retry, _RETRY_LAST))
                return
            cluster.addresses[service.ip] = service
            cluster.event(
                service, "EnsuredLoadBalancer", "Ensured load balancer", source="service-controller"
            )
            subject = cluster.store.subject(service)
            cluster.record("service", subject, loadBalancerIP=service.ip)
            cluster.store.changed(service)

        delay = cluster.draw(cluster.settings.balancer, service.name, "balancer")
        service.timer = cluster.kernel.call_in(wait + delay, ready)
