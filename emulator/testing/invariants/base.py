"""What the checkers of the invariants share: the interface, the violation, deadlines, faults.

Rules: a checker reads the journal's rows and nothing else, keeps a small model of its own, and costs
O(1) or O(log n) a row. It is fed every row of its `kinds` in the journal's order. What must hold *by* an
instant is noted as a deadline and judged by the first row after it, or by `finish`, on the state that
held at that instant. Times are nanoseconds since the world began.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.quirks import PROFILES, Profile

K = TypeVar("K")

#: The states that a run leaves only to be deleted: its objects are to go.
ENDED = frozenset({State.STOPPED, State.COMPLETED, State.ERROR, State.DELETED})


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant's number, the number of the row that breaks it, and what is wrong, in a sentence.

    Where something did not happen in time, `row` is the one from which it was to follow.
    """

    invariant: int
    row: int
    message: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}, row {self.row}: {self.message}"


class Checker(Protocol):
    """One invariant over one journal. `kinds` are the rows that it wants, None for every one."""

    invariant: int
    kinds: frozenset[str] | None

    def feed(self, row: Row) -> Iterable[Violation]:
        """Takes the next row and says what it shows to be wrong. Call it for its effect, too."""

    def finish(self, end_time: int) -> Iterable[Violation]:
        """The journal is over, and nothing more happened up to `end_time`. Called once, at the end."""


class Deadlines(Generic[K]):
    """Instants at which something is to be looked at, each with its key."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, K]] = []
        self._count = 0

    def add(self, time: int, key: K) -> None:
        """Looks at `key` once `time` is over."""
        self._count += 1
        heapq.heappush(self._heap, (time, self._count, key))

    def before(self, now: int) -> Iterator[tuple[int, K]]:
        """Takes out what is due before `now`, the earliest first: the time and the key.

        What is added meanwhile comes out, too, where it is due.
        """
        while self._heap and self._heap[0][0] < now:
            time, _, key = heapq.heappop(self._heap)
            yield time, key


class Faults:
    """The faults at work, as the `fault` rows tell it."""

    __slots__ = ("active", "cleared", "kinds", "seen")

    def __init__(self) -> None:
        self.active: dict[str, str] = {}
        self.kinds: set[str] = set()
        self.seen = False
        self.cleared = 0

    def feed(self, row: Row) -> bool:
        """Takes a `fault` row; says whether it ended the last of them."""
        op = row.data.get("op")
        if op == "started":
            kind = str(row.data.get("fault", ""))
            self.active[row.subject] = kind
            self.kinds.add(kind)
            self.seen = True
            return False
        if self.active.pop(row.subject, None) is None or self.active:
            return False
        self.cleared = row.t
        return True

    def calm_since(self, time: int) -> bool:
        """Whether none is at work and the last one ended at `time` or before."""
        return not self.active and self.cleared <= time


@dataclass(slots=True)
class Service:
    """A Service as its rows tell it; `workload` is the run's id, of an alias its present owner's."""

    name: str
    row: int
    type: str
    address: str
    workload: str
    alias: bool
    ports: tuple[dict[str, Any], ...]


def read_service(row: Row) -> Service:
    """The Service of an `object` row that adds one."""
    data = row.data
    return Service(
        name=name_of(row.subject),
        row=row.n,
        type=str(data.get("type", "ClusterIP")),
        address="" if data.get("clusterIP") in (None, "None") else str(data["clusterIP"]),
        workload=str(data.get("workload", "")),
        alias=bool(data.get("alias", False)),
        ports=tuple(data.get("ports", ())),
    )


def kind_of(subject: str) -> str:
    """`Pod` of `Pod/name`."""
    return subject.partition("/")[0]


def name_of(subject: str) -> str:
    """`name` of `Pod/name`, `namespace/name` of `Pod/namespace/name`."""
    return subject.partition("/")[2]


def beside(subject: str, name: object) -> str:
    """What a row about `subject` means by the bare `name`: an object of the same namespace."""
    namespace, _, _ = name_of(subject).rpartition("/")
    return f"{namespace}/{name}" if namespace else str(name)


def profile_of(header: Row) -> Profile | None:
    """The profile that a `world` row names; None where it is none of the known ones."""
    return PROFILES.get(str(header.data.get("profile", "")))


def remove(table: dict[str, dict[str, None]], key: str, name: str) -> None:
    """Takes a name out of an entry, and the entry with its last one."""
    names = table.get(key, {})
    names.pop(name, None)
    if not names:
        table.pop(key, None)
