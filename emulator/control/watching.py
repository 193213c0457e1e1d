"""When a run is looked at: watch events, their limit of rate, and polls that are computed.

Rules (contract section 3.5): a watch event of a Deployment or a Pod refreshes at once, at most once a
second and run; within that second it waits for its end, or is lost until the next poll
(`watch-event-dropped`). Other objects are not watched: the next poll sees them. Polls fall on the
multiples of their period and are noted only when they would see something new.
"""

from __future__ import annotations

from emulator.control.agenda import Agenda
from emulator.control.effects import Effect, Observe
from emulator.control.entities import Run
from emulator.control.repository import Repository
from emulator.control.settings import ControlSettings
from emulator.domain.journal import Journal
from emulator.domain.lifecycle import State
from emulator.domain.quirks import Quirk
from emulator.platform import Change

FOLLOWED = frozenset({State.PENDING, State.RUNNING})
_WATCHED = frozenset({"Deployment", "Pod"})


class Watching:
    """The refreshes of every run; `outbox` takes what the platform must be asked."""

    def __init__(
        self,
        repository: Repository,
        settings: ControlSettings,
        journal: Journal,
        outbox: list[Effect],
        *,
        complete_watch: bool,
    ) -> None:
        self._repository = repository
        self._settings = settings
        self._journal = journal
        self._outbox = outbox
        self._complete_watch = complete_watch
        self._drops = settings.profile.has(Quirk.WATCH_EVENT_DROPPED)
        self._agenda = Agenda()

    def next_wake(self) -> int | None:
        """When `wake` wants to be called, or None."""
        return self._agenda.next()

    def wake(self, now: int) -> None:
        """The instant that `next_wake` named has come."""
        for identifier in self._agenda.due(now):
            if run := self._repository.find_run(identifier):
                self.look(now, run)

    def changed(self, now: int, change: Change) -> None:
        """A watch event of the platform."""
        run = self._repository.find_run(change.workload)
        if run is None or run.state not in FOLLOWED:
            return
        last = run.last_refresh
        if change.kind not in _WATCHED:
            self._poll(now, run)
        elif last is None or now >= last + self._settings.watch:
            self.look(now, run)
        elif self._drops:
            self._poll(now, run)
        else:
            self._agenda.ask(run.id, last + self._settings.watch)

    def applied(self, now: int, run: Run) -> None:
        """The objects were made: what changed meanwhile has not been seen yet."""
        if self._drops:
            self._poll(now, run)
        else:
            self.look(now, run)

    def observed(self, now: int, run: Run) -> None:
        """A refresh is done; where the watch may miss a change, the next poll is needed."""
        if not self._complete_watch:
            self._poll(now, run)

    def look(self, now: int, run: Run) -> None:
        """Refreshes a run now."""
        if run.state in FOLLOWED and not run.observing:
            run.observing = True
            run.last_refresh = now
            self._agenda.drop(run.id)
            self._outbox.append(Observe(run.id, self._journal.cause))

    def forget(self, run: Run) -> None:
        """The run is not followed any more."""
        self._agenda.drop(run.id)

    def _poll(self, now: int, run: Run) -> None:
        period = self._settings.poll
        self._agenda.ask(run.id, (now // period + 1) * period)
