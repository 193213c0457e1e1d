"""Arrivals: when a load sends.

Rules: a source keeps one timer (a closed one: one for each user who thinks). It is over when it will
never send again, says so once, and then has no timer left. Nothing is sent at the load's end or after,
nor more than its count. A user whose invocation ended in the instant in which it was sent waits a
millisecond more, for a circle that takes no time would never let the world go on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from emulator.cluster.kernel import Kernel, Timer
from emulator.cluster.streams import Stream
from emulator.cluster.traffic.load import Closed, Load, Open, Recorded
from emulator.domain.timefmt import MILLISECOND

if TYPE_CHECKING:
    from emulator.cluster.traffic.requests import Request


class Sender(Protocol):
    """Whom a source tells."""

    sent: int

    def send(self, user: int) -> None:
        """An invocation begins now."""

    def exhausted(self) -> None:
        """The source is over."""


class Source(ABC):
    """The arrivals of one load."""

    def __init__(self, kernel: Kernel, load: Load, sender: Sender, stream: Stream) -> None:
        self._kernel = kernel
        self._load = load
        self._sender = sender
        self._stream = stream
        self._over = False

    @abstractmethod
    def begin(self, start: int) -> None:
        """Schedules what comes first; `start` is the load's start."""

    @abstractmethod
    def close(self) -> None:
        """Ends it; idempotent."""

    def ended(self, request: Request) -> None:  # noqa: B027 (most sources do not care)
        """An invocation of the load has ended."""

    def _may_send(self, at: int) -> bool:
        load = self._load
        return (load.end is None or at < load.end) and (
            load.count is None or self._sender.sent < load.count
        )

    def _close(self) -> None:
        if not self._over:
            self._over = True
            self._sender.exhausted()


class _Row(Source):
    """One sending after the other: `_after` says when the next one is, None for never."""

    def __init__(self, kernel: Kernel, load: Load, sender: Sender, stream: Stream) -> None:
        super().__init__(kernel, load, sender, stream)
        self._timer: Timer | None = None
        self._bounded = load.count is not None or load.end is not None

    @abstractmethod
    def _after(self, last: int) -> int | None: ...

    def begin(self, start: int) -> None:
        self._schedule(start)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._close()

    def _schedule(self, last: int) -> None:
        at = self._after(last)
        if at is None or (self._bounded and not self._may_send(at)):
            self._close()
        else:
            self._timer = self._kernel.call_at(at, self._fire)

    def _fire(self) -> None:
        self._sender.send(0)
        if not self._over:
            self._schedule(self._kernel.now)


class OpenSource(_Row):
    """Arrivals that are a time apart."""

    def __init__(
        self, kernel: Kernel, load: Load, sender: Sender, stream: Stream, arrivals: Open
    ) -> None:
        super().__init__(kernel, load, sender, stream)
        self._sample: Callable[[Stream], int] = arrivals.between.sample

    def _after(self, last: int) -> int | None:
        return last + self._sample(self._stream)


class RecordedSource(_Row):
    """Arrivals at given instants."""

    def __init__(
        self, kernel: Kernel, load: Load, sender: Sender, stream: Stream, arrivals: Recorded
    ) -> None:
        super().__init__(kernel, load, sender, stream)
        self._instants = arrivals.instants
        self._next = 0
        self._start = 0

    def begin(self, start: int) -> None:
        self._start = start
        super().begin(start)

    def _after(self, last: int) -> int | None:
        if self._next == len(self._instants):
            return None
        self._next += 1
        return self._start + self._instants[self._next - 1]


class ClosedSource(Source):
    """Users who think, send and wait."""

    def __init__(
        self, kernel: Kernel, load: Load, sender: Sender, stream: Stream, arrivals: Closed
    ) -> None:
        super().__init__(kernel, load, sender, stream)
        self._arrivals = arrivals
        self._active = arrivals.users
        self._thinking: dict[int, Timer] = {}

    def begin(self, start: int) -> None:
        for user in range(self._arrivals.users):
            self._think(user, start)

    def ended(self, request: Request) -> None:
        if not self._over:
            now = self._kernel.now
            self._think(request.user, now + (MILLISECOND if now == request.began else 0))

    def close(self) -> None:
        for timer in self._thinking.values():
            timer.cancel()
        self._thinking.clear()
        self._close()

    def _think(self, user: int, since: int) -> None:
        at = since + self._arrivals.think.sample(self._stream)
        if self._may_send(at):
            self._thinking[user] = self._kernel.call_at(at, lambda: self._send(user))
            return
        self._active -= 1
        if not self._active:
            self.close()

    def _send(self, user: int) -> None:
        del self._thinking[user]
        self._sender.send(user)
        if self._sender.sent == self._load.count:
            self.close()


def source(kernel: Kernel, load: Load, sender: Sender, stream: Stream) -> Source:
    """The source that the load's arrivals ask for."""
    arrivals = load.arrivals
    if isinstance(arrivals, Open):
        return OpenSource(kernel, load, sender, stream, arrivals)
    if isinstance(arrivals, Recorded):
        return RecordedSource(kernel, load, sender, stream, arrivals)
    return ClosedSource(kernel, load, sender, stream, arrivals)
