"""What a run says of its health: the part of invariant 2 that is about being healthy.

Rules: a run that says that it is healthy has as many ready pods as its Deployment wants. A pod that
was lost is noticed within `settle`, faults apart: while one is at work, and for as long after it,
nothing is judged. Nothing is asked of a run that says anything else.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.domain.health import Health
from emulator.domain.journal import Row
from emulator.testing.invariants.base import Deadlines, Faults, kind_of, name_of


class _Told:
    """A workload: what it wants, what is ready, and since when it says more than is true."""

    __slots__ = ("healthy", "ready", "row", "since", "wanted")

    def __init__(self) -> None:
        self.wanted = 0
        self.ready: dict[str, None] = {}
        self.healthy = False
        self.since: int | None = None
        self.row = 0


class HealthTold:
    """Whether who says that he is healthy is. `settle` is in nanoseconds."""

    __slots__ = ("_due", "_faults", "_settle", "_told", "_workloads")

    def __init__(self, settle: int) -> None:
        self._settle = settle
        self._faults = Faults()
        self._told: dict[str, _Told] = {}
        self._workloads: dict[str, str] = {}  # of pods and Deployments, by subject
        self._due: Deadlines[str] = Deadlines()

    def feed(self, row: Row) -> None:
        """A health, a pod, a Deployment or a fault."""
        if row.kind == "fault":
            self._faults.feed(row)
        elif row.kind == "health":
            told = self._told.setdefault(name_of(row.subject), _Told())
            told.healthy = row.data.get("health") == Health.HEALTHY
            self._look(row, name_of(row.subject))
        elif row.kind == "pod":
            self._pod(row, bool(row.data.get("ready")))
        elif kind_of(row.subject) in ("Pod", "Deployment"):
            self._object(row)

    def _object(self, row: Row) -> None:
        if row.data.get("op") == "ADDED":
            workload = self._workloads[row.subject] = str(row.data.get("workload", ""))
            if workload and kind_of(row.subject) == "Deployment":
                self._told.setdefault(workload, _Told()).wanted = int(row.data.get("replicas", 1))
        elif kind_of(row.subject) == "Pod":
            self._pod(row, False)
            self._workloads.pop(row.subject, None)
        else:
            self._told.pop(self._workloads.pop(row.subject, ""), None)

    def _pod(self, row: Row, ready: bool) -> None:
        workload = self._workloads.get(row.subject, "")
        told = self._told.get(workload)
        if told is None:
            return
        if ready:
            told.ready[row.subject] = None
        else:
            told.ready.pop(row.subject, None)
        self._look(row, workload)

    def _look(self, row: Row, workload: str) -> None:
        told = self._told[workload]
        if not told.healthy or len(told.ready) >= told.wanted:
            told.since = None
        elif told.since is None:
            told.since, told.row = row.t, row.n
            self._due.add(row.t + self._settle, workload)

    def late(self, now: int) -> Iterator[tuple[int, str]]:
        """Who has said so for too long: the row since which it is not true, and the sentence."""
        for time, workload in self._due.before(now):
            told = self._told.get(workload)
            if told is None or told.since is None:
                continue
            if told.since + self._settle > time:
                continue  # judged by the deadline of that change
            if not self._faults.calm_since(time - self._settle):
                self._due.add(time + self._settle, workload)
                continue
            count = f"{len(told.ready)} of {told.wanted} pods are ready"
            yield told.row, f"Run/{workload} says that it is healthy, and {count}"
