"""How a run comes in: creation, its checks, the merge of its spec, PUT.

Rules (contract sections 1.7, 2.4, 3.6): each refusal is a 400 in the platform's words and nothing is
kept; an unknown kind is 404. At BUILD the run's values win, the task's fill gaps and the function's are
forced from the function; the spec is sealed from then on.
"""

from __future__ import annotations

from typing import Any

from emulator.control.catalogue import choose_id, in_project, read_body
from emulator.control.entities import Run, Type, client_metadata
from emulator.control.repository import Repository
from emulator.control.runs import Runs
from emulator.control.settings import ControlSettings, Ids
from emulator.domain.errors import BuildError, Refused, bad_request
from emulator.domain.kinds import KindRegistry, ServeKind
from emulator.domain.lifecycle import State
from emulator.domain.names import parse_function_ref, parse_task_ref
from emulator.domain.quirks import Quirk
from emulator.domain.specs import read_spec


class Intake:
    """Makes runs, and takes their updates."""

    def __init__(
        self,
        repository: Repository,
        runs: Runs,
        kinds: KindRegistry,
        settings: ControlSettings,
        ids: Ids,
    ) -> None:
        self._repository = repository
        self._runs = runs
        self._kinds = kinds
        self._settings = settings
        self._ids = ids

    def create(self, now: int, project: str, raw: object) -> Run:
        """A new run, built and on its way unless the client executes it. Raises Refused."""
        body = in_project(self._repository, project, raw)
        kind = self._kinds.run(body.get("kind"))
        identifier = choose_id(self._repository, self._ids, Type.RUN, body)
        spec = read_spec(kind.run_spec, body.get("spec"))
        self._check_task(project, spec)
        self._check_function(project, spec, kind)
        run = Run(
            identifier,
            body.get("name") or self._ids.name(),
            kind,
            project,
            self._settings.user,
            now,
            body.get("metadata") or {},
            spec,
            self._settings.profile,
        )
        extensions = body.get("extensions")
        run.extensions = list(extensions) if isinstance(extensions, list) else []
        self._repository.add(run)
        if not run.local:
            self._runs.start(now, run, self._merge(run, kind))
        return run

    def _check_task(self, project: str, spec: dict[str, Any]) -> None:
        ref = parse_task_ref(spec["task"])
        if ref is None:
            raise bad_request(
                f"spec.task: {spec['task']!r} is no task: write <runtime>+<action>://{project}/<id>"
            )
        if ref.project != project:
            raise bad_request("spec.task: invalid project")
        if not self._repository.has(Type.TASK, ref.id):
            raise bad_request(f"spec.task: no task {ref.id!r}: create it first")
        if self._repository.get(Type.TASK, ref.id).project != project:
            raise bad_request("spec.task: invalid project")

    def _check_function(self, project: str, spec: dict[str, Any], kind: ServeKind) -> None:
        held = spec.get("function")
        ref = parse_function_ref(held)
        if ref is None or ref.id is None:
            raise bad_request(
                f"spec.function: {held!r} is no function: write "
                f"{kind.runtime}://{project}/<name>:<id>"
            )

    def _merge(self, run: Run, kind: ServeKind) -> dict[str, Any] | BuildError:
        ref = parse_function_ref(run.spec["function"])
        task_ref = parse_task_ref(run.spec["task"])
        assert ref is not None
        assert task_ref is not None
        if ref.id is None or not self._repository.has(Type.FUNCTION, ref.id):
            return BuildError(f"No such function: {run.spec['function']}")
        function = self._repository.get(Type.FUNCTION, ref.id)
        if function.kind != kind.runtime:
            return BuildError(
                f"the function is of kind {function.kind}, the run needs {kind.runtime}"
            )
        task = self._repository.get(Type.TASK, task_ref.id)
        return {**task.spec, **run.spec, **function.spec}

    def update(self, now: int, project: str, identifier: str, raw: object) -> Run:
        """Metadata change; the spec while CREATED; the status where the run is the client's own."""
        body = read_body(raw)
        run = self._repository.run(identifier, project)
        status = body.get("status") or {}
        state = _state(status)
        if run.state is State.CREATED and body.get("spec") is not None:
            spec = read_spec(run.row.run_spec, body["spec"])
            self._check_task(project, spec)
            run.spec = spec
        run.metadata = client_metadata(body.get("metadata") or {})
        if run.local:
            run.status = dict(status)
            if state is not None and state is not run.state:
                self._runs.drive(now, run, state)
        elif self._settings.profile.has(Quirk.PUT_OVERWRITES_STATUS):
            run.overlay = {key: value for key, value in status.items() if key != "state"}
            if state is not None and state is not run.state:
                self._runs.drive(now, run, state)
        if self._repository.find_run(run.id) is run:
            run.updated = now
            self._repository.save(run)
        return run


def _state(status: dict[str, Any]) -> State | None:
    text = status.get("state")
    if text is None:
        return None
    try:
        return State(text)
    except ValueError:
        known = ", ".join(State)
        raise Refused(400, f"status.state: {text!r} is no state: the states are {known}") from None
