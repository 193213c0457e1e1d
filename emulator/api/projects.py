"""Projects on the wire (contract section 1.4)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from emulator.api.hub import Hub, Json, body, flag, params
from emulator.control.entities import Type
from emulator.control.queries import page


def router(hub: Hub) -> APIRouter:
    """The routes of this resource."""
    routes = APIRouter(prefix="/api/v1/projects")
    plane = hub.world.plane

    @routes.get("")
    async def list_projects(request: Request) -> Json:
        found = plane.repository.all(Type.PROJECT)
        return Json(page(found, params(request), hub.epoch, default_sort="name,ASC"))

    @routes.post("")
    async def create(request: Request) -> Json:
        raw = await body(request)
        project = await hub.command(
            "create", "Project", lambda now: plane.catalogue.create_project(now, raw)
        )
        return Json(plane.catalogue.project_wire(project))

    @routes.get("/{name}")
    async def read(name: str) -> Json:
        return Json(plane.catalogue.project_wire(plane.repository.get(Type.PROJECT, name)))

    @routes.put("/{name}")
    async def update(name: str, request: Request) -> Json:
        raw = await body(request)
        project = await hub.command(
            "update",
            f"Project/{name}",
            lambda now: plane.catalogue.update_project(now, name, raw),
        )
        return Json(plane.catalogue.project_wire(project))

    @routes.delete("/{name}")
    async def delete(name: str, request: Request) -> Response:
        cascade = flag(request, "cascade")
        await hub.command(
            "delete",
            f"Project/{name}",
            lambda now: plane.catalogue.delete_project(now, name, cascade=cascade),
        )
        return Response()

    return routes
