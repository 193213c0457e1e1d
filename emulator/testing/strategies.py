"""Hypothesis strategies: what users do, how time passes, what breaks.

Rules: a strategy gives the plain values of `emulator.testing.actions` and knows no world; what needs one
(which runs there are) is handed in. `histories` gives whole lists in which a run is named only after it
was deployed, and is stopped and deleted once at most. The faults are those of the registry
(`emulator.cluster.faults.KINDS`), each with its own attributes; `WHERE` says by which parts of a target
they are drawn, `_DRAWN` the attributes whose whole range is too wide to be met.
This is the one module of the package that imports Hypothesis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hypothesis import strategies as st

from emulator.cluster.faults import KINDS, attributes_of
from emulator.cluster.faults.values import Choice
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.testing.actions import (
    Action,
    Advance,
    Delete,
    Deploy,
    Fault,
    Invoke,
    Load,
    Resume,
    Stop,
    duration_text,
)

IMAGES = ("good", "slow", "crash", "missing")
#: Rules for these images, as a scenario's `behaviours`.
BEHAVIOURS: tuple[Mapping[str, Any], ...] = (
    {"image": "good", "echo": True},
    {"image": "slow", "echo": True, "startup": "3s"},
    {"image": "crash", "echo": True, "exit": {"after": "2s", "code": 1}},
    {"image": "missing", "pull_error": "manifest unknown"},
)

#: Where a fault may strike, by what stands before the `/` of its target.
CLUSTER, NODE, ZONE, RUN, IMAGE = "cluster", "node", "zone", "run", "image"


def spans(least: int, most: int) -> st.SearchStrategy[str]:
    """Durations as text, in whole milliseconds."""
    steps = st.integers(least // MILLISECOND, most // MILLISECOND)
    return steps.map(lambda number: duration_text(number * MILLISECOND))


_PROBABILITY = st.integers(1, 100).map(lambda number: number / 100)

#: By kind and attribute. What is not here is drawn where it is a choice of words, else left out.
_DRAWN: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "slow-registry": {"delay": spans(SECOND, MINUTE)},
    "throttled-registry": {"bandwidth": st.integers(10_000, 10_000_000)},
    "slow-start": {"delay": spans(SECOND, 2 * MINUTE)},
    "crash-loop": {"after": spans(0, 10 * SECOND), "code": st.integers(1, 255)},
    "exit-code": {"code": st.integers(0, 255)},
    "quota": {"pods": st.integers(0, 5)},
    "api-latency": {"delay": spans(10 * MILLISECOND, 5 * SECOND)},
    "network-delay": {"delay": spans(MILLISECOND, 2 * SECOND)},
    "upstream-5xx": {"status": st.sampled_from([500, 502, 503, 504])},
    "slow-body": {"bandwidth": st.integers(100, 10_000)},
}
#: The kinds that a chance of less than 1 says more about.
_BY_CHANCE = frozenset({"pull-error", "failing-probe", "network-loss", "upstream-5xx", "hang"})


def _attributes(kind: str) -> st.SearchStrategy[tuple[tuple[str, Any], ...]]:
    drawn = dict(_DRAWN.get(kind, {}))
    for name, value in attributes_of(KINDS[kind]).items():
        if isinstance(value, Choice):
            drawn[name] = st.sampled_from(value.words)
    if kind in _BY_CHANCE:
        drawn["probability"] = st.just(1) | _PROBABILITY
    return st.fixed_dictionaries(drawn).map(lambda some: tuple(some.items()))


def _where(kind: str) -> tuple[str, ...]:
    """The parts by which a target is drawn; the whole cluster where the kind allows it."""
    row = KINDS[kind]
    parts = tuple(part for part in (RUN, NODE, ZONE, IMAGE) if part in row.takes)
    return parts if row.needs else (*parts, CLUSTER)


_ATTRIBUTES = {kind: _attributes(kind) for kind in KINDS}
#: By which parts of a target each kind of fault is drawn.
WHERE: Mapping[str, tuple[str, ...]] = {kind: _where(kind) for kind in KINDS}


def durations(most: int = HOUR) -> st.SearchStrategy[int]:
    """How long a test waits: instants, moments, and the long waits of back-offs and deadlines."""
    known = [0, 10 * MILLISECOND, SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 11 * MINUTE, HOUR]
    chosen = [each for each in known if each <= most]
    return st.sampled_from(chosen) | st.integers(0, most // MILLISECOND).map(
        lambda number: number * MILLISECOND
    )


def advances(most: int = HOUR) -> st.SearchStrategy[Advance]:
    """Time passes."""
    return durations(most).map(Advance)


_RESOURCES = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.sampled_from(["50m", "100m", "500m", "2"]),
        "mem": st.sampled_from(["64Mi", "256Mi", "1Gi"]),
        "gpu": st.sampled_from(["1"]),
    },
).map(lambda some: tuple(some.items()))


@cache
def _deploy(images: tuple[str, ...], kinds: tuple[str, ...]) -> st.SearchStrategy[Deploy]:
    """Deploys of a run without a name: to make a strategy costs more than to draw from it."""
    ports = st.lists(st.integers(1, 65535), min_size=1, max_size=3, unique=True)
    return st.builds(
        Deploy,
        run=st.just(""),
        image=st.sampled_from(images),
        kind=st.sampled_from(kinds),
        replicas=st.integers(1, 4),
        ports=ports.map(lambda some: tuple(some)),
        resources=_RESOURCES,
        service_type=st.sampled_from(["", "ClusterIP", "NodePort", "LoadBalancer"]),
        service_name=st.sampled_from(["", "", "blue", "green"]),
    )


def deploys(
    run: str, images: Sequence[str] = IMAGES, kinds: Sequence[str] = ("container",)
) -> st.SearchStrategy[Deploy]:
    """A deploy of a new run of that name."""
    return _deploy(tuple(images), tuple(kinds)).map(lambda each: replace(each, run=run))


def invocations(runs: Sequence[str]) -> st.SearchStrategy[Invoke]:
    """A call to one of the runs."""
    return st.builds(
        Invoke,
        run=st.sampled_from(runs),
        method=st.sampled_from(["GET", "POST"]),
        path=st.sampled_from(["/", "/a?b=c"]),
    )


def resumes(runs: Sequence[str]) -> st.SearchStrategy[Resume]:
    """An attempt to resume one of the runs."""
    return st.sampled_from(runs).map(Resume)


def loads(runs: Sequence[str], name: str, zones: Sequence[str] = ("",)) -> st.SearchStrategy[Load]:
    """A short load on one of the runs."""
    return st.builds(
        Load,
        run=st.sampled_from(runs),
        name=st.just(name),
        users=st.integers(1, 4),
        count=st.integers(1, 20),
        think=st.sampled_from([0, 50 * MILLISECOND, SECOND]),
        service_time=st.sampled_from([MILLISECOND, 100 * MILLISECOND, 2 * SECOND]),
        timeout=st.none() | st.sampled_from([500 * MILLISECOND, 10 * SECOND]),
        retries=st.integers(0, 2),
        zone=st.sampled_from(zones),
    )


@dataclass(frozen=True, slots=True)
class Targets:
    """What there is to be struck, by name."""

    runs: Sequence[str] = ()
    nodes: Sequence[str] = ()
    zones: Sequence[str] = ()
    images: Sequence[str] = IMAGES

    def of(self, kind: str) -> list[str]:
        """The targets that a kind of fault may have."""
        names = {RUN: self.runs, NODE: self.nodes, ZONE: self.zones, IMAGE: self.images}
        return [
            target
            for part in WHERE[kind]
            for target in (
                [CLUSTER] if part == CLUSTER else [f"{part}/{name}" for name in names[part]]
            )
        ]


@st.composite
def faults(
    draw: st.DrawFn,
    targets: Targets,
    kinds: Sequence[str] = tuple(KINDS),
    most: int = 10 * MINUTE,
    name: str = "",
) -> Fault:
    """A fault of one of these kinds, which ends by itself after at most `most` nanoseconds.

    Kinds that find no target are left out; ValueError where that leaves none.
    """
    drawn = [kind for kind in kinds if targets.of(kind)]
    if not drawn:
        raise ValueError(f"no fault of {', '.join(kinds)} has a target: name runs, nodes or zones")
    kind = draw(st.sampled_from(drawn))
    return Fault(
        kind=kind,
        target=draw(st.sampled_from(targets.of(kind))),
        attributes=draw(_ATTRIBUTES[kind]),
        duration=draw(st.integers(1, most // SECOND)) * SECOND,
        name=name,
    )


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    nodes: Sequence[str] = (),
    zones: Sequence[str] = (),
    kinds: Sequence[str] = (),
    length: int = 20,
) -> list[Action]:
    """A list of at most `length` actions; faults are of `kinds` (none without), all with an end."""
    made: list[Action] = []
    there: list[str] = []  # runs that were not deleted
    running: list[str] = []  # runs that were not stopped, either
    for number in range(draw(st.integers(1, length))):
        targets = Targets(tuple(there), nodes, zones)
        struck = [kind for kind in kinds if targets.of(kind)]
        what = draw(st.sampled_from(_choices(there, running, struck)))
        action: Action
        if what is Deploy:
            action = draw(deploys(f"run-{number}"))
            there.append(action.run)
            running.append(action.run)
        elif what is Stop:
            action = Stop(draw(st.sampled_from(running)))
            running.remove(action.run)
        elif what is Delete:
            action = Delete(draw(st.sampled_from(there)))
            there.remove(action.run)
            if action.run in running:
                running.remove(action.run)
        elif what is Invoke:
            action = draw(invocations(there))
        elif what is Fault:
            action = draw(faults(targets, struck, name=f"fault-{number}"))
        else:
            action = draw(_ADVANCES)
        made.append(action)
    return made


_ADVANCES = advances()


def _choices(
    there: Sequence[str], running: Sequence[str], struck: Sequence[str]
) -> list[type[Action]]:
    choices: list[type[Action]] = [Deploy, Advance]
    choices += [Invoke, Delete] if there else []
    choices += [Stop] if running else []
    return choices + ([Fault] if struck else [])
