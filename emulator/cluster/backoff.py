"""Kubernetes' back-offs, pure.

Crash: an entry starts at 10 s and doubles to 300 s; the first restart has no wait, so the waits are
0, 10, 20, 40, 80, 160, 300, 300... An end more than 600 s after the start resets it. Image pulls: the
same numbers, counted from each failure, so pulls fall at 0, 10, 30, 70, 150, 310, 610, 910...
A pod worker that found itself in a back-off looks again later, and says so at every look that comes
too early. Source: shared Kubernetes facts sections 0.1, 6.1, 6.2 (flowcontrol.Backoff of 1.36).
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.cluster.streams import Stream
from emulator.domain.timefmt import SECOND

INITIAL = 10 * SECOND
MAXIMUM = 300 * SECOND
RESET_AFTER = 600 * SECOND
_WAKE_CAP = 60 * SECOND
RETRY = 10 * SECOND


@dataclass(slots=True)
class Backoff:
    """One entry: the present length and the instant at which it was set."""

    length: int = 0
    updated: int = 0

    def crash(self, started: int, finished: int) -> int:
        """The wait before the restart after a run from `started` to `finished`."""
        if self.length and finished - started <= RESET_AFTER:
            wait = self.length
            self.length = min(2 * self.length, MAXIMUM)
        else:
            wait = 0
            self.length = INITIAL
        self.updated = finished + wait
        return wait

    def failed_pull(self, now: int) -> int:
        """The wait after a pull that failed at `now`."""
        self.length = min(2 * self.length, MAXIMUM) if self.length else INITIAL
        self.updated = now
        return self.length


def crash_looks(nominal: int, stream: Stream) -> list[int]:
    """When the pod worker looks after a crash: it sleeps min(what is left, 60 s) x U[1, 1.5).

    Durations from the crash; the last one is the first that is not too early. Empty for no wait.
    Source: kubernetes pkg/kubelet/pod_workers.go, completeWork.
    """
    looks, waited = [], 0
    while waited < nominal:
        waited += jittered(min(nominal - waited, _WAKE_CAP), stream)
        looks.append(waited)
    return looks


def pull_looks(nominal: int, stream: Stream) -> list[int]:
    """When the pod worker looks after a failed pull: every 10 s x U[1, 1.5). As `crash_looks`."""
    looks, waited = [], 0
    while waited < nominal:
        waited += jittered(RETRY, stream)
        looks.append(waited)
    return looks


def real_wait(nominal: int, stream: Stream) -> int:
    """The wait before a restart as the pod worker lives it."""
    return crash_looks(nominal, stream)[-1] if nominal else 0


def jittered(period: int, stream: Stream) -> int:
    """A pod worker's sleep: the period x U[1, 1.5)."""
    return period + stream.below(max(period // 2, 1))
