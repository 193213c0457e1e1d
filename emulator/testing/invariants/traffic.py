"""Invariant 6: an invocation reaches ready endpoints only, and ends exactly once.

Rules: an id is sent once and answered or failed once, at its own Service; the pod that it is sent to is
a ready endpoint at that instant, or where there is none one that still serves while it terminates; one
that answers instead of it (a retry) was one of these at some instant since. A summary adds up (sent =
answered + failed + in flight) and never falls; it agrees with the rows of its invocations, whose ids
are `<traffic>/<number>`, numbered in the order of sending, where there are such rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulator.domain.journal import Row
from emulator.testing.invariants.base import Violation, kind_of, name_of

_COUNTS = ("sent", "answered", "failed")


class Invocations:
    """Invariant 6: sent = answered + failed + in flight, and only ready endpoints are reached."""

    invariant = 6
    kinds: frozenset[str] | None = frozenset(
        {"endpoint", "object", "sent", "answered", "failed", "traffic"}
    )

    def __init__(self) -> None:
        self._ready: dict[str, set[str]] = {}  # pods, by Service
        self._serving: dict[str, set[str]] = {}  # pods that are not ready and serve, by Service
        self._left: dict[tuple[str, str], int] = {}  # when a pod was ready last, while some wait
        self._open: dict[object, Row] = {}  # `sent` rows, by id
        self._last: dict[str, int] = {}  # the highest number sent, by traffic
        self._others: set[object] = set()  # ids sent that are not of the traffic's form
        self._counts: dict[str, dict[str, int]] = {}  # by traffic, from the rows
        self._told: dict[str, dict[str, int]] = {}  # by traffic, from its last summary

    def feed(self, row: Row) -> Iterable[Violation]:
        """An endpoint's change, an invocation's begin or end, or a summary."""
        if row.kind == "endpoint":
            self._endpoint(row)
            return ()
        if row.kind == "object":
            if kind_of(row.subject) == "Service" and row.data.get("op") == "DELETED":
                name = name_of(row.subject)
                for pod in sorted((*self._ready.get(name, ()), *self._serving.get(name, ()))):
                    self._leave(name, pod, row.t)
            return ()
        if row.kind == "sent":
            texts = self._sent(row)
        elif row.kind == "traffic":
            texts = self._summary(row)
        else:
            texts = self._over(row)
        return [Violation(self.invariant, row.n, f"{row.subject}: {text}") for text in texts]

    def finish(self, end_time: int) -> Iterable[Violation]:
        """What is in flight at the end may be."""
        return ()

    def _endpoint(self, row: Row) -> None:
        service, pod = name_of(row.subject), str(row.data.get("pod", ""))
        self._leave(service, pod, row.t)
        if row.data.get("gone"):
            return
        if row.data.get("ready"):
            self._ready.setdefault(service, set()).add(pod)
        elif row.data.get("serving"):
            self._serving.setdefault(service, set()).add(pod)

    def _leave(self, service: str, pod: str, now: int) -> None:
        """The pod may be chosen no more."""
        for group in (self._ready, self._serving):
            pods = group.get(service, set())
            if pod in pods:
                pods.discard(pod)
                if self._open:
                    self._left[service, pod] = now
                if not pods:
                    del group[service]

    def _may_take(self, service: str, pod: object) -> bool:
        """Whether a request may be sent to the pod now."""
        ready = self._ready.get(service)
        return pod in (ready if ready else self._serving.get(service, ()))

    def _sent(self, row: Row) -> Iterator[str]:
        identifier, pod = row.data.get("id"), row.data.get("pod")
        if self._was_sent(identifier):
            yield f"invocation {identifier} is sent a second time"
            return
        self._note_sent(identifier)
        self._open[identifier] = row
        self._count(identifier, "sent")
        if pod and not self._may_take(name_of(row.subject), pod):
            yield f"invocation {identifier} is sent to {pod}, which is no ready endpoint"

    def _was_sent(self, identifier: object) -> bool:
        traffic, _, number = str(identifier).rpartition("/")
        if traffic and number.isdigit():
            return int(number) <= self._last.get(traffic, 0)
        return identifier in self._others

    def _note_sent(self, identifier: object) -> None:
        traffic, _, number = str(identifier).rpartition("/")
        if traffic and number.isdigit():
            self._last[traffic] = int(number)
        else:
            self._others.add(identifier)

    def _over(self, row: Row) -> Iterator[str]:
        identifier = row.data.get("id")
        sent = self._open.pop(identifier, None)
        if sent is None:
            how = "ends a second time" if self._was_sent(identifier) else "was never sent"
            yield f"invocation {identifier} is {row.kind}, and {how}"
            return
        self._count(identifier, row.kind)
        if sent.subject != row.subject:
            yield f"invocation {identifier} was sent to {sent.subject}"
        yield from self._reached(row, sent)
        if not self._open:
            self._left.clear()

    def _reached(self, row: Row, sent: Row) -> Iterator[str]:
        pod, service = str(row.data.get("pod", "")), name_of(row.subject)
        said = f"invocation {row.data.get('id')} is {row.kind}"
        if not pod and row.kind == "answered":
            yield f"{said} by no pod"
        elif (
            pod
            and pod != sent.data.get("pod")
            and pod not in self._ready.get(service, ())
            and pod not in self._serving.get(service, ())
            and self._left.get((service, pod), -1) < sent.t
        ):
            yield f"{said} by {pod}, which has not been a ready endpoint since it was sent"
        latency, took = row.data.get("latency"), row.t - sent.t
        if latency is not None and not 0 <= latency <= took:
            yield f"{said} after {latency} ns, and {took} ns have passed"

    def _count(self, identifier: object, name: str) -> None:
        traffic, slash, _ = str(identifier).rpartition("/")
        if slash:
            counts = self._counts.setdefault(traffic, dict.fromkeys(_COUNTS, 0))
            counts[name] += 1

    def _summary(self, row: Row) -> Iterator[str]:
        told = {name: int(row.data.get(name, 0)) for name in (*_COUNTS, "in_flight")}
        ended = told["answered"] + told["failed"]
        if told["sent"] != ended + told["in_flight"]:
            yield f"{told['sent']} sent are not {ended} ended and {told['in_flight']} in flight"
        outcomes = row.data.get("outcomes")
        if outcomes is not None and sum(outcomes.values()) != ended:
            yield f"{ended} ended, and their outcomes are {sum(outcomes.values())}"
        if min(told.values()) < 0:
            yield f"a count is negative: {told}"
        name = name_of(row.subject)
        before = self._told.get(name, {})
        for key in _COUNTS:
            if told[key] < before.get(key, 0):
                yield f"{key} falls from {before[key]} to {told[key]}"
        self._told[name] = told
        for key, number in self._counts.get(name, {}).items():
            if told[key] != number:
                yield f"it tells of {told[key]} {key}, and the rows of {number}"
