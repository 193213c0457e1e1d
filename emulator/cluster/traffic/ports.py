"""What traffic needs of the cluster: who is ready, how far away, and what is disturbed.

Rules: these are the only ways in which traffic sees the rest of the world; times are integer
nanoseconds. An implementation that draws brings its own streams, so that its draws are nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from emulator.cluster.distributions import Distribution


@dataclass(frozen=True, slots=True)
class Serving:
    """How a replica serves: so many requests at once, the others wait in one queue, in order.

    With a `queue_limit` a request that finds so many waiting is answered 503; None is no limit.
    Raises ValueError.
    """

    service_time: Distribution
    concurrency: int = 1
    queue_limit: int | None = None

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ValueError(f"concurrency: give at least 1, got {self.concurrency}")
        if self.queue_limit is not None and self.queue_limit < 0:
            raise ValueError(f"queue_limit: must not be negative, got {self.queue_limit}")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What a fault does to one request. Raises ValueError.

    `delay` (ns) is added on its way to the pod; `lost`, it never arrives; `status` answers it at
    the pod's door, without queue and work; `hang`, it takes a server and keeps it for good; `body`
    (ns) is how much longer the server is busy with sending the answer.
    """

    delay: int = 0
    status: int | None = None
    hang: bool = False
    body: int = 0
    lost: bool = False

    def __post_init__(self) -> None:
        if self.delay < 0 or self.body < 0:
            raise ValueError(f"delay, body: must not be negative, got {self.delay}, {self.body}")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status: give 200 to 599, got {self.status}")


class Directory(Protocol):
    """Who serves."""

    def ready(self, service: str) -> Sequence[str]:
        """The pods behind the service's ready endpoints, in a stable order; none for no service."""

    def listens(self, pod: str) -> bool:
        """Whether the pod's container runs: an endpoint may be listed a moment longer than that."""

    def serving(self, service: str) -> Serving | None:
        """How the service's replicas serve; None leaves it to the load. Asked when a load starts."""

    def watch(self, fn: Callable[[str], None]) -> None:
        """Calls `fn` with each pod whose container has stopped or that is gone, from now on."""


class Network(Protocol):
    """How far apart the parts of the world are."""

    def delay(self, part: str, pod: str) -> int | None:
        """What a message between a part and a pod takes now, on top of the load's own delay, in ns.

        None where they are cut off from each other. `part` is the load's.
        """


class Disturb(Protocol):
    """The faults that strike single requests."""

    def disturb(self, service: str, pod: str) -> Disturbance | None:
        """What befalls the request that has just chosen the pod; asked once for each attempt."""
