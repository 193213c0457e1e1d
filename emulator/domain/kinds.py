"""The registry of kinds: what a function, a task and a run of each kind look like and become.

Rules: a kind of service is one `ServeKind` row, added by its own module; no other code names a kind.
An unknown kind is 404 `No such spec.` (contract section 1.3). `load()` is the one list of the modules
that hold rows.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from emulator.domain.errors import not_found
from emulator.domain.quirks import Profile, Quirk
from emulator.domain.specs import Spec

_MODULES = ("emulator.domain.container",)


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of the service and the container's port behind it."""

    port: int
    target_port: int


@dataclass(frozen=True, slots=True)
class ContainerTemplate:
    """The one container of a service's pods."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    pull_policy: str = "IfNotPresent"


def _no_protocol(url: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ServeKind:
    """A kind of service.

    `ports`, `template` and `replicas` read the run's merged spec; `protocol` makes the well-known
    URLs (keys of `status`, such as `inference_v2`) from the service's URL and the spec.
    `core_service_type` is the type that core applies where none is asked for.
    """

    runtime: str
    action: str
    function_spec: type[Spec]
    task_spec: type[Spec]
    run_spec: type[Spec]
    ports: Callable[[dict[str, Any]], tuple[ServicePort, ...]]
    template: Callable[[dict[str, Any], Profile], ContainerTemplate]
    replicas: Callable[[dict[str, Any], Profile], int]
    core_service_type: str
    protocol: Callable[[str, dict[str, Any]], dict[str, Any]] = _no_protocol

    @property
    def task(self) -> str:
        """The task's kind: `container+serve`."""
        return f"{self.runtime}+{self.action}"

    @property
    def run(self) -> str:
        """The run's kind: `container+serve:run`."""
        return f"{self.task}:run"

    def service_type(self, spec: dict[str, Any], profile: Profile) -> str:
        """The type of the Service: as asked for, else the profile's default."""
        if asked := spec.get("service_type"):
            return str(asked)
        return self.core_service_type if profile.has(Quirk.DEFAULT_SERVICE_TYPE) else "ClusterIP"


class KindRegistry:
    """Rows by the name of the function's, the task's or the run's kind."""

    def __init__(self) -> None:
        self._functions: dict[str, ServeKind] = {}
        self._tasks: dict[str, ServeKind] = {}
        self._runs: dict[str, ServeKind] = {}

    def add(self, kind: ServeKind) -> ServeKind:
        """Adds a row and gives it back."""
        self._functions.setdefault(kind.runtime, kind)
        self._tasks[kind.task] = kind
        self._runs[kind.run] = kind
        return kind

    def __iter__(self) -> Iterator[ServeKind]:
        return iter(self._tasks.values())

    def function(self, name: object) -> ServeKind:
        """The row of a function's kind. Raises Refused (404)."""
        return self._find(self._functions, name)

    def task(self, name: object) -> ServeKind:
        """The row of a task's kind. Raises Refused (404)."""
        return self._find(self._tasks, name)

    def run(self, name: object) -> ServeKind:
        """The row of a run's kind. Raises Refused (404)."""
        return self._find(self._runs, name)

    @staticmethod
    def _find(rows: dict[str, ServeKind], name: object) -> ServeKind:
        kind = rows.get(name) if isinstance(name, str) else None
        if kind is None:
            raise not_found("spec")
        return kind


REGISTRY = KindRegistry()


def load() -> KindRegistry:
    """The registry with every row in it."""
    for module in _MODULES:
        importlib.import_module(module)
    return REGISTRY
