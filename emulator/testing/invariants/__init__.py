"""The invariants: what holds of every journal, and one checker for each.

Rules: `CHECKERS` holds the twelve under their numbers, which never change. A checker reads rows and
nothing else, and one pass over a journal feeds them all (`Suite`, `check`). Two of them compare with
something besides and are made with it: 9 with another journal (`same`), 11 with the world after a kill
(`survived`); `ALONE` are the others. `emulator.testing.invariants.base` says what a checker is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from emulator.domain.journal import Row
from emulator.testing.invariants.addresses import Addresses
from emulator.testing.invariants.base import Checker, Violation
from emulator.testing.invariants.leftovers import Leftovers
from emulator.testing.invariants.names import Names
from emulator.testing.invariants.nodes import Capacity
from emulator.testing.invariants.order import Order, Sameness, same
from emulator.testing.invariants.reach import Reach
from emulator.testing.invariants.recovery import Recovery
from emulator.testing.invariants.runs import ServiceShown, Transitions
from emulator.testing.invariants.survival import Survival, Survivor, survived
from emulator.testing.invariants.traffic import Invocations

__all__ = [
    "ALONE",
    "CHECKERS",
    "Checker",
    "Suite",
    "Survivor",
    "Violation",
    "check",
    "same",
    "survived",
]

#: The checkers by number. 9 and 11 need what they compare with; every other one takes no argument.
CHECKERS: Mapping[int, Callable[..., Checker]] = {
    1: Transitions,
    2: ServiceShown,
    3: Addresses,
    4: Names,
    5: Reach,
    6: Invocations,
    7: Capacity,
    8: Order,
    9: Sameness,
    10: Recovery,
    11: Survival,
    12: Leftovers,
}

#: The invariants that one journal shows by itself.
ALONE = tuple(number for number in CHECKERS if number not in (9, 11))


class Suite:
    """Checkers side by side, fed in one pass; a row costs only those that want its kind.

    `only` are numbers of `ALONE`; `checkers` are made by the caller, instead of the one of their number.
    """

    def __init__(self, only: Collection[int] = ALONE, checkers: Iterable[Checker] = ()) -> None:
        made: dict[int, Checker] = {number: CHECKERS[number]() for number in sorted(only)}
        made |= {checker.invariant: checker for checker in checkers}
        self.checkers = made
        self._by_kind: dict[str, list[Checker]] = {}
        self._last = 0

    def feed(self, row: Row) -> list[Violation]:
        """What the next row shows to be wrong."""
        self._last = row.t
        wanted = self._by_kind.get(row.kind)
        if wanted is None:
            wanted = self._by_kind[row.kind] = [
                checker
                for checker in self.checkers.values()
                if checker.kinds is None or row.kind in checker.kinds
            ]
        return [found for checker in wanted for found in checker.feed(row)]

    def finish(self, end_time: int | None = None) -> list[Violation]:
        """What is wrong at the end; without a time the journal ends with its last row."""
        end = self._last if end_time is None else end_time
        return [found for checker in self.checkers.values() for found in checker.finish(end)]


def check(
    rows: Iterable[Row],
    *,
    only: Collection[int] = ALONE,
    checkers: Iterable[Checker] = (),
    end_time: int | None = None,
) -> list[Violation]:
    """Every violation in a journal, in the order in which one pass finds them; see `Suite`."""
    suite = Suite(only, checkers)
    found = [each for row in rows for each in suite.feed(row)]
    return found + suite.finish(end_time)
