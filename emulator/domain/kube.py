"""What a platform reports of the objects of a run: Kubernetes' own shapes, typed and frozen.

Rules: times are integer nanoseconds since the world began; an observation never changes after it was
made, which the type checker holds (`value`). `raw_*` writes Kubernetes' JSON, with times as epoch
seconds where the platform's mapper leaves them so (contract section 4.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

from emulator.domain.timefmt import SECOND, iso_seconds

T = TypeVar("T")

Object = Mapping[str, Any]


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """A dataclass with slots whose fields only the type checker freezes.

    A dataclass that freezes itself is made five times slower, and a simulation makes millions.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


@value
class Condition:
    """A condition of a Pod or a Deployment."""

    type: str
    status: str
    since: int
    reason: str = ""
    message: str = ""


@value
class ContainerState:
    """`waiting`, `running` or `terminated`, with what belongs to it."""

    phase: str
    reason: str = ""
    message: str = ""
    exit_code: int = 0
    started: int = 0
    finished: int = 0


@value
class ContainerStatus:
    """A container of a pod."""

    name: str
    image: str
    ready: bool
    restarts: int
    state: ContainerState
    last: ContainerState | None = None


@value
class PodStatus:
    """A pod: phase, conditions, containers. `ip` and `node` are empty until it has them."""

    name: str
    namespace: str
    phase: str
    conditions: tuple[Condition, ...]
    containers: tuple[ContainerStatus, ...]
    created: int
    started: int | None = None
    ip: str = ""
    node: str = ""
    terminating: bool = False

    def condition(self, name: str) -> Condition | None:
        """The condition of that type, or None."""
        for each in self.conditions:
            if each.type == name:
                return each
        return None

    @property
    def ready(self) -> bool:
        """Whether the Ready condition is True and the pod is not on its way out."""
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True" and not self.terminating


@value
class PortStatus:
    """A port of a Service; `node_port` is 0 where it has none."""

    name: str
    port: int
    target_port: int
    protocol: str = "TCP"
    node_port: int = 0

    def raw(self) -> dict[str, Any]:
        """As the page shows it: name, port, protocol, targetPort, and nodePort where there is one."""
        shown: dict[str, Any] = {
            "name": self.name,
            "port": self.port,
            "protocol": self.protocol,
            "targetPort": self.target_port,
        }
        if self.node_port:
            shown["nodePort"] = self.node_port
        return shown


@value
class ServiceStatus:
    """A Service and what the cluster gave it.

    `endpoints` counts the ready ones; None where the platform does not say.
    """

    name: str
    namespace: str
    type: str
    cluster_ip: str
    ports: tuple[PortStatus, ...]
    manifest: Object
    ip: str = ""
    hostname: str = ""
    endpoints: int | None = None


@value
class DeploymentStatus:
    """A Deployment: wanted and reached replicas, and its conditions."""

    name: str
    namespace: str
    desired: int
    ready: int
    available: int
    updated: int
    conditions: tuple[Condition, ...]
    manifest: Object

    def condition(self, name: str) -> Condition | None:
        """The condition of that type, or None."""
        for each in self.conditions:
            if each.type == name:
                return each
        return None


@value
class EventRecord:
    """An Event of the cluster about a Deployment or a Pod."""

    type: str
    reason: str
    note: str
    time: int
    kind: str
    name: str
    count: int = 1


@value
class Observation:
    """Everything that belongs to one workload, at one instant.

    `deployment` and `service` are None when the platform has no such object. `aliases` are the alias
    Services that this workload owns now.
    """

    time: int
    deployment: DeploymentStatus | None
    service: ServiceStatus | None
    aliases: tuple[ServiceStatus, ...]
    pods: tuple[PodStatus, ...]
    events: tuple[EventRecord, ...]


def raw_deployment(status: DeploymentStatus, epoch: int) -> dict[str, Any]:
    """The Deployment as Kubernetes writes it, status included."""
    counts = {
        "replicas": status.desired,
        "updatedReplicas": status.updated,
        "readyReplicas": status.ready,
        "availableReplicas": status.available,
        "unavailableReplicas": status.desired - status.available,
    }
    return {
        **status.manifest,
        "status": {
            **{name: count for name, count in counts.items() if count},
            "conditions": [
                {
                    "type": each.type,
                    "status": each.status,
                    "reason": each.reason,
                    "message": each.message,
                    "lastTransitionTime": (epoch + each.since) // SECOND,
                }
                for each in status.conditions
            ],
        },
    }


def raw_service(status: ServiceStatus) -> dict[str, Any]:
    """The Service as Kubernetes writes it: address, ports and load balancer filled in."""
    manifest = dict(status.manifest)
    spec = {**manifest.get("spec", {}), "ports": [port.raw() for port in status.ports]}
    if status.cluster_ip:
        spec |= {"clusterIP": status.cluster_ip, "clusterIPs": [status.cluster_ip]}
    balancer: dict[str, Any] = {}
    if status.ip or status.hostname:
        ingress = {"ip": status.ip, "hostname": status.hostname}
        balancer = {"ingress": [{key: value for key, value in ingress.items() if value}]}
    return {**manifest, "spec": spec, "status": {"loadBalancer": balancer}}


def raw_pod(pod: PodStatus, epoch: int) -> dict[str, Any]:
    """A pod as `status.pods` carries it (contract section 4.6): times as ISO text."""
    shown: dict[str, Any] = {
        "name": pod.name,
        "namespace": pod.namespace,
        "phase": pod.phase,
        "conditions": [_raw_condition(each, epoch) for each in pod.conditions],
        "containers": [
            {
                "name": each.name,
                "ready": each.ready,
                "restartCount": each.restarts,
                "image": each.image,
                "state": _state_text(each.state, epoch),
            }
            for each in pod.containers
        ],
    }
    if pod.started is not None:
        shown["startTime"] = iso_seconds(epoch + pod.started)
    return shown


def _raw_condition(condition: Condition, epoch: int) -> dict[str, Any]:
    shown = {
        "type": condition.type,
        "status": condition.status,
        "lastTransitionTime": iso_seconds(epoch + condition.since),
    }
    if condition.reason:
        shown["reason"] = condition.reason
    if condition.message:
        shown["message"] = condition.message
    return shown


def _state_text(state: ContainerState, epoch: int) -> str:
    if state.phase == "running":
        return f"running since {iso_seconds(epoch + state.started)}"
    if state.phase == "terminated":
        finished = iso_seconds(epoch + state.finished)
        return f"terminated at {finished} exitCode: {state.exit_code} reason: {state.reason}"
    return f"waiting: {state.reason}"


def raw_event(event: EventRecord, epoch: int) -> dict[str, Any]:
    """An event as `status.events` carries it: the time in epoch seconds."""
    return {
        "type": event.type,
        "reason": event.reason,
        "note": event.note,
        "timestamp": (epoch + event.time) // SECOND,
        "kind": event.kind,
        "name": event.name,
    }


def raw_pod_object(pod: PodStatus, epoch: int) -> dict[str, Any]:
    """A pod as Kubernetes writes it: what `status.k8s.pods` carries."""
    status: dict[str, Any] = {
        "phase": pod.phase,
        "conditions": [_raw_condition(each, epoch) for each in pod.conditions],
        "containerStatuses": [
            {
                "name": each.name,
                "image": each.image,
                "ready": each.ready,
                "restartCount": each.restarts,
                "state": raw_state(each.state, epoch),
                **({"lastState": raw_state(each.last, epoch)} if each.last else {}),
            }
            for each in pod.containers
        ],
    }
    if pod.ip:
        status |= {"podIP": pod.ip, "podIPs": [{"ip": pod.ip}]}
    if pod.started is not None:
        status["startTime"] = (epoch + pod.started) // SECOND
    metadata: dict[str, Any] = {
        "name": pod.name,
        "namespace": pod.namespace,
        "creationTimestamp": (epoch + pod.created) // SECOND,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": pod.node} if pod.node else {},
        "status": status,
    }


def raw_state(state: ContainerState, epoch: int) -> dict[str, Any]:
    """A container's state as Kubernetes writes it."""
    if state.phase == "running":
        return {"running": {"startedAt": (epoch + state.started) // SECOND}}
    if state.phase == "terminated":
        return {
            "terminated": {
                "exitCode": state.exit_code,
                "reason": state.reason,
                "startedAt": (epoch + state.started) // SECOND,
                "finishedAt": (epoch + state.finished) // SECOND,
            }
        }
    waiting = {"reason": state.reason, "message": state.message}
    return {"waiting": {key: value for key, value in waiting.items() if value}}
