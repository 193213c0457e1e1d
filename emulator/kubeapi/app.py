"""The ASGI application: discovery, health, and the verbs on the world's objects.

Rules: every answer names its maker in X-Emulator; a refusal is a Status; what nobody foresaw is a 500
of the same form, logged, and the server goes on. The OpenAPI document is empty: clients then leave
validation to the server. Source: the paths of a kube-apiserver.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from emulator import __version__
from emulator.cluster.apiserver import status
from emulator.cluster.apiserver.status import Rejected
from emulator.kubeapi import discovery, negotiation, paths
from emulator.kubeapi.answers import Answer, failure, json_answer
from emulator.kubeapi.requests import Request
from emulator.kubeapi.verbs import Verbs
from emulator.kubeapi.watching import LONGEST, Stream

if TYPE_CHECKING:
    from emulator.world import World

_log = logging.getLogger("emulator.kubeapi")

_OPENAPI = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_HEALTH = ("/healthz", "/livez", "/readyz")


class KubeApp:
    """The Kubernetes API of one world; made before the world is paced or after."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._verbs = Verbs(world)
        self._streams: dict[int, Stream] = {}

    def close(self) -> None:
        """Ends every watch: a server that stops waits for no client."""
        for stream in tuple(self._streams.values()):
            stream.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        seconds: float = LONGEST
        try:
            await request.read()
            found: Answer | Stream | None = self._fixed(request)
            if found is None:
                seconds = request.number("timeoutSeconds") or LONGEST
                found = self._object(request)
        except Rejected as refused:
            found = failure(refused)
        except Exception as error:
            _log.exception("%s %s failed", request.method, request.path)
            found = failure(status.internal(f"{type(error).__name__}: {error}"))
        stamped = self._stamped(send)
        if isinstance(found, Stream):
            await self._stream(found, receive, stamped, seconds)
        else:
            await _send(found, request.method, stamped)

    async def _stream(self, found: Stream, receive: Receive, send: Send, seconds: float) -> None:
        self._streams[id(found)] = found
        try:
            await found.run(receive, send, seconds)
        finally:
            del self._streams[id(found)]

    def _stamped(self, send: Send) -> Send:
        mode = self._world.pacer.mode.name if self._world.pacer else "fast"
        text = f"digitalhub-emulator/{__version__}; platform=simulated; time={mode}"

        async def stamp(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                assert isinstance(headers, list)
                message["headers"] = [*headers, (b"x-emulator", text.encode())]
            await send(message)

        return stamp  # type: ignore[return-value]  # a message is a mutable mapping

    # -- what is asked ---------------------------------------------------------------------------

    def _object(self, request: Request) -> Answer | Stream:
        target = paths.parse(request.path)
        view = negotiation.View()
        if target.subresource != "log":
            view = negotiation.choose(request.header("accept"))
        return self._verbs.answer(request, target, view)

    def _fixed(self, request: Request) -> Answer | None:
        """The answer where the path names no object."""
        path = request.path.rstrip("/") or "/"
        parts = path.strip("/").split("/")
        if path in _HEALTH or path.startswith(tuple(f"{each}/" for each in _HEALTH)):
            return Answer(200, b"ok", "text/plain; charset=utf-8")
        if path == "/openapi/v2":
            return Answer(200, b"", _OPENAPI)
        content = None
        if path == "/version":
            content = discovery.version()
        elif path == "/api":
            content = discovery.core_versions(request.header("host"))
        elif path == "/apis":
            content = discovery.groups()
        elif parts[0] == "api" and len(parts) == 2:
            content = discovery.resource_list("", parts[1])
        elif parts[0] == "apis" and len(parts) == 2:
            content = discovery.group(parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            content = discovery.resource_list(parts[1], parts[2])
        if content is None:
            return None
        if request.method not in ("GET", "HEAD"):
            raise status.method_not_allowed()
        return json_answer(content)


async def _send(answer: Answer, method: str, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})
