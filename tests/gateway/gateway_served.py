"""A real server with the gateway's protocol and proxy on one port, for tests in raw bytes.

Rules: the server runs in a thread of its own with its own event loop; tests speak to it over blocking
sockets and wait for events, never for time. `Book` is a directory made of dictionaries.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address
from types import TracebackType
from typing import Any, cast

import uvicorn

from emulator.domain.workload import Request, Response
from emulator.gateway.egress import ALLOW, Address, Egress
from emulator.gateway.protocol import GatewayProtocol
from emulator.gateway.proxy import ForwardProxy, Head
from emulator.gateway.transport import resolve
from emulator.platform import NoRoute, Route

SERVICE = "s-containerserve-abc"
PATIENCE = 10.0  # seconds until a hanging test fails


def route(target: Any, **headers: str) -> Route:
    return Route(SERVICE, SERVICE, f"{SERVICE}-0", target, headers)


@dataclass
class Book:
    """A directory: what is in the dictionaries, and the range 172.16.0.0/12."""

    routes: dict[tuple[str, int], Route | NoRoute] = field(default_factory=dict)
    messages: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)

    def route(self, host: str, port: int) -> Route | NoRoute:
        return self.routes.get((host, port), NoRoute())

    def is_platform_name(self, host: str, port: int) -> bool:
        try:
            return ip_address(host) in IPv4Network("172.16.0.0/12")
        except ValueError:
            return host.endswith((".svc", ".svc.cluster.local")) or host.startswith("s-")

    def why(self, workload: str) -> tuple[str, int | None]:
        return self.messages[workload]

    def ended(self, host: str) -> str:
        return self.gone.get(host, "")


def echo(request: Request) -> Response:
    """Everything that the container got, as JSON."""
    seen = {
        "method": request.method,
        "target": request.target,
        "headers": [list(pair) for pair in request.headers],
        "body": request.body.decode("latin-1"),
        "host": request.host,
        "port": request.port,
    }
    return Response(200, (("Content-Type", "application/json"),), json.dumps(seen).encode())


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A client's connection: bytes out, answers in."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def closed(self) -> bool:
        """Whether the server closes without another byte (waits for either)."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def line(self) -> bytes:
        return self._file.readline()

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        status = int(self._file.readline().split()[1])
        headers = []
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        return status, headers

    def chunk(self) -> bytes:
        data = self._file.read(int(self._file.readline(), 16))
        self._file.readline()
        return data

    def answer(self, method: str = "GET") -> Answer:
        status, headers = self.head()
        fields = dict(headers)
        body = b""
        if method != "HEAD" and status not in (204, 304):
            if "content-length" in fields:
                body = self._file.read(int(fields["content-length"]))
            else:
                while part := self.chunk():
                    body += part
        return Answer(status, headers, body)


class _Socket(asyncio.Protocol):
    """Stands where a WebSocket library would: whoever gets here is answered 418."""

    def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(b"HTTP/1.1 418 Handshake\r\nContent-Length: 0\r\n\r\n")
        self._transport.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


class Served:
    """The server. The inner app answers `/slow` when `open_gate` is called, all else at once."""

    def __init__(self, egress: Egress = ALLOW, body_limit: int = 1000) -> None:
        self.book = Book()
        self.names: dict[str, list[Address]] = {}
        self.lookups: list[str] = []
        self._observed: list[tuple[Route | None, Head, int, int]] = []
        self.inner: list[dict[str, Any]] = []
        self.began = threading.Event()
        self.proxy = ForwardProxy(
            self._inner,
            self.book,
            own=lambda host, port: port == self.port and host in ("127.0.0.1", "localhost"),
            banner=lambda stand_in: f"simulated; stand-in={stand_in}",
            egress=egress,
            observer=self._observe,
            body_limit=body_limit,
            resolver=self._resolve,
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def _observe(self, found: Route | None, head: Head, status: int, took: int) -> None:
        self._observed.append((found, head, status, took))

    async def _resolve(self, host: str, port: int) -> list[Address]:
        self.lookups.append(host)
        return self.names[host] if host in self.names else await resolve(host, port)

    async def _inner(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.inner.append(scope)
        if scope["path"] == "/slow":
            self.began.set()
            await self._gate.wait()
        body = f"api {scope['path']}".encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._gate = asyncio.Event()
        config = uvicorn.Config(
            self.proxy,
            http=GatewayProtocol,
            ws=_Socket,
            loop="asyncio",
            lifespan="off",
            log_config=None,
            server_header=False,
            date_header=False,
        )
        self.server = _Server(config, self._ready.set)
        await self.server.serve([self._socket])
        await self.proxy.aclose()

    def open_gate(self) -> None:
        self.loop.call_soon_threadsafe(self._gate.set)

    def start(self) -> Served:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def ask_to_stop(self) -> None:
        self.server.should_exit = True

    def stop(self) -> None:
        self.ask_to_stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def settle(self) -> None:
        """Waits until no request is being served: the caller's answer is not quite the end of one."""

        async def settled() -> None:
            while tasks := set(self.server.server_state.tasks):
                await asyncio.wait(tasks)

        asyncio.run_coroutine_threadsafe(settled(), self.loop).result(PATIENCE)

    @property
    def observed(self) -> list[tuple[Route | None, Head, int, int]]:
        self.settle()
        return self._observed

    def finish(self) -> None:
        """Lets go of the connections to upstreams, as a shutdown does."""
        asyncio.run_coroutine_threadsafe(self.proxy.aclose(), self.loop).result(PATIENCE)

    def reset(self) -> None:
        """As new, but for the connections."""
        self.open_gate()
        self.settle()
        self.book.__init__()  # type: ignore[misc]  # a plain dataclass: its fields again, in place
        for seen in (self.names, self.lookups, self._observed, self.inner):
            seen.clear()
        self.began.clear()
        self._gate.clear()

    def wire(self) -> Wire:
        return Wire(self.port)

    def ask(self, data: bytes, method: str = "GET") -> Answer:
        with self.wire() as wire:
            wire.send(data)
            return wire.answer(method)


def get(url: str, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request in absolute form, or in origin form where `url` is a path."""
    head = [f"{method} {url} HTTP/1.1", "Host: somebody.else", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


class Upstream:
    """A server of raw bytes: records what it gets, answers what it is told, sees who goes away."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_server((host, 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self.got = b""
        self.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self._more = threading.Condition()
        self.left = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            connection.settimeout(PATIENCE)
            while b"\r\n\r\n" not in self.got or not self._complete():
                data = connection.recv(65536)
                with self._more:
                    self.got += data
                    self._more.notify_all()
            connection.sendall(self.reply)
            if self.reply.endswith(b"CUT"):
                return
            while connection.recv(65536):
                pass
            self.left.set()

    def has(self, end: bytes) -> bool:
        """Waits until what has come ends so."""
        with self._more:
            return self._more.wait_for(lambda: self.got.endswith(end), PATIENCE)

    def _complete(self) -> bool:
        head, _, body = self.got.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            return body.endswith(b"0\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return len(body) == int(line.partition(b":")[2])
        return True

    def close(self) -> None:
        self._thread.join(PATIENCE)
        self._socket.close()


@contextmanager
def upstream(reply: bytes = b"") -> Iterator[Upstream]:
    made = Upstream()
    made.reply = reply or made.reply
    try:
        yield made
    finally:
        made.close()
