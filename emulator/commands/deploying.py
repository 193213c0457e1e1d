"""What a deployment asks of the platform's API: project, function, task, run.

Rules: what is there is used, what is missing is made, through the API that every client uses. A function
whose newest version has the same kind and spec is that version; else a new version is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emulator.commands.client import Emulator, Refusal, segment
from emulator.commands.problem import Problem
from emulator.domain.names import FunctionRef, TaskRef

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A function to be there: its spec is what its kind reads."""

    name: str
    kind: str
    spec: Json


@dataclass(frozen=True, slots=True)
class Deployment:
    """A run to be made. Without `name` or `id` the platform makes them up."""

    function: Function
    spec: Json = field(default_factory=dict)
    name: str | None = None
    id: str | None = None


class Deployer:
    """Deploys into one project. Every method raises Refusal, `run` Problem for an id that is taken."""

    def __init__(self, emulator: Emulator, project: str) -> None:
        self._emulator = emulator
        self._project = project
        self._base = f"/api/v1/-/{segment(project)}"

    def project(self) -> None:
        """Makes the project unless it is there."""
        try:
            self._emulator.get(f"/api/v1/projects/{segment(self._project)}")
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            body = {"name": self._project, "kind": "project"}
            self._emulator.ask("POST", "/api/v1/projects", body=body)

    def function(self, wanted: Function) -> FunctionRef:
        """The newest version of the function, made anew where it differs."""
        page = self._emulator.get(f"{self._base}/functions", name=wanted.name)
        for latest in page["content"][:1]:
            if (latest["kind"], latest["spec"]) == (wanted.kind, wanted.spec):
                return FunctionRef(wanted.kind, self._project, wanted.name, latest["id"])
        body = {
            "name": wanted.name,
            "kind": wanted.kind,
            "project": self._project,
            "spec": wanted.spec,
        }
        made = self._emulator.ask("POST", f"{self._base}/functions", body=body)
        return FunctionRef(wanted.kind, self._project, wanted.name, made["id"])

    def task(self, function: FunctionRef) -> TaskRef:
        """The function's task to serve."""
        kind = f"{function.kind}+serve"
        page = self._emulator.get(f"{self._base}/tasks", kind=kind, function=str(function))
        if page["content"]:
            found = page["content"][0]
        else:
            body = {"kind": kind, "project": self._project, "spec": {"function": str(function)}}
            found = self._emulator.ask("POST", f"{self._base}/tasks", body=body)
        return TaskRef(kind, self._project, found["id"])

    def run(self, wanted: Deployment) -> Json:
        """A new run of the function, with whatever it needs."""
        function = self.function(wanted.function)
        task = self.task(function)
        spec = {**wanted.spec, "task": str(task), "function": str(function)}
        body = {"kind": f"{task.kind}:run", "project": self._project, "spec": spec}
        chosen = {"name": wanted.name, "id": wanted.id}
        body |= {key: value for key, value in chosen.items() if value is not None}
        try:
            made: Json = self._emulator.ask("POST", f"{self._base}/runs", body=body)
        except Refusal as refusal:
            if wanted.id is None or "Duplicated entity" not in refusal.message:
                raise
            what = f"there is a run {wanted.id!r} already"
            raise Problem(what, field="id", mend=f"dhemu rm {wanted.id}") from None
        return made
