"""Deployments, ReplicaSets, and the group of objects that is one workload of the platform.

Rules: what a status shows is held as numbers; None stands for what no controller has written yet.
A group holds what carries one owner label, in the order of its making.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.kernel import Timer
from emulator.cluster.objects.pods import Pod, PodTemplate
from emulator.cluster.objects.stored import Conditioned
from emulator.domain.kube import Condition, Object

if TYPE_CHECKING:
    from emulator.cluster.events import Event
    from emulator.cluster.objects.network import Service


class ReplicaSet(Conditioned):
    """A ReplicaSet; `desired` and `maximum` are its Deployment's annotations."""

    __slots__ = (
        "available",
        "busy",
        "desired",
        "hash",
        "maximum",
        "min_ready",
        "observed",
        "pods",
        "ready",
        "replicas",
        "retries",
        "revision",
        "selector",
        "serial",
        "template",
        "terminating_pods",
        "wanted",
    )

    kind: ClassVar[str] = "ReplicaSet"

    def __init__(
        self,
        name: str,
        namespace: str,
        now: int,
        *,
        wanted: int,
        template: PodTemplate,
        selector: dict[str, str],
        labels: dict[str, str] | None = None,
        owner: Deployment | None = None,
        group: Group | None = None,
        manifest: Object | None = None,
    ) -> None:
        super().__init__(
            name, namespace, now, labels=labels, group=group, owner=owner, manifest=manifest
        )
        self.wanted = wanted
        self.template = template
        self.selector = selector
        self.hash = ""
        self.revision = 0
        self.desired = wanted
        self.maximum = wanted
        self.min_ready = 0
        self.pods: list[Pod] = []
        self.serial = 0
        self.busy = False
        self.retries = 0
        self.observed = 0
        self.replicas = 0
        self.ready = 0
        self.available = 0
        self.terminating_pods: int | None = None


class Deployment(Conditioned):
    """A Deployment and what its controller has written about it.

    `deadline` and `min_ready` are nanoseconds; `progressed` is the Progressing condition's last update.
    """

    __slots__ = (
        "available",
        "deadline",
        "digest",
        "max_surge",
        "max_unavailable",
        "min_ready",
        "observed",
        "progressed",
        "ready",
        "replica_sets",
        "replicas",
        "selector",
        "strategy",
        "template",
        "terminating_pods",
        "timer",
        "unavailable",
        "updated",
        "wanted",
    )

    kind: ClassVar[str] = "Deployment"

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
        self.wanted = 1
        self.template: PodTemplate
        self.digest = ""
        self.selector: dict[str, str] = {}
        self.strategy = "RollingUpdate"
        self.max_surge: int | str = "25%"
        self.max_unavailable: int | str = "25%"
        self.deadline = 0
        self.min_ready = 0
        self.replica_sets: list[ReplicaSet] = []
        self.progressed = 0
        self.timer: Timer | None = None
        self.observed = 0
        self.replicas = 0
        self.updated = 0
        self.ready = 0
        self.available = 0
        self.unavailable = 0
        self.terminating_pods: int | None = None

    def put_condition(self, kind: str, status: str, now: int, reason: str, text: str) -> None:
        """Sets a condition and moves it to the end, as the Deployment controller does."""
        old = self.conditions.pop(kind, None)
        since = old.since if old is not None and old.status == status else now
        self.conditions[kind] = Condition(kind, status, since, reason, text)


class Group:
    """Everything that carries one owner label: one workload of the platform.

    `objects` counts what the store holds of it, ReplicaSets and slices included.
    """

    __slots__ = (
        "aliases",
        "deployment",
        "events",
        "name",
        "namespace",
        "objects",
        "pods",
        "service",
    )

    def __init__(self, name: str, namespace: str) -> None:
        self.name = name
        self.namespace = namespace
        self.deployment: Deployment | None = None
        self.service: Service | None = None
        self.aliases: dict[str, Service] = {}
        self.pods: list[Pod] = []
        self.events: list[Event] = []
        self.objects = 0
