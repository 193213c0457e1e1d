"""The checks of a scenario's faults: kinds, attributes, names, and whether a target can be met.

Rules: a run may be deployed, a function declared, anywhere in the file; nodes and zones are those of the
cluster's pools. A target that nothing in the file can be is an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from emulator.cluster.faults import FaultError, Target, attributes_of, find_kind
from emulator.scenario.clusters import NodePool
from emulator.scenario.faults import ALL, FaultFields
from emulator.scenario.positions import Node
from emulator.scenario.rules import Problem, nearest, problem, short
from emulator.scenario.shape import path_text

Loc = tuple[int | str, ...]


class FaultChecks:
    """The checks of one document's faults; `runs` and `functions` are what the file knows anywhere."""

    def __init__(
        self,
        root: Node,
        pools: Collection[NodePool],
        runs: Collection[str],
        functions: Collection[str],
    ) -> None:
        self._root = root
        self._pools = pools
        self._runs = runs
        self._functions = functions
        self._aliases: set[str] = set()
        self._names: set[str] = set()

    def fault(self, fault: FaultFields, loc: Loc) -> Iterator[Problem]:
        """What is wrong with a fault at `loc`, whose name is known from here on."""
        self._names.add(fault.alias or fault.fault)
        if fault.alias is not None:
            if fault.alias in self._aliases:
                message = f"the name {short(fault.alias)} is taken"
                yield self._at("E222", (*loc, "as"), message)
            self._aliases.add(fault.alias)
        try:
            find_kind(fault.fault)
        except FaultError as error:
            yield self._at("E219", (*loc, "fault"), error.what, error.mend)
            return
        try:
            made = fault.made()
        except FaultError as error:
            yield self._told(error, fault, loc)
            return
        yield from self._target(made.target, (*loc, "target"))

    def heal(self, name: str, loc: Loc) -> Iterator[Problem]:
        """What is wrong with the healing of a fault."""
        if name != ALL and name not in self._names:
            mend = nearest(name, self._names) + "name a fault that stands above, or all"
            yield self._at("E223", loc, f"the fault {short(name)} is not known here", mend)

    def _told(self, error: FaultError, fault: FaultFields, loc: Loc) -> Problem:
        field = error.field
        if field == "target":
            return self._at("E221", (*loc, "target"), error.what, error.mend)
        if field not in fault.attributes:  # what is missing is missed at the kind
            return self._at("E220", (*loc, "fault"), f"{field}: {error.what}", error.mend)
        at: Loc = (*loc, "attributes", field)
        if field in attributes_of(find_kind(fault.fault)):
            return self._at("E220", at, error.what, error.mend)
        message = f"the attribute {short(field)} is not known"
        return problem("E220", self._root.locate_key(at), path_text(at), message, error.mend)

    def _target(self, target: Target, loc: Loc) -> Iterator[Problem]:
        for part in target.parts:
            known = self._known(part)
            wanted = getattr(target, part)
            if known is not None and wanted not in known:
                listed = ", ".join(sorted(known)[:10]) or "none"
                mend = f"{nearest(wanted, known)}the {part}s are: {listed}"
                yield self._at("E221", loc, f"the {part} {short(wanted)} is not known", mend)

    def _known(self, part: str) -> Collection[str] | None:
        """What a part of a target can name; None where that is anything."""
        match part:
            case "run":
                return self._runs
            case "function":
                return self._functions
            case "node":
                counts = [(pool.name, pool.count) for pool in self._pools]
                return {f"{name}-{number + 1}" for name, count in counts for number in range(count)}
            case "zone":
                return {pool.zone for pool in self._pools if pool.zone}
        return None

    def _at(self, rule: str, loc: Loc, message: str, mend: str = "") -> Problem:
        return problem(rule, self._root.locate(loc), path_text(loc), message, mend)
