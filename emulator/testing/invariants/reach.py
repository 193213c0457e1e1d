"""Invariant 5: inside the perimeter a name answers if, and only if, it has a ready endpoint.

Rules: a call that was carried to a pod found it, when it began, among the ready endpoints of a live
Service, or where none is ready among those that still serve while they terminate; a call that
the gateway refused with 502 or 503 found none, while no fault is at work that may break a call. An
endpoint is ready only of a pod that is there, is ready and is not being ended; a change of a pod, of a
Service or of an alias's owner has reached the endpoints within `settle`, faults apart. An alias has one
owner; by the promise it is the newest run that is RUNNING among those that are known to claim it (all
that have owned it, and those whose row of EXECUTE names it in `aliases`).
Source: Kubernetes facts sections 0.7, 7; contract section 4.1. `Aliases` is one part of the checker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulator.domain.journal import Row
from emulator.domain.timefmt import SECOND
from emulator.testing.invariants.aliases import Aliases
from emulator.testing.invariants.base import (
    Deadlines,
    Faults,
    Service,
    Violation,
    beside,
    kind_of,
    name_of,
    read_service,
    remove,
)

#: A slice follows a pod within 35 ms; the rest is for the controllers' rate and a slow API.
SETTLE = 30 * SECOND
_REFUSED = frozenset({502, 503})
#: A call that is cut off is given up after 131 s; its pod may have left meanwhile.
LONGEST_CALL = 600 * SECOND
#: Events of a pod that is being ended, whatever its readiness still says.
_ENDING = frozenset({"Killing", "TaintManagerEviction", "Evicted", "Preempted"})


class _Pod:
    """A pod: its run, whether it is ready, since which instant, and by which row."""

    __slots__ = ("ending", "ready", "row", "since", "workload")

    def __init__(self, workload: str, row: Row) -> None:
        self.workload = workload
        self.ready = False
        self.ending = False
        self.since = row.t
        self.row = row.n


class Reach:
    """Invariant 5: what answers has a ready endpoint, and what has one answers."""

    invariant = 5
    kinds: frozenset[str] | None = frozenset(
        {"world", "object", "pod", "endpoint", "alias", "run", "event", "fault", "invocation"}
    )

    def __init__(self, settle: int = SETTLE) -> None:
        self._settle = settle
        self._namespace = ""
        self._faults = Faults()
        self._aliases = Aliases()
        self._services: dict[str, Service] = {}
        self._changed: dict[str, int] = {}  # when a Service came, or came to its owner
        self._addresses: dict[str, str] = {}  # Services, by address
        self._of: dict[str, dict[str, None]] = {}  # names of Services, by workload
        self._pods: dict[str, _Pod] = {}
        self._members: dict[str, dict[str, None]] = {}  # pods, by workload
        self._ready: dict[str, dict[str, None]] = {}  # pods, by Service
        self._serving: dict[str, dict[str, None]] = {}  # pods that only serve, by Service
        self._left: dict[tuple[str, str], int] = {}  # when a pod was ready last, the oldest first
        self._listed: dict[str, dict[str, None]] = {}  # Services, by pod
        self._due: Deadlines[tuple[str, str, int]] = Deadlines()

    # -- rows ------------------------------------------------------------------------------------

    def feed(self, row: Row) -> Iterable[Violation]:
        """Whatever tells who is behind a name, and every call."""
        found = list(self._judge(row.t))
        texts: Iterable[str] = ()
        match row.kind:
            case "invocation":
                texts = self._invoked(row)
            case "endpoint":
                texts = self._endpoint(row)
            case "pod":
                self._pod(row)
            case "object":
                self._object(row)
            case "alias":
                texts = self._alias(row)
            case "run":
                self._run(row)
            case "event":
                self._event(row)
            case "fault":
                self._faults.feed(row)
            case "world":
                self._namespace = str(row.data.get("namespace", ""))
                self._aliases.read_header(row)
        found += [Violation(self.invariant, row.n, f"{row.subject}: {text}") for text in texts]
        return found

    def finish(self, end_time: int) -> Iterable[Violation]:
        """What had to have settled by the end."""
        return list(self._judge(end_time + 1))

    def _object(self, row: Row) -> None:
        kind, name, added = (
            kind_of(row.subject),
            name_of(row.subject),
            row.data.get("op") == "ADDED",
        )
        if kind == "Pod" and added:
            workload = str(row.data.get("workload", ""))
            self._pods[name] = _Pod(workload, row)
            self._members.setdefault(workload, {})[name] = None
        elif kind == "Pod":
            pod = self._pods.pop(name, None)
            if pod is not None:
                remove(self._members, pod.workload, name)
            self._note(row, "pod", name)
        elif kind == "Service" and added:
            service = read_service(row)
            self._services[name] = service
            if service.address:
                self._addresses[service.address] = name
            self._own(row, service)
        elif kind == "Service" and name in self._services:
            self._forget(row, self._services.pop(name))

    def _own(self, row: Row, service: Service) -> None:
        self._of.setdefault(service.workload, {})[service.name] = None
        self._changed[service.name] = row.t
        if service.alias:
            self._aliases.owned(service.name, service.workload)
        self._note(row, "service", service.name)

    def _forget(self, row: Row, service: Service) -> None:
        remove(self._of, service.workload, service.name)
        del self._changed[service.name]
        self._addresses.pop(service.address, None)
        for pod in self._serving.pop(service.name, ()):
            self._leave(service.name, pod, row.t)
        for pod in self._ready.pop(service.name, ()):
            self._leave(service.name, pod, row.t)
            remove(self._listed, pod, service.name)
        if service.alias:
            self._note(row, "alias", service.name)

    def _pod(self, row: Row) -> None:
        pod = self._pods.get(name_of(row.subject))
        ready = bool(row.data.get("ready"))
        if pod is not None and pod.ready is not ready:
            pod.ready, pod.since, pod.row = ready, row.t, row.n
            self._note(row, "pod", name_of(row.subject))

    def _event(self, row: Row) -> None:
        reason, name = row.data.get("reason"), name_of(row.subject)
        if reason == "AliasRefused":
            self._aliases.refused(name)
        elif reason in _ENDING and (pod := self._pods.get(name)) is not None:
            pod.ending |= reason != "Killing" or "Stopping" in str(row.data.get("note", ""))

    def _run(self, row: Row) -> None:
        for name in self._aliases.run(row):
            self._note(row, "alias", name)

    def _alias(self, row: Row) -> Iterator[str]:
        service = self._services.get(name_of(row.subject))
        workload, before = str(row.data.get("workload", "")), row.data.get("before")
        if service is None or not service.alias:
            yield "it changes its owner, and it is no alias that is there"
            return
        if before and before != service.workload:
            yield f"it comes from Run/{before}, and its owner is Run/{service.workload}"
        if (newer := self._aliases.newer(service.name, workload)) == service.workload:
            yield f"it is taken from Run/{newer}, which is RUNNING and newer"
        remove(self._of, service.workload, service.name)
        service.workload = workload
        self._own(row, service)

    def _endpoint(self, row: Row) -> Iterator[str]:
        service, name = name_of(row.subject), beside(row.subject, row.data.get("pod", ""))
        if name in self._ready.get(service, ()) or name in self._serving.get(service, ()):
            self._leave(service, name, row.t)
        remove(self._serving, service, name)
        if not row.data.get("ready") or row.data.get("gone"):
            if row.data.get("serving") and not row.data.get("gone"):
                self._serving.setdefault(service, {})[name] = None
            remove(self._ready, service, name)
            remove(self._listed, name, service)
            return
        self._ready.setdefault(service, {})[name] = None
        self._listed.setdefault(name, {})[service] = None
        pod = self._pods.get(name)
        if pod is None:
            yield f"its endpoint {name} is ready, and there is no such pod"
        elif not pod.ready:
            yield f"its endpoint {name} is ready, and the pod is not"
        elif (held := self._services.get(service)) and held.workload != pod.workload:
            self._note(row, "service", service)  # its owner may have changed just now
        if row.data.get("terminating"):
            yield f"its endpoint {name} is ready, and terminating"

    def _leave(self, service: str, pod: str, now: int) -> None:
        """The pod was a ready endpoint up to now; calls that are under way may have met it."""
        left = self._left
        left.pop((service, pod), None)
        left[service, pod] = now
        while left and left[first := next(iter(left))] < now - LONGEST_CALL:
            del left[first]

    def _met(self, row: Row, service: str, pod: str) -> bool:
        """Whether a call that took so long may have been carried to the pod when it began."""
        if pod in self._ready.get(service, ()):
            return True
        if not self._ready.get(service) and pod in self._serving.get(service, ()):
            return True
        left = self._left.get((service, pod))
        return left is not None and "took" in row.data and left >= row.t - row.data["took"]

    def _invoked(self, row: Row) -> Iterator[str]:
        pod, status = str(row.data.get("pod", "")), row.data.get("status")
        name = name_of(row.subject) or self._find(str(row.data.get("host", "")))
        if pod and self._met(row, name, pod):
            return
        if pod and name not in self._services:
            yield f"{pod} answered, and there is no such Service"
        elif pod:
            yield f"{pod} answered with {status}, and is no ready endpoint"
        elif not pod and name in self._services and isinstance(status, int):
            ready = self._ready.get(name)
            if not ready and status < 400:
                yield f"{name} answered with {status}, and has no ready endpoint"
            elif ready and status in _REFUSED and not (self._faults.active or "took" in row.data):
                yield f"{name} was refused with {status}, and has a ready endpoint"

    def _find(self, authority: str) -> str:
        """The Service that a host and port name; empty where the port is none of its own."""
        host, _, port = authority.rpartition(":")
        name = self._addresses.get(host, host)
        for suffix in (".cluster.local", ".svc", f".{self._namespace}"):
            name = name.removesuffix(suffix)
        service = self._services.get(name)
        open_ports = {str(each.get("port")) for each in service.ports} if service else set()
        return name if port in open_ports else ""

    # -- what must have settled ------------------------------------------------------------------

    def _note(self, row: Row, what: str, name: str) -> None:
        self._due.add(row.t + self._settle, (what, name, row.n))

    def _judge(self, now: int) -> Iterator[Violation]:
        for time, (what, name, row) in self._due.before(now):
            if not self._faults.calm_since(time - self._settle):
                self._due.add(time + self._settle, (what, name, row))
                continue
            texts: Iterable[str] = ()
            if what == "pod":
                texts = self._settled_pod(name, time)
            elif name in self._services:
                texts = self._settled(self._services[name], time)
            elif what == "alias":
                texts = self._lost(name)
            yield from (Violation(self.invariant, row, text) for text in texts)

    def _settled_pod(self, name: str, time: int) -> Iterator[str]:
        pod = self._pods.get(name)
        if pod is None or not pod.ready:
            if pod is None or pod.since <= time - self._settle:
                for service in self._listed.get(name, ()):
                    yield f"Pod/{name} stays a ready endpoint of {service}, and is not ready"
        elif pod.since <= time - self._settle and not pod.ending:
            for service in self._of.get(pod.workload, ()):
                if self._changed[service] <= time - self._settle:
                    yield from self._missing(name, self._services[service])

    def _missing(self, pod: str, service: Service) -> Iterator[str]:
        served = service.type != "ExternalName" and service.workload
        if served and pod not in self._ready.get(service.name, ()):
            yield f"Pod/{pod} is ready, and is no ready endpoint of {service.name}"

    def _lost(self, name: str) -> Iterator[str]:
        if run := self._aliases.orphaned(name):
            yield f"the alias {name} is gone, and Run/{run} is RUNNING"

    def _settled(self, service: Service, time: int) -> Iterator[str]:
        name = service.name
        if self._changed[name] > time - self._settle:
            return  # judged by the deadline of that change
        for pod in self._ready.get(name, ()):
            held = self._pods.get(pod)
            if held is not None and held.workload != service.workload:
                yield f"Service/{name} is Run/{service.workload}'s, and {pod} answers for it"
        for pod in self._members.get(service.workload, ()):
            held = self._pods[pod]
            if held.ready and not held.ending and held.since <= time - self._settle:
                yield from self._missing(pod, service)
        if service.alias:
            yield from self._aliases.wrong(name, service.workload)
