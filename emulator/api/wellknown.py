"""What clients read before anything else: the configuration, and who they are.

Source: contract section 1.10; sdk sections 1 and 5 for what the clients need of it.
"""

from __future__ import annotations

from fastapi import APIRouter

from emulator import __version__
from emulator.api.hub import Hub, Json
from emulator.domain.errors import Refused

#: The API level that every supported SDK accepts.
API_LEVEL = "16"


def router(hub: Hub) -> APIRouter:
    """The routes of this resource."""
    routes = APIRouter()

    @routes.get("/.well-known/configuration")
    async def configuration() -> Json:
        settings = hub.world.settings.control
        shown = {
            "dhcore_api_level": API_LEVEL,
            "dhcore_api_version": "v1",
            "dhcore_endpoint": hub.endpoint,
            "dhcore_name": settings.app,
            "dhcore_version": __version__,
            "k8s_namespace": settings.namespace,
            "k8s_resource_profiles": sorted(settings.profiles),
        }
        headers = {"cache-control": "public, max-age=900, must-revalidate, no-transform"}
        return Json(shown, headers=headers)

    @routes.get("/.well-known/openid-configuration")
    @routes.get("/.well-known/oauth-authorization-server")
    async def openid() -> Json:
        raise Refused(500, "authentication is off: there is no token endpoint")

    @routes.get("/api/auth")
    @routes.post("/api/auth")
    async def auth() -> Json:
        return Json({"username": "anonymous", "permissions": ["ROLE_USER", "ROLE_ADMIN"]})

    return routes
