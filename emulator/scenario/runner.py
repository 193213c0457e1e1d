"""Runs a scenario offline: no sockets, virtual time, one journal.

Rules: steps are done in the order of the file, each when its time has come; the first thing that is not
as the scenario says ends the run with a `Failure`. After the last step the world goes on to `until`
where the scenario says one, else until no run, no pod and no load is on its way anywhere and no fault
is to begin or to end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from emulator.cluster.faults import FaultError
from emulator.control.entities import Entity, Run
from emulator.control.settings import DEFAULT_PROFILES, ControlSettings, ResourceProfile
from emulator.domain.errors import Refused
from emulator.domain.journal import Row, Sink
from emulator.domain.names import FunctionRef, TaskRef
from emulator.domain.quirks import PROFILES
from emulator.domain.timefmt import OFFLINE_EPOCH, SECOND, format_duration
from emulator.scenario.conditions import mismatch
from emulator.scenario.faults import ALL
from emulator.scenario.invoking import ask
from emulator.scenario.loader import Loaded, digest
from emulator.scenario.result import Failure, Result
from emulator.scenario.schema import (
    Assert,
    Break,
    Condition,
    Declare,
    Delete,
    Deploy,
    Function,
    Heal,
    Invoke,
    Load,
    Resume,
    Step,
    Stop,
)
from emulator.scenario.traffic import Loads
from emulator.world import World, WorldSettings

#: Called with the instant that is about to be reached; sleeps where the run follows the wall.
Pace = Callable[[int], None]


class Judge(Protocol):
    """Says what is wrong with a world while a scenario goes on in it."""

    def look(self) -> Iterable[object]:
        """What has become wrong since the last look; asked after every step."""

    def finish(self, end: int) -> Iterable[object]:
        """What is wrong in the end, at that instant."""


class StepFailed(Exception):
    """A step is not as the scenario says; the text says how."""


def run_scenario(
    loaded: Loaded,
    *,
    seed: int | None = None,
    sink: Sink | None = None,
    pace: Pace | None = None,
    judge: Callable[[World], Judge] | None = None,
) -> Result:
    """Runs a scenario to its end and says how it went. `seed` overrides the file's.

    What the judge finds is in the result's `violations`; the scenario goes on.
    """
    runner = Runner(loaded, seed, sink, pace)
    try:
        return runner.run(judge)
    finally:
        runner.world.close()


class Runner:
    """One run of one scenario: `run` does all of it, `begin` and `take` a step at a time."""

    def __init__(
        self,
        loaded: Loaded,
        seed: int | None = None,
        sink: Sink | None = None,
        pace: Pace | None = None,
    ) -> None:
        scenario = loaded.scenario
        self._scenario = scenario
        self._pace = pace or (lambda time: None)
        self.result = Result(scenario, scenario.seed if seed is None else seed)
        profiles = {
            name: ResourceProfile(each.cpu or "", each.mem or "", each.gpu or "")
            for name, each in scenario.profiles.items()
        }
        control = ControlSettings(
            profile=PROFILES[scenario.profile],
            namespace=scenario.cluster.namespace,
            epoch=OFFLINE_EPOCH,
            deadline=scenario.cluster.progress_deadline // SECOND,
            profiles=profiles or DEFAULT_PROFILES,
        )
        self.world = World(
            WorldSettings(
                seed=self.result.seed,
                control=control,
                cluster=scenario.cluster_settings(OFFLINE_EPOCH),
                rules=tuple(model.rule() for model in scenario.behaviours),
                header={"scenario": scenario.name, "digest": digest(loaded.source)},
            ),
            sink=sink,
        )
        self.world.journal.listen(self._seen)
        self._loads = Loads(self.world)
        self._functions: dict[str, Entity] = {}
        self._tasks: dict[str, Entity] = {}

    # -- the run ---------------------------------------------------------------------------------

    def run(self, judge: Callable[[World], Judge] | None = None) -> Result:
        """Everything, from the project to the last event."""
        result, world = self.result, self.world
        judged = judge(world) if judge is not None else None
        self.begin()
        for index, step in enumerate(self._scenario.steps):
            try:
                self.take(index, step)
            except (StepFailed, Refused, FaultError) as failed:
                result.failure = Failure(index, world.kernel.now, str(failed))
                break
            if judged is not None:
                result.violations += map(str, judged.look())
        end = self._finish()
        if judged is not None:
            result.violations += map(str, judged.finish(end))
        result.end = world.kernel.now
        result.sha256 = world.journal.sha256
        result.rows = world.journal.rows
        return result

    def begin(self) -> None:
        """What is there before the first step: project, functions, planned faults."""
        world = self.world
        project = {"name": self._scenario.project}
        world.command(
            "create",
            f"Project/{self._scenario.project}",
            lambda now: world.plane.catalogue.create_project(now, project),
        )
        for function in self._scenario.functions:
            self._declare(function)
        for fault in self._scenario.faults:
            world.faults.start(fault.made(fault.at), fault.alias or "")

    def take(self, index: int, step: Step) -> None:
        """A step, once its time has come. Raises StepFailed, Refused and FaultError."""
        self._wait(step)
        self._do(index, step)

    def _finish(self) -> int:
        """Lets the world come to its end, whose instant it gives, and judges the loads."""
        result, loads, end = self.result, self._loads, 0
        if result.failure is None:
            asked = "until" in self._scenario.model_fields_set
            end = self._scenario.until if asked else 0
            if not asked:
                loads.stop_endless()
            self._go(
                self._scenario.until,
                lambda: not asked and not loads.busy() and self._at_rest(),
            )
        loads.stop()
        result.loads = loads.results()
        if result.failure is None and (wrong := next(loads.judge(), None)) is not None:
            result.failure = Failure(wrong[0], self.world.kernel.now, wrong[1])
        return max(end, self.world.kernel.now)

    def _go(self, limit: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Steps up to `limit`, or until `done`; says whether it is."""
        kernel = self.world.kernel
        while not done():
            peek = kernel.peek()
            if peek > limit:
                return False
            self._pace(int(peek))
            kernel.step()
        return True

    def _at_rest(self) -> bool:
        groups = self.world.cluster.groups.values()
        ending = any(
            group.deployment is None or any(pod.terminating for pod in group.pods)
            for group in groups
        )
        return not ending and not self.world.plane.moving() and not self.world.faults.waiting

    def _go_to(self, time: int) -> None:
        self._go(time)
        self._pace(time)
        self.world.kernel.advance(time)

    def _wait(self, step: Step) -> None:
        now = self.world.kernel.now
        if step.at is not None:
            self._go_to(max(step.at, now))
        elif step.after is not None:
            self._go_to(now + step.after)
        elif (when := step.when) is not None and not self._go(
            now + when.timeout, lambda: mismatch(self.result.runs, when) is None
        ):
            self._go_to(now + when.timeout)
            waited = format_duration(when.timeout)
            raise StepFailed(f"waited {waited}, and {mismatch(self.result.runs, when)}")
        else:
            self._go(now)  # what is due now comes first

    # -- the steps -------------------------------------------------------------------------------

    def _do(self, index: int, step: Step) -> None:
        if isinstance(step, Deploy):
            self._deploy(step)
        elif isinstance(step, Invoke):
            self._invoke(step)
        elif isinstance(step, Stop):
            self._act("stop", step.stop, refused=step.refused)
        elif isinstance(step, Resume):
            self._act("resume", step.resume, refused=step.refused)
        elif isinstance(step, Delete):
            run = self.result.runs[step.delete]
            self._command("delete", run, lambda now: self.world.plane.runs.delete(now, run))
        elif isinstance(step, Declare):
            self._declare(step.function)
        elif isinstance(step, Assert):
            self._assert(step.condition)
        elif isinstance(step, Load):
            self._load(index, step)
        elif isinstance(step, Break):
            self.world.faults.start(step.made(), step.alias or "")
        elif isinstance(step, Heal):
            faults = self.world.faults
            faults.heal_all() if step.heal == ALL else faults.heal(step.heal)

    def _act(self, action: str, name: str, *, refused: bool) -> None:
        run = self.result.runs[name]
        try:
            self._command(action, run, lambda now: self.world.plane.runs.act(now, run, action))
        except Refused:
            if not refused:
                raise
            return
        if refused:
            raise StepFailed(f"the platform took the {action} of run {name}: it was to refuse it")

    def _command(self, verb: str, run: Run, fn: Callable[[int], None]) -> None:
        self.world.command(verb, f"Run/{run.id}", fn)

    def _declare(self, function: Function) -> None:
        catalogue = self.world.plane.catalogue
        body = {"name": function.name, "kind": function.kind, "spec": function.spec}
        self._functions[function.name] = self.world.command(
            "create",
            f"Function/{function.name}",
            lambda now: catalogue.create_function(now, self._scenario.project, body),
        )

    def _deploy(self, step: Deploy) -> None:
        plane, project = self.world.plane, self._scenario.project
        function = self._functions[step.deploy]
        kind = plane.kinds.function(function.kind)
        reference = str(FunctionRef(function.kind, project, function.name, function.id))
        task = self._tasks.get(function.id)
        if task is None:
            wanted = {"kind": kind.task, "spec": {"function": reference}}
            task = self._tasks[function.id] = self.world.command(
                "create",
                f"Task/{function.name}",
                lambda now: plane.catalogue.create_task(now, project, wanted),
            )
        body = {
            "kind": kind.run,
            "name": step.name,
            **({"id": step.id} if step.id else {}),
            "spec": {
                **step.spec,
                "task": str(TaskRef(task.kind, project, task.id)),
                "function": reference,
            },
        }
        self.result.runs[step.name] = self.world.command(
            "deploy", f"Run/{step.name}", lambda now: plane.intake.create(now, project, body)
        )

    def _invoke(self, step: Invoke) -> None:
        run = self.result.runs[step.invoke]
        answer = ask(self.world, run, step)
        self.result.answers.append(answer)
        expected = step.expect
        if expected is None:
            return
        text = answer.body.decode(errors="replace")
        if expected.status is not None and answer.status != expected.status:
            raise StepFailed(
                f"{step.method} {answer.url} answered {answer.status}, expected "
                f"{expected.status}: {text[:200]}"
            )
        if expected.body is not None and text != expected.body:
            raise StepFailed(
                f"{step.method} {answer.url} answered {text[:200]!r}, expected {expected.body!r}"
            )

    def _load(self, index: int, step: Load) -> None:
        loads = self._loads
        try:
            loads.start(index, step, self.result.runs[step.load])
        except ValueError as error:
            raise StepFailed(f"load {step.name}: {error}") from None
        if step.background:
            return
        if not self._go(self._scenario.until, lambda: loads.over(step.name)):
            raise StepFailed(loads.late(step.name))
        if problem := loads.mismatch(step.name):
            raise StepFailed(problem)

    def _assert(self, condition: Condition) -> None:
        problem = mismatch(self.result.runs, condition)
        asked = condition.model_dump(mode="json", exclude_none=True, exclude={"run"})
        run = self.result.runs[condition.run]
        self.world.journal.record(
            self.world.kernel.now,
            "assert",
            f"Run/{run.id}",
            cause=0,
            asked=asked,
            held=problem is None,
        )
        if problem is not None:
            raise StepFailed(problem)

    # -- what is seen ----------------------------------------------------------------------------

    def _seen(self, row: Row) -> None:
        if row.kind == "run" and row.data["state"] == "RUNNING":
            for name, run in self.result.runs.items():
                if row.subject == f"Run/{run.id}" and name not in self.result.services:
                    status = run.current_status(OFFLINE_EPOCH)
                    self.result.services[name] = status.get("service", {})
