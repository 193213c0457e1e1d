"""The queue: which pod is tried when.

Rules: what is ready at an instant is tried by priority, then by who has waited longest. A pod that
fits nowhere is parked until an event may help it, and then not tried before its back-off is over
(1 s after the first failure, doubling to 10 s). One that nothing has helped for 5 minutes is tried
anyway. There is a timer only while somebody waits, and one for all that are due at the same instant,
who are tried after everything else of it.
Source: Kubernetes facts section 5; pkg/scheduler/backend/queue.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.cluster.kernel import Kernel, Timer
from emulator.cluster.objects import Pod
from emulator.domain.timefmt import SECOND

FIRST_BACKOFF = SECOND
LAST_BACKOFF = 10 * SECOND
LONGEST_WAIT = 300 * SECOND


def backoff(attempts: int) -> int:
    """How long a pod that has failed `attempts` times (from 1) is let be, in nanoseconds."""
    return min(FIRST_BACKOFF << min(attempts - 1, 10), LAST_BACKOFF)


class _Batch:
    """The pods that are due at an instant, with the journal's cause of each."""

    __slots__ = ("pods", "timer")

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.pods: dict[Pod, int] = {}


class SchedulingQueue:
    """The pods that are to be scheduled; `attempt` is called with each when its turn has come."""

    def __init__(self, kernel: Kernel, attempt: Callable[[Pod], None]) -> None:
        self._kernel = kernel
        self._attempt = attempt
        self._due: dict[int, _Batch] = {}
        self._back_off: dict[Pod, int] = {}
        self._flush: Timer | None = None
        #: The pods that fit nowhere, by when they were last tried, and the filters they failed at.
        self.parked: dict[Pod, int] = {}

    def add(self, pod: Pod, delay: int) -> None:
        """A new pod is heard of after `delay` nanoseconds."""
        pod.last_attempt = due = self._kernel.now + delay
        self._at(due, pod)

    def park(self, pod: Pod, rejected: int) -> None:
        """A pod fits nowhere; `rejected` are the bits of the filters that it failed at."""
        self.parked[pod] = rejected
        if self._flush is None:
            self._flush = self._kernel.call_at(
                pod.last_attempt + LONGEST_WAIT, self._flush_leftovers
            )

    def forget(self, pod: Pod) -> None:
        """A pod is no more, or has got its node; idempotent."""
        due = self._back_off.pop(pod, None)
        if due is not None:
            batch = self._due[due]
            del batch.pods[pod]
            if not batch.pods:
                batch.timer.cancel()
                del self._due[due]
        if self.parked.pop(pod, None) is not None and not self.parked:
            self._stop_flush()

    def wake(self, helps: Callable[[Pod, int], bool]) -> None:
        """An event has happened; `helps(pod, rejected)` says whether it may help a pod."""
        for pod, rejected in self.parked.items():
            if pod not in self._back_off and (not rejected or helps(pod, rejected)):
                self._release(pod)

    def wake_one(self, pod: Pod) -> None:
        """Something has happened that concerns one parked pod."""
        if pod in self.parked and pod not in self._back_off:
            self._release(pod)

    def _release(self, pod: Pod) -> None:
        due = max(pod.last_attempt + backoff(pod.attempts), self._kernel.now)
        self._back_off[pod] = due
        self._at(due, pod)

    def _at(self, due: int, pod: Pod) -> None:
        batch = self._due.get(due)
        if batch is None:
            timer = self._kernel.call_late(due, partial(self._run, due))
            batch = self._due[due] = _Batch(timer)
        batch.pods[pod] = self._kernel.journal.cause

    def _run(self, due: int) -> None:
        """Tries what is due now."""
        ready = list(self._due.pop(due).pods.items())
        if len(ready) > 1:  # a stable sort: who came first stays first
            ready.sort(key=lambda item: (-item[0].template.priority, item[0].last_attempt))
        journal = self._kernel.journal
        for pod, cause in ready:
            self._back_off.pop(pod, None)
            self.parked.pop(pod, None)
            if pod.removed or pod.deleted_at is not None or pod.node is not None:
                continue
            journal.cause = cause
            self._attempt(pod)
        if not self.parked:
            self._stop_flush()

    def _stop_flush(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None

    def _flush_leftovers(self) -> None:
        """Tries again what has been parked for too long, and sleeps until the next one will have."""
        self._flush = None
        oldest = self._kernel.now - LONGEST_WAIT
        for pod in self.parked:
            if pod in self._back_off:
                continue
            if pod.last_attempt > oldest:
                due = pod.last_attempt + LONGEST_WAIT
                self._flush = self._kernel.call_at(due, self._flush_leftovers)
                return
            self._release(pod)
