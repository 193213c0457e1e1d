"""Who owns an alias: one rule, kept in one place.

Rules: an alias name has one owner at most. By the promise it is the newest run that is RUNNING among
those that may own it, and goes back when that one ends; by `alias-takeover-early` it is the run
deployed last, ready or not, and is gone with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from emulator.control.entities import Run
from emulator.domain.quirks import Profile, Quirk


class Aliases:
    """Alias names and their owners."""

    def __init__(self, profile: Profile) -> None:
        self._early = profile.has(Quirk.ALIAS_TAKEOVER_EARLY)
        self._owner: dict[str, Run] = {}
        self._lost: dict[str, list[str]] = {}

    def owned(self, run: str) -> tuple[str, ...]:
        """The aliases that a run owns."""
        return tuple(name for name, owner in self._owner.items() if owner.id == run)

    def losers(self, run: Run) -> list[str]:
        """The runs that lost an alias to this one since the last call."""
        return self._lost.pop(run.id, [])

    def at_deployment(self, run: Run) -> tuple[str, ...]:
        """The aliases that a run takes when its objects are made."""
        if not self._early:
            return ()
        self._take(run)
        return run.alias_names

    def on_running(self, run: Run) -> bool:
        """The run has become RUNNING: whether it takes an alias now."""
        return not self._early and self._take(run)

    def on_end(self, run: Run, running: Iterable[Run]) -> list[Run]:
        """The run ends: the runs that its aliases go to."""
        self._lost.pop(run.id, None)
        freed = self.owned(run.id)
        for name in freed:
            del self._owner[name]
        if self._early or not freed:
            return []
        heirs: list[Run] = []
        for name in freed:
            candidates = [each for each in running if name in each.alias_names and each is not run]
            if candidates:
                heir = max(candidates, key=_age)
                self._owner[name] = heir
                if heir not in heirs:
                    heirs.append(heir)
        return heirs

    def renounce(self, run: Run, held: set[str]) -> list[str]:
        """The run gives up the aliases that it owns and does not hold; they are named."""
        lost = [name for name in self.owned(run.id) if name not in held]
        for name in lost:
            del self._owner[name]
        return lost

    def _take(self, run: Run) -> bool:
        taken = False
        for name in run.alias_names:
            owner = self._owner.get(name)
            if owner is None or self._early or _age(run) > _age(owner):
                if owner is not None and owner is not run:
                    self._lost.setdefault(run.id, []).append(owner.id)
                self._owner[name] = run
                taken = True
        return taken


def _age(run: Run) -> tuple[int, int]:
    return run.created, run.order
