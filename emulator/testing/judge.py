"""The judge of a world: the invariants over its rows, and what only the world itself shows.

Rules: `look` takes the rows that are new and checks the world as it is; `finish` says in the end what
did not happen in time, what a fault has left, and what a run has left where none is any more. Nothing
of the world changes, so it goes on as it would without a judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import MINUTE
from emulator.testing.invariants import ALONE, Suite, Violation
from emulator.testing.invariants.base import Faults, kind_of, name_of
from emulator.testing.invariants.recovery import Recovery
from emulator.testing.state import OF_RUNS, Known, leftovers, settled, wrong
from emulator.world import World

#: How long after the end of the last fault, or of the last run, nothing of it may be left.
CALM = 20 * MINUTE


class Judge:
    """Watches one world, whose journal keeps its rows. `only` are numbers of `ALONE`."""

    def __init__(self, world: World, only: Collection[int] = ALONE) -> None:
        self._world = world
        self._hopeless: set[str] = set()  # runs whose containers end by themselves
        recovery = [Recovery(excused=self._hopeless)] if 10 in only else []
        self._suite = Suite(only, recovery)
        self._only = frozenset(only)
        self._seen = 0
        self._known: Known = {}
        self._counts: Counter[str] = Counter()
        self._faults = Faults()
        self._changed = 0  # when a run or an object came or went last

    def look(self) -> list[Violation]:
        """What has become wrong since the last look."""
        found = []
        for row in self._world.journal.rows[self._seen :]:
            self._count(row)
            found += self._suite.feed(row)
        self._seen = self._world.journal.count
        return found + self._say(wrong(self._world, self._known)) + self._say(self._stored())

    def finish(self, end: int | None = None) -> list[Violation]:
        """What is wrong in the end, up to which nothing more happens; call it once."""
        found = self.look()
        world = self._world
        now = world.kernel.now if end is None else end
        found += self._suite.finish(now)
        if self._faults.seen and self._faults.calm_since(now - CALM):
            found += self._say(settled(world))
        over = not any(True for _ in world.plane.repository.runs()) and not world.faults.all()
        if over and self._faults.calm_since(now - CALM) and self._changed <= now - CALM:
            left = leftovers(world)
            found += self._say((12, f"no run is left, and {key}: {left[key]}") for key in left)
        return found

    def _count(self, row: Row) -> None:
        if row.kind == "object":
            self._counts[kind_of(row.subject)] += 1 if row.data["op"] == "ADDED" else -1
        elif row.kind == "fault":
            self._faults.feed(row)
        if row.kind in ("object", "run"):
            self._changed = row.t
        if row.kind == "run" and row.data["state"] == State.BUILT:
            self._read(name_of(row.subject))

    def _read(self, run: str) -> None:
        """Notes a run whose image ends by its own rule: no fault's end mends that."""
        held = self._world.plane.repository.find_run(run)
        image = str(held.spec.get("image", "")) if held is not None else ""
        rule = next((each for each in self._world.settings.rules if each.matches(image)), None)
        if rule is not None and rule.plan.exit is not None:
            self._hopeless.add(run)

    def _stored(self) -> Iterator[tuple[int, str]]:
        store = self._world.cluster.store
        for kind in OF_RUNS:
            if store.count(kind) != self._counts[kind]:
                text = f"the store holds {store.count(kind)} objects of the kind {kind}"
                yield 12, f"{text}, and its rows make {self._counts[kind]}"

    def _say(self, told: Iterator[tuple[int, str]]) -> list[Violation]:
        return [
            Violation(number, self._seen, text) for number, text in told if number in self._only
        ]
