"""Invariant 10: when faults heal, every service that can recover does, within a bound.

Rules: nothing is judged before the first fault, nor while one is at work. Afterwards a run that is
wanted may be READY or PENDING, or RUNNING without being healthy, for `bound` at most, counted from the
end of the last fault or from the instant at which it came to be so, whichever is later. The bound's
default is the longest wait that Kubernetes itself may make (a back-off of 300 s, stretched by half) and
the progress deadline. A run cannot recover, and is let off, where
- it was never healthy since it became RUNNING;
- its container ended by itself: its `exit` row names no fault (`fault` is empty), or, without that
  field, it ended before the first fault of the journal;
- one of its pods is not bound and no usable node has room for what its other pods asked for (the bound
  counts anew from the last room that was made, and from the last binding);
- a quota, and no fault's, refused one of its pods since the last fault ended;
- the caller says so (`excused`, ids of runs).
A container that need not wait for its restart does not (`Restarts` is that part of the checker).
Source: Kubernetes facts sections 5, 6.1, 6.2, 8.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from emulator.domain.health import Health
from emulator.domain.journal import Row
from emulator.domain.lifecycle import WANTED, State
from emulator.domain.quirks import Quirk
from emulator.domain.timefmt import SECOND
from emulator.testing.invariants.base import (
    Deadlines,
    Faults,
    Violation,
    kind_of,
    name_of,
    profile_of,
)
from emulator.testing.invariants.nodes import OVER, Usage
from emulator.testing.invariants.restarts import Restarts

MAX_BACKOFF = 300 * SECOND
DEADLINE = 600 * SECOND
BOUND = MAX_BACKOFF * 3 // 2 + DEADLINE

#: How the names of quotas begin that faults have made.
FAULTY = "fault-"
_KEEPS_AWAY = (":NoSchedule", ":NoExecute")


class _Run:
    """A wanted run: since when, and by which row, it is not as it should be (`since` None: it is).

    `moved` is when a pod of it was bound last, `armed` whether a deadline stands.
    """

    __slots__ = (
        "armed",
        "healthy",
        "moved",
        "refused",
        "row",
        "self_ended",
        "since",
        "state",
        "was_healthy",
    )

    def __init__(self) -> None:
        self.state = ""
        self.healthy = False
        self.was_healthy = False
        self.self_ended = False
        self.refused = -1
        self.since: int | None = None
        self.row = 0
        self.moved = 0
        self.armed = False


class Recovery:
    """Invariant 10: with every fault healed, what can recover is RUNNING and healthy in time."""

    invariant = 10
    kinds: frozenset[str] | None = frozenset(
        {"world", "run", "health", "fault", "exit", "object", "bind", "pod", "node", "event"}
    )

    def __init__(self, bound: int = BOUND, excused: Collection[str] = ()) -> None:
        self._bound = bound
        self._excused = excused
        self._faults = Faults()
        self._pending_ends = True
        self._runs: dict[str, _Run] = {}
        self._usage = Usage()
        self._workloads: dict[str, str] = {}  # by pod, and by ReplicaSet
        self._members: dict[str, dict[str, None]] = {}  # pods, by workload
        self._asks: dict[str, dict[str, int]] = {}  # what one pod asked for, by workload
        self._unusable: set[str] = set()
        self._freed = 0  # when a node had room for more last
        self._restarts = Restarts()
        self._due: Deadlines[str] = Deadlines()

    def feed(self, row: Row) -> Iterable[Violation]:
        """A run's state or health, a fault, or what decides whether a run can recover."""
        found = list(self._judge(row.t))
        name = name_of(row.subject)
        match row.kind:
            case "world":
                profile = profile_of(row)
                stays = profile is not None and profile.has(Quirk.PENDING_WITHOUT_END)
                self._pending_ends = not stays
            case "run":
                self._state(row, name)
            case "health":
                self._health(row, name)
            case "fault":
                if self._faults.feed(row):
                    self._heal(row.t)
            case "exit":
                self._exit(row, name)
                self._restarts.ended(row, name)
            case "node":
                self._node(row, name)
            case "event":
                self._event(row, name)
                if kind_of(row.subject) == "Pod":
                    texts = self._restarts.told(row, name)
                    found += [Violation(self.invariant, row.n, text) for text in texts]
            case _:
                self._place(row, name)
        return found

    def finish(self, end_time: int) -> Iterable[Violation]:
        """What was to have recovered by the end."""
        return list(self._judge(end_time + 1))

    # -- how a run is ----------------------------------------------------------------------------

    def _state(self, row: Row, name: str) -> None:
        state = str(row.data.get("state"))
        if state not in WANTED:
            self._runs.pop(name, None)
            self._asks.pop(name, None)
            return
        run = self._runs.setdefault(name, _Run())
        if state != run.state:
            run.state = state
            if state == State.RUNNING:
                run.since = None  # from here on it is its health that counts
            self._turn(row, name, run, well=state == State.RUNNING and run.healthy)

    def _health(self, row: Row, name: str) -> None:
        run = self._runs.get(name)
        if run is None:
            return
        run.healthy = row.data.get("health") == Health.HEALTHY
        run.was_healthy |= run.healthy
        if run.state == State.RUNNING:
            self._turn(row, name, run, well=run.healthy)

    def _turn(self, row: Row, name: str, run: _Run, *, well: bool) -> None:
        if well:
            run.since = None
        elif run.since is None:
            run.since, run.row = row.t, row.n
            self._arm(name, run, row.t)

    def _arm(self, name: str, run: _Run, now: int) -> None:
        if not run.armed:
            run.armed = True
            self._due.add(now + self._bound, name)

    def _heal(self, now: int) -> None:
        for name, run in self._runs.items():
            if run.since is not None:
                self._arm(name, run, now)

    def _judge(self, now: int) -> Iterator[Violation]:
        for time, name in self._due.before(now):
            run = self._runs.get(name)
            if run is None:
                continue
            run.armed = False
            if run.since is None or self._faults.active or not self._faults.seen:
                continue
            start = max(run.since, self._faults.cleared, run.moved, self._room_since(name))
            if start + self._bound > time:
                self._arm(name, run, start)
            elif name not in self._excused and self._can_recover(name, run):
                how = "not healthy" if run.state == State.RUNNING else f"still {run.state}"
                seconds = self._bound // SECOND
                text = f"Run/{name} is {how}, {seconds} s after the last fault ended"
                yield Violation(self.invariant, run.row, text)

    # -- whether it can recover ------------------------------------------------------------------

    def _can_recover(self, name: str, run: _Run) -> bool:
        if run.state != State.RUNNING:
            return self._pending_ends
        return (
            run.was_healthy
            and not run.self_ended
            and run.refused < self._faults.cleared
            and self._fits(name)
        )

    def _waits(self, name: str) -> bool:
        return any(pod not in self._usage.bound for pod in self._members.get(name, ()))

    def _room_since(self, name: str) -> int:
        """When a pod that waits for a node could have found one first; 0 where none waits."""
        return self._freed if self._waits(name) else 0

    def _fits(self, name: str) -> bool:
        """Whether its unbound pods, if any, find a node; what they ask for is what a bound one did."""
        asks = self._asks.get(name)
        if asks is None or not self._waits(name):
            return True
        return any(
            node not in self._unusable
            and all(self._usage.left(node, key) >= asked for key, asked in asks.items())
            for node in self._usage.allocatable
        )

    def _exit(self, row: Row, name: str) -> None:
        run = self._runs.get(self._workloads.get(name, ""))
        if run is not None:
            fault = row.data.get("fault")
            run.self_ended |= not fault if fault is not None else not self._faults.seen

    def _event(self, row: Row, name: str) -> None:
        if row.data.get("reason") != "FailedCreate":
            return
        run = self._runs.get(self._workloads.get(name, ""))
        _, refused, quota = str(row.data.get("note", "")).partition("exceeded quota: ")
        if run is not None and refused and not quota.startswith(FAULTY):
            run.refused = row.t

    def _node(self, row: Row, name: str) -> None:
        taints = row.data.get("taints", ())
        usable = (
            row.data.get("ready", "True") == "True"
            and not row.data.get("unschedulable")
            and not any(str(taint).endswith(_KEEPS_AWAY) for taint in taints)
        )
        if usable:
            self._unusable.discard(name)
            self._freed = row.t
        else:
            self._unusable.add(name)

    def _place(self, row: Row, name: str) -> None:
        """Nodes and pods that come and go, and what is bound to what."""
        kind, added = kind_of(row.subject), row.data.get("op") == "ADDED"
        if row.kind == "bind":
            self._bind(row, name)
        elif row.kind == "pod":
            if row.data.get("phase") in OVER:
                self._leave(row, name)
        elif kind == "Node" and added:
            self._usage.allocatable[name] = row.data.get("allocatable", {})
            self._node(row, name)
            self._freed = row.t
        elif kind == "Node":
            self._usage.allocatable.pop(name, None)
        elif kind in ("Pod", "ReplicaSet") and added:
            workload = self._workloads[name] = str(row.data.get("workload", ""))
            if kind == "Pod":
                self._members.setdefault(workload, {})[name] = None
        elif kind in ("Pod", "ReplicaSet"):
            self._leave(row, name)
            self._restarts.forget(name)
            self._workloads.pop(name, None)

    def _bind(self, row: Row, name: str) -> None:
        requests, workload = dict(row.data.get("requests", {})), self._workloads.get(name, "")
        self._usage.bind(name, str(row.data.get("node", "")), requests)
        self._asks[workload] = {**requests, "pods": 1}
        if (run := self._runs.get(workload)) is not None:
            run.moved = row.t

    def _leave(self, row: Row, name: str) -> None:
        """The pod holds nothing any more, and is waited for no more."""
        if name in self._usage.bound:
            self._freed = row.t
        self._usage.free(name)
        members = self._members.get(workload := self._workloads.get(name, ""), {})
        members.pop(name, None)
        if not members:
            self._members.pop(workload, None)
