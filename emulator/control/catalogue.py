"""Projects, functions and tasks: create, read, update, delete.

Rules (contract sections 1.4 to 1.6): a project's id is its name; every POST of a function is a new
version; a PUT never changes a function's spec, and of a task everything but its function; a delete
answers at once, and a cascade goes on to the runs. Bad input is a 400 that names the field.
"""

from __future__ import annotations

from typing import Any

from emulator.control.entities import Entity, Type, client_metadata
from emulator.control.repository import Repository
from emulator.control.runs import Runs
from emulator.control.settings import ControlSettings, Ids
from emulator.domain import names
from emulator.domain.errors import bad_request, duplicated
from emulator.domain.kinds import KindRegistry
from emulator.domain.names import parse_function_ref
from emulator.domain.specs import ProjectSpec, read_spec
from emulator.domain.timefmt import iso

#: The lists that a project's spec carries, and which of them this emulator keeps.
_EMBEDDED = ("artifacts", "dataitems", "functions", "models", "workflows")


def read_body(body: object) -> dict[str, Any]:
    """The object of a request's body. Raises Refused (400)."""
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    for field, kind in (("metadata", dict), ("spec", dict), ("status", dict)):
        if body.get(field) is not None and not isinstance(body[field], kind):
            raise bad_request(f"{field}: must be an object, got {type(body[field]).__name__}")
    for field in ("id", "name", "kind", "project"):
        if body.get(field) is not None and not isinstance(body[field], str):
            raise bad_request(f"{field}: must be a text, got {body[field]!r}")
    metadata = body.get("metadata") or {}
    for field in ("relationships", "labels"):
        if metadata.get(field) is not None and not isinstance(metadata[field], list):
            raise bad_request(
                f"metadata.{field}: must be a list, got {type(metadata[field]).__name__}"
            )
    return body


def in_project(repository: Repository, project: str, raw: object) -> dict[str, Any]:
    """The body of a request inside a project. Raises Refused (400): no such project, another one."""
    body = read_body(raw)
    if not repository.has(Type.PROJECT, project):
        raise bad_request(f"project: no project {project!r}: create it first")
    if body.get("project") not in (None, project):
        raise bad_request("invalid project")
    return body


class Catalogue:
    """What runs are made from."""

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

    # -- projects --------------------------------------------------------------------------------

    def create_project(self, now: int, raw: object) -> Entity:
        """Raises Refused (400): a name that is none, an id that differs, a duplicate."""
        body = read_body(raw)
        name = body.get("name") or body.get("id")
        if not names.valid_project(name):
            raise bad_request(f"name: {name!r} is no project's name: use 2 to 38 of a-z, 0-9 and -")
        assert isinstance(name, str)
        if body.get("id") not in (None, name):
            raise bad_request("project id must match name")
        if self._repository.has(Type.PROJECT, name):
            raise duplicated("project", name)
        spec = read_spec(ProjectSpec, body.get("spec"))
        project = self._entity(now, Type.PROJECT, name, name, "project", name, body, spec)
        self._repository.add(project)
        return project

    def update_project(self, now: int, name: str, raw: object) -> Entity:
        """Metadata and spec change; the name does not. Raises Refused."""
        body = read_body(raw)
        project = self._repository.get(Type.PROJECT, name)
        project.spec = read_spec(ProjectSpec, body.get("spec"))
        return self._update_metadata(now, project, body)

    def delete_project(self, now: int, name: str, *, cascade: bool) -> None:
        """Idempotent: an absent project is well, as the clients expect."""
        repository = self._repository
        if not repository.has(Type.PROJECT, name):
            return
        if cascade:
            for run in tuple(repository.runs(name)):
                self._runs.delete(now, run)
            for kind in (Type.TASK, Type.FUNCTION):
                for entity in tuple(repository.all(kind, name)):
                    repository.remove(entity)
        repository.remove(repository.get(Type.PROJECT, name))

    def project_wire(self, project: Entity) -> dict[str, Any]:
        """A project with the latest versions of what it holds, by reference."""
        shown = project.wire(self._settings.epoch)
        embedded: dict[str, Any] = {name: [] for name in _EMBEDDED}
        for function in self._repository.all(Type.FUNCTION, project.id):
            if self._repository.is_latest(function):
                embedded["functions"].append(self._embed(function))
        shown["spec"] = {**shown["spec"], **embedded}
        return shown

    def _embed(self, entity: Entity) -> dict[str, Any]:
        epoch = self._settings.epoch
        whole = entity.wire(epoch)
        if entity.metadata.get("embedded"):
            return whole
        at = f"{self._settings.endpoint}/api/v1/-/{entity.project}/{entity.type}s/{entity.id}"
        del whole["spec"], whole["status"]
        whole["metadata"] = {
            "created": iso(epoch + entity.created),
            "embedded": False,
            "name": entity.name,
            "project": entity.project,
            "ref": at,
            "updated": iso(epoch + entity.updated),
        }
        return whole

    # -- functions -------------------------------------------------------------------------------

    def create_function(self, now: int, project: str, raw: object) -> Entity:
        """A new version of the function. Raises Refused: 404 unknown kind, 400 the rest."""
        body = in_project(self._repository, project, raw)
        kind = self._kinds.function(body.get("kind"))
        name = body.get("name")
        if not names.valid_id(name):
            raise bad_request(f"name: {name!r} is no name: use letters, digits and ._+-")
        identifier = self._identifier(Type.FUNCTION, body)
        spec = read_spec(kind.function_spec, body.get("spec"))
        function = self._entity(
            now, Type.FUNCTION, identifier, str(name), kind.runtime, project, body, spec
        )
        function.metadata.setdefault("version", self._ids.name())
        self._repository.add(function)
        return function

    def update_function(self, now: int, project: str, identifier: str, raw: object) -> Entity:
        """Only metadata and status change. Raises Refused."""
        body = in_project(self._repository, project, raw)
        function = self._repository.get(Type.FUNCTION, identifier, project)
        if body.get("status"):
            function.status = {"state": "CREATED", **body["status"]}
        return self._update_metadata(now, function, body)

    def delete_function(self, now: int, project: str, identifier: str, *, cascade: bool) -> None:
        """Removes a version; with `cascade` its tasks and their runs too. Raises Refused (404)."""
        function = self._repository.get(Type.FUNCTION, identifier, project)
        if cascade:
            for task in tuple(self._repository.all(Type.TASK, project)):
                held = parse_function_ref(task.spec.get("function"))
                if held is not None and held.id == identifier:
                    self.delete_task(now, project, task.id, cascade=True)
        self._repository.remove(function)

    def delete_functions(self, now: int, project: str, name: str) -> None:
        """Removes every version, always with what hangs off it."""
        for function in tuple(self._repository.all(Type.FUNCTION, project)):
            if function.name == name:
                self.delete_function(now, project, function.id, cascade=True)

    def functions(self, project: str | None, *, latest: bool) -> list[Entity]:
        """The functions of a project, or of all: the newest versions, or every one."""
        found = self._repository.all(Type.FUNCTION, project)
        return [each for each in found if not latest or self._repository.is_latest(each)]

    # -- tasks -----------------------------------------------------------------------------------

    def create_task(self, now: int, project: str, raw: object) -> Entity:
        """One task a function and kind. Raises Refused: 404 unknown kind, 400 the rest."""
        body = in_project(self._repository, project, raw)
        kind = self._kinds.task(body.get("kind"))
        identifier = self._identifier(Type.TASK, body)
        spec = read_spec(kind.task_spec, body.get("spec"))
        ref = parse_function_ref(spec["function"])
        if ref is None or ref.id is None:
            raise bad_request(
                f"spec.function: {spec['function']!r} is no function: write "
                f"{kind.runtime}://{project}/<name>:<id>"
            )
        if ref.project != project or not self._repository.has(Type.FUNCTION, ref.id):
            raise bad_request("invalid executable entity")
        if held := self._repository.task_of(project, kind.task, spec["function"]):
            raise duplicated("task", held.id)
        task = self._entity(now, Type.TASK, identifier, identifier, kind.task, project, body, spec)
        self._repository.add(task)
        return task

    def update_task(self, now: int, project: str, identifier: str, raw: object) -> Entity:
        """Everything changes but the function. Raises Refused."""
        body = in_project(self._repository, project, raw)
        task = self._repository.get(Type.TASK, identifier, project)
        kind = self._kinds.task(task.kind)
        asked = {**(body.get("spec") or {}), "function": task.spec["function"]}
        task.spec = read_spec(kind.task_spec, asked)
        return self._update_metadata(now, task, body)

    def delete_task(self, now: int, project: str, identifier: str, *, cascade: bool) -> None:
        """Removes a task; with `cascade` its runs too. Raises Refused (404)."""
        task = self._repository.get(Type.TASK, identifier, project)
        if cascade:
            ref = str(names.TaskRef(task.kind, project, task.id))
            for run in tuple(self._repository.runs(project)):
                if run.spec.get("task") == ref:
                    self._runs.delete(now, run)
        self._repository.remove(task)

    # -- helpers ---------------------------------------------------------------------------------

    def _identifier(self, kind: Type, body: dict[str, Any]) -> str:
        return choose_id(self._repository, self._ids, kind, body)

    def _entity(
        self,
        now: int,
        type: Type,
        identifier: str,
        name: str,
        kind: str,
        project: str,
        body: dict[str, Any],
        spec: dict[str, Any],
    ) -> Entity:
        metadata = body.get("metadata") or {}
        return Entity(
            type, identifier, name, kind, project, self._settings.user, now, metadata, spec
        )

    def _update_metadata(self, now: int, entity: Entity, body: dict[str, Any]) -> Entity:
        entity.metadata = {
            **client_metadata(body.get("metadata") or {}),
            **{key: entity.metadata[key] for key in ("version",) if key in entity.metadata},
        }
        entity.updated = now
        self._repository.save(entity)
        return entity


def choose_id(repository: Repository, ids: Ids, kind: Type, body: dict[str, Any]) -> str:
    """The client's id, or a fresh one. Raises Refused (400): malformed, or taken."""
    asked = body.get("id")
    if asked is None:
        fresh = ids.id()
        while repository.has(kind, fresh):
            fresh = ids.id()
        return fresh
    if not names.valid_id(asked):
        raise bad_request(
            f"id: {asked!r} is no id: use letters, digits and ._+-, at most {names.MAX_ID} of them"
        )
    if repository.has(kind, asked):
        raise duplicated(kind.value, asked)
    return str(asked)
