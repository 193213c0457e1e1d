"""The I/O of the forward proxy: reading a request, calling an address, seeing a caller go away.

Rules: bodies are streamed both ways and held nowhere. An address is called as it is given: nothing
here resolves a name a second time, follows a redirect, keeps a cookie or reads a proxy setting of
the environment. There is no time limit on an answer (the platform's clients have none), only on
connecting. httpx is imported by the first call.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any, TypeVar

from emulator.gateway.egress import Address
from emulator.gateway.headers import Headers

if TYPE_CHECKING:
    import httpx

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]

T = TypeVar("T")

CONNECT_SECONDS = 10.0
#: Shorter than the usual 5 s of servers, so that an idle connection is ours to close.
KEEP_ALIVE_SECONDS = 2.0


class ClientGone(Exception):
    """The caller closed the connection before its answer was complete."""


class TooLarge(Exception):
    """A body is over the limit."""


class Unreachable(Exception):
    """No connection, or no answer on it; the text says why."""


class Inbound:
    """A request's body, read once, and the news that the caller has gone."""

    def __init__(self, receive: Receive, answered: Callable[[], bool]) -> None:
        self._receive = receive
        self._answered = answered
        self.read = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises ClientGone."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            if body := message.get("body", b""):
                yield body
            if not message.get("more_body", False):
                self.read.set()
                return

    async def whole(self, limit: int) -> bytes:
        """The whole body. Raises TooLarge over `limit` bytes, ClientGone."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise TooLarge
            parts.append(chunk)
        return b"".join(parts)

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of `work`, which is cancelled when the caller goes first: then ClientGone."""
        task = asyncio.ensure_future(work)
        watch = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
            # The end of an answer looks like a disconnect; the work then only has to tidy up.
            if not task.done() and not self._answered():
                raise ClientGone
            return await task
        finally:
            task.cancel()
            watch.cancel()
            await asyncio.gather(task, watch, return_exceptions=True)

    async def _gone(self) -> None:
        await self.read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def resolve(host: str, port: int) -> list[Address]:
    """What the system resolves a host to, odd spellings of addresses included. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


def is_local(address: Address) -> bool:
    """Whether an address is one of this machine's: exactly those can be bound to.

    In doubt (out of descriptors, not permitted) it is taken for local.
    """
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


class Upstream:
    """Calls addresses over plain HTTP/1.1. `aclose` ends its idle connections."""

    def __init__(self) -> None:
        self._transport: httpx.AsyncHTTPTransport | None = None

    def _ready(self) -> httpx.AsyncHTTPTransport:
        if self._transport is None:
            import httpx

            self._transport = httpx.AsyncHTTPTransport(
                verify=False,  # no TLS here: loading the certificates would only cost time
                trust_env=False,
                limits=httpx.Limits(
                    max_connections=None,
                    max_keepalive_connections=64,
                    keepalive_expiry=KEEP_ALIVE_SECONDS,
                ),
            )
        return self._transport

    async def call(
        self,
        addresses: Sequence[tuple[str, int]],
        method: str,
        target: str,
        headers: Headers,
        inbound: Inbound,
    ) -> httpx.Response:
        """The head of the answer of the first address that takes a connection.

        The caller closes the response (`aclose`). Raises Unreachable, ClientGone.
        """
        import httpx

        transport = self._ready()
        names = {name for name, _ in headers}
        bodied = b"content-length" in names or b"transfer-encoding" in names
        if not bodied:
            inbound.read.set()
        reason = "it has no address"
        for host, port in addresses:
            request = httpx.Request(
                method,
                httpx.URL(scheme="http", host=host, port=port),
                headers=headers,
                content=inbound.chunks() if bodied else None,
                extensions={
                    "target": target.encode("latin-1"),
                    "timeout": {"connect": CONNECT_SECONDS},
                },
            )
            try:
                response = await transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                reason = str(error) or "connecting took too long"
                continue
            except httpx.TransportError as error:
                raise Unreachable(str(error) or type(error).__name__) from error
            inbound.read.set()
            return response
        raise Unreachable(reason)

    async def aclose(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None
