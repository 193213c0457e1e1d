"""One request as an ASGI application sees it.

Rules: the body comes in one piece and the answer is collected whole; the path is decoded in `path` and
as sent in `raw_path`; a disconnect is told only after the answer.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from emulator.domain.workload import Request, Response
from emulator.workloads.base import header_bytes, reply
from emulator.workloads.forward import end_to_end
from emulator.workloads.lifespan import ASGI, Message


def http_scope(request: Request, state: dict[str, Any]) -> dict[str, Any]:
    """The ASGI connection scope of a request."""
    path, _, query = request.target.partition("?")
    return {
        "type": "http",
        "asgi": dict(ASGI),
        "http_version": "1.1",
        "method": request.method.upper(),
        "scheme": "http",
        "path": unquote(path),
        "raw_path": header_bytes(path),
        "query_string": header_bytes(query),
        "root_path": "",
        "headers": [(header_bytes(name), header_bytes(value)) for name, value in request.headers],
        "client": None,
        "server": (request.host, request.port),
        "state": dict(state),
    }


class Exchange:
    """A request's receive and send; `complete` is done when the answer is whole."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._asked = False
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        # Waited for through `wait`, so that a cancelled reader does not cancel the answer.
        await asyncio.wait((self.complete,))
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if self.complete.done():
            return  # the caller has its answer
        if kind == "http.response.start" and not self._status:
            self._status = message["status"]
            self._headers = [
                (bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1"))
                for name, value in message.get("headers", ())
            ]
        elif kind == "http.response.body" and self._status:
            self._parts.append(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                self.complete.set_result(None)
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")

    def response(self) -> Response:
        """The answer as collected, when it is complete."""
        return reply(
            self._status,
            end_to_end(self._headers),
            b"".join(self._parts),
            stand_in=False,
            method=self._request.method,
        )
