"""The kinds of faults that befall calls: on the way to a pod, and at its door.

Rules: a delay and a partition belong to the way to a pod, so chance decides once for each pod; what
befalls requests is drawn for each of them. `part` is where clients are (a live gateway is in none);
without it all of them are meant.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from emulator.cluster.faults.calls import Befallen, CallFault
from emulator.cluster.faults.values import Number, Span, Words, attribute
from emulator.domain.timefmt import MILLISECOND, SECOND


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkDelay(CallFault):
    """Every message to the pods and back takes `delay` longer; delays add up."""

    kind: ClassVar[str] = "network-delay"
    of_network: ClassVar[bool] = True

    delay: int = attribute(Span(1), 100 * MILLISECOND)
    part: str | None = attribute(Words(optional=True), None)

    def further(self, part: str) -> int | None:
        """Its delay, for the clients that are meant."""
        return self.delay if self.part in (None, part) else 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkPartition(CallFault):
    """Clients and pods are cut off from each other: no message arrives."""

    kind: ClassVar[str] = "network-partition"
    of_network: ClassVar[bool] = True

    part: str | None = attribute(Words(optional=True), None)

    def further(self, part: str) -> int | None:
        """None for the clients that are meant."""
        return None if self.part in (None, part) else 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkLoss(CallFault):
    """Requests to the pods get lost, `probability` of them."""

    kind: ClassVar[str] = "network-loss"

    def befall(self, request: Befallen) -> None:
        """It never arrives."""
        request.lost = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Upstream5xx(CallFault):
    """Requests are answered with `status` at the pod's door; of several faults the first one's."""

    kind: ClassVar[str] = "upstream-5xx"

    status: int = attribute(Number(500, 599), 503)

    def befall(self, request: Befallen) -> None:
        """It has its answer."""
        if request.status is None:
            request.status = self.status


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hang(CallFault):
    """Requests are taken and never answered; each keeps its server for good."""

    kind: ClassVar[str] = "hang"

    def befall(self, request: Befallen) -> None:
        """It hangs."""
        request.hang = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlowBody(CallFault):
    """Answers are sent with `bandwidth` bytes a second; a simulated answer has `size` bytes."""

    kind: ClassVar[str] = "slow-body"

    bandwidth: int = attribute(Number(1, 10**12), 1024)
    size: int = attribute(Number(1, 10**12), 10_240)

    def befall(self, request: Befallen) -> None:
        """The slowest of several is what counts."""
        request.body = max(request.body, self.size * SECOND // self.bandwidth)
        held = request.bandwidth
        request.bandwidth = self.bandwidth if held is None else min(held, self.bandwidth)
