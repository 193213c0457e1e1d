"""What a scenario means: the checks that need more than one place of the file.

Rules: they run on a document whose shape is right, change nothing, and find every problem at once.
Steps happen in the order of the file, so a step may use only what stands above it. Kinds come from the
registry; nothing here names one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulator.domain.errors import Refused
from emulator.domain.kinds import KindRegistry, ServeKind, load
from emulator.domain.timefmt import format_duration
from emulator.scenario.fault_checks import FaultChecks
from emulator.scenario.positions import Node
from emulator.scenario.rules import Problem, nearest, problem, short
from emulator.scenario.schema import (
    Assert,
    Break,
    Declare,
    Delete,
    Deploy,
    Function,
    Heal,
    Invoke,
    Load,
    Resume,
    Scenario,
    Step,
    Stop,
    When,
)
from emulator.scenario.shape import path_text
from emulator.scenario.specs import Specs

Loc = tuple[int | str, ...]

#: The cluster's lists in which a name stands for one thing.
_NAMED = {
    "nodes": "node pool",
    "quotas": "quota",
    "limit_ranges": "limit range",
    "priority_classes": "priority class",
}


def check(scenario: Scenario, root: Node) -> Iterator[Problem]:
    """Every broken rule of meaning (E2xx); `root` is the document that `scenario` was read from."""
    return _Checks(scenario, root).all()


class _Checks:
    """One pass over a document; functions and runs are known once the pass has met them."""

    def __init__(self, scenario: Scenario, root: Node) -> None:
        self._scenario = scenario
        self._root = root
        self._registry: KindRegistry = load()
        self._specs = Specs(root, scenario.profiles)
        self._functions: dict[str, ServeKind | None] = {}
        self._runs: dict[str, int] = {}
        self._ids: dict[str, int] = {}
        self._loads: dict[str, int] = {}
        self._later = {
            step.name: index
            for index, step in reversed(list(enumerate(scenario.steps)))
            if isinstance(step, Deploy)
        }
        self._faults = FaultChecks(
            root, scenario.cluster.nodes, self._later, self._declared(scenario)
        )
        self._now = 0

    @staticmethod
    def _declared(scenario: Scenario) -> list[str]:
        """The functions that the file declares anywhere."""
        later = [step.function for step in scenario.steps if isinstance(step, Declare)]
        return [function.name for function in (*scenario.functions, *later)]

    def all(self) -> Iterator[Problem]:
        """Every problem."""
        for key, what in _NAMED.items():
            yield from self._twice(key, what)
        for index, function in enumerate(self._scenario.functions):
            loc: Loc = ("functions", index)
            if function.name in self._functions:
                message = f"the function {short(function.name)} is declared twice"
                yield self._at("E203", (*loc, "name"), message)
            yield from self._declare(function, loc)
        for index, fault in enumerate(self._scenario.faults):
            yield from self._faults.fault(fault, ("faults", index))
        for index, step in enumerate(self._scenario.steps):
            loc = ("steps", index)
            yield from self._time(step, loc)
            yield from self._step(step, index, loc)

    def _at(self, rule: str, loc: Loc, message: str, mend: str = "") -> Problem:
        return problem(rule, self._root.locate(loc), path_text(loc), message, mend)

    def _twice(self, key: str, what: str) -> Iterator[Problem]:
        """Names that are there twice in one of the cluster's lists."""
        seen: set[str] = set()
        for index, each in enumerate(getattr(self._scenario.cluster, key)):
            if each.name in seen:
                loc: Loc = ("cluster", key, index, "name")
                yield self._at("E206", loc, f"the {what} {short(each.name)} is there twice")
            seen.add(each.name)

    def _declare(self, function: Function, loc: Loc) -> Iterator[Problem]:
        """A function becomes known, even when its kind is not."""
        try:
            kind = self._registry.function(function.kind)
        except Refused:
            self._functions[function.name] = None
            known = sorted({row.runtime for row in self._registry})
            mend = f"{nearest(function.kind, known)}the kinds are {', '.join(known)}"
            message = f"the kind {short(function.kind)} is not known"
            yield self._at("E211", (*loc, "kind"), message, mend)
            return
        self._functions[function.name] = kind
        yield from self._specs.function(kind, function.spec, (*loc, "spec"))

    def _time(self, step: Step, loc: Loc) -> Iterator[Problem]:
        """Time as far as it is known: `when` adds an unknown span, which only makes it later."""
        if step.at is not None:
            if step.at < self._now:
                message = (
                    f"{format_duration(step.at)} lies before {format_duration(self._now)},"
                    " which the steps above have reached"
                )
                yield self._at("E209", (*loc, "at"), message)
            self._now = max(self._now, step.at)
        self._now += step.after or 0
        if self._now > self._scenario.until and (step.at is not None or step.after is not None):
            key = "at" if step.at is not None else "after"
            message = (
                f"the step begins at {format_duration(self._now)} or later, and the run ends at "
                f"{format_duration(self._scenario.until)}"
            )
            yield self._at("E210", (*loc, key), message)

    def _step(self, step: Step, index: int, loc: Loc) -> Iterator[Problem]:
        if step.when is not None:
            yield from self._when(step.when, (*loc, "when", "run"), index)
        match step:
            case Deploy():
                yield from self._deploy(step, index, loc)
            case Declare():
                yield from self._declare(step.function, (*loc, "function"))
            case Invoke():
                yield from self._used(step.invoke, (*loc, "invoke"))
            case Stop():
                yield from self._used(step.stop, (*loc, "stop"))
            case Resume():
                yield from self._used(step.resume, (*loc, "resume"))
            case Delete():
                yield from self._used(step.delete, (*loc, "delete"))
            case Assert():
                yield from self._used(step.condition.run, (*loc, "assert", "run"))
            case Load():
                yield from self._load(step, index, loc)
            case Break():
                yield from self._faults.fault(step, loc)
            case Heal():
                yield from self._faults.heal(step.heal, (*loc, "heal"))

    def _deploy(self, step: Deploy, index: int, loc: Loc) -> Iterator[Problem]:
        if step.deploy not in self._functions:
            mend = nearest(step.deploy, self._functions) + "declare it under functions"
            message = f"the function {short(step.deploy)} is not known here"
            yield self._at("E201", (*loc, "deploy"), message, mend)
        if step.name in self._runs:
            key = "deploy" if step.alias is None else "as"
            message = f"steps[{self._runs[step.name]}] has deployed the run {short(step.name)}"
            yield self._at("E204", (*loc, key), message)
        if step.id is not None and step.id in self._ids:
            message = f"steps[{self._ids[step.id]}] has the id {short(step.id)} already"
            yield self._at("E205", (*loc, "id"), message)
        self._runs.setdefault(step.name, index)
        if step.id is not None:
            self._ids.setdefault(step.id, index)
        kind = self._functions.get(step.deploy)
        if kind is not None:
            yield from self._specs.run(kind, step.spec, (*loc, "spec"))

    def _load(self, step: Load, index: int, loc: Loc) -> Iterator[Problem]:
        yield from self._used(step.load, (*loc, "load"))
        if step.name in self._loads:
            key = "load" if step.alias is None else "as"
            message = f"steps[{self._loads[step.name]}] is the load {short(step.name)} already"
            yield self._at("E217", (*loc, key), message)
        self._loads.setdefault(step.name, index)
        if step.endless and not step.background:
            yield self._at("E218", loc, f"the load {short(step.name)} never ends")

    def _unknown(self, run: str, loc: Loc) -> Problem:
        mend = nearest(run, self._later) + "name a run that a step deploys"
        return self._at("E202", loc, f"the run {short(run)} is not known", mend)

    def _used(self, run: str, loc: Loc) -> Iterable[Problem]:
        if run not in self._later:
            return [self._unknown(run, loc)]
        if run not in self._runs:
            message = f"the run {short(run)} is deployed later, by steps[{self._later[run]}]"
            return [self._at("E207", loc, message)]
        return []

    def _when(self, when: When, loc: Loc, index: int) -> Iterable[Problem]:
        run = when.run
        if run not in self._later:
            return [self._unknown(run, loc)]
        if run not in self._runs and "timeout" not in when.model_fields_set:
            message = f"the run {short(run)} is deployed later, by steps[{self._later[run]}]"
            return [self._at("E208", loc, message)]
        return []
