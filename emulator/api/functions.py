"""Functions on the wire (contract section 1.5)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from emulator.api.hub import Hub, Json, body, flag, params
from emulator.control.entities import Type
from emulator.control.queries import page
from emulator.domain.errors import bad_request
from emulator.domain.names import parse_function_ref


def router(hub: Hub) -> APIRouter:
    """The routes of this resource."""
    routes = APIRouter()
    plane = hub.world.plane
    base = "/api/v1/-/{project}/functions"

    def listed(request: Request, project: str | None) -> Json:
        query = params(request)
        latest = request.query_params.get("versions", "latest") != "all"
        return Json(page(plane.catalogue.functions(project, latest=latest), query, hub.epoch))

    @routes.get("/api/v1/functions")
    async def list_all(request: Request) -> Json:
        return listed(request, None)

    @routes.get(base)
    async def list_functions(project: str, request: Request) -> Json:
        return listed(request, project)

    @routes.post(base)
    async def create(project: str, request: Request) -> Json:
        raw = await body(request)
        function = await hub.command(
            "create", "Function", lambda now: plane.catalogue.create_function(now, project, raw)
        )
        return Json(function.wire(hub.epoch))

    @routes.delete(base)
    async def delete_by_name(project: str, request: Request) -> Response:
        name = request.query_params.get("name", "")
        if not name:
            raise bad_request("name: give the name of the function to delete")
        await hub.command(
            "delete",
            f"Function/{name}",
            lambda now: plane.catalogue.delete_functions(now, project, name),
        )
        return Response()

    @routes.get(base + "/{identifier}")
    async def read(project: str, identifier: str) -> Json:
        return Json(plane.repository.get(Type.FUNCTION, identifier, project).wire(hub.epoch))

    @routes.put(base + "/{identifier}")
    async def update(project: str, identifier: str, request: Request) -> Json:
        raw = await body(request)
        function = await hub.command(
            "update",
            f"Function/{identifier}",
            lambda now: plane.catalogue.update_function(now, project, identifier, raw),
        )
        return Json(function.wire(hub.epoch))

    @routes.delete(base + "/{identifier}")
    async def delete(project: str, identifier: str, request: Request) -> Response:
        cascade = flag(request, "cascade")
        await hub.command(
            "delete",
            f"Function/{identifier}",
            lambda now: plane.catalogue.delete_function(now, project, identifier, cascade=cascade),
        )
        return Response()

    @routes.get(base + "/{identifier}/tasks")
    async def tasks(project: str, identifier: str) -> Json:
        plane.repository.get(Type.FUNCTION, identifier, project)
        found = []
        for task in plane.repository.all(Type.TASK, project):
            held = parse_function_ref(task.spec.get("function"))
            if held is not None and held.id == identifier:
                found.append(task)
        found.sort(key=lambda task: task.kind)
        return Json([task.wire(hub.epoch) for task in found])

    @routes.get(base + "/{identifier}/relationships")
    async def relationships(project: str, identifier: str) -> Json:
        function = plane.repository.get(Type.FUNCTION, identifier, project)
        return Json(function.metadata.get("relationships", []))

    return routes
