"""Invariant 10: when faults heal, every service that can recover does, within the bound."""

from __future__ import annotations

from collections.abc import Sequence

from faulty import BOUND, healthy, service, troubles, zones
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support import advance, deploy

from emulator.domain.lifecycle import State
from emulator.domain.timefmt import MINUTE, SECOND
from emulator.testing.actions import Fault
from emulator.testing.invariants import check
from emulator.testing.strategies import Targets, faults

RUNS = ("one", "two", "three")
NODES = ("a-1", "a-2", "b-1", "b-2")
DRAWN = faults(Targets(RUNS, NODES, ("a", "b"), ("*", "good")), most=5 * MINUTE)


@hypothesis_settings(max_examples=80, derandomize=True)
@given(
    st.lists(st.tuples(DRAWN, st.integers(0, 60)), min_size=1, max_size=5), st.integers(0, 2**32)
)
def test_what_can_recover_does(drawn: Sequence[tuple[Fault, int]], seed: int) -> None:
    world = zones(seed=seed)
    before = troubles(world)
    runs = [service(world, name, replicas=2) for name in RUNS[:2]]
    for fault, begin in drawn:
        world.faults.start(
            fault.kind,
            target=fault.target,
            start=world.now + begin * SECOND,
            duration=fault.duration,
            **dict(fault.attributes),
        )
    advance(world, 20 * SECOND)
    runs.append(deploy(world, id=RUNS[2], replicas=2))
    advance(world, 7 * MINUTE)
    assert world.faults.all() == []
    advance(world, BOUND)
    for run in runs:
        assert run.state in (State.RUNNING, State.ERROR)
        assert run.state is State.ERROR or healthy(run), run.message
    assert troubles(world) == before
    assert check(world.journal.rows, only=(1, 3, 6, 7, 8, 10, 12), end_time=world.now) == []
