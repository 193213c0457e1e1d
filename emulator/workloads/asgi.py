"""The user's own ASGI application, in this process.

Rules: `module:app` is imported as a server would, the current directory included (last, so that no file
there hides a library); all containers of a rule share the imported module; an exception answers 500 and
its traceback is in the log; an answer is given when it is complete, what the application does after it
goes on. On the live platform the lifespan spans the container's life; offline, where every answer may
have an event loop of its own, it spans one answer. What the application prints is not in the log.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import traceback
from functools import reduce
from typing import Any

from emulator.domain.workload import ContainerStart, Plan, Request, Response, StartFailed
from emulator.workloads.asgi_http import Exchange, http_scope
from emulator.workloads.base import TEXT, BaseProcess, Keeper, LogBuffer, reply, running_loop
from emulator.workloads.lifespan import App, Lifespan

#: Seconds that requests under way, and then the shutdown, may take when the container is stopped.
GRACE = 2.0


def load(target: str) -> App:
    """The application that `module:app` names. Raises StartFailed."""
    module, _, attribute = target.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        imported = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise StartFailed(
            f"asgi {target!r}: module {module!r} cannot be imported ({type(error).__name__}: {error}): "
            f"correct it, install it, or start where it is (now in {here})"
        ) from error
    try:
        app: Any = reduce(getattr, attribute.split("."), imported)
    except AttributeError as error:
        raise StartFailed(
            f"asgi {target!r}: {error}: name an attribute of {imported.__file__} as `module:app`"
        ) from error
    if not callable(app):
        raise StartFailed(
            f"asgi {target!r}: {attribute} is of type {type(app).__name__}, no ASGI application: "
            "name a callable that takes scope, receive and send"
        )
    loaded: App = app
    return loaded


class Application:
    """An application in one event loop, from its startup to its shutdown."""

    def __init__(self, app: App, log: LogBuffer) -> None:
        self._app = app
        self._log = log
        self._lifespan = Lifespan(app, log)
        self._life = Keeper()
        self._calls = Keeper()
        self._life.spawn(self._lifespan.main())

    async def answer(self, request: Request) -> Response:
        """The answer, when it is complete; the call may go on in the background."""
        await self._lifespan.ready.wait()
        if self._lifespan.failed:
            return self._error(request, "the application's startup failed: its log says why\n")
        exchange = Exchange(request)
        call = self._calls.spawn(self._call(request, exchange))
        try:
            await asyncio.wait((call, exchange.complete), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            call.cancel()
            raise
        if not exchange.complete.done():
            return self._error(request, "Internal Server Error\n")
        return exchange.response()

    async def end(self) -> None:
        """Lets what is under way finish, then shuts down; each within GRACE, then cancelled."""
        await self._calls.drain(GRACE)
        self._lifespan.stop()
        await self._life.drain(GRACE)

    async def _call(self, request: Request, exchange: Exchange) -> None:
        scope = http_scope(request, self._lifespan.state)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except (Exception, SystemExit):
            self._log.write(traceback.format_exc())
        else:
            if not exchange.complete.done():
                self._log.write("the application returned without a complete answer\n")

    def _error(self, request: Request, text: str) -> Response:
        headers = (("content-type", TEXT),)
        return reply(500, headers, text.encode(), stand_in=False, method=request.method)


class AsgiProcess(BaseProcess):
    """Answers with the application that `target` names. Raises StartFailed if it cannot be had."""

    def __init__(
        self,
        container: ContainerStart,
        keeper: Keeper,
        plan: Plan,
        ports: frozenset[int] | None,
        target: str,
    ) -> None:
        self._app = load(target)
        super().__init__(container, keeper, plan, ports)
        live = running_loop() is not None
        self._application = Application(self._app, self.log) if live else None

    async def answer(self, request: Request) -> Response:
        if self._application is not None:
            response = await self._application.answer(request)
        else:
            passing = Application(self._app, self.log)
            try:
                response = await passing.answer(request)
            finally:
                await passing.end()
        self.log.write(
            f'"{request.method} {request.target}" {response.status} {len(response.body)}\n'
        )
        return response

    def release(self) -> None:
        if self._application is not None and running_loop() is not None:
            self._keeper.spawn(self._application.end())
