"""Forwarding of a request to a real HTTP server, for `upstream` and `command`.

Rules: the path goes as it was sent; headers of one hop stay on their hop, both ways; bodies are
neither decoded nor re-encoded; redirects are answered, not followed; cookies, proxies and credentials
of this machine's environment are not used; a whole answer has to come within the time limit. A failure
is an answer too: 502, or 504 for the time limit, and it names the server.
"""

from __future__ import annotations

import asyncio
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from emulator.domain.workload import Request, Response
from emulator.workloads.base import TEXT, Keeper, header_bytes, reply

if TYPE_CHECKING:
    import httpx

#: Seconds within which a whole answer has to come.
TIMEOUT = 60.0

#: RFC 9110 section 7.6.1 and the older names that are still sent.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def end_to_end(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers that go past this hop: not the known ones of one hop, nor those that Connection names."""
    dropped = set(HOP_BY_HOP)
    for name, value in headers:
        if name == "connection":
            dropped.update(part.strip().lower() for part in value.split(","))
    return [(name, value) for name, value in headers if name not in dropped]


class Forwarder:
    """A client of the server at `base` (`http://host:port/path`), opened at the first request.

    `name` is what an error calls the server; with `keep_host` the server is told the host that the
    caller asked for, else its own.
    """

    def __init__(
        self,
        base: str,
        keeper: Keeper,
        *,
        name: str,
        keep_host: bool,
        timeout: float = TIMEOUT,
    ) -> None:
        parts = urlsplit(base)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        self._host = parts.netloc
        self._keeper = keeper
        self._name = name
        self._keep_host = keep_host
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None
        self._closing = asyncio.Event()

    async def answer(self, request: Request) -> Response:
        import httpx

        if self._closing.is_set():
            return self._failure(502, "it has been stopped", request)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(self._open(), request)
        except TimeoutError:
            return self._failure(504, f"no answer within {self._timeout:g} s", request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._failure(502, str(error) or type(error).__name__, request)

    def close(self) -> None:
        """Closes the client in the background of the loop; the end of the loop closes it, too."""
        self._closing.set()

    def _open(self) -> httpx.AsyncClient:
        import httpx

        if self._client is None:
            # Reading the authorities' certificates takes long, and a plain server needs none.
            plain = self._origin.startswith("http:")
            self._client = httpx.AsyncClient(
                verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True,
                trust_env=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                timeout=None,  # noqa: S113 - one limit over all of it, in `answer`
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            )
            self._keeper.spawn(self._keep(self._client))
        return self._client

    async def _keep(self, client: httpx.AsyncClient) -> None:
        try:
            await self._closing.wait()
        finally:
            await client.aclose()

    async def _exchange(self, client: httpx.AsyncClient, request: Request) -> Response:
        import httpx

        target = request.target if request.target.startswith("/") else f"/{request.target}"
        # Made by hand: the client's own `request` adds headers and tidies the path.
        sent = httpx.Request(
            request.method,
            self._origin,
            headers=[
                (header_bytes(name), header_bytes(value)) for name, value in self._headers(request)
            ],
            content=request.body,
            extensions={"target": quote(self._prefix + target, safe=_PRINTABLE).encode("ascii")},
        )
        got = await client.send(sent, stream=True, follow_redirects=False)
        try:
            body = b"".join([part async for part in got.aiter_raw()])
        finally:
            await got.aclose()
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in got.headers.raw
        ]
        return reply(
            got.status_code, end_to_end(headers), body, stand_in=False, method=request.method
        )

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        """The body is at hand: it has a length, and nobody is asked whether it may come."""
        kept = [
            (name, value)
            for name, value in end_to_end(list(request.headers))
            if name not in ("host", "content-length", "expect")
        ]
        host = self._host
        if self._keep_host:
            given = (value for name, value in request.headers if name == "host")
            host = next(given, request.host)
        length = []
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            length = [("content-length", str(len(request.body)))]
        return [("host", host), *kept, *length]

    def _failure(self, status: int, reason: str, request: Request) -> Response:
        text = f"{self._name} did not answer: {reason}\n"
        return reply(
            status,
            (("content-type", TEXT),),
            text.encode("utf-8", "replace"),
            stand_in=False,
            method=request.method,
        )
