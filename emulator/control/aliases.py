"""Who owns an alias: one rule, kept in one place.

Rules: an alias name has one owner at most. By the promise it is the newest run that is RUNNING among
those that may own it, and goes back when that one ends; by `alias-takeover-early` it is the run
deployed last, ready or not, and is gone with it. Aliases are told in the order in which they came to
have an owner. Nothing here looks through all runs.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from emulator.control.entities import Run
from emulator.domain.lifecycle import State
from emulator.domain.quirks import Profile, Quirk

#: A run that may inherit: its age, newest first, its id, and the run.
_Heir = tuple[int, int, str, Run]


class Aliases:
    """Alias names and their owners."""

    def __init__(self, profile: Profile) -> None:
        self._early = profile.has(Quirk.ALIAS_TAKEOVER_EARLY)
        self._owner: dict[str, Run] = {}
        self._since: dict[str, int] = {}
        self._count = 0
        self._lost: dict[str, list[str]] = {}
        self._heirs: dict[str, list[_Heir]] = {}
        self._ended: dict[str, int] = {}

    def owned(self, run: Run) -> tuple[str, ...]:
        """The aliases that a run owns."""
        owner = self._owner
        names = [name for name in dict.fromkeys(run.alias_names) if owner.get(name) is run]
        if len(names) > 1:
            names.sort(key=self._since.__getitem__)
        return tuple(names)

    def losers(self, run: Run) -> list[str]:
        """The runs that lost an alias to this one since the last call."""
        return self._lost.pop(run.id, [])

    def at_deployment(self, run: Run) -> tuple[str, ...]:
        """The aliases that a run takes when its objects are made."""
        if not self._early:
            return ()
        self._take(run)
        return run.alias_names

    def may_inherit(self, run: Run) -> None:
        """The run is RUNNING from now on: what it may own can come to it. Said once of a run."""
        if self._early:
            return
        for name in dict.fromkeys(run.alias_names):
            heappush(self._heirs.setdefault(name, []), (-run.created, -run.order, run.id, run))

    def on_running(self, run: Run) -> bool:
        """The run has become RUNNING: whether it takes an alias now."""
        return not self._early and self._take(run)

    def on_end(self, run: Run) -> list[Run]:
        """The run ends: the runs that its aliases go to."""
        self._lost.pop(run.id, None)
        freed = self.owned(run)
        for name in freed:
            self._free(name)
        if self._early:
            return []
        heirs: list[Run] = []
        for name in freed:
            heir = self._newest(name)
            if heir is not None:
                self._give(name, heir)
                if heir not in heirs:
                    heirs.append(heir)
        for name in run.alias_names:
            if name not in freed:
                self._sweep(name)
        return heirs

    def renounce(self, run: Run, held: set[str]) -> list[str]:
        """The run gives up the aliases that it owns and does not hold; they are named."""
        lost = [name for name in self.owned(run) if name not in held]
        for name in lost:
            self._free(name)
        return lost

    def _take(self, run: Run) -> bool:
        taken = False
        for name in run.alias_names:
            owner = self._owner.get(name)
            if owner is None or self._early or _age(run) > _age(owner):
                if owner is not None and owner is not run:
                    self._lost.setdefault(run.id, []).append(owner.id)
                self._give(name, run)
                taken = True
        return taken

    def _give(self, name: str, run: Run) -> None:
        if name not in self._owner:
            self._count += 1
            self._since[name] = self._count
        self._owner[name] = run

    def _free(self, name: str) -> None:
        del self._owner[name], self._since[name]

    def _newest(self, name: str) -> Run | None:
        """The newest run that is RUNNING and may own the alias."""
        heirs = self._heirs.get(name, [])
        while heirs and heirs[0][3].state is not State.RUNNING:
            heappop(heirs)
        if heirs:
            return heirs[0][3]
        self._heirs.pop(name, None)
        self._ended.pop(name, None)
        return None

    def _sweep(self, name: str) -> None:
        """One more heir of the alias has ended: they are let go when most have."""
        heirs = self._heirs.get(name)
        if heirs is None:
            return
        self._ended[name] = ended = self._ended.get(name, 0) + 1
        if ended * 2 > len(heirs):
            heirs[:] = [each for each in heirs if each[3].state is State.RUNNING]
            heapify(heirs)
            self._ended[name] = 0
            if not heirs:
                del self._heirs[name], self._ended[name]


def _age(run: Run) -> tuple[int, int]:
    return run.created, run.order
