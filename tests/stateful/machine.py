"""The state machine: users, faults and time over one world a history, judged after every rule.

Rules: a rule draws one action and has the player do it; whatever cannot be done now is not done. At the
end of each history the player heals everything, waits, takes everything away and waits again. A history
that breaks an invariant is made smaller (`shrink`), raises `Broken` with the scenario that repeats it,
and writes that to `found`. Hypothesis' own way to smaller examples takes minutes here, as every try
of it ends a whole world: leave its phase `shrink` out.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from player import NODES, SETTINGS, ZONES, Broken, Player, replay
from shrinking import shrink

from emulator.cluster.faults import KINDS
from emulator.cluster.faults.base import PodFault
from emulator.cluster.faults.calls import CallFault
from emulator.cluster.faults.kinds_registry import SlowStart
from emulator.cluster.faults.outages import NodeFault
from emulator.domain.timefmt import MILLISECOND, SECOND
from emulator.testing.actions import (
    Action,
    Advance,
    Delete,
    Heal,
    Invoke,
    Resume,
    Setting,
    Stop,
    Version,
)
from emulator.testing.invariants import Violation
from emulator.testing.strategies import (
    IMAGES,
    Targets,
    advances,
    deploys,
    faults,
    loads,
)

#: How many seconds it may take to make a failure smaller.
PATIENCE = 20.0
#: Which run or fault a rule is about; taken modulo those that there are.
which = st.integers(0, 99)
MOMENTS = st.sampled_from([0, MILLISECOND, 10 * MILLISECOND, 100 * MILLISECOND, SECOND, 3 * SECOND])

#: The kinds of faults by what they strike; one rule for each, so that none is rare.
OF_PODS = tuple(kind for kind, row in KINDS.items() if issubclass(row, PodFault | SlowStart))
OF_CALLS = tuple(kind for kind, row in KINDS.items() if issubclass(row, CallFault))
OF_NODES = tuple(kind for kind, row in KINDS.items() if issubclass(row, NodeFault))
OF_CLUSTER = tuple(kind for kind in KINDS if kind not in {*OF_PODS, *OF_CALLS, *OF_NODES})


class Life(RuleBasedStateMachine):
    """Everything that users, time and faults may do to a world."""

    #: The worlds that are drawn from; a subclass may take others.
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS
    #: Where a failure's scenario goes; nowhere without.
    found: ClassVar[Path | None] = None
    #: How often each kind of fault began, over all histories.
    begun: ClassVar[Counter[str]] = Counter()

    player: Player | None = None

    @initialize(setting=st.integers(0, 99), seed=st.integers(0, 999), again=st.integers(0, 7))
    def begin(self, setting: int, seed: int, again: int) -> None:
        self.player = Player(self.settings[setting % len(self.settings)], seed)
        self.again = again == 7  # one history of eight is played twice
        self.count = 0
        self.broken = False

    # -- users -----------------------------------------------------------------------------------

    @rule(data=st.data())
    def deploy(self, data: st.DataObject) -> None:
        self.count += 1
        self.do(data.draw(deploys(f"r{self.count}")))

    @rule(image=st.sampled_from(IMAGES))
    def declare(self, image: str) -> None:
        self.do(Version(image))

    @precondition(lambda self: self.there())
    @rule(number=which)
    def stop(self, number: int) -> None:
        self.do(Stop(self.run(number)))

    @precondition(lambda self: self.there())
    @rule(number=which)
    def delete(self, number: int) -> None:
        self.do(Delete(self.run(number)))

    @precondition(lambda self: self.there())
    @rule(number=which)
    def resume(self, number: int) -> None:
        self.do(Resume(self.run(number)))

    @precondition(lambda self: self.there())
    @rule(number=which, method=st.sampled_from(["GET", "POST"]))
    def invoke(self, number: int, method: str) -> None:
        self.do(Invoke(self.run(number), method))

    @precondition(lambda self: self.player is not None and self.player.served())
    @rule(data=st.data())
    def load(self, data: st.DataObject) -> None:
        assert self.player is not None
        self.count += 1
        self.do(data.draw(loads(self.player.served(), f"load-{self.count}", ("", *ZONES))))

    # -- time ------------------------------------------------------------------------------------

    @rule(duration=MOMENTS)
    def moment(self, duration: int) -> None:
        self.do(Advance(duration))

    @rule(action=advances())
    def wait(self, action: Advance) -> None:
        self.do(action)

    @rule(before=st.booleans())
    def instant(self, before: bool) -> None:
        """The instant of the next event: what follows happens just after it, or just before."""
        assert self.player is not None
        self.do(Advance(max(0, self.player.until_next() - before)))

    # -- faults ----------------------------------------------------------------------------------

    @rule(data=st.data(), kind=st.sampled_from(OF_PODS))
    def trouble(self, data: st.DataObject, kind: str) -> None:
        self.start(data, kind)

    @rule(data=st.data(), kind=st.sampled_from(OF_CALLS))
    def disturb(self, data: st.DataObject, kind: str) -> None:
        self.start(data, kind)

    @rule(data=st.data(), kind=st.sampled_from(OF_NODES))
    def lose(self, data: st.DataObject, kind: str) -> None:
        self.start(data, kind)

    @rule(data=st.data(), kind=st.sampled_from(OF_CLUSTER))
    def strain(self, data: st.DataObject, kind: str) -> None:
        self.start(data, kind)

    def start(self, data: st.DataObject, kind: str) -> None:
        assert self.player is not None
        self.count += 1
        targets = Targets(list(self.player.runs), NODES, ZONES)
        if self.do(data.draw(faults(targets, [kind], name=f"f{self.count}"))):
            self.begun[kind] += 1

    @precondition(lambda self: self.player is not None and self.player.faults)
    @rule(number=which)
    def heal(self, number: int) -> None:
        assert self.player is not None
        names = self.player.faults
        self.do(Heal(names[number % len(names)]))

    @precondition(lambda self: self.player is not None and self.player.faults)
    @rule()
    def heal_all(self) -> None:
        self.do(Heal())

    # -- what they share -------------------------------------------------------------------------

    def there(self) -> bool:
        """Whether there is a run."""
        return self.player is not None and bool(self.player.runs)

    def run(self, number: int) -> str:
        """The name of one of the runs."""
        assert self.player is not None
        names = list(self.player.runs)
        return names[number % len(names)]

    def do(self, action: Action) -> bool:
        """Has the player do it; a failure is made smaller and written before it is raised."""
        assert self.player is not None
        try:
            return self.player.do(action)
        except Broken as broken:
            raise self.smaller(broken) from broken
        except BaseException:
            self.broken = True
            raise

    def smaller(self, broken: Broken) -> Broken:
        """The failure with as few actions as it takes, written to `found`."""
        assert self.player is not None
        self.broken = True
        small = shrink(self.player.setting, self.player.actions, broken, monotonic() + PATIENCE)
        if self.found is not None:
            self.found.write_text(small.scenario, encoding="utf-8")
        return small

    def teardown(self) -> None:
        player = self.player
        if player is None:
            return
        try:
            if not self.broken:
                player.finish()
                if self.again:
                    self._twice(player)
        except Broken as broken:
            raise self.smaller(broken) from broken
        finally:
            player.close()

    def _twice(self, player: Player) -> None:
        """Invariant 9: the same actions in a new world give the same bytes."""
        if replay(player.setting, player.actions).journal.sha256 != player.world.journal.sha256:
            text = "the same history gives another journal"
            raise player.broken([Violation(9, player.world.journal.count, text)])


def machine(**attributes: Any) -> type[Life]:
    """A machine of its own, with these attributes and counts from zero."""
    return type("Life", (Life,), {"begun": Counter(), **attributes})
