"""The fields of a `load` step: simulated clients that call a run's service.

Rules: `rate` is a Poisson stream (so many a second), `every` any distribution of the time between two
sendings, `users` clients who think, send and wait. What is expected of durations is expected of the
answered requests; a share is one of the requests that have ended.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from emulator.cluster.distributions import Constant, Exponential
from emulator.cluster.traffic import load as model
from emulator.domain.timefmt import SECOND
from emulator.scenario.bounds import CountBound, DurationBound
from emulator.scenario.clusters import LabelValue
from emulator.scenario.fields import Delay, Identifier, Items, Maybe, Model, Span, form

_NOTHING = Constant(0)
_OUTCOME = re.compile(rf"[2-5][0-9][0-9]|{'|'.join(model.REASONS)}")

Outcome = Annotated[
    str, form(_OUTCOME.fullmatch, f"an outcome: a status, {', '.join(model.REASONS)}")
]


class Arrivals(Model):
    """When requests are sent: exactly one of `rate`, `every` and `users`."""

    rate: Maybe[Annotated[float, Field(ge=0.000001, le=1_000_000)]] = None
    every: Maybe[Delay] = None
    users: Maybe[Annotated[int, Field(ge=1, le=1_000_000)]] = None
    think: Maybe[Delay] = None

    @model_validator(mode="after")
    def _one(self) -> Arrivals:
        given = [key for key in ("rate", "every", "users") if getattr(self, key) is not None]
        if len(given) != 1:
            what = " and ".join(given) or "none of them"
            raise PydanticCustomError("arrivals", "the arrivals have {what}", {"what": what})
        if self.think is not None and self.users is None:
            raise PydanticCustomError("arrivals", "only users think")
        if self.every is not None and self.every.mean < 1:
            raise PydanticCustomError("arrivals", "no time passes between two sendings")
        return self

    def build(self) -> model.Open | model.Closed:
        """The arrivals as traffic wants them."""
        if self.users is not None:
            return model.Closed(self.users, self.think or _NOTHING)
        if self.every is not None:
            return model.Open(self.every)
        return model.Open(Exponential(round(SECOND / Fraction(str(self.rate)))))


class Retries(Model):
    """Up to `count` more attempts after the first, each after `backoff`, on the outcomes in `on`."""

    count: Annotated[int, Field(ge=0, le=1000)]
    backoff: Delay = _NOTHING
    on: Maybe[Items[Outcome]] = None

    def build(self) -> model.Retry | None:
        """The retries as traffic wants them."""
        if not self.count:
            return None
        if self.on is None:
            return model.Retry(self.count, backoff=self.backoff)
        return model.Retry(self.count, frozenset(self.on), self.backoff)


def _retries(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"count": value}
    return value


class LoadExpect(Model):
    """What a load's result must be; what is not given is not looked at."""

    sent: Maybe[CountBound] = None
    answered: Maybe[CountBound] = None
    failed: Maybe[CountBound] = None
    outcomes: dict[Outcome, CountBound] = Field(default_factory=dict)
    mean: Maybe[DurationBound] = None
    p50: Maybe[DurationBound] = None
    p90: Maybe[DurationBound] = None
    p99: Maybe[DurationBound] = None
    p999: Maybe[DurationBound] = Field(default=None, alias="p99.9")
    max: Maybe[DurationBound] = None


class LoadFields(Model):
    """Calls a run's service. `alias` (written `as`) names the load, `duration` is written `for`.

    `timeout` is that of an attempt; with `cancel` a replica drops what its client gave up. `gateway`
    is what a request takes before it is on its way, `network` what each message takes. `zone` is
    where the clients are. A `background` load goes on while later steps are done.
    """

    load: Identifier
    alias: Maybe[Identifier] = Field(default=None, alias="as")
    background: bool = False
    arrivals: Arrivals
    service_time: Delay = _NOTHING
    concurrency: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    queue_limit: Maybe[Annotated[int, Field(ge=0, le=1_000_000_000)]] = None
    gateway: Delay = _NOTHING
    network: Delay = _NOTHING
    timeout: Maybe[Span] = None
    cancel: bool = False
    retries: Annotated[Maybe[Retries], BeforeValidator(_retries)] = None
    zone: LabelValue = ""
    duration: Maybe[Span] = Field(default=None, alias="for")
    count: Maybe[Annotated[int, Field(ge=1, le=1_000_000_000)]] = None
    keep: Literal["each", "sketch"] = "sketch"
    rows: bool = False
    expect: Maybe[LoadExpect] = None

    @property
    def name(self) -> str:
        """The load's name in this scenario."""
        return self.alias or self.load

    @property
    def endless(self) -> bool:
        """Whether nothing but the scenario's end ends it."""
        return self.duration is None and self.count is None

    def build(self, service: str, now: int) -> model.Load:
        """The load as traffic wants it, beginning at `now`. Raises ValueError."""
        return model.Load(
            name=self.name,
            service=service,
            arrivals=self.arrivals.build(),
            service_time=self.service_time,
            concurrency=self.concurrency,
            queue_limit=self.queue_limit,
            gateway=self.gateway,
            network=self.network,
            timeout=self.timeout,
            cancel=self.cancel,
            retry=self.retries.build() if self.retries else None,
            end=None if self.duration is None else now + self.duration,
            count=self.count,
            part=self.zone,
            keep=self.keep,
            rows=self.rows,
        )
