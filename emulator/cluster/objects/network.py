"""Services and their EndpointSlices.

Rules: a Service knows its endpoints by pod; `ready` holds those that kube-proxy may choose. Endpoints
are grouped into slices of at most 100. Source: Kubernetes facts section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.kernel import Timer
from emulator.cluster.objects.stored import Stored
from emulator.domain.kube import Object, PortStatus

if TYPE_CHECKING:
    from emulator.cluster.objects.pods import Pod
    from emulator.cluster.objects.workloads import Group


class Endpoint:
    """A pod behind a Service, as its slice shows it."""

    __slots__ = ("ip", "pod", "ready", "serving", "slice", "terminating")

    def __init__(self, pod: Pod, ip: str, where: EndpointSlice) -> None:
        self.pod = pod
        self.ip = ip
        self.slice = where
        self.ready = False
        self.serving = False
        self.terminating = False


class EndpointSlice(Stored):
    """At most 100 endpoints of one Service; `ports` are None until there is an endpoint."""

    __slots__ = ("endpoints", "ports", "service")

    kind: ClassVar[str] = "EndpointSlice"

    def __init__(self, name: str, service: Service, now: int) -> None:
        super().__init__(name, service.namespace, now, owner=service, group=service.group)
        self.service = service
        self.endpoints: dict[str, Endpoint] = {}
        self.ports: tuple[PortStatus, ...] | None = None


class Service(Stored):
    """A Service: its addresses, whose pods it selects, and its endpoints."""

    __slots__ = (
        "alias",
        "cluster_ip",
        "endpoints",
        "ip",
        "ports",
        "publish_not_ready",
        "ready",
        "routes",
        "selector",
        "slices",
        "timer",
        "type",
    )

    kind: ClassVar[str] = "Service"

    def __init__(
        self,
        name: str,
        namespace: str,
        now: int,
        *,
        labels: dict[str, str] | None = None,
        group: Group | None = None,
        manifest: Object | None = None,
    ) -> None:
        super().__init__(name, namespace, now, labels=labels, group=group, manifest=manifest)
        self.type = "ClusterIP"
        self.alias = False
        self.cluster_ip = ""
        self.ip = ""
        self.ports: tuple[PortStatus, ...] = ()
        self.publish_not_ready = False
        self.selector: dict[str, str] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.ready: dict[str, Pod] = {}
        self.slices: list[EndpointSlice] = []
        self.routes = 0
        self.timer: Timer | None = None
