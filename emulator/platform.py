"""The platform contract: what runs objects, behind one small interface.

Rules: an adapter is handed Kubernetes-shaped objects and answers Kubernetes-shaped observations; it
knows no run, and the control plane knows no adapter except through `capabilities`. No call blocks:
the outcome is handed to `done`, once, in the caller's thread, now or later. Times are nanoseconds of
the adapter's own clock. Nothing without our owner label is adopted, changed or deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from emulator.domain.kube import Object, Observation

#: The label that says whose an object is: its value is the workload's name.
OWNER = "dhemu.io/workload"


class Capability(StrEnum):
    """What a platform can do beyond the contract."""

    COMPLETE_WATCH = "complete-watch"  # no change goes unreported: nobody has to poll
    VIRTUAL_TIME = "virtual-time"
    LOAD_BALANCER = "load-balancer"


@dataclass(frozen=True, slots=True)
class Workload:
    """The objects of one run, and the alias Services that it takes over when it may."""

    name: str
    namespace: str
    deployment: Object
    service: Object
    aliases: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class PlatformError:
    """A refusal of the platform: a Kubernetes Status in short."""

    code: int
    reason: str
    message: str
    causes: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Something of a workload is not as it was; `kind` is the object's."""

    workload: str
    kind: str


@dataclass(frozen=True, slots=True)
class ContainerLog:
    """What one container of one pod has written so far."""

    namespace: str
    pod: str
    container: str
    content: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request to a service goes: a ready endpoint, chosen as the platform chooses.

    `target` is a behaviour's handler in the simulated platform, an address (host, port) elsewhere.
    """

    workload: str
    service: str
    pod: str
    target: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Why there is none: no such service (`workload` empty), or one without a ready endpoint.

    With a `service` and no workload the service is there, and has only these `ports`.
    """

    workload: str = ""
    service: str = ""
    ports: tuple[int, ...] = ()


class Platform(Protocol):
    """What every adapter does."""

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def apply(
        self, workload: Workload, done: Callable[[Observation | PlatformError], None]
    ) -> None:
        """Makes the objects as described; idempotent. An alias is taken over from its owner."""

    def delete(self, workload: str, done: Callable[[PlatformError | None], None]) -> None:
        """Removes every object of the workload; absent is well."""

    def observe(
        self, workload: str, done: Callable[[Observation | PlatformError], None]
    ) -> None: ...

    def watch(self, sink: Callable[[Change], None]) -> Callable[[], None]:
        """Reports changes to `sink` until the returned function is called."""

    def logs(self, workload: str, done: Callable[[tuple[ContainerLog, ...]], None]) -> None: ...

    def route(self, host: str, port: int) -> Route | NoRoute:
        """A service by name, qualified name, alias or address."""
