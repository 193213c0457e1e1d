"""Journals made by hand: a world in which everything goes well, and how to spoil one row of it.

Rules: what `Story` tells is true, row by row; a test takes such a journal and alters one thing. Rows
that are dropped or put in leave the others numbered without a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from emulator.domain.journal import Row
from emulator.domain.timefmt import MILLISECOND, SECOND

RANGES = {"service": "172.16.0.0/12", "pod": "10.240.0.0/12", "balancer": "198.18.0.0/15"}
ALLOCATABLE = {
    "cpu": 1000,
    "memory": 1000,
    "ephemeral-storage": 1000,
    "nvidia.com/gpu": 0,
    "pods": 4,
}
REQUESTS = {"cpu": 400, "memory": 100, "ephemeral-storage": 10}
ALIAS = "s-demo-hello-latest"

Mutation = Callable[[list[Row]], list[Row]]


def service(run: str) -> str:
    """The name of a run's Service."""
    return f"s-containerserve-{run}"


def pod(run: str, number: int = 0) -> str:
    """The name of a run's pod."""
    return f"d-containerserve-{run}-5c4f-{number}"


class Story:
    """Rows of one world, told in order; `now` is the time of the next one."""

    def __init__(self, nodes: int = 2, **header: Any) -> None:
        self.rows: list[Row] = []
        self.now = 0
        told = {"schema": 2, "seed": 0, "profile": "documented", "platform": "simulated"}
        self.row(
            "world", "World", **{**told, "namespace": "digitalhub", "ranges": RANGES, **header}
        )
        for number in range(1, nodes + 1):
            self.added(f"Node/node-{number}", allocatable=ALLOCATABLE, zone="")

    def row(self, kind: str, subject: str, **data: Any) -> Story:
        """The next row."""
        n = len(self.rows) + 1
        self.rows.append(Row(n, self.now, n - 1, kind, subject, data))
        return self

    def wait(self, duration: int) -> Story:
        """Lets time pass."""
        self.now += duration
        return self

    def added(self, subject: str, **data: Any) -> Story:
        """An object that comes."""
        return self.row("object", subject, op="ADDED", **data)

    def gone(self, subject: str) -> Story:
        """An object that goes."""
        return self.row("object", subject, op="DELETED")

    def moves(self, run: str, *states: str) -> Story:
        """A run's changes of state: `before EVENT after EVENT after ...`."""
        for before, event, after in zip(states[::2], states[1::2], states[2::2], strict=False):
            self.row("run", f"Run/{run}", before=before, event=event, state=after)
        return self

    # -- lives -----------------------------------------------------------------------------------

    def service(self, run: str, address: str, name: str = "", **data: Any) -> Story:
        """A Service of a run's, with its slice."""
        name = name or service(run)
        port = {"name": "port80", "port": 80, "protocol": "TCP", "targetPort": 8080}
        facts = {"type": "ClusterIP", "ports": [port], "alias": False, **data}
        self.added(f"Service/{name}", clusterIP=address, workload=run, **facts)
        return self.added(f"EndpointSlice/{name}-abcde", service=name)

    def schedule(self, run: str, number: int = 0, node: str = "node-1") -> Story:
        """A pod that is made and bound."""
        name = pod(run, number)
        self.added(f"Pod/{name}", owner=f"d-containerserve-{run}-5c4f", workload=run)
        return self.row("bind", f"Pod/{name}", node=node, requests=REQUESTS)

    def ready(self, run: str, number: int = 0, names: Iterable[str] = ()) -> Story:
        """A pod that becomes ready, and a ready endpoint of its run's Services."""
        name = pod(run, number)
        self.row("pod", f"Pod/{name}", phase="Running", ready=True)
        return self.listed(run, number, (service(run), *names))

    def listed(self, run: str, number: int, names: Iterable[str]) -> Story:
        """A pod that becomes a ready endpoint of these Services."""
        flags = {"ready": True, "serving": True, "terminating": False}
        for each in names:
            self.row("endpoint", f"Service/{each}", pod=pod(run, number), **flags)
        return self

    def deploy(self, run: str, address: str, node: str = "node-1", **data: Any) -> Story:
        """A run from nothing to RUNNING and healthy; `data` are facts of its Service."""
        self.row("command", f"Run/{run}", verb="deploy")
        self.moves(run, "CREATED", "BUILD", "BUILT", "RUN", "READY").wait(10 * MILLISECOND)
        self.added(f"Deployment/d-containerserve-{run}", replicas=1, workload=run)
        self.service(run, address, **data).moves(run, "READY", "SCHEDULE", "PENDING")
        owner = f"d-containerserve-{run}"
        self.added(f"ReplicaSet/{owner}-5c4f", owner=owner, workload=run)
        self.schedule(run, node=node).wait(2 * SECOND).ready(run)
        return self.moves(run, "PENDING", "EXECUTE", "RUNNING").health(run, "healthy")

    def health(self, run: str, how: str) -> Story:
        """A run's health changes."""
        return self.row("health", f"Run/{run}", health=how)

    def tear_down(self, run: str, names: Iterable[str] = ()) -> Story:
        """A run's objects go, its pod at last; `names` are further Services of it."""
        for each in (*names, service(run)):
            self.gone(f"Service/{each}").gone(f"EndpointSlice/{each}-abcde")
            self.row("endpoint", f"Service/{each}", pod=pod(run), gone=True)
        self.gone(f"Deployment/d-containerserve-{run}")
        self.gone(f"ReplicaSet/d-containerserve-{run}-5c4f")
        self.row("event", f"Pod/{pod(run)}", type="Normal", reason="Killing", note="Stopping c")
        return self

    def stop(self, run: str, names: Iterable[str] = ()) -> Story:
        """A run is stopped, and its pod ends some time later."""
        self.row("command", f"Run/{run}", verb="stop").moves(run, "RUNNING", "STOP", "STOP")
        self.health(run, "stopped").wait(10 * MILLISECOND).tear_down(run, names)
        self.moves(run, "STOP", "STOP", "STOPPED").wait(SECOND)
        self.row("pod", f"Pod/{pod(run)}", phase="Running", ready=False)
        return self.gone(f"Pod/{pod(run)}")

    def delete(self, run: str) -> Story:
        """A stopped run is deleted."""
        self.row("command", f"Run/{run}", verb="delete")
        return self.moves(run, "STOPPED", "DELETE", "DELETING", "DELETE", "DELETED")

    def invoked(self, run: str, status: int = 200) -> Story:
        """A live call that reached a run's pod."""
        host = f"{service(run)}:80"
        subject = f"Service/{service(run)}"
        return self.row("invocation", subject, method="GET", host=host, status=status, pod=pod(run))

    def refused(self, host: str, status: int) -> Story:
        """A live call that the gateway itself answered."""
        return self.row("invocation", "Gateway", method="GET", host=host, status=status, pod="")

    def fault(self, name: str, kind: str, op: str) -> Story:
        """A fault begins or ends."""
        return self.row("fault", f"Fault/{name}", op=op, fault=kind, attributes={})


def everything() -> list[Row]:
    """A world with every kind of row, in which all is well: two runs, an alias that changes hands."""
    story = Story().deploy("one", "172.16.0.10").wait(SECOND)
    story.service("one", "172.16.0.11", ALIAS, alias=True).listed("one", 0, [ALIAS])
    story.invoked("one").refused(f"{service('two')}:80", 502)
    story.row("sent", f"Service/{service('one')}", id="load/1", pod=pod("one")).wait(MILLISECOND)
    story.row("sent", f"Service/{service('one')}", id="load/2", pod="").wait(MILLISECOND)
    answered = {"pod": pod("one"), "status": 200, "latency": MILLISECOND}
    story.row("answered", f"Service/{service('one')}", id="load/1", **answered)
    failed = {"pod": "", "reason": "timeout", "latency": MILLISECOND}
    story.row("failed", f"Service/{service('one')}", id="load/2", **failed)
    counts = {"sent": 2, "answered": 1, "failed": 1, "in_flight": 0}
    story.row("traffic", "Traffic/load", service=service("one"), **counts)
    story.deploy("two", "172.16.0.12", "node-2", type="LoadBalancer").wait(SECOND)
    story.row("alias", f"Service/{ALIAS}", workload="two", before="one")
    story.row("endpoint", f"Service/{ALIAS}", pod=pod("one"), gone=True)
    story.listed("two", 0, [ALIAS])
    story.row("service", f"Service/{service('two')}", loadBalancerIP="198.18.0.7")
    story.wait(40 * SECOND).stop("one").wait(SECOND).delete("one").wait(100 * SECOND)
    story.fault("f", "pod-crash", "started")
    story.row("exit", f"Pod/{pod('two')}", code=1, reason="Error", restarts=0)
    story.row("pod", f"Pod/{pod('two')}", phase="Running", ready=False)
    flags = {"ready": False, "serving": False, "terminating": False}
    for each in (service("two"), ALIAS):
        story.row("endpoint", f"Service/{each}", pod=pod("two"), **flags)
    story.health("two", "unhealthy").wait(SECOND).refused(f"{service('two')}:80", 503)
    story.fault("f", "pod-crash", "healed").wait(10 * SECOND).ready("two", 0, [ALIAS])
    story.health("two", "healthy").wait(2000 * SECOND)
    story.stop("two", [ALIAS]).wait(SECOND).delete("two").wait(100 * SECOND)
    return story.row("command", "Project/demo", verb="delete").rows


# -- one thing is altered -------------------------------------------------------------------------


def _matches(row: Row, kind: str, subject: str, data: Mapping[str, Any]) -> bool:
    return (
        row.kind == kind
        and row.subject == subject
        and all(row.data.get(key) == value for key, value in data.items())
    )


def _find(rows: list[Row], kind: str, subject: str, data: Mapping[str, Any]) -> int:
    found = [at for at, row in enumerate(rows) if _matches(row, kind, subject, data)]
    assert found, f"the journal has no row {kind} {subject} {data}"
    return found[0]


def _numbered(rows: list[Row]) -> list[Row]:
    return [
        Row(n, row.t, min(row.cause, n - 1), row.kind, row.subject, row.data)
        for n, row in enumerate(rows, 1)
    ]


def change(kind: str, subject: str, to: Mapping[str, Any], **data: Any) -> Mutation:
    """Other data in the first row of that kind and subject that has `data`."""

    def mutate(rows: list[Row]) -> list[Row]:
        at = _find(rows, kind, subject, data)
        row = rows[at]
        altered = Row(row.n, row.t, row.cause, kind, subject, {**row.data, **to})
        return [*rows[:at], altered, *rows[at + 1 :]]

    return mutate


def drop(kind: str, subject: str, **data: Any) -> Mutation:
    """Without the first row of that kind and subject that has `data`."""

    def mutate(rows: list[Row]) -> list[Row]:
        at = _find(rows, kind, subject, data)
        return _numbered([*rows[:at], *rows[at + 1 :]])

    return mutate


def insert(
    place: tuple[str, str, Mapping[str, Any]],
    kind: str,
    subject: str,
    *,
    later: int = 0,
    **data: Any,
) -> Mutation:
    """A further row behind the first that matches `place` (kind, subject, data).

    `later` nanoseconds after it, behind whatever comes until then.
    """

    def mutate(rows: list[Row]) -> list[Row]:
        at = _find(rows, *place)
        time = rows[at].t + later
        while later and at + 1 < len(rows) and rows[at + 1].t <= time:
            at += 1
        new = Row(0, time, 0, kind, subject, data)
        return _numbered([*rows[: at + 1], new, *rows[at + 1 :]])

    return mutate


def twice(kind: str, subject: str, **data: Any) -> Mutation:
    """The first row of that kind and subject that has `data`, and the same once more."""

    def mutate(rows: list[Row]) -> list[Row]:
        at = _find(rows, kind, subject, data)
        return _numbered([*rows[: at + 1], *rows[at:]])

    return mutate
