"""An unrelated service changes no other's rows but numbers and addresses (issue 4).

Rules: two worlds live the same plan, and one of them has a further service, deployed at an instant of
its own. No client has a rate, no registry shares its bandwidth, and each service has a pool of nodes of
its own (`nodeSelector` by its resource profile). What is left of the second journal without the rows of
the further service is, row by row and in the same order, the first one. Its rows are those whose subject
is its run, its workload, its function and task, or an object that belongs to it.
The normalisers, and there are no others:
- `n` is the place among the rows that are left, and `cause` the place of the row that it names; a cause
  that is a row of the further service is 0;
- `clusterIP`, `loadBalancerIP` and `nodePort` are left out;
- an IPv4 address in a text is `*`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import MISSING, REGISTRY, Deployment, act, delete

from emulator.cluster import traffic
from emulator.cluster.distributions import Constant, Exponential, Uniform
from emulator.cluster.settings import ClusterSettings, NodePool
from emulator.control.entities import Run
from emulator.control.settings import ControlSettings, ResourceProfile
from emulator.domain.errors import Refused
from emulator.domain.journal import Row
from emulator.domain.quirks import PROFILES
from emulator.domain.timefmt import MILLISECOND, MINUTE, SECOND
from emulator.workloads.rules import parse_rules
from emulator.world import World, WorldSettings

OTHER = "other"
NAMES = ("s1", "s2", "s3")
RULES = (
    {"image": "crash", "echo": True, "startup": "200ms", "exit": {"after": "7s"}},
    {"image": "slow", "echo": True, "startup": "4s"},
)
NOISE: dict[str, Any] = {
    "start": Uniform(100 * MILLISECOND, SECOND),
    "stop": Uniform(50 * MILLISECOND, SECOND),
    "api_latency": Uniform(5 * MILLISECOND, 50 * MILLISECOND),
}
END = 15 * MINUTE  # after every step


@dataclass(frozen=True)
class Life:
    """A service: what is deployed when, and what becomes of it. Times are nanoseconds."""

    at: int = 0
    image: str = "good"
    replicas: int = 1
    type: str = "ClusterIP"
    alias: str = ""
    load: bool = False
    fault: str = ""
    then: str = ""
    after: int = MINUTE


@dataclass(frozen=True)
class Plan:
    """A world's services by name, the further one, and the kind of world."""

    lives: tuple[Life, ...]
    other: Life
    seed: int = 0
    noisy: bool = False
    profile: str = "documented"


@dataclass(order=True)
class _Step:
    """Something to do; of an instant the further service's comes first."""

    time: int
    rank: int
    serial: int
    fn: Callable[[], None] = field(compare=False)


def lived(plan: Plan, *, with_other: bool) -> list[Row]:
    """The journal of a world that lives the plan."""
    world = _world(plan)
    named = dict(zip(NAMES, plan.lives, strict=False))
    if with_other:
        named[OTHER] = plan.other
    steps: list[_Step] = []
    for name, life in named.items():
        _Player(world, name, life).plan(steps)
    for step in sorted(steps):
        world.kernel.advance(step.time)
        step.fn()
    world.kernel.advance(END)
    rows = world.journal.rows
    world.close()
    return rows


def _world(plan: Plan) -> World:
    pools = [
        NodePool(name, 2, labels={"pool": name}, zone=f"zone-{name}") for name in (*NAMES, OTHER)
    ]
    profiles = {name: ResourceProfile(node_selector={"pool": name}) for name in (*NAMES, OTHER)}
    return World(
        WorldSettings(
            seed=plan.seed,
            control=ControlSettings(
                profile=PROFILES[plan.profile], deadline=120, profiles=profiles
            ),
            cluster=ClusterSettings(
                pools=tuple(pools),
                registry=REGISTRY,
                controller_rate=None,
                scheduler_rate=None,
                **(NOISE if plan.noisy else {}),
            ),
            rules=parse_rules(list(RULES)),
        )
    )


class _Player:
    """One service's steps in a world."""

    def __init__(self, world: World, name: str, life: Life) -> None:
        self._world = world
        self._name = name
        self._life = life
        self._run: Run | None = None

    def plan(self, steps: list[_Step]) -> None:
        """Adds what is to be done."""
        life, rank = self._life, 0 if self._name == OTHER else 1
        steps.append(_Step(life.at, rank, len(steps), self._deploy))
        if life.fault:
            steps.append(_Step(life.at + 20 * SECOND, rank, len(steps), self._break))
        if life.load:
            steps.append(_Step(life.at + 30 * SECOND, rank, len(steps), self._call))
        if life.then:
            steps.append(_Step(life.at + life.after, rank, len(steps), self._end))

    def _deploy(self) -> None:
        life, name = self._life, self._name
        made = Deployment(self._world, function=f"f-{name}", image=life.image)
        self._run = made.run(
            name,
            name=name,
            replicas=life.replicas,
            profile=name,
            service_type=life.type,
            **({"service_name": life.alias} if life.alias else {}),
        )

    def _break(self) -> None:
        kind = self._life.fault
        target = f"zone/zone-{self._name}" if kind in _OF_NODES else f"run/{self._name}"
        self._world.faults.start(
            kind, f"of-{self._name}", target=target, duration=2 * MINUTE, probability=0.5
        )

    def _call(self) -> None:
        load = traffic.Load(
            name=f"load-{self._name}",
            service=f"s-containerserve-{self._name}",
            arrivals=traffic.Open(Exponential(200 * MILLISECOND)),
            service_time=Constant(50 * MILLISECOND),
            timeout=SECOND,
            end=self._world.now + 20 * SECOND,
            rows=True,
        )
        self._world.traffic.start(load)

    def _end(self) -> None:
        assert self._run is not None
        try:
            if self._life.then == "stop":
                act(self._world, self._run, "stop")
            else:
                delete(self._world, self._run)
        except Refused:
            pass  # the run has ended by itself


_OF_NODES = ("node-down", "drain", "node-not-ready")

# -- what is compared ---------------------------------------------------------------------------------

_ADDRESS = re.compile(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
_LEFT_OUT = ("clusterIP", "loadBalancerIP", "nodePort")
_NOBODYS = ("demo", "task")  # the commands that make a project and a task tell no more of them


def _of_other(rows: Iterable[Row]) -> set[int]:
    """The numbers of the rows that are about the further service."""
    own = {f"Run/{OTHER}", f"Workload/{OTHER}", f"Function/f-{OTHER}", f"f-{OTHER}"}
    own |= {f"Traffic/load-{OTHER}", f"Fault/of-{OTHER}"}
    found = set()
    for row in rows:
        data = row.data
        if row.kind == "object" and (
            data.get("workload") == OTHER or f"Service/{data.get('service')}" in own
        ):
            own.add(row.subject)
        its_node = row.kind != "object" and row.subject.startswith(f"Node/{OTHER}-")
        nobodys = row.kind == "command" and row.subject in _NOBODYS
        if row.subject in own or its_node or nobodys:
            found.add(row.n)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key not in _LEFT_OUT}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return _ADDRESS.sub("*", value) if isinstance(value, str) else value


def normalised(rows: list[Row], without: set[int]) -> list[str]:
    """The rows that are left, as the rules of this module say."""
    places: dict[int, int] = {}
    told = []
    for row in rows:
        if row.n in without:
            continue
        places[row.n] = len(places) + 1
        line = {
            "n": places[row.n],
            "t": row.t,
            "cause": places.get(row.cause, 0),
            "kind": row.kind,
            "subject": row.subject,
            **{f"data.{key}": each for key, each in _plain(dict(row.data)).items()},
        }
        told.append(json.dumps(line, sort_keys=True, default=str))
    return told


# -- the property -------------------------------------------------------------------------------------

#: On the lattice of the control plane's 10 ms, where everything falls on the same instants, or off it.
_TIMES = st.integers(0, 600).map(lambda n: n * 10 * MILLISECOND) | st.integers(0, 60 * SECOND)

_OF_RUNS = ("", "crash-loop", "oom", "slow-start", "network-loss", "failing-probe")


def _lives(faults: tuple[str, ...]) -> st.SearchStrategy[Life]:
    return st.builds(
        Life,
        at=st.just(0) | _TIMES,
        image=st.sampled_from(["good", "slow", "crash", MISSING]),
        replicas=st.integers(1, 3),
        type=st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
        alias=st.sampled_from(["", "blue"]),
        load=st.booleans(),
        fault=st.sampled_from(faults),
        then=st.sampled_from(["", "stop", "delete"]),
        after=st.sampled_from([0, SECOND, MINUTE, 3 * MINUTE]) | _TIMES,
    )


_PLANS = st.builds(
    Plan,
    lives=st.lists(_lives((*_OF_RUNS, *_OF_NODES)), min_size=1, max_size=3).map(tuple),
    other=_lives(_OF_RUNS),  # it is a service: what befalls the cluster's nodes is no part of it
    seed=st.integers(0, 2**32),
    noisy=st.booleans(),
    profile=st.sampled_from(["documented", "core-0.15"]),
)


def _differences(plan: Plan) -> list[str]:
    alone, beside = lived(plan, with_other=False), lived(plan, with_other=True)
    others = _of_other(beside)
    assert len(others) > 10
    one = normalised(alone, _of_other(alone))
    other = normalised(beside, others)
    return [
        f"{left}\n{right}"
        for left, right in zip(one + [""] * len(other), other + [""] * len(one), strict=False)
        if left != right
    ]


@pytest.mark.slow  # two worlds of a quarter of an hour for each plan
@example(Plan((Life(),), Life()))  # a wake-up that two runs share has a cause for each
@example(  # pods that are tried at the same instant keep their place in it
    Plan((Life(then="stop", after=0), Life(at=10 * MILLISECOND)), Life(replicas=2))
)
@given(_PLANS)
@settings(max_examples=100)
def test_an_unrelated_service_changes_no_others_rows(plan: Plan) -> None:
    differences = _differences(plan)
    assert not differences, differences[0]
