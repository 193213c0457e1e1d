"""A watch over HTTP: events as lines of JSON, for as long as somebody listens.

Rules: the world never waits for a client: events queue up, and a client that is `BACKLOG` events
behind is let go, as the real server does. What begins with a version that is not kept any more is a
stream of one ERROR event. Source: apiserver `endpoints/handlers/watch.go`, `cacher/cache_watcher.go`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from starlette.types import Receive, Send

from emulator.cluster.apiserver.status import Rejected

Json = dict[str, Any]
#: Turns an object into the form that the client wants.
Shape = Callable[[Json], Json]
#: Begins to watch: is given where events go, gives back how to end it. Raises Rejected.
Begin = Callable[[Callable[[str, Json], None]], Callable[[], None]]

#: Events that a client may be behind, beside those that it begins with.
BACKLOG = 1000
_CHUNK = 100
#: Seconds until a watch ends that asks for no end.
LONGEST = 3600


class Stream:
    """One watch, from its begin to its end."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._queue: deque[tuple[str, Json]] = deque()
        self._limit: float = float("inf")
        self._changed = asyncio.Event()
        self._closed = False
        self._stop: Callable[[], None] = lambda: None

    def begin(self, begin: Begin, last: Callable[[], Json | None] = lambda: None) -> None:
        """Begins to watch; `last` makes the bookmark after the first events, if one is wanted."""
        try:
            self._stop = begin(self._heard)
        except Rejected as refused:
            if refused.code != 410:
                raise
            self._queue.append(("ERROR", refused.status()))
            self._closed = True
            return
        mark = last()
        if mark is not None:
            self._queue.append(("BOOKMARK", mark))
        self._limit = len(self._queue) + BACKLOG

    def close(self) -> None:
        """Ends it once what is queued has been sent; idempotent."""
        self._stop()
        self._closed = True
        self._changed.set()

    def _heard(self, op: str, obj: Json) -> None:
        if len(self._queue) >= self._limit:
            self.close()
            return
        self._queue.append((op, obj))
        self._changed.set()

    async def run(self, receive: Receive, send: Send, seconds: float) -> None:
        """Sends events until the client goes, the time is over or it is closed."""
        head = [(b"content-type", b"application/json")]
        gone = asyncio.ensure_future(self._until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": head})
            async with asyncio.timeout(seconds):
                await self._send(send)
        except TimeoutError:
            pass
        finally:
            gone.cancel()
            self.close()
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        while True:
            while self._queue:
                count = min(len(self._queue), _CHUNK)
                lines = [self._line(*self._queue.popleft()) for _ in range(count)]
                await send(
                    {"type": "http.response.body", "body": b"".join(lines), "more_body": True}
                )
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()

    def _line(self, op: str, obj: Json) -> bytes:
        shown = obj if op in ("ERROR", "BOOKMARK") else self._shape(obj)
        return orjson.dumps({"type": op, "object": shown}, option=orjson.OPT_APPEND_NEWLINE)

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._queue.clear()
        self.close()
