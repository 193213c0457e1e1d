"""The HTTP protocol of the shared port: uvicorn's own, which also knows a proxy's requests.

Rules: a request whose target is absolute (`GET http://host/x`) or whose method is CONNECT is tagged
in its ASGI scope under `PROXY`, one that may not be served under `REFUSED`; every other request is
uvicorn's, untouched. Neither tag can come from a client. Answers keep the order of the requests,
also refusals of broken bytes. The app behind this protocol must answer tagged requests
(`emulator.gateway.proxy.ForwardProxy` does). A tagged request never becomes a WebSocket.

The parser (llhttp) refuses by itself: Content-Length together with Transfer-Encoding, repeated
Content-Length, folded lines, bare LF, blanks before a colon. Relies on private names of
uvicorn 0.54.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, TypedDict, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

#: Scope extension of a request to the proxy: a `ProxyTag`.
PROXY = "dhemu.proxy"
#: Scope extension of a request that is refused before anything looks at it: a `RefusedTag`.
REFUSED = "dhemu.refused"


class ProxyTag(TypedDict):
    """The request line: `scheme` in lower case ("" for CONNECT), `target` path and query."""

    method: str
    scheme: str
    authority: str
    target: str


class RefusedTag(TypedDict):
    """The status and the sentence to answer with; the connection closes behind it."""

    status: int
    message: str


def read_target(method: str, url: bytes) -> ProxyTag:
    """Splits an absolute-form or CONNECT target. A fragment, which is never sent on, is dropped.

    An empty path is `/`, and `*` for OPTIONS (RFC 9112 section 3.2.4).
    """
    text = url.decode("latin-1")
    if method == "CONNECT":
        return ProxyTag(method=method, scheme="", authority=text, target="")
    scheme, _, rest = text.partition("://")
    rest = rest.partition("#")[0]
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:]
    if not target.startswith("/"):
        target = "*" if method == "OPTIONS" and not target else f"/{target}"
    return ProxyTag(method=method, scheme=scheme.lower(), authority=authority, target=target)


def _extension(name: str, tag: ProxyTag | RefusedTag) -> dict[str, dict[object, object]]:
    return {name: cast("dict[object, object]", tag)}


def head_refusal(headers: list[tuple[bytes, bytes]]) -> RefusedTag | None:
    """What is wrong with a request's headers (names in lower case), None when nothing is."""
    if sum(name == b"host" for name, _ in headers) > 1:
        return RefusedTag(
            status=400, message="the request has more than one Host header: send one."
        )
    codings = b",".join(value for name, value in headers if name == b"transfer-encoding")
    if codings and codings.strip().lower() != b"chunked":
        return RefusedTag(
            status=501,
            message=f"the Transfer-Encoding {codings.decode('latin-1')!r} is not known here: "
            "send chunked, or a Content-Length.",
        )
    return None


class GatewayProtocol(HttpToolsProtocol):
    """Given to uvicorn as `http=`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.over = False  # whatever comes after a refused request is not read
        self.tagged = False
        self.in_body = False
        self.running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn: its base class asks for less
        super().connection_made(transport)
        # asyncio leaves Nagle's algorithm on for a socket that was made without naming its protocol:
        # head and body are two writes, and the second would wait 40 ms for an acknowledgement.
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # -- bytes in -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data and not self.over:
            data = self._feed(data)

    def _feed(self, data: bytes) -> bytes:
        """Parses; returns what is left where the parser stopped at an upgrade that we decline."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.over:
                return b""
            if self._should_upgrade():
                self.handle_websocket_upgrade()
                return b""
            rest: bytes = data[upgrade.args[0] :]
            return rest
        except httptools.HttpParserCallbackError:
            self._refuse("the request's target is not understood: send a path or an http:// URL.")
        except httptools.HttpParserError as error:
            self._refuse(f"the request is not valid HTTP: {error}.")
        return b""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.tagged = False

    def on_headers_complete(self) -> None:
        if self.over:
            return
        tag = self._tag()
        if tag:
            self.tagged = True
            self.scope["extensions"] = tag
        super().on_headers_complete()
        self.in_body = True
        if REFUSED in tag or self.scope["method"] == "CONNECT":
            self.over = True
            self.cycle.keep_alive = False
            self.cycle.more_body = False

    def _tag(self) -> dict[str, dict[object, object]]:
        """The scope's extensions; leaves in `self.url` what uvicorn can read as a path."""
        refusal = head_refusal(self.headers)
        if refusal is not None:
            self.url = b"/"
            return _extension(REFUSED, refusal)
        method = self.parser.get_method().decode("ascii")
        if method != "CONNECT" and self.url.startswith((b"/", b"*")):
            return {}
        tag = read_target(method, self.url)
        path = tag["target"]
        self.url = path.encode("latin-1") if path.startswith("/") else b"/"
        return _extension(PROXY, tag)

    def on_body(self, body: bytes) -> None:
        if not self.over:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self.in_body = False
        if not self.over:
            super().on_message_complete()

    def _should_upgrade(self) -> bool:
        return not self.tagged and super()._should_upgrade()

    # -- one answer after the other -------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, message: str) -> None:
        """Answers bytes that are no request with 400, behind the answers that are still due."""
        if self.over:
            return
        self.over = True
        self.logger.warning("Invalid HTTP request received: %s", message)
        if self.transport.is_closing() or (self.in_body and not self._withdraw(self.cycle)):
            self.transport.close()
            return
        last = self.running
        due = last is not None and not last.response_complete and not last.disconnected
        self.on_message_begin()
        tag = RefusedTag(status=400, message=message)
        self.scope["method"] = "GET"
        self.scope["path"] = "/"
        self.scope["raw_path"] = b"/"
        self.scope["query_string"] = b""
        self.scope["extensions"] = _extension(REFUSED, tag)
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        self.cycle.more_body = False
        if due:
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._start_asgi_task(self.cycle, self.app)

    def _withdraw(self, cycle: RequestResponseCycle) -> bool:
        """Takes back a request whose body turned out to be broken; False: its answer has begun."""
        if cycle is not self.running:
            with contextlib.suppress(IndexError):
                self.pipeline.popleft()
            return True
        if cycle.response_started:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        running = self.running
        super().connection_lost(exc)
        # uvicorn tells the newest request only; with pipelining an older one may be running.
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
