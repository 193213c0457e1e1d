"""A run's life as the control plane leads it.

Rules: a state changes in `_reach` only, by the transition table; what the platform must do goes out as
effects, what it answers comes in through `applied`, `observed` and `torn_down`. At most one apply is
under way for a run, and a teardown waits for it. When a run is looked at is decided in `watching`.
"""

from __future__ import annotations

from typing import Any

from emulator.control import manifests
from emulator.control.aliases import Aliases
from emulator.control.effects import Apply, Effect, Teardown
from emulator.control.entities import Run
from emulator.control.repository import Repository
from emulator.control.settings import ControlSettings
from emulator.control.verdicts import give_up, is_ready, refusal_text
from emulator.control.watching import FOLLOWED, Watching
from emulator.domain import names
from emulator.domain.errors import BuildError, bad_request, not_found
from emulator.domain.health import health
from emulator.domain.journal import Journal
from emulator.domain.kube import EventRecord, Observation
from emulator.domain.lifecycle import INTERNAL, LIVE, WANTED, Event, Machine, State
from emulator.domain.quirks import Quirk
from emulator.domain.status import Moment
from emulator.platform import ContainerLog, PlatformError


class Runs:
    """Every run of a world."""

    def __init__(
        self,
        repository: Repository,
        settings: ControlSettings,
        journal: Journal,
        *,
        complete_watch: bool,
    ) -> None:
        self._repository = repository
        self._settings = settings
        self._profile = settings.profile
        self._journal = journal
        self._machine = Machine(settings.profile)
        self._aliases = Aliases(settings.profile)
        self.outbox: list[Effect] = []
        self.watching = Watching(
            repository, settings, journal, self.outbox, complete_watch=complete_watch
        )
        self.moving: dict[str, Run] = {}
        self._unclaimed: set[str] = set()

    # -- commands --------------------------------------------------------------------------------

    def start(self, now: int, run: Run, merged: dict[str, Any] | BuildError) -> None:
        """BUILD and RUN of a new run: its spec is sealed, its objects are asked for.

        What cannot be built ends in ERROR with the reason; nothing is raised.
        """
        if isinstance(merged, BuildError):
            self._fail(now, run, str(merged))
            return
        run.spec = merged
        try:
            latest = self._is_latest(run)
            run.alias_names = manifests.alias_names(run, self._settings, latest=latest)
            run.named = bool(run.spec.get("service_name"))
            owned = self._aliases.at_deployment(run)
            workload = manifests.build(run, self._settings, owned)
        except BuildError as error:
            self._aliases.on_end(run)
            self._fail(now, run, str(error))
            return
        run.notices = self._notices(now, run)
        self._move(now, run, Event.BUILD)
        self._move(now, run, Event.RUN)
        self._apply(run, workload)

    def act(self, now: int, run: Run, action: str) -> None:
        """An action posted by a client. Raises Refused: 404 unknown, 400 not allowed now."""
        try:
            event = Event(action.upper())
        except ValueError:
            if self._profile.has(Quirk.ILLEGAL_ACTION_SWALLOWED):
                return
            raise not_found(f"action: {action!r}") from None
        if event is Event.DELETE:
            self.delete(now, run)
            return
        if event in INTERNAL and not self._profile.has(Quirk.INTERNAL_EVENTS_PUBLIC):
            raise bad_request(f"{action}: only the platform itself may say this of a run")
        if event is Event.STOP and run.state is State.STOP:
            if self._profile.has(Quirk.SECOND_STOP_JUMPS):
                self._move(now, run, Event.STOP)
            return
        if self._machine.target(run.state, event) is None:
            self._refuse(run, event)
            return
        self._move(now, run, event)
        if event is Event.STOP:
            self._end(now, run)

    def _refuse(self, run: Run, event: Event) -> None:
        if event is Event.RESUME:
            if not self._profile.has(Quirk.RESUME_UNREACHABLE):
                raise bad_request(
                    "a stopped service cannot be resumed: start it again by a new run"
                )
            return
        if self._profile.has(Quirk.ILLEGAL_ACTION_SWALLOWED):
            return
        if event is Event.STOP and self._profile.has(Quirk.STOP_PENDING_IGNORED):
            return
        events = (each for each in self._machine.events(run.state) if each not in INTERNAL)
        allowed = ", ".join(events) or "nothing"
        raise bad_request(
            f"invalid transition: a run in state {run.state} cannot {event}; it allows: {allowed}"
        )

    def delete(self, now: int, run: Run) -> None:
        """Begins the end of a run; it goes when its objects are gone. Idempotent."""
        if run.state is State.DELETING:
            if run.local or self._profile.has(Quirk.SECOND_DELETE_ORPHANS):
                self._move(now, run, Event.DELETE)
                self._drop(run)
            return
        owns = run.state in LIVE or run.serving or run.tearing or run.applying
        self._move(now, run, Event.DELETE)
        if run.local or not owns:
            self._move(now, run, Event.DELETE)
            self._drop(run)
            return
        self._end(now, run)

    def recover(self, now: int, runs: list[Run]) -> None:
        """After a restart: what ran runs again under its name and address, what ended goes on to.

        Aliases follow once every service has its own address back.
        """
        for run in sorted(runs, key=lambda each: each.created):
            if run.state is State.RUNNING:
                run.recovering = True
                self._aliases.may_inherit(run)
                self._aliases.on_running(run)
            self._mark(run)
        for run in runs:
            if run.state in WANTED:
                self._aliases.at_deployment(run)
                self._unclaimed.add(run.id)
                try:
                    self._apply(run, manifests.build(run, self._settings, ()))
                except BuildError as error:
                    self._fail(now, run, str(error))
            elif run.state in LIVE:
                self._teardown(run)

    # -- what the platform answers ---------------------------------------------------------------

    def applied(self, now: int, run: Run, result: Observation | PlatformError) -> None:
        """The objects are made, or refused."""
        run.applying = False
        self._mark(run)
        if run.state not in WANTED:
            self._end(now, run)
            return
        if isinstance(result, PlatformError):
            text = refusal_text(result, self._profile)
            if run.serving:
                run.refusal = text  # of which aliases, a look at what there is will tell
                self.watching.look(now, run)
            else:
                self._fail(now, run, text)
            return
        run.serving, run.refusal = True, ""
        run.seen = result
        run.fresh = run.state is State.READY
        if run.state is State.READY:
            self._move(now, run, Event.SCHEDULE)
        self._repository.save(run)
        for loser in self._aliases.losers(run):
            if other := self._repository.find_run(loser):
                self.watching.look(now, other)
        if run.id in self._unclaimed:
            self._unclaimed.discard(run.id)
            self._claim(run)
        self.watching.applied(now, run)

    def observed(self, now: int, run: Run, seen: Observation | PlatformError) -> None:
        """A refresh: what the platform reports becomes state, health and message."""
        run.observing = False
        if run.state not in FOLLOWED or run.applying:
            return
        self.watching.observed(now, run)
        if isinstance(seen, PlatformError):
            self._fail(now, run, refusal_text(seen, self._profile))
            return
        run.seen, run.fresh, run.overlay = seen, False, {}
        if run.refusal:
            self._alias_refused(now, run, {alias.name for alias in seen.aliases})
        if problem := give_up(run, seen, self._profile):
            self._fail(now, run, problem)
            return
        if run.state is State.PENDING and is_ready(seen, self._profile):
            self._move(now, run, Event.EXECUTE)
            self._take_aliases(run)
        if seen.deployment is not None and seen.deployment.ready:
            run.was_ready = True
            run.recovering = False
            self._mark(run)
            run.made = run.made if run.applying else None  # who needs them again builds them again
        self._note_health(now, run)
        run.updated = now
        self._repository.save(run)

    def torn_down(self, now: int, run: Run, logs: tuple[ContainerLog, ...]) -> None:
        """The objects are gone."""
        run.tearing = False
        self._mark(run)
        run.logs = logs or run.logs
        run.made = None
        if not self._profile.has(Quirk.SERVICE_STALE):
            run.serving, run.seen = False, None
        if run.state is State.STOP:
            self._move(now, run, Event.STOP)
        elif run.state is State.DELETING:
            self._move(now, run, Event.DELETE)
            self._drop(run)
            return
        self._repository.save(run)

    # -- inside ----------------------------------------------------------------------------------

    def _move(self, now: int, run: Run, event: Event, message: str = "") -> None:
        target = self._machine.target(run.state, event)
        assert target is not None, f"{run.state} has no {event}"
        self._reach(now, run, event, target, message)

    def drive(self, now: int, run: Run, target: State) -> None:
        """What a PUT of a status does where it may: the first transition that leads to `target`."""
        event = self._machine.event(run.state, target)
        if event is Event.DELETE:
            self.delete(now, run)
        elif event is not None:
            self._reach(now, run, event, target, "")

    def _reach(self, now: int, run: Run, event: Event, target: State, message: str) -> None:
        before, run.state = run.state, target
        run.recovering = False
        run.updated = now
        run.story.append(Moment(target, now, message))
        if target is State.RUNNING and before is not target:
            self._aliases.may_inherit(run)
        record, subject = self._journal.record, f"Run/{run.id}"
        if message:
            record(now, "run", subject, before=before, event=event, state=target, message=message)
        else:
            record(now, "run", subject, before=before, event=event, state=target)
        self._note_health(now, run)
        self._mark(run)
        self._repository.save(run)

    def _note_health(self, now: int, run: Run) -> None:
        how = health(run.state, run.seen, was_ready=run.was_ready)
        if how is not run.health:
            run.health = how
            text = run.message
            extra: dict[str, Any] = {"message": text} if text else {}
            self._journal.record(now, "health", f"Run/{run.id}", health=how, **extra)

    def _mark(self, run: Run) -> None:
        if not run.in_transition:
            self.moving.pop(run.id, None)
        elif run.id not in self.moving:
            self.moving[run.id] = run

    def _fail(self, now: int, run: Run, message: str) -> None:
        run.failure = message
        had_objects = run.state in LIVE
        self._move(now, run, Event.ERROR, message)
        if had_objects:
            self._end(now, run)

    def _end(self, now: int, run: Run) -> None:
        self.watching.forget(run)
        self._pass_aliases(run)
        self._teardown(run)

    def _teardown(self, run: Run) -> None:
        if not run.applying and not run.tearing:
            run.tearing = True
            self._mark(run)
            self.outbox.append(Teardown(run.id, self._journal.cause))

    def _apply(self, run: Run, workload: Any) -> None:
        run.applying = True
        self._mark(run)
        self.outbox.append(Apply(run.id, workload, self._journal.cause))

    def _drop(self, run: Run) -> None:
        self.watching.forget(run)
        self.moving.pop(run.id, None)
        self._unclaimed.discard(run.id)
        self._repository.remove(run)

    def _take_aliases(self, run: Run) -> None:
        if self._aliases.on_running(run):
            self._claim(run)

    def _pass_aliases(self, run: Run) -> None:
        for heir in self._aliases.on_end(run):
            self._claim(heir)

    def _claim(self, run: Run) -> None:
        """Applies the aliases that a run owns, now or when the apply under way is done."""
        owned = self._aliases.owned(run)
        if run.applying:
            self._unclaimed.add(run.id)
        elif owned:
            self._apply(run, manifests.build(run, self._settings, owned))

    def _alias_refused(self, now: int, run: Run, held: set[str]) -> None:
        """The service runs on without the aliases that the platform refused it."""
        text, run.refusal = run.refusal, ""
        for name in self._aliases.renounce(run, held):
            note = f"the alias {name} is not served: {text}"
            self._journal.record(
                now, "event", f"Service/{name}", type="Warning", reason="AliasRefused", note=note
            )
            run.notices += (EventRecord("Warning", "AliasRefused", note, now, "Service", name),)

    def _is_latest(self, run: Run) -> bool:
        return self._repository.is_latest_ref(run.spec.get("function"))

    def _notices(self, now: int, run: Run) -> tuple[EventRecord, ...]:
        name = run.spec.get("profile")
        if not name or name in self._settings.profiles:
            return ()
        note = f"profile {name!r} is unknown and was ignored"
        deployment = names.deployment_name(run.row.task, run.id)
        self._journal.record(
            now,
            "event",
            f"Deployment/{deployment}",
            type="Warning",
            reason="UnknownProfile",
            note=note,
        )
        return (EventRecord("Warning", "UnknownProfile", note, now, "Deployment", deployment),)
