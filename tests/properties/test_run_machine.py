"""A world under arbitrary commands: the invariants hold after every step, in both profiles.

The numbers are the design's: 1 transitions, 2 status, 3 addresses, 7 nodes, 8 time, 12 leftovers.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import (
    MISSING,
    Deployment,
    act,
    advance,
    delete,
    exists,
    leftovers,
    make_world,
    one_node,
    ports,
    put,
    refusal,
    status,
)

from emulator.control.entities import Run
from emulator.domain.lifecycle import TRANSITIONS, UNRECORDED, Event, Machine, State
from emulator.domain.quirks import PROFILES
from emulator.domain.timefmt import HOUR, MINUTE, SECOND, iso
from emulator.platform import Route

RANGE = "10.0.0.0/28"
BALANCERS = "198.18.0.0/28"
RULES = (
    {"image": "slow", "echo": True, "startup": "3s"},
    {"image": "crash", "echo": True, "exit": {"after": "2s"}},
    {"image": "never", "echo": True, "startup": "1s", "exit": {"after": "500ms"}},
    {"image": "deaf", "echo": True, "listens": [1]},
)
IMAGES = ("good", "slow", "crash", "never", "deaf", MISSING)
TYPES = ("ClusterIP", "NodePort", "LoadBalancer")
ACTIONS = (*(event.value for event in Event), "stop", "foo")
#: A PUT of these drives a run of core to an end that nothing was told of, so that its objects stay.
UNTOLD = (State.DELETING, State.DELETED)
DRIVEN = tuple(state.value for state in State if state not in UNTOLD)


class Life(RuleBasedStateMachine):
    """Everything that clients may do, in any order, and what must be true all the while."""

    profile = "documented"

    def __init__(self) -> None:
        super().__init__()
        self.world = make_world(
            self.profile,
            rules=RULES,
            deadline=60,
            service_range=RANGE,
            balancer_range=BALANCERS,
            pod_range="10.240.0.0/24",
            pools=one_node(cpu=600, pods=5),
        )
        self.table = _rows(self.profile)
        self.runs: list[Run] = []
        self.states: dict[str, str] = {}
        self.stories: dict[str, list[str]] = {}
        self.holders: dict[str, str] = {}
        self.node_ports: dict[int, str] = {}
        self.checked = 0
        self.last = (0, 0)

    @initialize()
    def prepare(self) -> None:
        self.functions = [
            Deployment(self.world, function=f"f{number}", image=image)
            for number, image in enumerate(IMAGES)
        ]

    # -- what clients do -------------------------------------------------------------------------

    @rule(
        function=st.integers(0, len(IMAGES) - 1),
        id=st.none() | st.sampled_from(["ab", "a.b", "A-b"]),
        type=st.none() | st.sampled_from(TYPES),
        numbers=st.lists(st.integers(1, 3), max_size=3),
        replicas=st.integers(0, 3),
        service_name=st.none() | st.sampled_from(["blue", "green"]),
        local=st.booleans(),
    )
    def create(
        self,
        function: int,
        id: str | None,
        type: str | None,
        numbers: list[int],
        replicas: int,
        service_name: str | None,
        local: bool,
    ) -> None:
        asked: dict[str, Any] = {"service_type": type, "service_name": service_name}
        spec = {name: value for name, value in asked.items() if value is not None}
        taken = id is not None and self.world.plane.repository.find_run(id) is not None
        spec |= {"service_ports": ports(*numbers), "replicas": replicas}
        spec |= {"local_execution": local and replicas == 1}
        made = self.functions[function]
        refused = refusal(lambda: self.runs.append(made.run(id, **spec)))
        assert (refused is not None) == taken
        assert refused is None or refused.message == f"Duplicated entity run:{id}."

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 99), action=st.sampled_from(ACTIONS))
    def act(self, which: int, action: str) -> None:
        run = self._pick(which)
        before = run.state
        refused = refusal(lambda: act(self.world, run, action))
        if refused is not None:
            assert self.profile == "documented"
            assert refused.status in (400, 404)
            assert run.state is before

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 99))
    def delete(self, which: int) -> None:
        run = self._pick(which)
        delete(self.world, run)
        assert run.state in (State.DELETING, State.DELETED)

    @precondition(lambda self: self._living())
    @rule(which=st.integers(0, 99), state=st.none() | st.sampled_from(DRIVEN))
    def put(self, which: int, state: str | None) -> None:
        run = self._pick(which)
        before = run.state
        put(self.world, run, {"status": {"state": state, "mark": 1} if state else {}})
        if self.profile == "documented" and not run.local:
            assert run.state is before
            assert "mark" not in status(run)

    @rule(
        duration=st.sampled_from(
            [0, 10_000_000, 500_000_000, SECOND, 10 * SECOND, 2 * MINUTE, HOUR]
        )
    )
    def wait(self, duration: int) -> None:
        advance(self.world, duration)

    def _pick(self, which: int) -> Run:
        runs = self._living()
        return runs[which % len(runs)]

    def _living(self) -> list[Run]:
        return [run for run in self.runs if exists(self.world, run)]

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def everything_holds(self) -> None:
        self.the_journal_is_true()
        self.the_status_tells_the_journal()
        self.a_service_that_is_shown_is_there()
        self.what_answers_is_ready()
        self.no_node_holds_more_than_it_can()

    def the_journal_is_true(self) -> None:
        for row in self.world.journal.rows[self.checked :]:
            n, t = self.last
            assert row.n == n + 1  # 8
            assert row.t >= t
            assert 0 <= row.cause < row.n
            self.last = (row.n, row.t)
            if row.kind == "run":
                self._check_transition(row.subject, row.data)
            elif row.kind == "object" and row.subject.startswith("Service/"):
                self._check_addresses(row.subject, row.data)
        self.checked = len(self.world.journal.rows)

    def _check_transition(self, subject: str, data: Any) -> None:
        move = (data["before"], data["event"], data["state"])
        assert move in self.table  # 1
        if data["before"] == State.CREATED:
            self.stories[subject] = []
        else:
            assert self.states[subject] == data["before"]
        self.states[subject] = data["state"]
        self.stories[subject].append(data["state"])

    def _check_addresses(self, subject: str, data: Any) -> None:
        if data["op"] == "DELETED":
            self.holders = {key: name for key, name in self.holders.items() if name != subject}
            self.node_ports = {
                key: name for key, name in self.node_ports.items() if name != subject
            }
            return
        address = ip_address(data["clusterIP"])
        network = ip_network(RANGE)
        reserved = (network.network_address, network.network_address + 1, network.broadcast_address)
        assert address in network  # 3
        assert address not in reserved
        assert self.holders.setdefault(str(address), subject) == subject
        for port in data["ports"]:
            if number := port.get("nodePort"):
                assert 30000 <= number <= 32767
                assert self.node_ports.setdefault(number, subject) == subject

    def the_status_tells_the_journal(self) -> None:
        for run in self._living():
            if run.local:
                continue
            subject = f"Run/{run.id}"
            shown = status(run)
            assert shown["state"] == self.states.get(subject, "CREATED")
            expected: list[str] = []
            for state in self.stories.get(subject, []):
                if State(state) not in UNRECORDED and expected[-1:] != [state]:
                    expected.append(state)
            moments = shown.get("transitions", [])
            assert [each["status"] for each in moments] == expected[::-1]  # 1
            times = [each["time"] for each in moments]
            assert times == sorted(times, reverse=True)
            assert all(time <= iso(self.world.now) for time in times)

    def a_service_that_is_shown_is_there(self) -> None:
        for run in self._living():
            if self.profile != "documented" or run.local:
                continue
            shown = status(run).get("service")
            if run.state is State.RUNNING:
                assert shown is not None  # 2
            if run.state in (State.CREATED, State.BUILT, State.READY, State.PENDING, State.STOPPED):
                assert shown is None
            if shown is not None:
                held = self.world.cluster.store.get("Service", f"digitalhub/{shown['name']}")
                assert held is not None
                assert shown["clusterIP"] == held.cluster_ip
                assert self.holders[held.cluster_ip] == f"Service/{shown['name']}"

    def what_answers_is_ready(self) -> None:
        cluster = self.world.cluster
        for service in cluster.store.all("Service"):
            ready = {each.pod.name for each in service.endpoints.values() if each.serving}
            for port in service.ports:
                found = self.world.route(service.name, port.port)
                assert isinstance(found, Route) == bool(ready)
                assert not isinstance(found, Route) or found.pod in ready

    def no_node_holds_more_than_it_can(self) -> None:
        cluster = self.world.cluster
        for node in cluster.nodes:
            pods = [
                pod
                for workload in cluster.groups.values()
                for pod in workload.pods
                if pod.node is node
            ]
            assert set(node.pods) == {pod.key for pod in pods}
            for resource, used in node.used.items():
                asked = sum(
                    1 if resource == "pods" else pod.requests.get(resource, 0) for pod in pods
                )
                assert used == asked
                assert used <= node.allocatable.get(resource, 0)  # 7

    def teardown(self) -> None:
        for _ in range(2):  # an error that was posted while a run was deleted keeps it once
            advance(self.world, HOUR)
            for run in self._living():
                delete(self.world, run)
        advance(self.world, HOUR)
        self.the_journal_is_true()
        assert leftovers(self.world) == {}  # 12
        assert self.holders == {}
        assert self.node_ports == {}
        self.world.close()


def _rows(profile: str) -> set[tuple[State, Event, State]]:
    """The table as the profile reads it, made without `Machine`."""
    return {
        (row.source, row.event, row.target)
        for row in TRANSITIONS
        if row.quirk is None or not PROFILES[profile].has(row.quirk)
    }


class CoreLife(Life):
    """The same under the profile that does what core does."""

    profile = "core-0.15"


TestDocumented = Life.TestCase
TestDocumented.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestCore = CoreLife.TestCase
TestCore.settings = TestDocumented.settings


def test_the_machine_reads_the_table() -> None:
    for name in PROFILES:
        machine = Machine(PROFILES[name])
        moves = {
            (state, event, machine.target(state, event))
            for state in State
            for event in machine.events(state)
        }
        assert moves == _rows(name)
