"""Invariant 11: what was acknowledged survives a kill.

Rules: it compares the journal before the kill with what the world says after its restart. Every run
that was acknowledged and not on its way to be deleted is there; its state is one that the table reaches
from the one that it had; what was RUNNING and is so has its name and its address; what was DELETED does
not come back. `acknowledged` is the number of the last row that a caller had an answer to (None: all):
what came later may be there or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from emulator.domain.journal import Row
from emulator.domain.lifecycle import TRANSITIONS, State
from emulator.testing.invariants.base import Violation, kind_of, name_of, read_service

_KINDS = frozenset({"run", "object"})


@dataclass(frozen=True, slots=True)
class Survivor:
    """A run after the restart: its state, and the name and address that it shows (empty: none)."""

    state: str
    name: str = ""
    address: str = ""


class Survival:
    """Invariant 11: the runs after a kill are those before it. `after` is by the runs' ids."""

    invariant = 11
    kinds: frozenset[str] | None = _KINDS

    def __init__(self, after: Mapping[str, Survivor], acknowledged: int | None = None) -> None:
        self._after = after
        self._last = acknowledged
        self._runs: dict[str, tuple[str, int]] = {}  # state and row, by id
        self._later: dict[str, set[str]] = {}  # states after the last acknowledged one, by id
        self._services: dict[str, tuple[str, str]] = {}  # name and address, by workload
        self._owners: dict[str, str] = {}

    def feed(self, row: Row) -> Iterable[Violation]:
        """A row from before the kill; nothing is judged yet."""
        if row.kind == "run":
            self._run(row)
        elif kind_of(row.subject) == "Service":
            self._service(row)
        return ()

    def _run(self, row: Row) -> None:
        run, state = name_of(row.subject), str(row.data.get("state"))
        if self._last is not None and row.n > self._last:
            self._later.setdefault(run, set()).add(state)
        else:
            self._runs[run] = (state, row.n)

    def _service(self, row: Row) -> None:
        name = name_of(row.subject)
        if row.data.get("op") == "ADDED":
            service = read_service(row)
            if service.workload and not service.alias:
                self._services[service.workload] = (name, service.address)
                self._owners[name] = service.workload
        elif (owner := self._owners.pop(name, None)) is not None:
            self._services.pop(owner, None)

    def finish(self, end_time: int) -> Iterable[Violation]:
        """Compares what was with what is."""
        return [
            Violation(self.invariant, row, f"Run/{run} {text}")
            for run, (state, row) in self._runs.items()
            for text in self._compare(run, state)
        ]

    def _compare(self, run: str, state: str) -> Iterator[str]:
        found = self._after.get(run)
        later = self._later.get(run, set())
        if found is None:
            if state not in (State.DELETING, State.DELETED) and State.DELETING not in later:
                yield f"was {state} before the kill, and is missing"
            return
        if found.state not in _REACHED.get(state, frozenset({state})):
            yield f"was {state} before the kill, and is {found.state}"
        name, address = self._services.get(run, ("", ""))
        if state == found.state == State.RUNNING and name:
            if found.name and found.name != name:
                yield f"was served as {name}, and is as {found.name}"
            if found.address and found.address != address:
                yield f"had the address {address}, and has {found.address}"


def _reached() -> dict[str, frozenset[str]]:
    """The states that each state leads to over any number of rows of the table, itself among them."""
    moves: dict[str, set[str]] = {state: {state} for state in State}
    for _ in State:
        for row in TRANSITIONS:
            moves[row.source] |= moves[row.target]
    # A run that is DELETED is known no more, so it cannot be shown as such.
    return {state: frozenset(found - {State.DELETED}) for state, found in moves.items()}


_REACHED = _reached()


def survived(
    rows: Iterable[Row], after: Mapping[str, Survivor], acknowledged: int | None = None
) -> list[Violation]:
    """What a kill has lost or changed: the one-call form of invariant 11."""
    checker = Survival(after, acknowledged)
    last = 0
    for row in rows:
        if row.kind in _KINDS:
            checker.feed(row)
        last = row.t
    return list(checker.finish(last))
