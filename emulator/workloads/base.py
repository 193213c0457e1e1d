"""What every behaviour shares: the log, the answer, the household of a runtime.

Rules: every `Response` is made by `reply`, so that length and type are right in one place; header
names of an answer are lower case; a log keeps its last part only; `stop` may be called twice; work
in the background belongs to the runtime's `Keeper`, which can wait for its end.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any

from emulator.domain.workload import ContainerStart, Plan, Request, Response

#: Characters of a container's log that are kept: the last ones.
LOG_LIMIT = 2 * 1024 * 1024

#: Seconds that work in the background may take to end once it has been told to.
DRAIN_LIMIT = 5.0

TEXT = "text/plain; charset=utf-8"


def reply(
    status: int,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    *,
    stand_in: bool,
    method: str = "GET",
    content_type: str = "text/plain",
) -> Response:
    """An answer with one content-length, of this body, and a content-type (given, or the default).

    A body is dropped where the status allows none (204, 304). Where an answer has none because of
    its request (HEAD) or its status (304), the length that it declares is the one of the body that
    GET would have, and stays.
    """
    names = {}
    kept = []
    for name, value in headers:
        lower = name.lower()
        names[lower] = value
        if lower != "content-length":
            kept.append((lower, value))
    if status in (204, 304):
        body = b""
    length = str(len(body))
    if not body and (method == "HEAD" or status == 304):
        length = names.get("content-length", length)
    if "content-type" not in names:
        kept.append(("content-type", content_type))
    kept.append(("content-length", length))
    return Response(status, tuple(kept), body, stand_in)


def header_bytes(text: str) -> bytes:
    """A header as bytes: Latin-1, as HTTP has it, or UTF-8 where that cannot say it."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


class LogBuffer:
    """Text in the pieces in which it was written; the oldest pieces go when there is too much.

    At most `limit` characters are kept. A full log makes room for an eighth of that at once, so
    that a line costs the same when it is full; a list, because most logs are short and many.
    """

    __slots__ = ("_limit", "_pieces", "_size")

    def __init__(self, limit: int = LOG_LIMIT) -> None:
        self._limit = limit
        self._pieces: list[str] = []
        self._size = 0

    def write(self, text: str) -> None:
        """Appends as is: a line brings its own newline."""
        self._pieces.append(text)
        self._size += len(text)
        if self._size > self._limit:
            self._make_room()

    def text(self) -> str:
        return "".join(self._pieces)

    def _make_room(self) -> None:
        newest = self._pieces[-1]
        if len(newest) >= self._limit:
            self._pieces = [newest[-self._limit :]]
            self._size = self._limit
            return
        target = max(self._limit - self._limit // 8, len(newest))
        dropped = 0
        while self._size > target:
            self._size -= len(self._pieces[dropped])
            dropped += 1
        del self._pieces[:dropped]


class Keeper:
    """What the processes of one runtime share: who lives, what works in the background, ports."""

    def __init__(self) -> None:
        self.living: set[BaseProcess] = set()
        self.ports: set[int] = set()  # loopback ports promised to local processes
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs in the background of the running loop; kept until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, limit: float = DRAIN_LIMIT) -> None:
        """Waits until nothing works in the background; after `limit` seconds it is cancelled."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=limit)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


class BaseProcess(ABC):
    """A container that has a log, listens on all ports or some, and lives until it is stopped."""

    plan: Plan | None

    def __init__(
        self,
        container: ContainerStart,
        keeper: Keeper,
        plan: Plan | None,
        ports: frozenset[int] | None = None,
    ) -> None:
        self.container = container
        self.plan = plan
        self.log = LogBuffer()
        self.stopped = False
        self._ports = ports
        self._keeper = keeper
        keeper.living.add(self)

    def listens(self, port: int) -> bool:
        return not self.stopped and (self._ports is None or port in self._ports)

    @abstractmethod
    def answer(self, request: Request) -> Response | Awaitable[Response]:
        """The container's answer."""

    def logs(self) -> str:
        return self.log.text()

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            self._keeper.living.discard(self)
            self.release()

    def release(self) -> None:  # noqa: B027 - a hook: most hold nothing
        """Lets go of what the behaviour holds; called once. The base holds nothing."""


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of the live platform; None in an offline run."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
