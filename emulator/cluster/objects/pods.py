"""Pods: what they are made from and what the kubelet knows of them.

Rules: one container a pod (what the platform builds has one). `ready` is the Ready condition,
`containers_ready` the kubelet's own word: the node controller may contradict it. `booked` says that
the node's account holds the pod's requests. `counted` and `listed` are what the ReplicaSet and the
EndpointSlice controllers last saw of it, so that a change that is nothing to them costs nothing.
Of the kubelet's own: `workers` probe the container, `script` and `failing` hold what its plan and a
fault make of the probes, `streak` is what a waiting container says again and again, `stopping` the grace
that the kubelet knows of, `stops_at` when the container will have stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.backoff import Backoff
from emulator.cluster.kernel import Timer
from emulator.cluster.objects.stored import Conditioned, Stored
from emulator.domain.kube import ContainerState, Object
from emulator.domain.workload import Process

if TYPE_CHECKING:
    from emulator.cluster.events import Streak
    from emulator.cluster.kubelet.probes import Worker
    from emulator.cluster.objects.network import Service
    from emulator.cluster.objects.nodes import Node
    from emulator.cluster.objects.workloads import Group

WAITING = ContainerState("waiting")
WAITING_TO_CREATE = ContainerState("waiting", "ContainerCreating")
TERMINAL = frozenset({"Succeeded", "Failed"})
DEFAULT_SCHEDULER = "default-scheduler"


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe; times in nanoseconds. `kind` is tcp, http or exec; `grace` is None for the pod's."""

    port: int
    period: int
    failures: int
    kind: str = "tcp"
    path: str = ""
    delay: int = 0
    timeout: int = 1_000_000_000
    successes: int = 1
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class Toleration:
    """A toleration; `seconds` is None for one without end. An empty key or effect matches all."""

    key: str
    operator: str
    value: str
    effect: str
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """What a pod is made from, read once from its manifest. `ports` are the container's own.

    `node_name` is the node that the manifest names itself, `scheduler` who is to find one otherwise.
    """

    spec: Object
    labels: dict[str, str]
    container: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: dict[str, str]
    pull_policy: str
    requests: dict[str, int]
    limits: dict[str, int]
    ports: tuple[int, ...]
    startup: Probe | None
    readiness: Probe | None
    liveness: Probe | None
    restart: str
    grace: int
    node_selector: dict[str, str]
    affinity: Object | None
    tolerations: tuple[Toleration, ...]
    priority_class: str
    priority: int = 0
    node_name: str = ""
    scheduler: str = DEFAULT_SCHEDULER


class Pod(Conditioned):
    """A pod and its one container."""

    __slots__ = (
        "attempts",
        "booked",
        "cause",
        "containers_ready",
        "counted",
        "crash",
        "failing",
        "ip",
        "last",
        "last_attempt",
        "listed",
        "node",
        "nominated",
        "phase",
        "process",
        "pull",
        "ready",
        "ready_at",
        "reason",
        "requests",
        "restarts",
        "script",
        "services",
        "started",
        "state",
        "stopping",
        "stops_at",
        "streak",
        "template",
        "timers",
        "workers",
    )

    kind: ClassVar[str] = "Pod"

    def __init__(
        self,
        name: str,
        namespace: str,
        now: int,
        template: PodTemplate,
        *,
        group: Group | None = None,
        owner: Stored | None = None,
        manifest: Object | None = None,
    ) -> None:
        super().__init__(
            name,
            namespace,
            now,
            labels=template.labels,
            group=group,
            owner=owner,
            manifest=manifest,
        )
        self.template = template
        self.requests = template.requests
        self.phase = "Pending"
        self.reason = ""
        self.node: Node | None = None
        self.nominated = ""
        self.booked = False
        self.ip = ""
        self.started: int | None = None
        self.state = WAITING
        self.last: ContainerState | None = None
        self.restarts = 0
        self.ready = False
        self.ready_at = 0
        self.containers_ready = False
        self.counted = -2
        self.listed = 0
        self.process: Process | None = None
        self.crash = Backoff()
        self.pull = Backoff()
        self.attempts = 0
        self.last_attempt = 0
        self.cause = 0
        self.services: tuple[Service, ...] = ()
        self.timers: dict[str, Timer] = {}
        self.workers: dict[str, Worker] | None = None
        self.script: dict[str, bool] | None = None
        self.failing: dict[str, bool] | None = None
        self.streak: Streak | None = None
        self.stopping: int | None = None
        self.stops_at = 0

    @property
    def active(self) -> bool:
        """Whether a ReplicaSet counts it: not on its way out and not ended."""
        return self.deleted_at is None and self.phase not in TERMINAL

    def cancel(self, *names: str) -> None:
        """Cancels the named timers, all of them without names."""
        for name in names or tuple(self.timers):
            if timer := self.timers.pop(name, None):
                timer.cancel()
