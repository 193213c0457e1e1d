"""Tasks on the wire (contract section 1.6)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from emulator.api.hub import Hub, Json, body, flag, params
from emulator.control.entities import Type
from emulator.control.queries import page
from emulator.domain.names import TaskRef


def router(hub: Hub) -> APIRouter:
    """The routes of this resource."""
    routes = APIRouter()
    plane = hub.world.plane
    base = "/api/v1/-/{project}/tasks"

    @routes.get("/api/v1/tasks")
    async def list_all(request: Request) -> Json:
        return Json(page(plane.repository.all(Type.TASK), params(request), hub.epoch))

    @routes.get(base)
    async def list_tasks(project: str, request: Request) -> Json:
        return Json(page(plane.repository.all(Type.TASK, project), params(request), hub.epoch))

    @routes.post(base)
    async def create(project: str, request: Request) -> Json:
        raw = await body(request)
        task = await hub.command(
            "create", "Task", lambda now: plane.catalogue.create_task(now, project, raw)
        )
        return Json(task.wire(hub.epoch))

    @routes.get(base + "/{identifier}")
    async def read(project: str, identifier: str) -> Json:
        return Json(plane.repository.get(Type.TASK, identifier, project).wire(hub.epoch))

    @routes.put(base + "/{identifier}")
    async def update(project: str, identifier: str, request: Request) -> Json:
        raw = await body(request)
        task = await hub.command(
            "update",
            f"Task/{identifier}",
            lambda now: plane.catalogue.update_task(now, project, identifier, raw),
        )
        return Json(task.wire(hub.epoch))

    @routes.delete(base + "/{identifier}")
    async def delete(project: str, identifier: str, request: Request) -> Response:
        cascade = flag(request, "cascade")
        await hub.command(
            "delete",
            f"Task/{identifier}",
            lambda now: plane.catalogue.delete_task(now, project, identifier, cascade=cascade),
        )
        return Response()

    @routes.get(base + "/{identifier}/runs")
    async def runs(project: str, identifier: str) -> Json:
        task = plane.repository.get(Type.TASK, identifier, project)
        ref = str(TaskRef(task.kind, project, task.id))
        found = [run for run in plane.repository.runs(project) if run.spec.get("task") == ref]
        return Json([run.wire(hub.epoch) for run in reversed(found)])

    return routes
