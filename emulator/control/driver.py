"""The driver: carries the control plane's wishes to a platform and the answers back.

Rules: a command is applied at the present, and what it asks of the platform happens after it has been
answered (core dispatches asynchronously); at most one wake-up is pending. The driver is handed a
timeline and never asks for the time of day.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from emulator.control.effects import Apply, Effect, Teardown
from emulator.control.entities import Run
from emulator.control.plane import ControlPlane
from emulator.domain.errors import Refused
from emulator.domain.kube import Observation
from emulator.platform import Change, ContainerLog, Platform, PlatformError

T = TypeVar("T")


#: The wake-up that all runs share comes after what else happens in its instant (1 is the scheduler's).
_TURN = 2


class Alarm(Protocol):
    """Something scheduled."""

    def cancel(self) -> None: ...


class Timeline(Protocol):
    """Where the present comes from and callbacks go: a kernel, or a clock of the wall."""

    @property
    def now(self) -> int: ...

    def call_at(self, time: int, fn: Callable[[], object], /) -> Alarm: ...

    def call_late(self, time: int, fn: Callable[[], object], turn: int, /) -> Alarm: ...


class Driver:
    """Joins a control plane and a platform on a timeline."""

    def __init__(self, plane: ControlPlane, platform: Platform, timeline: Timeline) -> None:
        self.plane = plane
        self.platform = platform
        self.timeline = timeline
        self._runs = plane.runs
        self._watching = plane.runs.watching
        self._journal = plane.journal
        self._alarm: Alarm | None = None
        self._alarm_at: int | None = None
        platform.watch(self._changed)

    def command(self, verb: str, subject: str, fn: Callable[[int], T]) -> T:
        """Applies a client's command now and gives its answer back. Raises what `fn` raises."""
        journal = self._journal
        now = self.timeline.now
        before, journal.cause = journal.cause, 0
        journal.record(now, "command", subject, verb=verb)
        try:
            return fn(now)
        except Refused:
            raise
        except BaseException:
            journal.flush()  # whatever it was, what led to it is to be read
            raise
        finally:
            self._dispatch()
            journal.cause = before

    def _changed(self, change: Change) -> None:
        if self._watching.changed(self.timeline.now, change):
            self._dispatch()

    def _dispatch(self) -> None:
        if self._runs.outbox:
            journal, timeline = self._journal, self.timeline
            now = timeline.now
            for effect in self.plane.drain():
                journal.cause = effect.cause
                timeline.call_at(now, partial(self._perform, effect))
        at = self._watching.next_wake()
        if at != self._alarm_at:
            self._set_alarm(at)

    def _set_alarm(self, at: int | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = None if at is None else self.timeline.call_late(at, self._wake, _TURN)

    def _wake(self) -> None:
        self._alarm = self._alarm_at = None
        self._watching.wake(self.timeline.now)
        self._dispatch()

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Teardown):  # the objects of a run go, also when the run is gone
            self.platform.logs(effect.run, partial(self._with_logs, effect.run))
            return
        run = self.plane.repository.find_run(effect.run)
        if run is None:
            return
        if isinstance(effect, Apply):
            self.platform.apply(effect.workload, partial(self._applied, run))
        else:
            self.platform.observe(effect.run, partial(self._observed, run))

    def _applied(self, run: Run, result: Observation | PlatformError) -> None:
        self._runs.applied(self.timeline.now, run, result)
        self._dispatch()

    def _observed(self, run: Run, result: Observation | PlatformError) -> None:
        self._runs.observed(self.timeline.now, run, result)
        self._dispatch()

    def _with_logs(self, identifier: str, logs: tuple[ContainerLog, ...]) -> None:
        """The logs are kept; now the objects go."""
        self.platform.delete(identifier, partial(self._deleted, identifier, logs))

    def _deleted(
        self, identifier: str, logs: tuple[ContainerLog, ...], error: PlatformError | None
    ) -> None:
        run = self.plane.repository.find_run(identifier)
        if run is not None:
            self._runs.torn_down(self.timeline.now, run, logs)
            self._dispatch()
