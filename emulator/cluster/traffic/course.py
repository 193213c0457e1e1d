"""Courses: what becomes of one load, and its books.

Rules: every invocation ends exactly once, with the outcome of its last attempt; at every instant
sent = answered + failed + in flight. What is answered has its latency noted, from the first sending to
the end; waiting and service times are those of the replicas, of every attempt that they began, or
finished, for this load. A load is over when it will send no more and none is in flight, or when it is
stopped; then its one `traffic` row is written, and what is still in flight goes on to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.cluster.kernel import Kernel
from emulator.cluster.streams import Streams
from emulator.cluster.traffic.arrivals import source
from emulator.cluster.traffic.dice import Dice
from emulator.cluster.traffic.durations import Durations, durations
from emulator.cluster.traffic.load import Load
from emulator.cluster.traffic.ports import Directory, Disturb, Network, Serving
from emulator.cluster.traffic.replicas import Replicas
from emulator.cluster.traffic.requests import Request


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the loads of one world share."""

    kernel: Kernel
    streams: Streams
    directory: Directory
    network: Network | None
    disturb: Disturb | None
    replicas: Replicas


@dataclass(frozen=True, slots=True)
class Result:
    """A load's books at one instant; durations in nanoseconds.

    `outcomes` counts the ended invocations by outcome, in the outcomes' order as texts; `attempts` is
    `sent` and the retries. `over` tells whether the load has ended or been stopped.
    """

    name: str
    service: str
    over: bool
    sent: int
    answered: int
    failed: int
    in_flight: int
    attempts: int
    outcomes: dict[str, int]
    latency: Durations
    waiting: Durations
    service_time: Durations


class Course:
    """One load under way."""

    def __init__(self, around: Surroundings, load: Load) -> None:
        self.load = load
        self.kernel = around.kernel
        self.directory = around.directory
        self.network = around.network
        self.disturb = around.disturb
        self.replicas = around.replicas
        self.plain = around.network is None and around.disturb is None
        self.serving: Serving = around.directory.serving(load.service) or load.serving
        self.sent = self.answered = self.failed = self.in_flight = self.attempts = 0
        self.over = False
        self.latency = durations(load.keep)
        self.waiting = durations(load.keep)
        self.service_time = durations(load.keep)
        self._outcomes: dict[str, int] = {}
        entity = f"Traffic/{load.name}"
        self._first = Dice(around.streams, load, self.serving.service_time)
        self._again = Dice(around.streams, load, self.serving.service_time, again=True)
        self._backoff = around.streams.stream(entity, "back-off")
        self._journal = around.kernel.journal
        self._cause = self._journal.cause
        self._source = source(self.kernel, load, self, around.streams.stream(entity, "arrivals"))
        self._exhausted = False

    def begin(self) -> None:
        """Starts the arrivals: at the load's start, or now."""
        self._source.begin(self.kernel.now if self.load.start is None else self.load.start)

    def send(self, user: int) -> None:
        """An invocation begins."""
        self.sent += 1
        self.in_flight += 1
        request = Request(self, self.sent, user, self.kernel.now, 1)
        if self.load.rows:
            request.row = self._record(request, "sent", self._cause)
        self._try(request, self._first)

    def _try(self, request: Request, dice: Dice) -> None:
        self.attempts += 1
        delay = dice.cast(request)
        timeout = self.load.timeout
        if timeout is not None:
            request.limit = self.kernel.call_in(timeout, request.give_up)
        if delay:
            request.stage = self.kernel.call_in(delay, request.reach)
        else:
            request.reach()

    def concluded(self, request: Request, outcome: str) -> None:
        """An attempt has its outcome: there is another one, or that was the invocation's end."""
        retry = self.load.retry
        if retry is None or request.tries > retry.count or outcome not in retry.on:
            self._end(request, outcome)
            return
        again = Request(self, request.number, request.user, request.began, request.tries + 1)
        again.row = request.row
        self.kernel.call_in(
            retry.backoff.sample(self._backoff), lambda: self._try(again, self._again)
        )

    def _end(self, request: Request, outcome: str) -> None:
        self.in_flight -= 1
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
        latency = self.kernel.now - request.began
        answered = outcome < "5"  # as texts: statuses have three digits, reasons begin with letters
        if answered:
            self.answered += 1
            self.latency.add(latency)
        else:
            self.failed += 1
        if self.load.rows:
            if answered:
                self._record(request, "answered", request.row, status=int(outcome), latency=latency)
            else:
                self._record(request, "failed", request.row, reason=outcome, latency=latency)
        self._source.ended(request)
        if self._exhausted:
            self._settle()

    def _record(self, request: Request, kind: str, cause: int, **data: object) -> int:
        return self._journal.record(
            self.kernel.now,
            kind,
            f"Service/{self.load.service}",
            cause=cause,
            id=f"{self.load.name}/{request.number}",
            pod=request.pod,
            **data,
        )

    def exhausted(self) -> None:
        """There will be no more arrivals."""
        self._exhausted = True
        self._settle()

    def stop(self) -> None:
        """Ends the load now, whatever is in flight; idempotent."""
        self._source.close()
        self._finish()

    def _settle(self) -> None:
        if not self.in_flight:
            self._finish()

    def _finish(self) -> None:
        if self.over:
            return
        self.over = True
        self._journal.record(
            self.kernel.now,
            "traffic",
            f"Traffic/{self.load.name}",
            cause=self._cause,
            service=self.load.service,
            sent=self.sent,
            answered=self.answered,
            failed=self.failed,
            in_flight=self.in_flight,
            attempts=self.attempts,
            outcomes=self._outcomes.copy(),
            latency=self.latency.summary(),
            waiting=self.waiting.summary(),
            service_time=self.service_time.summary(),
        )

    def result(self) -> Result:
        """The books as they are now; they do not change any more."""
        return Result(
            name=self.load.name,
            service=self.load.service,
            over=self.over,
            sent=self.sent,
            answered=self.answered,
            failed=self.failed,
            in_flight=self.in_flight,
            attempts=self.attempts,
            outcomes=dict(sorted(self._outcomes.items())),
            latency=self.latency.copy(),
            waiting=self.waiting.copy(),
            service_time=self.service_time.copy(),
        )
