"""When a run is looked at: watch events, their limit of rate, and polls that are computed.

Rules (contract section 3.5): a watch event of a Deployment or a Pod refreshes at once, at most once a
second and run; within that second it waits for its end, or is lost until the next poll
(`watch-event-dropped`). Other objects are not watched: the next poll sees them. Polls fall on the
multiples of their period and are noted only when they would see something new. A refresh that waited has
the cause of what made it wait, whoever else is woken with it.
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
        self._causes: dict[str, int] = {}  # of the wake-ups that are noted, by run

    def next_wake(self) -> int | None:
        """When `wake` wants to be called, or None."""
        return self._agenda.next()

    def wake(self, now: int) -> None:
        """The instant that `next_wake` named has come."""
        for identifier in self._agenda.due(now):
            self._journal.cause = self._causes.pop(identifier)
            if run := self._repository.find_run(identifier):
                self.look(now, run)

    def changed(self, now: int, change: Change) -> bool:
        """A watch event of the platform; says whether anything is to be done for it."""
        run = self._repository.find_run(change.workload)
        if run is None or run.state not in FOLLOWED:
            return False
        last = run.last_refresh
        if change.kind not in _WATCHED:
            return self._poll(now, run)
        if last is None or now >= last + self._settings.watch:
            return self.look(now, run)
        if self._drops:
            return self._poll(now, run)
        return self._ask(run, last + self._settings.watch)

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

    def look(self, now: int, run: Run) -> bool:
        """Refreshes a run now; says whether it does (not, when it is under way already)."""
        if run.observing or run.state not in FOLLOWED:
            return False
        run.observing = True
        run.last_refresh = now
        self.forget(run)
        self._outbox.append(Observe(run.id, self._journal.cause))
        return True

    def forget(self, run: Run) -> None:
        """No wake-up is noted for the run any more."""
        self._agenda.drop(run.id)
        self._causes.pop(run.id, None)

    def _poll(self, now: int, run: Run) -> bool:
        period = self._settings.poll
        return self._ask(run, (now // period + 1) * period)

    def _ask(self, run: Run, time: int) -> bool:
        """Notes a wake-up and why, unless an earlier one is noted; says whether it is news."""
        news = self._agenda.ask(run.id, time)
        if news:
            self._causes[run.id] = self._journal.cause
        return news
