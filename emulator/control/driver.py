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
from emulator.control.plane import ControlPlane
from emulator.domain.kube import Observation
from emulator.platform import Change, ContainerLog, Platform, PlatformError

T = TypeVar("T")


class Alarm(Protocol):
    """Something scheduled."""

    def cancel(self) -> None: ...


class Timeline(Protocol):
    """Where the present comes from and callbacks go: a kernel, or a clock of the wall."""

    @property
    def now(self) -> int: ...

    def call_at(self, time: int, fn: Callable[[], object], /) -> Alarm: ...


class Driver:
    """Joins a control plane and a platform on a timeline."""

    def __init__(self, plane: ControlPlane, platform: Platform, timeline: Timeline) -> None:
        self.plane = plane
        self.platform = platform
        self.timeline = timeline
        self._alarm: Alarm | None = None
        self._alarm_at: int | None = None
        platform.watch(self._changed)

    def command(self, verb: str, subject: str, fn: Callable[[int], T]) -> T:
        """Applies a client's command now and gives its answer back. Raises what `fn` raises."""
        journal = self.plane.journal
        now = self.timeline.now
        before, journal.cause = journal.cause, 0
        journal.record(now, "command", subject, verb=verb)
        try:
            return fn(now)
        finally:
            self._dispatch()
            journal.cause = before

    def _feed(self, fn: Callable[[int], None]) -> None:
        fn(self.timeline.now)
        self._dispatch()

    def _changed(self, change: Change) -> None:
        self._feed(lambda now: self.plane.runs.watching.changed(now, change))

    def _dispatch(self) -> None:
        for effect in self.plane.drain():
            self.plane.journal.cause = effect.cause
            self.timeline.call_at(self.timeline.now, partial(self._perform, effect))
        self._schedule_wake()

    def _schedule_wake(self) -> None:
        at = self.plane.next_wake()
        if at == self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = None if at is None else self.timeline.call_at(at, self._wake)

    def _wake(self) -> None:
        self._alarm = self._alarm_at = None
        self._feed(self.plane.wake)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Teardown):  # the objects of a run go, also when the run is gone
            self._tear_down(effect.run)
            return
        run = self.plane.repository.find_run(effect.run)
        if run is None:
            return
        runs = self.plane.runs
        if isinstance(effect, Apply):

            def applied(result: Observation | PlatformError) -> None:
                self._feed(lambda now: runs.applied(now, run, result))

            self.platform.apply(effect.workload, applied)
        else:

            def observed(result: Observation | PlatformError) -> None:
                self._feed(lambda now: runs.observed(now, run, result))

            self.platform.observe(effect.run, observed)

    def _tear_down(self, identifier: str) -> None:
        """Keeps the logs, then removes the objects."""

        def with_logs(logs: tuple[ContainerLog, ...]) -> None:
            def deleted(error: PlatformError | None) -> None:
                run = self.plane.repository.find_run(identifier)
                if run is not None:
                    self._feed(lambda now: self.plane.runs.torn_down(now, run, logs))

            self.platform.delete(identifier, deleted)

        self.platform.logs(identifier, with_logs)
