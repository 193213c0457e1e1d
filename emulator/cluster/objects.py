"""The cluster's objects as the simulation holds them: small, mutable, never shown.

Rules: what leaves the cluster is rendered from these as frozen values of `emulator.domain.kube`; a
resting object has no timer and no rendered status.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.cluster.backoff import Backoff
from emulator.cluster.kernel import Timer
from emulator.cluster.settings import GPU, NodePool
from emulator.domain.kube import Condition, ContainerState, EventRecord, Object, PortStatus
from emulator.domain.workload import Process

WAITING_TO_CREATE = ContainerState("waiting", "ContainerCreating")


class Node:
    """A node: what it can hold, what it holds, and the images that it has."""

    __slots__ = ("allocatable", "images", "name", "pods", "pull_free", "queued", "used")

    def __init__(self, name: str, pool: NodePool) -> None:
        self.name = name
        self.allocatable = {
            "cpu": pool.cpu,
            "memory": pool.memory,
            "ephemeral-storage": pool.disk,
            GPU: pool.gpu,
            "pods": pool.pods,
        }
        self.used = dict.fromkeys(self.allocatable, 0)
        self.images: set[str] = set()
        self.queued: set[str] = set()
        self.pods: set[str] = set()
        self.pull_free = 0

    def take(self, pod: Pod, sign: int) -> None:
        """Books (`sign` 1) or frees (-1) what a pod asks for."""
        for resource, amount in pod.requests.items():
            self.used[resource] = self.used.get(resource, 0) + sign * amount
        self.used["pods"] += sign
        (self.pods.add if sign > 0 else self.pods.discard)(pod.name)


@dataclass(slots=True)
class Probe:
    """A TCP probe; times in nanoseconds."""

    port: int
    period: int
    failures: int


@dataclass(slots=True)
class PodTemplate:
    """What every pod of a Deployment is made from, read once from the manifest."""

    container: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: dict[str, str]
    pull_policy: str
    requests: dict[str, int]
    ports: tuple[int, ...]
    startup: Probe | None
    readiness: Probe | None


class Conditioned:
    """Something with conditions, as Kubernetes keeps them."""

    __slots__ = ("conditions",)

    def __init__(self) -> None:
        self.conditions: dict[str, Condition] = {}

    def set_condition(
        self, kind: str, status: str, now: int, reason: str = "", text: str = ""
    ) -> None:
        """Sets a condition; its time moves only when its status does."""
        old = self.conditions.get(kind)
        since = old.since if old is not None and old.status == status else now
        self.conditions[kind] = Condition(kind, status, since, reason, text)


class Pod(Conditioned):
    """A pod and its one container."""

    __slots__ = (
        "attempts",
        "cause",
        "crash",
        "created",
        "ip",
        "last",
        "last_attempt",
        "name",
        "node",
        "phase",
        "process",
        "pull",
        "ready",
        "requests",
        "restarts",
        "started",
        "state",
        "template",
        "terminating",
        "timers",
        "workload",
    )

    def __init__(self, name: str, workload: WorkloadState, template: PodTemplate, now: int) -> None:
        super().__init__()
        self.name = name
        self.workload = workload
        self.template = template
        self.requests = template.requests
        self.created = now
        self.phase = "Pending"
        self.node: Node | None = None
        self.ip = ""
        self.started: int | None = None
        self.state = ContainerState("waiting")
        self.last: ContainerState | None = None
        self.restarts = 0
        self.ready = False
        self.terminating = False
        self.process: Process | None = None
        self.crash = Backoff()
        self.pull = Backoff()
        self.attempts = 0
        self.last_attempt = 0
        self.cause = 0
        self.timers: dict[str, Timer] = {}

    def cancel(self, *names: str) -> None:
        """Cancels the named timers, all of them without names."""
        for name in names or tuple(self.timers):
            if timer := self.timers.pop(name, None):
                timer.cancel()


class DeploymentState(Conditioned):
    """A Deployment, its ReplicaSet's name and its progress."""

    __slots__ = (
        "complete",
        "created",
        "deadline",
        "manifest",
        "name",
        "replica_set",
        "replicas",
        "template",
        "timer",
    )

    def __init__(
        self,
        name: str,
        manifest: Object,
        replicas: int,
        template: PodTemplate,
        deadline: int,
        now: int,
    ) -> None:
        super().__init__()
        self.name = name
        self.manifest = manifest
        self.replicas = replicas
        self.template = template
        self.deadline = deadline
        self.created = now
        self.replica_set = ""
        self.complete = False
        self.timer: Timer | None = None


class ServiceState:
    """A Service: its addresses, and whose pods it selects (`workload`)."""

    __slots__ = ("cluster_ip", "ip", "manifest", "name", "ports", "timer", "type", "workload")

    def __init__(self, name: str, manifest: Object, kind: str, workload: str) -> None:
        self.name = name
        self.manifest = manifest
        self.type = kind
        self.workload = workload
        self.cluster_ip = ""
        self.ip = ""
        self.ports: tuple[PortStatus, ...] = ()
        self.timer: Timer | None = None


class WorkloadState:
    """Everything that belongs to one workload."""

    __slots__ = (
        "aliases",
        "deployment",
        "events",
        "name",
        "namespace",
        "pods",
        "serial",
        "service",
    )

    def __init__(self, name: str, namespace: str) -> None:
        self.name = name
        self.namespace = namespace
        self.deployment: DeploymentState | None = None
        self.service: ServiceState | None = None
        self.aliases: dict[str, ServiceState] = {}
        self.pods: list[Pod] = []
        self.events: list[EventRecord] = []
        self.serial = 0
