"""Faults as a whole: names, times, rows, chance, overlaps, and that nothing is left of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from faulty import BOUND, fault_rows, healthy, service, struck_by, troubles, zones
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support import advance, deploy, make_world, of_run, settle

from emulator.cluster.faults import KINDS, FaultError, make
from emulator.cluster.faults.kinds_control import ApiLatency
from emulator.domain.timefmt import MILLISECOND, MINUTE, SECOND
from emulator.world import World

#: One fault of each kind, as it is written.
EACH: dict[str, dict[str, Any]] = {
    **{kind: {} for kind in KINDS},
    "zone-loss": {"target": "zone/a"},
    "drain": {"target": "zone/a"},
    "quota": {"pods": 1},
}


def test_a_fault_is_called_as_it_says_else_by_its_kind() -> None:
    world = zones()
    names = [world.faults.start("oom", name) for name in ("", "", "mine", "")]
    assert names == ["oom", "oom-2", "mine", "oom-3"]
    world.faults.heal("oom")
    assert world.faults.start("oom") == "oom"


@pytest.mark.parametrize("name", ["all", "A", "a/b", "-a", "a" * 64, "a b"])
def test_a_name_that_is_none(name: str) -> None:
    world = zones()
    with pytest.raises(FaultError) as caught:
        world.faults.start("oom", name)
    assert caught.value.field == "name"


def test_what_cannot_be_started_or_healed_is_said() -> None:
    world = zones()
    world.faults.start("oom", "mine")
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: world.faults.start("hang", "mine"), "choose another name"),
        (lambda: world.faults.heal("mind"), "the faults are: mine"),
        (lambda: world.faults.start("node-down", target="node/a-3"), "did you mean"),
        (lambda: world.faults.start("zone-loss", target="zone/c"), "the zones are: a, b"),
    ]
    for start, said in refused:
        with pytest.raises(FaultError, match=said):
            start()
    advance(world, SECOND)
    with pytest.raises(FaultError, match="is past"):
        world.faults.start("oom", start=0)
    with pytest.raises(TypeError):
        world.faults.start(make("oom"), target="run/web")
    assert fault_rows(world) == [("mine", "started", "oom")]


def test_the_rows_of_a_start_and_of_an_end() -> None:
    """rows.md: `fault`, Fault/name, op started / ended / healed, the kind and its attributes."""
    world = make_world()
    world.faults.start("api-latency", "slow", delay="2s", start=SECOND, duration=MINUTE)
    world.faults.start("oom", "now", probability=0.5)
    world.faults.heal("now")
    advance(world, 2 * MINUTE)
    told = [(row.t, row.subject, row.data) for row in world.journal.rows if row.kind == "fault"]
    latency = {"fault": "api-latency", "target": "cluster", "attributes": {"delay": 2 * SECOND}}
    oom = {"fault": "oom", "target": "cluster", "attributes": {"probability": 0.5}}
    assert told == [
        (0, "Fault/now", {"op": "started", **oom}),
        (0, "Fault/now", {"op": "healed", **oom}),
        (SECOND, "Fault/slow", {"op": "started", **latency}),
        (SECOND + MINUTE, "Fault/slow", {"op": "ended", **latency}),
    ]


def test_a_fault_waits_while_its_start_or_its_end_lies_ahead() -> None:
    world = make_world()
    world.faults.start("api-latency", start=SECOND, duration=MINUTE)
    world.faults.start("oom")
    waiting = []
    for _ in range(3):
        waiting.append(world.faults.waiting)
        advance(world, 40 * SECOND)
    assert waiting == [True, True, False]
    assert [each.name for each in world.faults.all()] == ["oom"]


def test_a_fault_that_is_healed_before_it_begins_never_was() -> None:
    world = make_world()
    world.faults.start("api-latency", "late", start=MINUTE)
    world.faults.heal("late")
    assert not world.faults.waiting
    advance(world, 2 * MINUTE)
    assert (fault_rows(world), world.cluster.extra_lag) == ([], 0)


def test_a_fault_that_is_healed_early_does_not_end_again() -> None:
    world = make_world()
    world.faults.start("api-latency", "a", duration=MINUTE)
    world.faults.heal("a")
    world.faults.start("api-latency", "a", duration=10 * MINUTE)
    advance(world, 2 * MINUTE)
    assert [op for _, op, _ in fault_rows(world)] == ["started", "healed", "started"]
    assert world.cluster.extra_lag == SECOND


def test_what_follows_at_once_has_the_fault_as_its_cause() -> None:
    world = zones()
    service(world)
    for wait in (0, MINUTE):
        world.faults.start("exit-code", start=world.now + wait, duration=MINUTE)
        advance(world, 3 * MINUTE)
    rows = world.journal.rows
    begun = [row.n for row in rows if row.kind == "fault" and row.data["op"] == "started"]
    assert [row.cause for row in rows if row.kind == "exit"] == begun


def test_a_fault_is_nobodys_cause_when_it_is_over() -> None:
    world = zones()
    world.faults.start("node-down")
    assert world.journal.cause == 0
    world.faults.heal_all()
    assert world.journal.cause == 0


# -- chance ------------------------------------------------------------------------------------


def test_chance_strikes_its_share_and_the_same_pods_whoever_comes_first() -> None:
    """The dice belong to the fault's name and the pod: order and company change nothing."""
    world = zones()
    service(world, replicas=60, resources={"cpu": "10m", "mem": "10Mi"})
    first = world.faults.start("oom", "one", probability=0.5)
    struck = struck_by(world.faults, first)
    assert 15 <= len(struck) <= 45
    world.faults.start("oom", "two", probability=0.5)
    assert struck_by(world.faults, "two") != struck
    (me, _) = world.faults.all()
    me._struck.clear()
    for pod in reversed(world.cluster.store.all("Pod")):
        me.strikes(pod.key)
    assert struck_by(world.faults, "one") == struck
    world.faults.heal("one")
    world.faults.start("hang", "one", probability=0.5)
    assert struck_by(world.faults, "one") == struck


def test_a_pod_that_comes_while_a_fault_lasts_is_struck_too() -> None:
    world = zones()
    world.faults.start("exit-code", target="run/late", code=9)
    service(world, "early")
    late = settle(world, deploy(world, id="late", replicas=2))
    advance(world, MINUTE)
    exits = [row for row in world.journal.rows if row.kind == "exit"]
    assert [row.data["code"] for row in exits] == [9, 9]
    assert len({row.subject for row in exits}) == 2
    assert all("-late-" in row.subject for row in exits)
    assert healthy(late)


# -- overlaps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(("x", "y", "z"))))
def test_faults_of_one_kind_overlap_and_heal_by_themselves(order: tuple[str, ...]) -> None:
    world = make_world()
    lags = {"x": SECOND, "y": 20 * SECOND, "z": 300 * SECOND}
    for name, delay in lags.items():
        world.faults.start(ApiLatency(delay=delay), name)
    left = dict(lags)
    for name in order:
        assert world.cluster.extra_lag == sum(left.values())
        world.faults.heal(name)
        del left[name]
    assert world.cluster.extra_lag == 0


@pytest.mark.parametrize("kind", KINDS)
def test_two_of_a_kind_leave_nothing(kind: str) -> None:
    """One begins inside the other, and either ends first."""
    for first, second in (("a", "b"), ("b", "a")):
        world = zones()
        service(world, replicas=2)
        before = troubles(world)
        for name in ("a", "b"):
            world.faults.start(kind, name, **EACH[kind])
            advance(world, 7 * SECOND)
        assert troubles(world) != before
        world.faults.heal(first)
        advance(world, 7 * SECOND)
        assert [each.name for each in world.faults.all()] == [second]
        world.faults.heal(second)
        advance(world, BOUND)
        assert troubles(world) == before


@hypothesis_settings(max_examples=20)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6), st.randoms())
def test_nothing_is_left_when_all_are_healed(kinds: list[str], random: object) -> None:
    world = zones()
    service(world, replicas=2)
    before = troubles(world)
    for kind in kinds:
        world.faults.start(kind, **EACH[kind])
        advance(world, 11 * SECOND)
    world.faults.heal_all()
    assert world.faults.all() == []
    ends = [name for name, op, _ in fault_rows(world) if op == "healed"]
    starts = [name for name, op, _ in fault_rows(world) if op == "started"]
    assert ends == starts[::-1]
    advance(world, BOUND)
    assert troubles(world) == before


def test_what_an_operator_did_before_a_fault_stays() -> None:
    world = zones()
    nodes = world.platform.system.nodes
    cordoned, lost = world.cluster.nodes[0], world.cluster.nodes[1]
    nodes.cordon(cordoned)
    nodes.lose(lost)
    for name in ("one", "two"):
        world.faults.start("drain", name)
        world.faults.start("node-down", f"{name}-down")
    advance(world, MINUTE)
    world.faults.heal_all()
    advance(world, MINUTE)
    assert [node.unschedulable for node in world.cluster.nodes] == [True, False, False, False]
    assert [node.up for node in world.cluster.nodes] == [True, False, True, True]


def test_a_world_with_faults_is_the_same_to_the_byte() -> None:
    def run(seed: int) -> str:
        world = zones(seed=seed)
        service(world, replicas=4)
        for kind in KINDS:
            world.faults.start(kind, **{**EACH[kind], "probability": 0.5})
            advance(world, 3 * SECOND)
        world.faults.heal_all()
        advance(world, BOUND)
        return world.journal.sha256

    assert run(1) == run(1) != run(2)


def test_a_fault_that_strikes_nobody_changes_no_other_row() -> None:
    def rows(world: World) -> list[tuple[object, ...]]:
        return [
            (row.t, row.kind, row.subject, sorted(row.data.items(), key=lambda item: item[0]))
            for row in world.journal.rows
            if row.kind != "fault"
        ]

    def run(*, broken: bool) -> World:
        world = zones()
        if broken:
            world.faults.start("crash-loop", target="run/nobody")
            world.faults.start("hang", target="run/nobody")
        run = service(world, replicas=2)
        advance(world, MINUTE)
        assert of_run(world, run, "run")
        return world

    assert rows(run(broken=True)) == rows(run(broken=False))


def test_a_fault_costs_no_event_while_nothing_changes() -> None:
    world = zones()
    service(world)
    for kind in ("crash-loop", "oom", "slow-start", "hang", "pull-error", "node-down"):
        world.faults.start(kind, probability=0.000001)
    advance(world, 20 * MILLISECOND)
    before = world.journal.count
    advance(world, 60 * MINUTE)
    assert world.journal.count == before
    assert world.kernel.peek() == float("inf")
