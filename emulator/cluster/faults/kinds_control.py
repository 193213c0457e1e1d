"""The kinds of faults that strike the control plane: quota, ranges, the API's own speed.

Rules: they strike the whole cluster. What several of a kind do adds up: every quota must have room, a
range is closed while one fault closes it, latencies are added.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.faults.active import Active
from emulator.cluster.faults.base import Fault
from emulator.cluster.faults.values import Amount, Choice, FaultError, Number, Span, attribute
from emulator.domain.timefmt import SECOND

if TYPE_CHECKING:
    from emulator.cluster.faults.engine import Faults

ADDRESSES, NODE_PORTS = "addresses", "node-ports"


class ClusterFault(Fault):
    """A fault of the whole cluster."""

    takes: ClassVar[tuple[str, ...]] = ()

    def struck(self, me: Active) -> bool:
        """Whether chance has it that the cluster is struck."""
        return me.strikes("cluster")


class SettledFault(ClusterFault):
    """One whose effect is computed from the active faults of its kind."""

    @abstractmethod
    def settle(self, faults: Faults, me: Active) -> None:
        """Makes the cluster what the active faults of this kind make of it."""

    def begin(self, faults: Faults, me: Active) -> None:
        """Strikes, if chance has it."""
        self.settle(faults, me)

    def end(self, faults: Faults, me: Active) -> None:
        """The others of its kind are left."""
        self.settle(faults, me)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quota(ClusterFault):
    """A ResourceQuota limits the namespace; what is there already stays."""

    kind: ClassVar[str] = "quota"

    pods: int | None = attribute(Number(0, 10**9, optional=True), None)
    cpu: str | None = attribute(Amount(), None)
    memory: str | None = attribute(Amount(), None)
    services: int | None = attribute(Number(0, 10**9, optional=True), None)

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if not self.hard():
            mend = "give at least one of pods, cpu, memory and services"
            raise FaultError("pods", self.pods, "and the others limit nothing", mend)

    def hard(self) -> dict[str, str]:
        """What it limits, as Kubernetes writes it."""
        limits = {
            "pods": self.pods,
            "requests.cpu": self.cpu,
            "requests.memory": self.memory,
            "services": self.services,
        }
        return {key: str(limit) for key, limit in limits.items() if limit is not None}

    def begin(self, faults: Faults, me: Active) -> None:
        """Makes its ResourceQuota."""
        if self.struck(me):
            faults.system.quotas.set(_quota_name(me), self.hard())

    def end(self, faults: Faults, me: Active) -> None:
        """Deletes it."""
        faults.system.quotas.remove(_quota_name(me))


def _quota_name(me: Active) -> str:
    return f"fault-{me.name}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FullRange(SettledFault):
    """Others hold all free service addresses, or node ports, and what becomes free."""

    kind: ClassVar[str] = "full-range"

    range: str = attribute(Choice((ADDRESSES, NODE_PORTS)), ADDRESSES)

    def settle(self, faults: Faults, me: Active) -> None:
        """A range is closed while one fault closes it."""
        closed = {fault.range for each, fault in faults.of(FullRange) if fault.struck(each)}
        faults.system.services.close(addresses=ADDRESSES in closed, node_ports=NODE_PORTS in closed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ApiLatency(SettledFault):
    """The API server takes `delay` longer, for requests and for what it tells its watchers."""

    kind: ClassVar[str] = "api-latency"

    delay: int = attribute(Span(1), SECOND)

    def settle(self, faults: Faults, me: Active) -> None:
        """Latencies add up."""
        faults.cluster.extra_lag = sum(
            fault.delay for each, fault in faults.of(ApiLatency) if fault.struck(each)
        )
