"""Loads: what the simulated clients of one service do.

Rules: a load is a frozen value, checked when it is made (ValueError). Times are integer nanoseconds;
`start` and `end` are instants of the world, and nothing is sent at `end` or after. An outcome is a
text: the answer's status (`200`) or the reason of a failure. An answer below 500 counts as answered;
any other outcome, 5xx included, as failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from emulator.cluster.distributions import LONGEST, Constant, Distribution
from emulator.cluster.traffic.ports import Serving

#: The client gave up waiting.
TIMEOUT = "timeout"
#: No endpoint is ready, or nothing listens at the one that was chosen.
REFUSED = "refused"
#: The replica died while the request was with it.
RESET = "reset"
#: The request or its answer got lost on the way.
LOSS = "loss"
#: The client and the pod were cut off from each other.
PARTITION = "partition"

OK = "200"
UNAVAILABLE = "503"

REASONS = (TIMEOUT, REFUSED, RESET, LOSS, PARTITION)
#: What a `loss` is counted in: so many requests of a million.
MILLION = 1_000_000

NONE = Constant(0)


@dataclass(frozen=True, slots=True)
class Open:
    """Clients that do not wait for each other: `between` is the time from one sending to the next.

    Poisson arrivals are an exponential `between`. The first is sent one such time after the start.
    """

    between: Distribution

    def __post_init__(self) -> None:
        if self.between.mean < 1:
            raise ValueError("between: its mean must be at least a nanosecond")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Sendings at given instants, in nanoseconds from the load's start, in order."""

    instants: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(late < early for early, late in pairwise((0, *self.instants))):
            raise ValueError("instants: must not be negative, and must be in order")


@dataclass(frozen=True, slots=True)
class Closed:
    """So many `users`; each thinks, sends, waits for the end of it, and thinks again."""

    users: int
    think: Distribution = NONE

    def __post_init__(self) -> None:
        if self.users < 1:
            raise ValueError(f"users: give at least 1, got {self.users}")


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `count` more attempts after the first, each after a `backoff`, on the outcomes of `on`."""

    count: int
    on: frozenset[str] = frozenset({*REASONS, "502", UNAVAILABLE, "504"})
    backoff: Distribution = NONE

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count: give at least 1, got {self.count}")
        for outcome in sorted(self.on):
            if outcome not in REASONS and not (outcome.isascii() and outcome.isdigit()):
                raise ValueError(f"on: {outcome!r} is no status and none of {', '.join(REASONS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The clients of one service.

    `service_time`, `concurrency` and `queue_limit` say how a replica serves, unless the directory
    does. `gateway` is what a request takes before it is on its way, `network` what each message takes
    (request and answer), `loss` how many of a million messages never arrive. `timeout` is for each
    attempt; with `cancel` the replica drops what the client gave up, else it goes on with it. `start`
    (None: at once), `end` and `count` bound the sendings. `part` is where the clients are, for the
    network. `keep` tells whether every duration is kept or a sketch of them, `rows` whether the
    journal gets rows of every invocation.
    """

    name: str
    service: str
    arrivals: Open | Recorded | Closed
    service_time: Distribution = NONE
    concurrency: int = 1
    queue_limit: int | None = None
    gateway: Distribution = NONE
    network: Distribution = NONE
    loss: int = 0
    timeout: int | None = None
    cancel: bool = False
    retry: Retry | None = None
    start: int | None = None
    end: int | None = None
    count: int | None = None
    part: str = ""
    keep: Literal["each", "sketch"] = "sketch"
    rows: bool = False

    def __post_init__(self) -> None:
        if not self.name or not self.service:
            raise ValueError("name, service: must not be empty")
        if not 0 <= self.loss <= MILLION:
            raise ValueError(f"loss: give 0 to {MILLION}, got {self.loss}")
        if self.timeout is not None and not 1 <= self.timeout <= LONGEST:
            raise ValueError(f"timeout: give at least 1 ns, or None, got {self.timeout}")
        if self.count is not None and self.count < 0:
            raise ValueError(f"count: must not be negative, got {self.count}")
        if self.keep not in ("each", "sketch"):
            raise ValueError(f"keep: give each or sketch, got {self.keep!r}")
        _ = self.serving

    @property
    def serving(self) -> Serving:
        """How the load would have a replica serve. Raises ValueError."""
        return Serving(self.service_time, self.concurrency, self.queue_limit)
