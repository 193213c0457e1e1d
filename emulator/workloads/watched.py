"""Real processes among the simulated containers: which of them still start.

Rules: what a real process says enters the world at the present; as long as one starts, time passes as
on the wall. A scripted process is handed on as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from emulator.domain.workload import (
    ContainerRuntime,
    ContainerStart,
    Notify,
    Plan,
    Process,
    Request,
    Response,
)


class _Real:
    """A real process; while it starts, time passes as on the wall."""

    def __init__(self, process: Process, starting: set[int]) -> None:
        self._process = process
        self._starting = starting
        self.plan: Plan | None = None  # it tells
        starting.add(id(self))

    def settled(self) -> None:
        """It listens, has exited, or is not wanted any more."""
        self._starting.discard(id(self))

    def listens(self, port: int) -> bool:
        """Whether the port answers."""
        return self._process.listens(port)

    def answer(self, request: Request) -> Response | Awaitable[Response]:
        """The process's answer."""
        return self._process.answer(request)

    def logs(self) -> str:
        """Everything written so far."""
        return self._process.logs()

    def stop(self) -> None:
        """Ends it."""
        self.settled()
        self._process.stop()


class Watched:
    """A runtime that knows which real processes still start, and lets their word into the world."""

    def __init__(
        self, inner: ContainerRuntime, enter: Callable[[Callable[[], None]], None]
    ) -> None:
        self._inner = inner
        self._enter = enter
        self.starting: set[int] = set()

    def start(self, container: ContainerStart, notify: Notify) -> Process:
        """Starts a container; a real one holds the time until it listens or is over."""
        real: list[_Real] = []

        def heard(what: str, code: int) -> None:
            for each in real:
                each.settled()
            self._enter(lambda: notify(what, code))

        process = self._inner.start(container, heard)
        if process.plan is not None:
            return process
        real.append(_Real(process, self.starting))
        return real[0]
