"""Invariants 8 and 9: the order of a journal, and the sameness of two.

Rules: 8: rows are numbered without a gap from 1, time never runs backwards, a cause has a smaller number
than its effect, and the first row is the world's; nobody is evicted before the taint that is the cause
has been borne long enough (`Evictions` is that part of the checker). 9: two journals of the same seed,
inputs and version are the same to the byte, so the first row that differs breaks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulator.domain.journal import Row
from emulator.testing.invariants.base import Violation
from emulator.testing.invariants.evictions import PATIENCE, Evictions

_OF_EVICTIONS = frozenset({"node", "bind", "object", "event"})


class Order:
    """Invariant 8: time never runs backwards, and no effect comes before its cause.

    `patience` is how long every pod bears the taints of a node that is lost, in nanoseconds.
    """

    invariant = 8
    kinds: frozenset[str] | None = None

    def __init__(self, patience: int = PATIENCE) -> None:
        self._n = 0
        self._t = 0
        self._evictions = Evictions(patience)

    def feed(self, row: Row) -> Iterable[Violation]:
        """Numbers, times and causes."""
        found: Iterable[Violation] = ()
        if row.kind in _OF_EVICTIONS:
            found = [self._violation(row, text) for text in self._evictions.feed(row)]
        if row.n == self._n + 1 and row.t >= self._t and 0 <= row.cause < row.n and self._n:
            self._n, self._t = row.n, row.t
            return found
        return [*found, *self._wrong(row)]

    def _wrong(self, row: Row) -> Iterator[Violation]:
        if not self._n and row.kind != "world":
            yield self._violation(row, f"the journal begins with a row of kind {row.kind!r}")
        if row.n != self._n + 1:
            yield self._violation(row, f"row {row.n} follows row {self._n}")
        if row.t < self._t:
            yield self._violation(row, f"time runs backwards, from {self._t} to {row.t}")
        if not 0 <= row.cause < row.n:
            yield self._violation(row, f"the cause, row {row.cause}, does not come before it")
        self._n, self._t = row.n, max(self._t, row.t)

    def finish(self, end_time: int) -> Iterable[Violation]:
        """The end is not before the last row."""
        if end_time < self._t:
            text = f"the journal ends at {end_time}, before its last row's time {self._t}"
            return (Violation(self.invariant, self._n, text),)
        return ()

    def _violation(self, row: Row, message: str) -> Violation:
        return Violation(self.invariant, row.n, message)


class Sameness:
    """Invariant 9: the journal is, line by line, the one that is expected."""

    invariant = 9
    kinds: frozenset[str] | None = None

    def __init__(self, expected: Iterable[Row]) -> None:
        self._expected = iter(expected)
        self._differs = False
        self._n = 0

    def feed(self, row: Row) -> Iterable[Violation]:
        """Compares with the next row that is expected; the first difference is the only one told."""
        if self._differs:
            return ()
        self._n = row.n
        other = next(self._expected, None)
        line = row.line()
        if other is not None and other.line() == line:
            return ()
        self._differs = True
        return (Violation(self.invariant, row.n, _difference(other, line)),)

    def finish(self, end_time: int) -> Iterable[Violation]:
        """Nothing more is expected."""
        other = None if self._differs else next(self._expected, None)
        if other is None:
            return ()
        text = f"the journal ends, where the other one has {other.line().rstrip()}"
        return (Violation(self.invariant, self._n, text),)


def _difference(other: Row | None, line: str) -> str:
    shown = "nothing" if other is None else other.line().rstrip()
    return f"the journals differ: {line.rstrip()} where the other one has {shown}"


def same(rows: Iterable[Row], others: Iterable[Row]) -> Violation | None:
    """The first row in which two journals differ, or None: the one-call form of invariant 9."""
    checker = Sameness(others)
    last = 0
    for row in rows:
        last = row.t
        for found in checker.feed(row):
            return found
    return next(iter(checker.finish(last)), None)
