"""An ASGI application's lifespan: its startup and shutdown, if it has them.

Rules: the ASGI specification's: an application that fails before it has answered the startup event
does not support the lifespan, and runs without; one that answers `startup.failed` has failed.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from emulator.workloads.base import LogBuffer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

ASGI = {"version": "3.0", "spec_version": "2.3"}

_ANSWERS = frozenset(
    f"lifespan.{phase}.{result}"
    for phase in ("startup", "shutdown")
    for result in ("complete", "failed")
)


class Lifespan:
    """One life: `main` runs from startup to shutdown, `ready` says that the startup is over."""

    def __init__(self, app: App, log: LogBuffer) -> None:
        self._app = app
        self._log = log
        self._asked = False
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()
        self.failed = False
        self.state: dict[str, Any] = {}

    async def main(self) -> None:
        scope = {"type": "lifespan", "asgi": dict(ASGI), "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except (Exception, SystemExit):
            # Before the startup was answered it means: not supported.
            if self.ready.is_set():
                self._log.write(traceback.format_exc())
        finally:
            self.ready.set()

    def stop(self) -> None:
        """Tells the application to shut down; `main` ends when it has."""
        self._stopping.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind not in _ANSWERS:
            raise RuntimeError(f"unexpected ASGI message {kind!r} in the lifespan")
        if kind.endswith(".failed"):
            self._log.write(f"{kind}: {message.get('message', '')}\n")
        if kind == "lifespan.startup.failed":
            self.failed = True
        if kind.startswith("lifespan.startup."):
            self.ready.set()
