"""Replicas: the queue and the servers behind each endpoint.

Rules: a replica serves so many requests at once and keeps the others in one queue, first come first
served, whichever load they are of. A request whose client has given up keeps its place, and its
server, unless its load cancels. A replica lasts as long as the container: when that stops, all that is
with it is reset, and the next container starts empty.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from emulator.cluster.traffic.load import REFUSED, RESET, UNAVAILABLE
from emulator.cluster.traffic.ports import Directory, Serving

if TYPE_CHECKING:
    from emulator.cluster.kernel import Kernel
    from emulator.cluster.traffic.requests import Request


class Replica:
    """One container's queue and servers."""

    __slots__ = ("_kernel", "_limit", "_queue", "_servers", "_serving")

    def __init__(self, kernel: Kernel, serving: Serving) -> None:
        self._kernel = kernel
        self._servers = serving.concurrency
        self._limit = serving.queue_limit
        self._serving: dict[Request, None] = {}  # in the order in which they were begun
        self._queue: deque[Request] = deque()

    def offer(self, request: Request) -> None:
        """A request has arrived: it is begun, or waits, or is answered 503."""
        queue = self._queue
        now = self._kernel.now
        request.entered = now
        if len(self._serving) < self._servers:
            request.replica = self
            self._begin(request, now)
        elif self._limit is not None and len(queue) >= self._limit:
            request.answer(UNAVAILABLE)
        else:
            request.replica = self
            queue.append(request)

    def _begin(self, request: Request, now: int) -> None:
        self._serving[request] = None
        request.course.waiting.add(now - request.entered)
        if not request.hangs:
            request.stage = self._kernel.call_at(now + request.work, request.served)

    def finish(self, request: Request) -> None:
        """A request leaves its server, which takes the next one."""
        request.replica = None
        del self._serving[request]
        if self._queue:
            self._begin(self._queue.popleft(), self._kernel.now)

    def drop(self, request: Request) -> None:
        """A request leaves the queue, or its server before it is done."""
        if request in self._serving:
            self.finish(request)
        else:
            request.replica = None
            self._queue.remove(request)

    def die(self) -> None:
        """The container has stopped."""
        requests = [*self._serving, *self._queue]
        self._serving.clear()
        self._queue.clear()
        for request in requests:
            request.replica = None
        for request in requests:
            request.break_off(RESET)


class Replicas:
    """The replicas that have ever been sent something and still run, by pod."""

    __slots__ = ("_directory", "_kernel", "_replicas")

    def __init__(self, kernel: Kernel, directory: Directory) -> None:
        self._kernel = kernel
        self._directory = directory
        self._replicas: dict[str, Replica] = {}
        directory.watch(self._stopped)

    def offer(self, request: Request) -> None:
        """A request has arrived at its pod."""
        replica = self._replicas.get(request.pod)
        if replica is None:
            if not self._directory.listens(request.pod):
                request.conclude(REFUSED)
                return
            replica = self._replicas[request.pod] = Replica(self._kernel, request.course.serving)
        replica.offer(request)

    def _stopped(self, pod: str) -> None:
        replica = self._replicas.pop(pod, None)
        if replica is not None:
            replica.die()
