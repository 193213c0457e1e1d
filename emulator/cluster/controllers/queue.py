"""What every controller is made of: a work queue, and the rate of its client.

Rules: an object waits in the queue once, however often it is added; it is worked on after the time in
which a change reaches a watcher. A failed piece of work comes back after 5 ms, doubling to 1000 s. A
client spends a token a request: 20 a second with a burst of 30 for the controller manager's.
Source: Kubernetes facts section 4; client-go's default controller rate limiter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from emulator.cluster.kernel import Kernel, Timer
from emulator.cluster.settings import ClientRate
from emulator.domain.timefmt import MILLISECOND, SECOND

T = TypeVar("T")

_RETRY_FIRST = 5 * MILLISECOND
_RETRY_LAST = 1000 * SECOND


def retry_delay(failures: int) -> int:
    """How long a piece of work that has failed `failures` times in a row (from 1) waits."""
    return min(_RETRY_FIRST << min(failures - 1, 40), _RETRY_LAST)


class WorkQueue(Generic[T]):
    """Objects to be looked at; `sync` is called with each, `delay` nanoseconds after it was added."""

    __slots__ = ("_delay", "_kernel", "_sync", "_waiting")

    def __init__(self, kernel: Kernel, delay: Callable[[], int], sync: Callable[[T], None]) -> None:
        self._kernel = kernel
        self._delay = delay
        self._sync = sync
        self._waiting: dict[int, tuple[int, Timer]] = {}

    def add(self, item: T) -> None:
        """Notes that an object is to be looked at."""
        self.add_after(item, self._delay())

    def add_after(self, item: T, delay: int) -> None:
        """Notes it for later, unless it is to be looked at before that anyway."""
        at = self._kernel.now + delay
        waiting = self._waiting.get(id(item))
        if waiting is not None:
            if waiting[0] <= at:
                return
            waiting[1].cancel()
        self._waiting[id(item)] = (at, self._kernel.call_at(at, partial(self._due, item)))

    def _due(self, item: T) -> None:
        del self._waiting[id(item)]
        self._sync(item)


class Client:
    """A token bucket in simulated time."""

    __slots__ = ("_at", "_rate", "_tickets", "_tokens")

    def __init__(self, rate: ClientRate | None) -> None:
        self._rate = rate
        self._tokens = 0 if rate is None else rate.burst * SECOND
        self._at = 0
        self._tickets: dict[object, int] = {}  # when each may go on, the first one first

    def admit(self, item: object, now: int) -> int:
        """Like `take`, for work that is asked for again after the wait: that second time is free.

        Who does not come at that instant has lost what was spent.
        """
        tickets = self._tickets
        while tickets and tickets[first := next(iter(tickets))] < now:
            del tickets[first]
        if tickets.pop(item, None) is not None:
            return 0
        wait = self.take(now)
        if wait:
            tickets[item] = now + wait
        return wait

    def take(self, now: int) -> int:
        """Spends a token and says how long to wait for it, in nanoseconds.

        A token is counted as a second divided by the rate, so that the sums stay whole.
        """
        rate = self._rate
        if rate is None:
            return 0
        self._tokens = min(self._tokens + (now - self._at) * rate.qps, rate.burst * SECOND)
        self._at = now
        self._tokens -= SECOND
        return 0 if self._tokens >= 0 else -(self._tokens // rate.qps)
