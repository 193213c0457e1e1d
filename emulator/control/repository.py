"""Every entity in memory, by type and id, and the changes that have to survive.

Rules: an id is unique among its type, over all projects; entities keep the order in which they were
made. A change is announced once, by `drain`, to whoever keeps a store; what came and went between two
calls is not announced at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from emulator.control.entities import Entity, Run, Type
from emulator.domain.errors import bad_request, not_found
from emulator.domain.names import parse_function_ref


class Repository:
    """The entities of one world."""

    def __init__(self) -> None:
        self._entities: dict[Type, dict[str, Entity]] = {each: {} for each in Type}
        # Runs only are held under their type.
        self._runs = cast("dict[str, Run]", self._entities[Type.RUN])
        self._versions: dict[tuple[str, str], list[str]] = {}
        self._tasks: dict[tuple[str, str, object], Entity] = {}
        self.saved: dict[tuple[Type, str], Entity | None] = {}
        self._unannounced: set[tuple[Type, str]] = set()
        self._count = 0

    def add(self, entity: Entity) -> None:
        """Takes a new entity."""
        key = entity.type, entity.id
        self._entities[entity.type][entity.id] = entity
        if key not in self.saved:  # one gone and made anew is a change of what is stored
            self._unannounced.add(key)
        if isinstance(entity, Run):
            self._count += 1
            entity.order = self._count
        elif entity.type is Type.FUNCTION:
            self._versions.setdefault((entity.project, entity.name), []).append(entity.id)
        elif entity.type is Type.TASK:
            self._tasks.setdefault(_task_key(entity), entity)
        self.save(entity)

    def save(self, entity: Entity) -> None:
        """Says that an entity has changed."""
        self.saved[entity.type, entity.id] = entity

    def remove(self, entity: Entity) -> None:
        """Forgets an entity; harmless when it is gone."""
        if self._entities[entity.type].pop(entity.id, None) is None:
            return
        if entity.type is Type.FUNCTION:
            versions = self._versions[entity.project, entity.name]
            versions.remove(entity.id)
            if not versions:
                del self._versions[entity.project, entity.name]
        elif entity.type is Type.TASK and self._tasks.get(_task_key(entity)) is entity:
            del self._tasks[_task_key(entity)]
        key = entity.type, entity.id
        if key in self._unannounced:
            self._unannounced.discard(key)
            self.saved.pop(key, None)
        else:
            self.saved[key] = None

    def drain(self) -> dict[tuple[Type, str], Entity | None]:
        """What has changed since the last call: the entity, or None where it is gone."""
        changed, self.saved = self.saved, {}
        self._unannounced.clear()
        return changed

    def has(self, type: Type, identifier: str) -> bool:
        """Whether the id is taken."""
        return identifier in self._entities[type]

    def all(self, type: Type, project: str | None = None) -> Iterator[Entity]:
        """The entities of a type, of one project or of all, in the order of their making."""
        found = self._entities[type].values()
        return (
            iter(found) if project is None else (each for each in found if each.project == project)
        )

    def task_of(self, project: str, kind: str, function: object) -> Entity | None:
        """The task of a kind for a function's reference, or None."""
        return self._tasks.get((project, kind, function))

    def latest(self, project: str, name: str) -> str | None:
        """The id of a function's newest version."""
        versions = self._versions.get((project, name))
        return versions[-1] if versions else None

    def is_latest(self, function: Entity) -> bool:
        """Whether this is the newest version of its function."""
        return self.latest(function.project, function.name) == function.id

    def get(self, type: Type, identifier: str, project: str | None = None) -> Entity:
        """An entity. Raises Refused: 404 unknown, 400 of another project."""
        entity = self._entities[type].get(identifier)
        if entity is None:
            raise not_found(type.value)
        if project is not None and entity.project != project:
            raise bad_request("invalid project")
        return entity

    def run(self, identifier: str, project: str | None = None) -> Run:
        """A run. Raises Refused."""
        entity = self.get(Type.RUN, identifier, project)
        assert isinstance(entity, Run)
        return entity

    def runs(self, project: str | None = None) -> Iterator[Run]:
        """The runs, in the order of their making."""
        return (each for each in self.all(Type.RUN, project) if isinstance(each, Run))

    def find_run(self, identifier: str) -> Run | None:
        """A run, or None."""
        return self._runs.get(identifier)

    def is_latest_ref(self, reference: object) -> bool:
        """Whether a function's reference names its newest version."""
        ref = parse_function_ref(reference)
        return ref is not None and self.latest(ref.project, ref.name) == ref.id


def _task_key(task: Entity) -> tuple[str, str, object]:
    return task.project, task.kind, task.spec["function"]
