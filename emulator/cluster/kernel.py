"""The kernel: the one place where simulated time advances.

Rules: time is integer nanoseconds since the world began. Everything scheduled for an instant is done
before a command of that instant is applied (`advance`), in the order in which it was scheduled; what
several share (`call_late`) comes after the rest, so that nobody's place depends on who asked first. A
timer can be cancelled and then costs nothing: it is dropped from the queue and never moves the clock.
A callback runs with the journal's cause that held when it was scheduled, so causes follow by
themselves; one that fails leaves the journal written up to it. Processes written for SimPy run here
as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from simpy import Environment
from simpy.core import EmptySchedule
from simpy.events import NORMAL

from emulator.domain.journal import Journal

_NEVER = float("inf")


class Timer:
    """A callback at an instant. The kernel calls it itself: SimPy sees it in its queue only."""

    __slots__ = ("_kernel", "cause", "fn")

    def __init__(self, kernel: Kernel, fn: Callable[[], object], cause: int) -> None:
        self._kernel = kernel
        self.fn: Callable[[], object] | None = fn
        self.cause = cause

    def cancel(self) -> None:
        """Takes the timer back; idempotent, harmless once it has fired."""
        if self.fn is not None:
            self.fn = None
            self._kernel.forget_one()


class Kernel(Environment):
    """SimPy's environment with integer time, cancellable timers and causes."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(initial_time=0)
        self.journal = journal
        self._dead = 0

    @property
    def now(self) -> int:
        """The present, in nanoseconds since the world began."""
        return self._now  # type: ignore[return-value]  # SimPy types it float; ours is integer

    def call_at(self, time: int, fn: Callable[[], object]) -> Timer:
        """Calls `fn` at `time` (not before now). Raises ValueError for the past."""
        if time < self._now:
            raise ValueError(f"cannot schedule at {time}, it is {self._now} already")
        timer = Timer(self, fn, self.journal.cause)
        heappush(self._queue, (time, NORMAL, next(self._eid), timer))  # type: ignore[misc]  # a Timer is no Event: only this class takes it out
        return timer

    def call_in(self, delay: int, fn: Callable[[], object]) -> Timer:
        """Calls `fn` after `delay` nanoseconds."""
        return self.call_at(self._now + delay, fn)  # type: ignore[arg-type]  # integer, see `now`

    def call_late(self, time: int, fn: Callable[[], object], turn: int = 1) -> Timer:
        """Calls `fn` at `time`, after what else there is then; such calls by their turn (from 1)."""
        if time < self._now:
            raise ValueError(f"cannot schedule at {time}, it is {self._now} already")
        timer = Timer(self, fn, self.journal.cause)
        heappush(self._queue, (time, NORMAL + turn, next(self._eid), timer))  # type: ignore[misc]  # as in `call_at`
        return timer

    def forget_one(self) -> None:
        """Counts a cancelled timer, and sweeps the queue when most of it is such."""
        self._dead += 1
        queue = self._queue
        if self._dead > 64 and self._dead * 2 > len(queue):
            # in place: whoever steps holds on to the list
            queue[:] = [entry for entry in queue if not _is_dead(entry[3])]
            heapify(queue)
            self._dead = 0

    def peek(self) -> float:
        """The instant of the next event, infinity when there is none."""
        queue = self._queue
        while queue and _is_dead(queue[0][3]):
            heappop(queue)
            self._dead -= 1
        return queue[0][0] if queue else _NEVER

    def step(self) -> None:
        """Does the next event. Raises EmptySchedule when there is none."""
        if not self._fire(_NEVER):
            raise EmptySchedule

    def advance(self, until: int) -> None:
        """Does everything up to and at `until`, and makes it the present."""
        fire = self._fire
        while fire(until):
            pass
        if until > self._now:
            self._now = until
        self.journal.cause = 0

    def run_while(self, condition: Callable[[], bool], limit: int) -> None:
        """Steps while `condition` holds and the next event lies at or before `limit`."""
        fire = self._fire
        while condition() and fire(limit):
            pass
        self.journal.cause = 0

    def _fire(self, limit: float) -> bool:
        """Does the next event that lies at or before `limit`; says whether there was one."""
        queue = self._queue
        while queue and queue[0][0] <= limit:
            timer: object = queue[0][3]
            if timer.__class__ is not Timer:
                self._step_simpy()
                return True
            time = heappop(queue)[0]
            fn = timer.fn
            if fn is None:
                self._dead -= 1
                continue
            self._now = time
            self.journal.cause = timer.cause
            timer.fn = None
            try:
                fn()
            except BaseException:
                self.journal.flush()
                raise
            return True
        return False

    def _step_simpy(self) -> None:
        self.journal.cause = 0
        try:
            super().step()
        except BaseException:
            self.journal.flush()
            raise
        self._now = int(self._now)


def _is_dead(event: object) -> bool:
    return isinstance(event, Timer) and event.fn is None
