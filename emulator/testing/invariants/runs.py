"""Invariants 1 and 2: the states of a run, and the service that it shows.

Rules: 1: a run begins in CREATED (in a world that was started again: anywhere) and moves along
`TRANSITIONS` as its profile reads them; `before` is the state that it had. `story` is what
`status.transitions` must tell. 2: a run is RUNNING, and shows `status.service`, only while its Service
is there; when it becomes RUNNING one of its pods is ready, or was up to `notice` ago. A Service that
somebody removes is noticed by the next poll: `notice` is the time for that. What the row of EXECUTE
says of the service (`service`, where it is given) is what the Service's own rows say. By the promise the
Service has a ready endpoint then, too, or had one up to `notice` ago. A run that says that it is healthy
is so (`HealthTold` is that part of the checker).
Source: contract sections 2.5, 3.1 to 3.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from emulator.domain.journal import Row
from emulator.domain.lifecycle import TRANSITIONS, UNRECORDED, State
from emulator.domain.quirks import Quirk
from emulator.domain.timefmt import SECOND
from emulator.testing.invariants.base import (
    Deadlines,
    Service,
    Violation,
    kind_of,
    name_of,
    profile_of,
    read_service,
    remove,
)
from emulator.testing.invariants.truth import HealthTold

#: A poll of core falls every 10 s; the rest is for an API that is slow.
NOTICE = 30 * SECOND


class Transitions:
    """Invariant 1: a run changes state only along the transition table."""

    invariant = 1
    kinds: frozenset[str] | None = frozenset({"world", "run"})

    def __init__(self) -> None:
        self._table = {(row.source, row.event, row.target) for row in TRANSITIONS}
        self._state: dict[str, str] = {}
        self._stories: dict[str, list[str]] = {}
        self._restarted = False

    def feed(self, row: Row) -> Iterable[Violation]:
        """A change of state."""
        if row.kind == "world":
            self._read_header(row)
            return ()
        return list(self._move(row))

    def _read_header(self, row: Row) -> None:
        self._restarted = bool(row.data.get("boot", 0))
        profile = profile_of(row)
        if profile is not None:
            self._table = {
                (each.source, each.event, each.target)
                for each in TRANSITIONS
                if each.quirk is None or not profile.has(each.quirk)
            }

    def _move(self, row: Row) -> Iterator[Violation]:
        data = row.data
        before, event, state = data.get("before"), data.get("event"), data.get("state")
        held = self._state.get(row.subject)
        if (before, event, state) not in self._table:
            text = f"the table has no way from {before} by {event} to {state}"
            yield Violation(self.invariant, row.n, f"{row.subject}: {text}")
        begins = before == State.CREATED and held in (None, State.DELETED)
        if held is None and not begins and not self._restarted:
            text = f"its first change is from {before}, not from {State.CREATED}"
            yield Violation(self.invariant, row.n, f"{row.subject}: {text}")
        if held is not None and held != before and not begins:
            text = f"it changes from {before}, and it was {held}"
            yield Violation(self.invariant, row.n, f"{row.subject}: {text}")
        self._state[row.subject] = str(state)
        self._tell(name_of(row.subject), str(state), begins=begins)

    def _tell(self, run: str, state: str, *, begins: bool) -> None:
        told = self._stories.setdefault(run, [])
        if begins:
            told.clear()
        if state not in UNRECORDED and told[-1:] != [state]:
            told.append(state)

    def story(self, run: str) -> list[str]:
        """The states that `status.transitions` of a run must show, the oldest first."""
        return list(self._stories.get(run, ()))

    def finish(self, end_time: int) -> Iterable[Violation]:
        """Nothing is due."""
        return ()


class ServiceShown:
    """Invariant 2: a run shows a service only with a service that can be reached, and truly."""

    invariant = 2
    kinds: frozenset[str] | None = frozenset(
        {"world", "run", "object", "pod", "endpoint", "health", "fault"}
    )

    def __init__(self, notice: int = NOTICE) -> None:
        self._notice = notice
        self._services: dict[str, Service] = {}  # by workload
        self._owners: dict[str, str] = {}  # workloads, by the Service's name
        self._workloads: dict[str, str] = {}  # of pods, by name
        self._ready: dict[str, set[str]] = {}  # names of ready pods, by workload
        self._was_ready: dict[str, int] = {}  # until when one was, by workload
        self._running: set[str] = set()
        self._any_pod = False
        self._listed: dict[str, dict[str, None]] = {}  # ready endpoints, by Service
        self._was_listed: dict[str, int] = {}  # until when there was one, by Service
        self._told = HealthTold(notice)
        self._due: Deadlines[tuple[str, int]] = Deadlines()

    def feed(self, row: Row) -> Iterable[Violation]:
        """A run's state, a Service, or a pod's readiness."""
        found = list(self._judge(row.t))
        self._told.feed(row)
        if row.kind == "run":
            found += self._move(row)
        elif row.kind == "endpoint":
            self._list(row)
        elif row.kind == "world":
            profile = profile_of(row)
            self._any_pod = profile is not None and profile.has(Quirk.READY_ANY_POD)
        elif row.kind == "pod":
            self._set_ready(row, bool(row.data.get("ready")))
        elif kind_of(row.subject) == "Pod":
            self._count_pod(row)
        elif kind_of(row.subject) == "Service":
            self._note_service(row)
        return found

    def finish(self, end_time: int) -> Iterable[Violation]:
        """What was to be noticed by the end."""
        return list(self._judge(end_time + 1))

    def _judge(self, now: int) -> Iterator[Violation]:
        for _, (run, row) in self._due.before(now):
            if run in self._running and run not in self._services:
                text = f"Run/{run} stays {State.RUNNING}, and its Service is gone"
                yield Violation(self.invariant, row, text)
        for row, text in self._told.late(now):
            yield Violation(self.invariant, row, text)

    def _move(self, row: Row) -> Iterator[Violation]:
        run, state = name_of(row.subject), row.data.get("state")
        if state != State.RUNNING:
            self._running.discard(run)
            return
        first = run not in self._running
        self._running.add(run)
        service = self._services.get(run)
        if service is None:
            text = f"{row.subject} is {State.RUNNING}, and has no Service"
            yield Violation(self.invariant, row.n, text)
        elif first:
            yield from self._reachable(row, run, service)
            yield from self._true(row, service)

    def _reachable(self, row: Row, run: str, service: Service) -> Iterator[Violation]:
        last, least = self._was_ready.get(run, -1), row.t - self._notice
        if not self._ready.get(run) and last < max(least, 0):
            text = f"{row.subject} is {State.RUNNING}, and no pod of it is ready"
            yield Violation(self.invariant, row.n, text)
        listed = self._was_listed.get(service.name, -1)
        if not self._any_pod and not self._listed.get(service.name) and listed < max(least, 0):
            text = f"{row.subject} is {State.RUNNING}, and {service.name} has no ready endpoint"
            yield Violation(self.invariant, row.n, text)

    def _list(self, row: Row) -> None:
        name, pod = name_of(row.subject), str(row.data.get("pod", ""))
        if row.data.get("ready") and not row.data.get("gone"):
            self._listed.setdefault(name, {})[pod] = None
        elif pod in self._listed.get(name, ()):
            remove(self._listed, name, pod)
            self._was_listed[name] = row.t

    def _true(self, row: Row, service: Service) -> Iterator[Violation]:
        shown: dict[str, Any] = row.data.get("service") or {}
        facts = {
            "name": service.name,
            "type": service.type,
            "clusterIP": service.address,
            "ports": list(service.ports),
        }
        for key, fact in facts.items():
            if key in shown and shown[key] != fact:
                text = f"{row.subject} shows the {key} {shown[key]!r}, and it is {fact!r}"
                yield Violation(self.invariant, row.n, text)

    def _note_service(self, row: Row) -> None:
        name = name_of(row.subject)
        if row.data.get("op") == "ADDED":
            service = read_service(row)
            if not service.alias and service.workload:
                self._services[service.workload] = service
                self._owners[name] = service.workload
            return
        self._listed.pop(name, None)
        self._was_listed.pop(name, None)
        if (run := self._owners.pop(name, None)) is not None:
            self._services.pop(run, None)
            self._due.add(row.t + self._notice, (run, row.n))

    def _count_pod(self, row: Row) -> None:
        name = name_of(row.subject)
        if row.data.get("op") == "ADDED":
            self._workloads[name] = str(row.data.get("workload", ""))
            return
        self._set_ready(row, False)
        self._workloads.pop(name, None)

    def _set_ready(self, row: Row, ready: bool) -> None:
        name = name_of(row.subject)
        workload = self._workloads.get(name)
        if workload is None:
            return
        pods = self._ready.setdefault(workload, set())
        if ready:
            pods.add(name)
        elif name in pods:
            pods.remove(name)
            self._was_ready[workload] = row.t
