"""Who may own an alias: the part of invariant 5 that is about aliases.

Rules: by the promise an alias is the newest run's that is RUNNING among those that claim it, and is
gone only with the last of them, or where the platform refused it. A run claims an alias once it has
owned it, or where its row of EXECUTE names it in `aliases`. A run is newer when its first row is. Under
the quirk `alias-takeover-early` the owner is the run that was deployed last, ready or not; then nothing
of this is checked.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.quirks import Quirk
from emulator.testing.invariants.base import ENDED, name_of, profile_of


class Aliases:
    """The runs, and the aliases that they claim."""

    __slots__ = ("_age", "_claims", "_count", "_early", "_ended", "_names", "_refused", "_running")

    def __init__(self) -> None:
        self._early = False
        self._count = 0
        self._age: dict[str, int] = {}
        self._running: set[str] = set()
        self._ended: set[str] = set()
        self._claims: dict[str, dict[str, None]] = {}  # runs, by alias
        self._names: dict[str, dict[str, None]] = {}  # aliases, by run
        self._refused: set[str] = set()

    def read_header(self, row: Row) -> None:
        """The profile says which rule holds."""
        profile = profile_of(row)
        self._early = profile is not None and profile.has(Quirk.ALIAS_TAKEOVER_EARLY)

    def run(self, row: Row) -> list[str]:
        """A run's new state; gives the aliases that are to be looked at."""
        run, state = name_of(row.subject), row.data.get("state")
        if run not in self._age:
            self._count += 1
            self._age[run] = self._count
            self._ended.discard(run)
        if state == State.RUNNING:
            self._running.add(run)
            for name in row.data.get("aliases", ()):
                self._claim(str(name), run)
            return list(self._names.get(run, ()))
        self._running.discard(run)
        if state not in ENDED:
            return []
        names = list(self._names.get(run, ()))
        self._ended.add(run)
        if state == State.DELETED:
            self._drop(run, names)
        return names

    def _drop(self, run: str, names: list[str]) -> None:
        del self._age[run]
        self._names.pop(run, None)
        for name in names:
            claims = self._claims.get(name, {})
            claims.pop(run, None)
            if not claims:
                self._claims.pop(name, None)

    def _claim(self, name: str, run: str) -> None:
        self._claims.setdefault(name, {})[run] = None
        self._names.setdefault(run, {})[name] = None

    def owned(self, name: str, run: str) -> None:
        """The alias has come to a run."""
        self._refused.discard(name)
        self._claim(name, run)

    def refused(self, name: str) -> None:
        """The platform did not make it: nobody has it until it is made."""
        self._refused.add(name)

    def newer(self, name: str, run: str) -> str:
        """The newest run that is RUNNING and claims the alias with more right; empty without."""
        if self._early:
            return ""
        running = [each for each in self._claims.get(name, ()) if each in self._running]
        newest = max(running, key=lambda each: self._age[each], default="")
        return newest if newest and self._age[newest] > self._age.get(run, 0) else ""

    def orphaned(self, name: str) -> str:
        """A RUNNING run whose alias is missing, and was not refused; empty without."""
        if self._early or name in self._refused:
            return ""
        return next((each for each in self._claims.get(name, ()) if each in self._running), "")

    def wrong(self, name: str, owner: str) -> Iterator[str]:
        """What is wrong with an alias that has had its owner for a while."""
        if self._early:
            return
        if owner in self._ended:
            yield f"the alias {name} is still Run/{owner}'s, which has ended"
        elif newer := self.newer(name, owner):
            yield f"the alias {name} is Run/{owner}'s, and Run/{newer} is RUNNING and newer"
