"""Nodes: what they can hold, what they hold, and whether their kubelet speaks.

Rules: `used` is the sum of the requests of the bound pods that have not ended; only `take` writes it.
`up` is the truth about the machine, the Ready condition is what the control plane believes. The
kubelet's beats (lease and status) are arithmetic: `lease` is one of them, the others lie ten seconds
apart; while the machine is down it is the last one. Source: Kubernetes facts section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.objects.stored import Conditioned
from emulator.cluster.settings import GPU, NodePool
from emulator.domain.timefmt import SECOND

if TYPE_CHECKING:
    from emulator.cluster.objects.pods import Pod

ZONE = "topology.kubernetes.io/zone"
BEAT = 10 * SECOND

NO_SCHEDULE = "NoSchedule"
NO_EXECUTE = "NoExecute"
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint; `added` is in nanoseconds, None for one that its maker set."""

    key: str
    effect: str
    value: str = ""
    added: int | None = None


class Node(Conditioned):
    """A node."""

    __slots__ = (
        "allocatable",
        "images",
        "lease",
        "pods",
        "pool",
        "taints",
        "unschedulable",
        "up",
        "used",
    )

    kind: ClassVar[str] = "Node"

    def __init__(self, name: str, pool: NodePool, now: int) -> None:
        labels = {
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            **pool.labels,
        }
        if pool.zone:
            labels[ZONE] = pool.zone
        super().__init__(name, "", now, labels=labels)
        self.pool = pool
        self.allocatable = {
            "cpu": pool.cpu,
            "memory": pool.memory,
            "ephemeral-storage": pool.disk,
            GPU: pool.gpu,
            "pods": pool.pods,
        }
        self.used = dict.fromkeys(self.allocatable, 0)
        self.images = set(pool.images)
        self.pods: dict[str, Pod] = {}
        self.taints: tuple[Taint, ...] = tuple(
            Taint(key, effect, value) for key, value, effect in pool.taints
        )
        self.unschedulable = False
        self.up = True
        self.lease = now

    @property
    def zone(self) -> str:
        """The zone that its label names; empty without one."""
        return self.labels.get(ZONE, "")

    @property
    def ready(self) -> str:
        """The Ready condition: "True", "False" or "Unknown"; the last where nobody has posted one."""
        condition = self.conditions.get("Ready")
        return "Unknown" if condition is None else condition.status

    def last_beat(self, now: int) -> int:
        """When the kubelet renewed its lease last."""
        if not self.up:
            return self.lease
        return self.lease + (now - self.lease) // BEAT * BEAT

    def next_beat(self, now: int) -> int:
        """When a kubelet that is up renews its lease next; later than now."""
        return self.last_beat(now) + BEAT

    def tainted(self, key: str, effect: str = "") -> bool:
        """Whether it has a taint of that key, and of that effect unless any will do."""
        return any(each.key == key and effect in ("", each.effect) for each in self.taints)

    def take(self, pod: Pod, sign: int) -> None:
        """Books (`sign` 1) or frees (-1) what a pod asks for."""
        used = self.used
        for resource, amount in pod.requests.items():
            used[resource] = used.get(resource, 0) + sign * amount
        used["pods"] += sign
        if sign > 0:
            self.pods[pod.key] = pod
        else:
            self.pods.pop(pod.key, None)
