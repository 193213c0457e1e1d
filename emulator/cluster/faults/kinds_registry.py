"""The kinds of faults that slow pods down before they run: the registry, and the start of containers.

Rules: the registry knows images and no runs, so its faults strike all pulls, or those of some images;
chance decides for each pull that is refused, and for each pod that starts slowly. Delays add up, of
several throttles the lowest counts.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.distributions import Constant
from emulator.cluster.faults.active import Active
from emulator.cluster.faults.base import Fault
from emulator.cluster.faults.kinds_control import SettledFault
from emulator.cluster.faults.values import MILLION, Number, Span, Words, attribute
from emulator.cluster.kubelet.disturb import Refusal
from emulator.cluster.kubelet.disturb import SlowStart as SlowStarts
from emulator.domain.timefmt import SECOND

if TYPE_CHECKING:
    from emulator.cluster.faults.engine import Faults


@dataclasses.dataclass(frozen=True, kw_only=True)
class PullError(SettledFault):
    """The registry refuses pulls with `error`, `probability` of them."""

    kind: ClassVar[str] = "pull-error"
    takes: ClassVar[tuple[str, ...]] = ("image",)

    error: str = attribute(Words(), "503 Service Unavailable")

    def settle(self, faults: Faults, me: Active) -> None:
        """The refusals of all faults, in the order in which they began."""
        faults.system.kubelet.disturb.registry.refusals = [
            Refusal(fault.target.image or "*", fault.error, fault.share, MILLION)
            for _, fault in faults.of(PullError)
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlowRegistry(SettledFault):
    """The registry takes `delay` longer to answer a pull."""

    kind: ClassVar[str] = "slow-registry"

    delay: int = attribute(Span(1), 10 * SECOND)

    def settle(self, faults: Faults, me: Active) -> None:
        """The sum of all delays."""
        delay = sum(fault.delay for each, fault in faults.of(SlowRegistry) if fault.struck(each))
        faults.system.kubelet.disturb.registry.latency = Constant(delay) if delay else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThrottledRegistry(SettledFault):
    """The registry gives a pull at most `bandwidth` bytes a second."""

    kind: ClassVar[str] = "throttled-registry"

    bandwidth: int = attribute(Number(1, 10**15), 1_000_000)

    def settle(self, faults: Faults, me: Active) -> None:
        """The lowest bandwidth of all, as a part of what there is."""
        usual = faults.cluster.settings.registry.bandwidth
        held = [f.bandwidth for each, f in faults.of(ThrottledRegistry) if f.struck(each)]
        least = min(held, default=usual)
        registry = faults.system.kubelet.disturb.registry
        if least < usual:
            registry.throttle(least, usual)
        else:
            registry.throttle(1, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlowStart(Fault):
    """Containers take `delay` longer to start, once their image is there."""

    kind: ClassVar[str] = "slow-start"

    delay: int = attribute(Span(1), 30 * SECOND)

    def begin(self, faults: Faults, me: Active) -> None:
        """The next container starts slowly."""
        self._settle(faults)

    def end(self, faults: Faults, me: Active) -> None:
        """The next container starts as it would."""
        self._settle(faults)

    def _settle(self, faults: Faults) -> None:
        faults.system.kubelet.disturb.starts = [
            SlowStarts(Constant(fault.delay), partial(faults.hits, each))
            for each, fault in faults.of(SlowStart)
        ]
