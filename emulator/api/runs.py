"""Runs and their logs on the wire (contract sections 1.7 and 1.8).

A GET of a run on its way to a settled state is held up to a second until it settles, so that a client
whose first look comes too early does not sleep for five (house plan, "Time").
"""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter, Request

from emulator.api.hub import Hub, Json, body, params
from emulator.control.entities import Run, Type
from emulator.control.queries import DEFAULT_SIZE, MAX_SIZE, make_page, page
from emulator.domain.errors import bad_request, not_found
from emulator.domain.quirks import Quirk
from emulator.domain.timefmt import iso
from emulator.platform import ContainerLog

HOLD = 1.0


def router(hub: Hub) -> APIRouter:
    """The routes of this resource."""
    routes = APIRouter()
    plane = hub.world.plane
    base = "/api/v1/-/{project}/runs"

    async def settled(identifier: str, project: str | None) -> Run:
        run = plane.repository.run(identifier, project)
        pacer = hub.world.pacer
        if run.in_transition and pacer is not None and pacer.mode.rate:
            await pacer.wait_for(lambda: not run.in_transition, HOLD)
        return plane.repository.run(identifier, project)

    @routes.get("/api/v1/runs")
    async def list_all(request: Request) -> Json:
        return Json(page(plane.repository.all(Type.RUN), params(request), hub.epoch))

    @routes.get(base)
    async def list_runs(project: str, request: Request) -> Json:
        return Json(page(plane.repository.all(Type.RUN, project), params(request), hub.epoch))

    @routes.post(base)
    async def create(project: str, request: Request) -> Json:
        raw = await body(request)

        def make(now: int) -> dict[str, Any]:
            return plane.intake.create(now, project, raw).wire(hub.epoch)

        return Json(await hub.command("create", "Run", make))

    @routes.get(base + "/{identifier}")
    async def read(project: str, identifier: str) -> Json:
        return Json((await settled(identifier, project)).wire(hub.epoch))

    @routes.put(base + "/{identifier}")
    async def update(project: str, identifier: str, request: Request) -> Json:
        raw = await body(request)

        def change(now: int) -> dict[str, Any]:
            return plane.intake.update(now, project, identifier, raw).wire(hub.epoch)

        return Json(await hub.command("update", f"Run/{identifier}", change))

    @routes.delete(base + "/{identifier}")
    async def delete(project: str, identifier: str) -> Json:
        def end(now: int) -> dict[str, Any]:
            run = plane.repository.run(identifier, project)
            plane.runs.delete(now, run)
            shown = run.wire(hub.epoch)
            shown["status"] = {**shown["status"], "state": "DELETING"}
            return shown

        return Json(await hub.command("delete", f"Run/{identifier}", end))

    @routes.get(base + "/{identifier}/logs")
    async def logs(project: str, identifier: str) -> Json:
        run = plane.repository.run(identifier, project)
        return Json(_wire_logs(hub, run))

    @routes.get(base + "/{identifier}/relationships")
    async def relationships(project: str, identifier: str) -> Json:
        run = plane.repository.run(identifier, project)
        return Json(_relationships(run))

    @routes.get(base + "/{identifier}/metrics")
    @routes.get(base + "/{identifier}/metrics/k8s")
    async def metrics(project: str, identifier: str) -> Json:
        plane.repository.run(identifier, project)
        return Json({})

    @routes.get(base + "/{identifier}/extensions")
    async def extensions(project: str, identifier: str) -> Json:
        return Json(plane.repository.run(identifier, project).extensions)

    @routes.post(base + "/{identifier}/{action}")
    async def act(project: str, identifier: str, action: str) -> Json:
        def perform(now: int) -> dict[str, Any]:
            run = plane.repository.run(identifier, project)
            plane.runs.act(now, run, action)
            return run.wire(hub.epoch)

        return Json(await hub.command(action, f"Run/{identifier}", perform))

    @routes.get("/api/v1/-/{project}/logs")
    async def list_logs(project: str, request: Request) -> Json:
        wanted = request.query_params.get("run")
        found = [
            log
            for run in plane.repository.runs(project)
            if wanted in (None, "", run.id)
            for log in _wire_logs(hub, run)
        ]
        number, size = _window(request)
        shown = found[number * size : (number + 1) * size]
        return Json(make_page(shown, len(found), number, size))

    @routes.get("/api/v1/-/{project}/logs/{identifier}")
    async def read_log(project: str, identifier: str) -> Json:
        for run in plane.repository.runs(project):
            for log in _wire_logs(hub, run):
                if log["id"] == identifier:
                    return Json(log)
        raise not_found("log")

    return routes


def _window(request: Request) -> tuple[int, int]:
    """Number and size of the page of logs that is asked for. Raises Refused (400)."""
    found = {"page": 0, "size": DEFAULT_SIZE}
    for name in found:
        if text := request.query_params.get(name):
            try:
                found[name] = int(text)
            except ValueError:
                raise bad_request(f"{name}: {text!r} is not a whole number") from None
    if not 1 <= found["size"] <= MAX_SIZE:
        raise bad_request(f"size: {found['size']} is not from 1 to {MAX_SIZE}")
    return max(found["page"], 0), found["size"]


def _relationships(run: Run) -> list[Any]:
    held = list(run.metadata.get("relationships", []))
    if not any(isinstance(each, dict) and each.get("type") == "run_of" for each in held):
        held.append({"type": "run_of", "source": run.key, "dest": run.spec.get("function")})
    return held


def current_logs(hub: Hub, run: Run) -> tuple[ContainerLog, ...]:
    """What the containers of a run have written, or had when they went."""
    found: list[tuple[ContainerLog, ...]] = []
    hub.world.platform.logs(run.id, found.append)
    return found[0] if found and found[0] else run.logs


def _wire_logs(hub: Hub, run: Run) -> list[dict[str, Any]]:
    return [_wire_log(hub, run, log, index) for index, log in enumerate(current_logs(hub, run))]


def _wire_log(hub: Hub, run: Run, log: ContainerLog, index: int) -> dict[str, Any]:
    """A log as the clients need it: the superset of what core writes and what the SDK reads."""
    identifier = log.container if index == 0 else f"{log.container}-{log.pod[-5:]}"
    times = {"created": iso(hub.epoch + run.created), "updated": iso(hub.epoch + run.updated)}
    shown: dict[str, Any] = {
        "id": identifier,
        "run": run.id,
        "project": run.project,
        "user": run.user,
        "kind": "log",
        "metadata": {"project": run.project, "name": identifier, **times},
        "extensions": {"namespace": log.namespace, "pod": log.pod, "container": log.container},
        "content": base64.b64encode(log.content.encode()).decode(),
    }
    if not run.profile.has(Quirk.LOG_SHAPE):
        shown["name"] = identifier
        shown["spec"] = {"run": run.id}
        shown["status"] = {"pod": log.pod, "container": log.container, "namespace": log.namespace}
    return shown
