"""The application: routes, headers of every answer, and errors in the platform's form.

Rules: every answer carries X-Emulator; a refusal is the platform's error body; a body over the limit is
413; what we did not foresee is a 500 in the same form, logged, and the server goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator import __version__
from emulator.api import control, faults, functions, projects, runs, tasks, wellknown
from emulator.api.hub import BODY_LIMIT, Hub, Json
from emulator.domain.errors import Refused
from emulator.store import StoreError

_log = logging.getLogger("emulator.api")


def create_app(hub: Hub) -> FastAPI:
    """The API of one hub."""
    app = FastAPI(
        title="DigitalHub emulator",
        version=__version__,
        docs_url=None,  # its page would load scripts from the network
        openapi_url="/_emulator/openapi.json",
        redoc_url=None,
    )
    for module in (wellknown, projects, functions, tasks, runs, control, faults):
        app.include_router(module.router(hub))
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Edge, hub=hub)
    return app


async def _refused(request: Request, error: Exception) -> Json:
    assert isinstance(error, Refused)
    return Json(error.body(), error.status)


async def _http(request: Request, error: Exception) -> Json:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    return Json(Refused(error.status_code, message).body(), error.status_code)


async def _store(request: Request, error: Exception) -> Json:
    return Json(Refused(503, f"nothing was acknowledged: {error}").body(), 503)


async def _invalid(request: Request, error: Exception) -> Json:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    text = f"{field}: {first['msg']}, got {first['input']!r}"
    return Json(Refused(400, text).body(), 400)


class Edge:
    """Headers of every answer, the limit of a request's body, and what nobody foresaw."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        way = _Way(send, self._hub.banner)
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > BODY_LIMIT:
            await _too_large(scope, receive, way)
            return
        try:
            await self._app(scope, _Meter(receive), way)
        except _TooLarge:
            await _too_large(scope, receive, way)
        except Exception as error:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            if way.begun:
                raise
            text = f"the emulator failed on this request: {type(error).__name__}: {error}"
            await Json(Refused(500, text).body(), 500)(scope, receive, way)


class _Way:
    """The way back to the client: stamps an answer, and knows whether one has begun."""

    def __init__(self, send: Send, banner: Callable[[], str]) -> None:
        self._send = send
        self._banner = banner
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = [
                *message["headers"],
                (b"x-api-version", __version__.encode()),
                (b"x-emulator", self._banner().encode()),
            ]
        await self._send(message)


class _TooLarge(Exception):
    pass


class _Meter:
    """Counts a body as it comes in."""

    def __init__(self, receive: Callable[[], Awaitable[Any]]) -> None:
        self._receive = receive
        self._count = 0

    async def __call__(self) -> Any:
        message = await self._receive()
        self._count += len(message.get("body", b""))
        if self._count > BODY_LIMIT:
            raise _TooLarge
        return message


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    text = f"the body is larger than {BODY_LIMIT} bytes: send less"
    response = Json(Refused(413, text).body(), 413, headers={"connection": "close"})
    await response(scope, receive, send)
