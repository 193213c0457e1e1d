"""The forward proxy in front of the API: answers what `protocol` tagged, passes on everything else.

Rules: it is the outermost app behind `GatewayProtocol`; `policy` decides, `transport` carries, this
module only puts the two together. Every answer made here carries X-Emulator; every proxied request
is told to the observer once, with the status that the caller got (499: it went away first). A
behaviour's failure is a 502 that names the service and never reaches the server. Nothing is retried
once a connection stands.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from emulator.domain.errors import Refused
from emulator.domain.workload import Request, Response
from emulator.gateway import headers as fields
from emulator.gateway.authority import Authority
from emulator.gateway.egress import ALLOW, Address, Egress
from emulator.gateway.policy import (
    Asked,
    Directory,
    Forward,
    Outside,
    Own,
    Refuse,
    decide,
    outside_refusal,
    unresolved,
)
from emulator.gateway.protocol import PROXY, REFUSED, ProxyTag, RefusedTag
from emulator.gateway.transport import (
    ClientGone,
    Inbound,
    Receive,
    Resolver,
    Send,
    TooLarge,
    Unreachable,
    Upstream,
    is_local,
    resolve,
)
from emulator.platform import Route

log = logging.getLogger("emulator.gateway")

BODY_LIMIT = 16 * 1024 * 1024
CLIENT_GONE = 499

Scope = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]
Behaviour = Callable[[Request], Response | Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Head:
    """A proxied request as the observer sees it: first line as sent, header names in lower case."""

    asked: Asked
    headers: tuple[tuple[bytes, bytes], ...]
    client: tuple[str, int] | None


#: Told once per proxied request: route (None: refused or outside), head, status, nanoseconds.
Observer = Callable[[Route | None, Head, int, int], None]


class _Answer:
    """The way back to the caller; remembers the status that went out."""

    def __init__(self, send: Send, method: str) -> None:
        self._send = send
        self.method = method
        self.status = 0
        self.complete = False

    async def start(self, status: int, headers: fields.Headers) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def body(self, body: bytes, *, more: bool) -> None:
        self.complete = not more
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def whole(self, status: int, headers: fields.Headers, body: bytes) -> None:
        await self.start(status, headers)
        await self.body(b"" if fields.without_body(self.method, status) else body, more=False)

    async def refuse(self, refuse: Refuse, banner: str) -> None:
        """The refusal as the platform's error body."""
        content = json.dumps(Refused(refuse.status, refuse.message).body()).encode()
        response = Response(
            refuse.status, (("Content-Type", "application/json"), *refuse.headers), content
        )
        await self.whole(
            refuse.status, fields.from_behaviour(response, self.method, banner), content
        )


class ForwardProxy:
    """An ASGI app around `app`.

    `banner` makes the text of X-Emulator, told whether a stand-in answered; `own` knows the
    emulator's own host and port; `body_limit` in bytes holds for behaviours only.
    """

    def __init__(
        self,
        app: App,
        directory: Directory,
        *,
        own: Own,
        banner: Callable[[bool], str],
        egress: Egress = ALLOW,
        observer: Observer | None = None,
        body_limit: int = BODY_LIMIT,
        resolver: Resolver = resolve,
        local: Callable[[Address], bool] = is_local,
    ) -> None:
        self.app = app
        self.directory = directory
        self.egress = egress
        self._own = own
        self._banner = banner
        self._observer = observer
        self._body_limit = body_limit
        self._resolver = resolver
        self._local = local
        self._upstream = Upstream()

    async def aclose(self) -> None:
        """Ends idle connections to the outside and to addresses."""
        await self._upstream.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions = scope.get("extensions") or {}
        if PROXY in extensions:
            await self._proxied(extensions[PROXY], scope, receive, send)
        elif REFUSED in extensions:
            tag: RefusedTag = extensions[REFUSED]
            refuse = Refuse(tag["status"], tag["message"])
            await _Answer(send, scope["method"]).refuse(refuse, self._banner(False))
        else:
            await self.app(scope, receive, send)

    async def _proxied(self, tag: ProxyTag, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter_ns()
        asked = Asked(tag["method"], tag["scheme"], tag["authority"], tag["target"])
        head = Head(asked, tuple(scope["headers"]), scope.get("client"))
        answer = _Answer(send, asked.method)
        inbound = Inbound(receive, lambda: answer.complete)
        route: Route | None = None
        status = CLIENT_GONE
        try:
            where = decide(self.directory, asked, self.egress, self._own)
            if isinstance(where, Forward):
                route = where.route
            await self._carry(where, head, inbound, answer)
            status = answer.status
        except ClientGone:
            pass
        except Exception:
            status = 500  # what the server makes of it
            raise
        finally:
            if self._observer is not None:
                self._observer(route, head, status, time.perf_counter_ns() - began)

    async def _carry(
        self, where: Forward | Outside | Refuse, head: Head, inbound: Inbound, answer: _Answer
    ) -> None:
        if isinstance(where, Refuse):
            await answer.refuse(where, self._banner(False))
        elif isinstance(where, Outside):
            await inbound.unless_gone(self._outside(where.authority, head, inbound, answer))
        elif callable(where.route.target):
            await self._behaviour(where, head, inbound, answer)
        else:
            await inbound.unless_gone(self._address(where, head, inbound, answer))

    # -- behaviours -----------------------------------------------------------------------------

    async def _behaviour(
        self, where: Forward, head: Head, inbound: Inbound, answer: _Answer
    ) -> None:
        route = where.route
        try:
            _check_length(head.headers, self._body_limit)
            body = await inbound.whole(self._body_limit)
        except TooLarge:
            too_large = Refuse(
                413, f"the request's body is over {self._body_limit} bytes: send a smaller one."
            )
            await answer.refuse(too_large, self._banner(False))
            return
        try:
            made = cast(Behaviour, route.target)(_request(where, head, body))
            if not isinstance(made, Response):
                made = await inbound.unless_gone(_awaited(made))
            headers = fields.from_behaviour(made, answer.method, self._banner(made.stand_in))
            if not 200 <= made.status < 600:
                raise ValueError(f"{made.status} is no final HTTP status")
        except ClientGone:
            raise
        except ConnectionError as error:
            refused = Refuse(502, f"{route.service} does not answer: {error}")
            await answer.refuse(refused, self._banner(False))
            return
        except Exception as error:
            log.exception("service %s: its behaviour failed", route.service)
            failed = Refuse(
                502, f"the behaviour of {route.service} failed: {type(error).__name__}: {error}"
            )
            await answer.refuse(failed, self._banner(False))
            return
        await answer.whole(made.status, headers, made.body)

    # -- addresses ------------------------------------------------------------------------------

    async def _address(self, where: Forward, head: Head, inbound: Inbound, answer: _Answer) -> None:
        route = where.route
        host, port = route.target
        headers = fields.to_service(head.headers, where.authority.text, route.headers)
        await self._stream([(host, port)], route.service, headers, head, inbound, answer)

    async def _outside(
        self, authority: Authority, head: Head, inbound: Inbound, answer: _Answer
    ) -> None:
        try:
            addresses = await self._resolver(authority.host, authority.port)
        except (OSError, UnicodeError) as error:
            await answer.refuse(unresolved(authority, str(error)), self._banner(False))
            return
        refuse = outside_refusal(self.directory, authority, addresses, self._own, self._local)
        if refuse is not None:
            await answer.refuse(refuse, self._banner(False))
            return
        checked = [(address.compressed, authority.port) for address in addresses]
        headers = fields.to_service(head.headers, authority.text, {})
        await self._stream(checked, str(authority), headers, head, inbound, answer)

    async def _stream(
        self,
        addresses: Sequence[tuple[str, int]],
        name: str,
        headers: fields.Headers,
        head: Head,
        inbound: Inbound,
        answer: _Answer,
    ) -> None:
        banner = self._banner(False)
        if any(key == b"transfer-encoding" for key, _ in head.headers):
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        asked = head.asked
        try:
            response = await self._upstream.call(
                addresses, asked.method, asked.target, headers, inbound
            )
        except Unreachable as error:
            await answer.refuse(Refuse(502, f"{name} cannot be reached: {error}"), banner)
            return
        try:
            status = response.status_code
            if not 200 <= status < 600:
                strange = Refuse(502, f"{name} answered {status}, which is no final HTTP status")
                await answer.refuse(strange, banner)
                return
            await answer.start(status, fields.from_upstream(response.headers.raw, status, banner))
            await _copy(response.stream, answer, name)
        finally:
            await response.aclose()


async def _copy(stream: Any, answer: _Answer, name: str) -> None:
    """The body as it comes. Breaks off where the upstream does: the caller's connection is cut."""
    import httpx

    try:
        async for chunk in stream:
            if not fields.without_body(answer.method, answer.status):
                await answer.body(chunk, more=True)
    except httpx.TransportError as error:
        log.warning("%s broke off its answer: %s", name, error)
        return
    await answer.body(b"", more=False)


async def _awaited(made: Awaitable[Response]) -> Response:
    return await made


def _check_length(headers: Sequence[tuple[bytes, bytes]], limit: int) -> None:
    """Raises TooLarge where the announced length is over the limit, before a byte is read."""
    for name, value in headers:
        if name == b"content-length" and int(value) > limit:
            raise TooLarge


def _request(where: Forward, head: Head, body: bytes) -> Request:
    """What the service's container gets; a chunked body, read whole by now, is given its length."""
    kept = fields.to_service(head.headers, where.authority.text, where.route.headers)
    if body and not any(name == b"content-length" for name, _ in kept):
        kept.append((b"content-length", str(len(body)).encode()))
    return Request(
        method=head.asked.method,
        target=head.asked.target,
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in kept),
        body=body,
        host=where.authority.host,
        port=where.authority.port,
    )
