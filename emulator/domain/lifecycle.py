"""The run's state machine: every state, every event, one table.

Rules:
1. A run changes state only by a row of `TRANSITIONS`; nothing else writes a state.
2. A row with a `quirk` exists only in profiles that lack that quirk (the row is the mend).
3. *perform* feeds an event and looks up its target; *handle* names a target and takes the first row
   that leads there (contract section 3.3).
4. An impossible transition is None here; what the caller sees then is the control plane's matter.
The diagram and the table in LIFECYCLE.md are generated from this one (`emulator/domain/docs.py`).
Source: contract sections 3.1 and 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from emulator.domain.quirks import Profile, Quirk


class State(StrEnum):
    """The states of a run (RESUME exists on the wire; no default machine reaches it)."""

    CREATED = "CREATED"
    BUILT = "BUILT"
    READY = "READY"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    STOP = "STOP"
    STOPPED = "STOPPED"
    RESUME = "RESUME"
    ERROR = "ERROR"
    DELETING = "DELETING"
    DELETED = "DELETED"


class Event(StrEnum):
    """What a run can be told."""

    BUILD = "BUILD"
    RUN = "RUN"
    SCHEDULE = "SCHEDULE"
    EXECUTE = "EXECUTE"
    LOOP = "LOOP"
    COMPLETE = "COMPLETE"
    STOP = "STOP"
    RESUME = "RESUME"
    ERROR = "ERROR"
    DELETE = "DELETE"


#: Events that only the platform's side may feed (see `internal-events-public`).
INTERNAL = frozenset({Event.SCHEDULE, Event.EXECUTE, Event.LOOP, Event.COMPLETE, Event.ERROR})

#: States that `status.transitions` never records (contract section 2.5).
UNRECORDED = frozenset({State.CREATED, State.STOP, State.RESUME})

#: States in which a run is on its way to a settled one, and simulated time may jump for it.
IN_TRANSITION = frozenset(
    {State.BUILT, State.READY, State.PENDING, State.STOP, State.RESUME, State.DELETING}
)

#: States of a run whose service is wanted: its objects are made, kept and followed.
WANTED = frozenset({State.READY, State.PENDING, State.RUNNING})

#: States of a run that owns, or may own, objects on the platform.
LIVE = WANTED | {State.STOP, State.DELETING}


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: in `source`, `event` leads to `target`, unless the profile has `quirk`."""

    source: State
    event: Event
    target: State
    quirk: Quirk | None = None


def _rows(source: State, *moves: tuple[Event, State]) -> tuple[Transition, ...]:
    return tuple(Transition(source, event, target) for event, target in moves)


_FAIL = (Event.ERROR, State.ERROR)
_DELETE = (Event.DELETE, State.DELETING)

TRANSITIONS: tuple[Transition, ...] = (
    *_rows(State.CREATED, (Event.BUILD, State.BUILT), _FAIL, _DELETE),
    *_rows(State.BUILT, (Event.RUN, State.READY), _FAIL, _DELETE),
    *_rows(
        State.READY, (Event.SCHEDULE, State.PENDING), (Event.EXECUTE, State.RUNNING), _FAIL, _DELETE
    ),
    Transition(State.READY, Event.STOP, State.STOP, Quirk.STOP_PENDING_IGNORED),
    *_rows(
        State.PENDING,
        (Event.LOOP, State.PENDING),
        (Event.EXECUTE, State.RUNNING),
        (Event.COMPLETE, State.COMPLETED),
        _FAIL,
        _DELETE,
    ),
    Transition(State.PENDING, Event.STOP, State.STOP, Quirk.STOP_PENDING_IGNORED),
    *_rows(
        State.RUNNING,
        (Event.LOOP, State.RUNNING),
        (Event.COMPLETE, State.COMPLETED),
        _FAIL,
        (Event.STOP, State.STOP),
        _DELETE,
    ),
    *_rows(State.STOP, (Event.STOP, State.STOPPED), _FAIL, _DELETE),
    *_rows(State.STOPPED, _FAIL, _DELETE),
    *_rows(State.COMPLETED, _DELETE),
    *_rows(State.ERROR, _DELETE),
    *_rows(State.DELETING, (Event.DELETE, State.DELETED), _FAIL),
)


class Machine:
    """The table as one profile reads it."""

    def __init__(self, profile: Profile) -> None:
        self._targets: dict[tuple[State, Event], State] = {}
        self._events: dict[tuple[State, State], Event] = {}
        for row in TRANSITIONS:
            if row.quirk is not None and profile.has(row.quirk):
                continue
            self._targets[row.source, row.event] = row.target
            self._events.setdefault((row.source, row.target), row.event)

    def target(self, state: State, event: Event) -> State | None:
        """Where `event` leads from `state`, or None where the table has no such row."""
        return self._targets.get((state, event))

    def event(self, state: State, target: State) -> Event | None:
        """The first event that leads from `state` to `target`, or None."""
        return self._events.get((state, target))

    def events(self, state: State) -> tuple[Event, ...]:
        """The events that `state` allows, in the table's order."""
        return tuple(event for source, event in self._targets if source is state)
