"""The loads of one scenario's run: started, awaited, judged.

Rules: a load calls the Service of a run, which must be there when it begins. What was expected of a
load is judged once it is over; those that still send when the scenario ends are stopped first. Shares
are of the requests that have ended, durations of those that were answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emulator.control.entities import Run
from emulator.domain.timefmt import format_duration
from emulator.scenario.bounds import Bound
from emulator.scenario.load_report import milliseconds
from emulator.scenario.schema import Load
from emulator.world import World

if TYPE_CHECKING:
    from emulator.cluster.traffic import Result

_QUANTILES = {"p50": (1, 2), "p90": (9, 10), "p99": (99, 100), "p999": (999, 1000)}


class Loads:
    """What a run has started so far; `results` has the books of each, in the order of starting."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._steps: dict[str, tuple[int, Load]] = {}
        self._open: list[str] = []

    def start(self, index: int, step: Load, run: Run) -> None:
        """Starts the load of a step. Raises ValueError where it cannot be."""
        world = self._world
        service = world.service_name(run)
        namespace = world.settings.cluster.namespace
        if not service or world.cluster.store.get("Service", f"{namespace}/{service}") is None:
            raise ValueError(f"run {step.load} is {run.state} and has no service to call")
        world.journal.cause = 0
        world.traffic.start(step.build(service, world.kernel.now))
        self._steps[step.name] = (index, step)
        self._open.append(step.name)

    def over(self, name: str) -> bool:
        """Whether a load has sent everything and nothing is in flight."""
        return self._world.traffic.over(name)

    def busy(self) -> bool:
        """Whether a load that ends by itself has not ended yet."""
        traffic = self._world.traffic if self._open else None
        while traffic and self._open and traffic.over(self._open[-1]):
            self._open.pop()
        return bool(self._open)

    def stop_endless(self) -> None:
        """Stops the loads that nothing else ends."""
        for name, (_, step) in self._steps.items():
            if step.endless:
                self._world.traffic.stop(name)

    def stop(self) -> None:
        """Stops all of them; no effect on those that are over."""
        for name in self._steps:
            self._world.traffic.stop(name)

    def results(self) -> dict[str, Result]:
        """The books of every load."""
        return {name: self._world.traffic.results(name) for name in self._steps}

    def judge(self) -> Iterator[tuple[int, str]]:
        """The step and the sentence of each load that is not as expected."""
        for name, (index, _) in self._steps.items():
            if (problem := self.mismatch(name)) is not None:
                yield index, problem

    def mismatch(self, name: str) -> str | None:
        """The first thing about a load that is not as its step expects; None when all is."""
        _, step = self._steps[name]
        if step.expect is None:
            return None
        result = self._world.traffic.results(name)
        ended = result.answered + result.failed
        expect = step.expect
        counts = [
            ("sent", expect.sent, result.sent),
            ("answered", expect.answered, result.answered),
            ("failed", expect.failed, result.failed),
            *(
                (f"outcome {outcome}", bound, result.outcomes.get(outcome, 0))
                for outcome, bound in expect.outcomes.items()
            ),
        ]
        for what, bound, count in counts:
            if bound is not None and not bound.holds(count, ended):
                return f"load {name}: {what} {count} of {ended}, expected {bound.text}"
        return self._slow(name, result, step)

    def _slow(self, name: str, result: Result, step: Load) -> str | None:
        for what, bound in _durations(step):
            if not result.answered:
                return f"load {name}: nothing was answered, expected {what} {bound.text}"
            value = _measure(what, result)
            if not bound.holds(value):
                label = "p99.9" if what == "p999" else what
                return f"load {name}: {label} {milliseconds(value)}, expected {bound.text}"
        return None

    def late(self, name: str) -> str:
        """That a load did not end in time."""
        now = format_duration(self._world.kernel.now)
        return f"load {name} is not over at {now}, when the scenario ends: raise until"


def _durations(step: Load) -> Iterator[tuple[str, Bound]]:
    for what in ("mean", *_QUANTILES, "max"):
        bound: Bound | None = getattr(step.expect, what)
        if bound is not None:
            yield what, bound


def _measure(what: str, result: Result) -> int:
    if what == "mean":
        return result.latency.mean
    if what == "max":
        return result.latency.longest
    return result.latency.quantile(*_QUANTILES[what])
