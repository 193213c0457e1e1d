"""Runs a scenario offline: no sockets, virtual time, one journal.

Rules: steps are done in the order of the file, each when its time has come; the first thing that is not
as the scenario says ends the run with a `Failure`. After the last step the world goes on to `until`
where the scenario says one, else until no run and no pod is on its way anywhere. An invocation takes
the gateway's own policy; what user code answers stays out of the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from emulator.control.entities import Entity, Run
from emulator.control.settings import DEFAULT_PROFILES, ControlSettings, ResourceProfile
from emulator.domain.errors import Refused
from emulator.domain.journal import Row, Sink
from emulator.domain.names import FunctionRef, TaskRef
from emulator.domain.quirks import PROFILES
from emulator.domain.timefmt import OFFLINE_EPOCH, SECOND, format_duration
from emulator.domain.workload import Request, Response
from emulator.gateway.egress import DENY
from emulator.gateway.policy import Asked, Forward, Refuse, decide
from emulator.scenario.loader import Loaded, digest
from emulator.scenario.result import Answer, Failure, Result
from emulator.scenario.schema import (
    Assert,
    Condition,
    Declare,
    Delete,
    Deploy,
    Function,
    Invoke,
    Step,
    Stop,
)
from emulator.world import World, WorldSettings

#: Called with the instant that is about to be reached; sleeps where the run follows the wall.
Pace = Callable[[int], None]


class _Failed(Exception):
    pass


def run_scenario(
    loaded: Loaded, *, seed: int | None = None, sink: Sink | None = None, pace: Pace | None = None
) -> Result:
    """Runs a scenario to its end and says how it went. `seed` overrides the file's."""
    runner = _Runner(loaded, seed, sink, pace)
    try:
        return runner.run()
    finally:
        runner.world.close()


class _Runner:
    """One run of one scenario."""

    def __init__(
        self, loaded: Loaded, seed: int | None, sink: Sink | None, pace: Pace | None
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
        self._functions: dict[str, Entity] = {}
        self._tasks: dict[str, Entity] = {}

    # -- the run ---------------------------------------------------------------------------------

    def run(self) -> Result:
        """Everything, from the project to the last event."""
        result, world = self.result, self.world
        project = {"name": self._scenario.project}
        world.command(
            "create",
            f"Project/{self._scenario.project}",
            lambda now: world.plane.catalogue.create_project(now, project),
        )
        for function in self._scenario.functions:
            self._declare(function)
        for index, step in enumerate(self._scenario.steps):
            try:
                self._wait(step)
                self._do(step)
            except (_Failed, Refused) as failed:
                result.failure = Failure(index, world.kernel.now, str(failed))
                break
        if result.failure is None:
            asked = "until" in self._scenario.model_fields_set
            self._go(self._scenario.until, lambda: not asked and self._at_rest())
        result.end = world.kernel.now
        result.sha256 = world.journal.sha256
        result.rows = world.journal.rows
        return result

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
        workloads = self.world.cluster.workloads.values()
        ending = any(pod.terminating for workload in workloads for pod in workload.pods)
        return not ending and not self.world.plane.moving()

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
            now + when.timeout, lambda: self._mismatch(when) is None
        ):
            waited = format_duration(when.timeout)
            raise _Failed(f"waited {waited}, and {self._mismatch(when)}")
        else:
            self._go(now)  # what is due now comes first

    # -- the steps -------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        if isinstance(step, Deploy):
            self._deploy(step)
        elif isinstance(step, Invoke):
            self._invoke(step)
        elif isinstance(step, Stop):
            run = self.result.runs[step.stop]
            self._command("stop", run, lambda now: self.world.plane.runs.act(now, run, "stop"))
        elif isinstance(step, Delete):
            run = self.result.runs[step.delete]
            self._command("delete", run, lambda now: self.world.plane.runs.delete(now, run))
        elif isinstance(step, Declare):
            self._declare(step.function)
        elif isinstance(step, Assert):
            self._assert(step.condition)

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
        answer = self._ask(run, step)
        self.result.answers.append(answer)
        expected = step.expect
        if expected is None:
            return
        text = answer.body.decode(errors="replace")
        if expected.status is not None and answer.status != expected.status:
            raise _Failed(
                f"{step.method} {answer.url} answered {answer.status}, expected "
                f"{expected.status}: {text[:200]}"
            )
        if expected.body is not None and text != expected.body:
            raise _Failed(
                f"{step.method} {answer.url} answered {text[:200]!r}, expected {expected.body!r}"
            )

    def _ask(self, run: Run, step: Invoke) -> Answer:
        world = self.world
        authority = self._authority(run)
        asked = Asked(step.method, "http", authority, step.path)
        decision = decide(world, asked, DENY, lambda host, port: False)
        route = None
        if isinstance(decision, Forward):
            route = decision.route
            headers = tuple((name.lower(), value) for name, value in step.headers.items())
            request = Request(
                step.method,
                step.path,
                (("host", authority), *headers),
                (step.body or "").encode(),
                decision.authority.host,
                decision.authority.port,
            )
            try:
                response = _answer(route.target(request))
            except ConnectionError as error:
                response = _refusal(502, f"{route.service} does not answer: {error}")
        elif isinstance(decision, Refuse):
            response = _refusal(decision.status, decision.message)
        else:
            response = _refusal(502, f"{authority} is no service")
        world.invoked(route, step.method, authority, response.status)
        return Answer(
            step.invoke,
            step.method,
            f"http://{authority}{step.path}",
            world.kernel.now,
            response.status,
            response.headers,
            response.body,
        )

    def _authority(self, run: Run) -> str:
        service = run.current_status(OFFLINE_EPOCH).get("service", {})
        if url := service.get("url"):
            return str(url)
        ports = run.row.ports(run.spec)
        return f"{self.world.service_name(run)}:{ports[0].port if ports else 80}"

    def _assert(self, condition: Condition) -> None:
        problem = self._mismatch(condition)
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
            raise _Failed(problem)

    # -- what is seen ----------------------------------------------------------------------------

    def _mismatch(self, condition: Condition) -> str | None:
        """Why a condition does not hold, None when it does."""
        run = self.result.runs[condition.run]
        why = f": {run.message}" if run.message else ""
        if condition.state is not None and run.state is not condition.state:
            return f"run {condition.run} is {run.state}, not {condition.state}{why}"
        if condition.health is not None and run.current_health is not condition.health:
            return f"run {condition.run} is {run.current_health}, not {condition.health}{why}"
        if condition.message is not None and condition.message not in run.message:
            return f"run {condition.run} says {run.message!r}, not {condition.message!r}"
        return None

    def _seen(self, row: Row) -> None:
        if row.kind == "run" and row.data["state"] == "RUNNING":
            for name, run in self.result.runs.items():
                if row.subject == f"Run/{run.id}" and name not in self.result.services:
                    status = run.current_status(OFFLINE_EPOCH)
                    self.result.services[name] = status.get("service", {})


def _answer(made: Response | Awaitable[Response]) -> Response:
    if isinstance(made, Response):
        return made

    async def wait() -> Response:
        return await made

    return asyncio.run(wait())


def _refusal(status: int, message: str) -> Response:
    return Response(status, (("content-type", "text/plain"),), message.encode())
