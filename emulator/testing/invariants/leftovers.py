"""Invariant 12: what is deleted leaves nothing behind.

Rules: a run that is DELETED (by the promise also one that is STOPPED, COMPLETED or in ERROR) has, once
`grace` is over, no object of its workload, so no address and no node port; a Service that is gone has no
endpoint and no slice; a pod that is gone is no endpoint and holds no invocation in flight. `CALLS` after
a run's own Service has gone, with no fault in between, nothing sent to it before is in flight. An object
is added once and deleted once. A pod on a node that does not answer stays until the node is back, so it
is looked at again; while a fault is at work, and for `grace` after it, nothing is judged. The default is
twice a pod's 30 s.
Source: Kubernetes facts sections 6.5, 8; contract section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.quirks import Quirk
from emulator.domain.timefmt import SECOND
from emulator.testing.invariants.base import (
    ENDED,
    Deadlines,
    Faults,
    Violation,
    beside,
    kind_of,
    name_of,
    profile_of,
    remove,
)

GRACE = 60 * SECOND
#: The pods of a Service that is gone end within 60 s, and a client without a timeout gives up a silent
#: peer after 131 s (Linux, tcp_syn_retries); the rest is for retries.
CALLS = 600 * SECOND


class Leftovers:
    """Invariant 12: a deleted run leaves no object, no endpoint and no open invocation."""

    invariant = 12
    kinds: frozenset[str] | None = frozenset(
        {"world", "run", "object", "alias", "endpoint", "bind", "node", "fault"}
        | {"sent", "answered", "failed"}
    )

    def __init__(self, grace: int = GRACE) -> None:
        self._grace = grace
        self._ends = ENDED
        self._faults = Faults()
        self._ended: dict[str, int] = {}  # row, by workload
        self._objects: dict[str, str] = {}  # workload, by subject
        self._of: dict[str, dict[str, None]] = {}  # subjects, by workload
        self._endpoints: dict[str, dict[str, None]] = {}  # pods, by Service
        self._listed: dict[str, dict[str, None]] = {}  # Services, by the pod that is an endpoint
        self._slices: dict[str, dict[str, None]] = {}  # subjects, by Service
        self._went: dict[str, int] = {}  # when a Service was deleted last
        self._served: dict[str, str] = {}  # Services, by the slice's subject
        self._nodes: dict[str, str] = {}  # by pod
        self._silent: set[str] = set()
        self._open: dict[object, str] = {}  # pods, by invocation
        self._calls: dict[str, dict[object, None]] = {}  # invocations, by pod
        self._sent_to: dict[str, dict[object, int]] = {}  # invocations and when, by Service
        self._aliases: set[str] = set()
        self._due: Deadlines[tuple[str, str, int]] = Deadlines()

    def feed(self, row: Row) -> Iterable[Violation]:
        """A run that ends, an object that comes or goes, and what is tied to one."""
        found = list(self._judge(row.t))
        data, name = row.data, name_of(row.subject)
        match row.kind:
            case "run":
                self._run(row, name)
            case "object":
                found += [Violation(self.invariant, row.n, text) for text in self._object(row)]
            case "alias":
                self._move(row.subject, str(data.get("workload", "")), row)
            case "endpoint":
                self._endpoint(row, name)
            case "bind":
                self._nodes[name] = str(data.get("node", ""))
            case "node":
                silent = data.get("ready", "True") != "True"
                (self._silent.add if silent else self._silent.discard)(name)
            case "fault":
                self._faults.feed(row)
            case "sent":
                self._sent(row)
            case "answered" | "failed":
                self._over(name, data.get("id"))
            case "world":
                profile = profile_of(row)
                if profile is not None and profile.has(Quirk.PUT_OVERWRITES_STATUS):
                    self._ends = frozenset({State.DELETED})
        return found

    def finish(self, end_time: int) -> Iterable[Violation]:
        """What had to be gone by the end."""
        return list(self._judge(end_time + 1))

    # -- rows ------------------------------------------------------------------------------------

    def _run(self, row: Row, name: str) -> None:
        if row.data.get("state") in self._ends:
            self._ended[name] = row.n
            self._note(row.t, "workload", name, row.n)
        else:
            self._ended.pop(name, None)

    def _object(self, row: Row) -> Iterator[str]:
        subject = row.subject
        if row.data.get("op") == "ADDED":
            if subject in self._objects:
                yield f"{subject} is added, and it was there"
            self._move(subject, str(row.data.get("workload", "")), row)
            if kind_of(subject) == "Service":
                name = name_of(subject)
                for pod in self._endpoints.pop(name, ()):  # those of its namesake went with it
                    remove(self._listed, pod, name)
            if kind_of(subject) == "EndpointSlice":
                self._slice(row)
            elif row.data.get("alias"):
                self._aliases.add(name_of(subject))
            return
        if subject not in self._objects:
            yield f"{subject} is deleted, and it was not there"
            return
        self._leave(subject, self._objects.pop(subject))
        name = name_of(subject)
        if kind_of(subject) == "Service":
            self._went[name] = row.t
            self._note(row.t, "service", name, row.n)
            if name in self._aliases:
                self._aliases.discard(name)  # its pods may live on
            elif name in self._sent_to:
                self._note(row.t + CALLS - self._grace, "calls", name, row.n)
        elif kind_of(subject) == "EndpointSlice":
            service = self._served.pop(subject)
            self._slices[service].pop(subject, None)
            if not self._slices[service]:
                del self._slices[service]
                for pod in self._endpoints.pop(service, ()):  # the last slice takes them with it
                    remove(self._listed, pod, service)
        elif kind_of(subject) == "Pod":
            self._nodes.pop(name, None)
            self._note(row.t, "pod", name, row.n)
        elif kind_of(subject) == "Node":
            self._silent.discard(name)

    def _slice(self, row: Row) -> None:
        """A slice belongs to its Service, and so to whichever run that is of."""
        service = beside(row.subject, row.data.get("service", ""))
        self._served[row.subject] = service
        self._slices.setdefault(service, {})[row.subject] = None
        if f"Service/{service}" not in self._objects:
            self._note(row.t, "service", service, row.n)

    def _move(self, subject: str, workload: str, row: Row) -> None:
        self._leave(subject, self._objects.get(subject, ""))
        self._objects[subject] = workload
        if workload:
            self._of.setdefault(workload, {})[subject] = None
            if workload in self._ended:
                self._note(row.t, "workload", workload, row.n)

    def _leave(self, subject: str, workload: str) -> None:
        subjects = self._of.get(workload)
        if subjects is not None:
            subjects.pop(subject, None)
            if not subjects:
                del self._of[workload]

    def _endpoint(self, row: Row, name: str) -> None:
        pod = beside(row.subject, row.data.get("pod", ""))
        if row.data.get("gone"):
            remove(self._endpoints, name, pod)
            remove(self._listed, pod, name)
            return
        self._endpoints.setdefault(name, {})[pod] = None
        self._listed.setdefault(pod, {})[name] = None
        if f"Service/{name}" not in self._objects:
            self._note(row.t, "service", name, row.n)

    def _sent(self, row: Row) -> None:
        pod, identifier = str(row.data.get("pod", "")), row.data.get("id")
        self._sent_to.setdefault(name_of(row.subject), {})[identifier] = row.t
        if pod:
            self._open[identifier] = pod
            self._calls.setdefault(pod, {})[identifier] = None

    def _over(self, service: str, identifier: object) -> None:
        sent = self._sent_to.get(service, {})
        sent.pop(identifier, None)
        if not sent:
            self._sent_to.pop(service, None)
        pod = self._open.pop(identifier, "")
        calls = self._calls.get(pod, {})
        calls.pop(identifier, None)
        if not calls:
            self._calls.pop(pod, None)

    # -- what must be gone -----------------------------------------------------------------------

    def _note(self, now: int, what: str, name: str, row: int) -> None:
        self._due.add(now + self._grace, (what, name, row))

    def _judge(self, now: int) -> Iterator[Violation]:
        for time, (what, name, row) in self._due.before(now):
            if not self._faults.calm_since(time - (CALLS if what == "calls" else self._grace)):
                self._note(time, what, name, row)
                continue
            match what:
                case "workload":
                    texts = self._objects_left(name, time, row)
                case "service":
                    texts = self._endpoints_left(name, time)
                case "calls":
                    texts = self._unended(name, time)
                case _:
                    texts = self._pod_left(name)
            yield from (Violation(self.invariant, row, text) for text in texts)

    def _objects_left(self, run: str, time: int, row: int) -> Iterator[str]:
        if run not in self._ended:
            return
        hangs = False
        for subject in self._of.get(run, ()):
            if self._nodes.get(name_of(subject)) in self._silent and kind_of(subject) == "Pod":
                hangs = True
            else:
                yield f"Run/{run} is over, and {subject} is still there"
        if hangs:
            self._note(time, "workload", run, row)

    def _unended(self, service: str, time: int) -> Iterator[str]:
        since = next(iter(self._sent_to.get(service, {}).values()), time)
        if since <= time - CALLS and f"Service/{service}" not in self._objects:
            seconds = (time - since) // SECOND
            yield f"Service/{service} is gone, and an invocation of it is in flight for {seconds} s"

    def _endpoints_left(self, service: str, time: int) -> Iterator[str]:
        """What is left of a Service that is gone; one that went again later has its own deadline."""
        if f"Service/{service}" in self._objects or self._went.get(service, 0) > time - self._grace:
            return
        self._went.pop(service, None)
        pods = self._endpoints.get(service)
        if pods:
            yield f"Service/{service} is gone, and has endpoints: {', '.join(pods)}"
        for subject in self._slices.get(service, ()):
            yield f"Service/{service} is gone, and {subject} is still there"

    def _pod_left(self, pod: str) -> Iterator[str]:
        if f"Pod/{pod}" not in self._objects:
            for service in self._listed.get(pod, ()):
                if f"Service/{service}" in self._objects:
                    yield f"Pod/{pod} is gone, and is still an endpoint of Service/{service}"
        calls = self._calls.get(pod)
        if calls:
            yield f"Pod/{pod} is gone, and {len(calls)} invocations of it have not ended"
