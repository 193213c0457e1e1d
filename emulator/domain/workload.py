"""What runs inside a container of the simulated platform: the seam between kubelet and behaviours.

Rules: the simulated kubelet starts a `Process` through a `ContainerRuntime` and asks it nothing but
this. A process is either *scripted* (its `plan` says, in simulated time, when it listens, when it exits
and what probes and signals find; nothing of it takes wall time) or *real* (a system's process or
another live thing: it tells `notify`, on the event loop's thread, when it begins to listen and when it
has exited).
An answer is given by `answer`: at once for a behaviour that computes, awaitable for one that waits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the service's container gets it.

    `target` is path and query as sent (`/x?y=1`); header names are lower case, in order, repeated
    where they were; `host` is what the caller asked for, `port` the container's own port.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `stand_in` says that it was not made by the user's own code or image."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    stand_in: bool = True


@dataclass(frozen=True, slots=True)
class ContainerStart:
    """What the kubelet knows of a container that it starts. `ports` are the service's target ports."""

    workload: str
    service: str
    namespace: str
    pod: str
    container: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    restarts: int = 0
    started_unix: int = 0  # Unix nanoseconds of simulated time, for log lines


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ends: `after` nanoseconds, with what code, under which reason."""

    after: int
    code: int
    reason: str = "Error"


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """From `after` nanoseconds on a process holds `amount` bytes: over its limit it is killed."""

    after: int
    amount: int


@dataclass(frozen=True, slots=True)
class ProbeChange:
    """From `after` nanoseconds on a probe is answered well (`ok`) or not.

    `probe` is startup, readiness or liveness.
    """

    after: int
    probe: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """What SIGTERM does: the end `after` nanoseconds later with `code`; None: it is ignored."""

    after: int | None
    code: int = 143


@dataclass(frozen=True, slots=True)
class Plan:
    """A scripted life; times count from the container's start.

    It listens after `startup`, may exit, may use memory, may change its mind about probes (`probes` in
    the order of their times), and stops in its own way (`stop` None: as the cluster's containers do).
    """

    startup: int = 0
    exit: Exit | None = None
    memory: MemoryUse | None = None
    probes: tuple[ProbeChange, ...] = ()
    stop: Stop | None = None


class StartFailed(Exception):
    """The container cannot be created: the waiting reason is CreateContainerError with this text."""


class RunFailed(StartFailed):
    """The container was created and cannot be run: RunContainerError, and an end with code 128."""


class Process(Protocol):
    """A started container."""

    plan: Plan | None  # None: a real one, which notifies

    def listens(self, port: int) -> bool:
        """Whether the port answers; for a scripted one, once its startup is over."""

    def answer(self, request: Request) -> Response | Awaitable[Response]: ...

    def logs(self) -> str:
        """Everything written so far."""

    def stop(self) -> None:
        """Ends it and lets go of everything that it holds; idempotent."""


#: What a real process tells: ("listening", 0) or ("exited", code).
Notify = Callable[[str, int], None]


class ContainerRuntime(Protocol):
    """Starts containers."""

    def start(self, container: ContainerStart, notify: Notify) -> Process:
        """Raises StartFailed where the container cannot be created."""
