"""Every kind of faults that strikes the cluster: it bites, and it heals.

Sources: Kubernetes facts sections 0.1, 1, 4, 6 and 8, where a figure is Kubernetes'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from faulty import BOUND, healthy, rows_of, service, troubles, zones
from support import advance, deploy, events, make_world, one_node, settle, state, until

from emulator.cluster.settings import Registry
from emulator.domain.health import Health
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import MINUTE, SECOND
from emulator.world import World

#: A container is found ready by a probe, which runs once a second.
PROBE = SECOND


@dataclass(frozen=True)
class Degrades:
    """A kind that a running service is seen to suffer from, after `after`."""

    kind: str
    asked: dict[str, Any] = field(default_factory=dict)
    after: int = MINUTE
    health: tuple[Health, ...] = (Health.UNHEALTHY,)
    message: str = ""


DEGRADES = [
    Degrades("crash-loop", {"target": "run/web", "code": 3}, message="exited with code 3 (Error)"),
    Degrades("exit-code", {"code": 7}, 1200 * 10**6, message="exited with code 7 (Error)"),
    Degrades("oom", {"target": "function/service-0"}, 1200 * 10**6, message="137 (OOMKilled)"),
    Degrades("failing-probe", {"target": "run/web"}, message="Readiness probe failed"),
    Degrades(
        "failing-probe",
        {"probe": "startup", "code": 1, "with": "exit-code"},
        message="exited with code 1 (Error)",
    ),
    Degrades("node-down", {"target": "zone/a"}, MINUTE, (Health.DEGRADED, Health.UNHEALTHY)),
    Degrades("node-down", {}, MINUTE),
    Degrades("zone-loss", {"target": "zone/b"}, MINUTE, (Health.DEGRADED, Health.UNHEALTHY)),
]


@pytest.mark.parametrize("case", DEGRADES, ids=lambda each: each.kind)
def test_a_service_that_runs_is_seen_to_suffer_and_to_recover(case: Degrades) -> None:
    world = zones()
    run = service(world, replicas=2)
    before = troubles(world)
    asked = dict(case.asked)
    beside = asked.pop("with", "")
    if beside:  # what a startup probe says matters to a container that starts
        world.faults.start(beside, code=asked.pop("code"))
    world.faults.start(case.kind, "it", **asked)
    worst: list[Health] = []
    end = world.now + case.after

    def look() -> bool:
        worst.append(run.current_health)
        return False

    world.run_until(look, end)
    assert any(each in worst for each in case.health)
    assert case.message in run.message
    assert run.state is State.RUNNING
    world.faults.heal_all()
    advance(world, BOUND)
    assert healthy(run)
    assert troubles(world) == before


def test_a_liveness_probe_that_fails_restarts_the_container() -> None:
    """Facts 6.4: after `failureThreshold` failures in a row the container is killed and restarted."""
    world = zones()
    run = service(world)
    (pod,) = world.cluster.store.all("Pod")
    world.faults.start("failing-probe", probe="liveness")
    advance(world, 5 * MINUTE)
    restarts = pod.restarts
    assert (restarts > 0) is (pod.template.liveness is not None)
    world.faults.heal_all()
    advance(world, BOUND)
    assert healthy(run)


# -- containers --------------------------------------------------------------------------------


def test_a_crash_loop_ends_each_container_and_backs_off() -> None:
    """Facts 0.1: the waits before the restarts are 0, 10, 20, 40... seconds."""
    world = zones()
    service(world)
    begun = world.now
    world.faults.start("crash-loop", after="2s", code=5)
    advance(world, 2 * MINUTE)
    exits = rows_of(world, "exit", begun)
    assert [row.data["code"] for row in exits] == [5] * len(exits)
    assert [row.data["restarts"] for row in exits] == list(range(len(exits)))
    gaps = [late.t - early.t for early, late in pairwise(exits)]
    nominal = [0, 10, 20, 40]
    for gap, wait in zip(gaps, nominal, strict=False):
        assert gap >= (wait + 2) * SECOND
    assert gaps[0] < 5 * SECOND
    world.faults.heal_all()
    healed = world.now
    advance(world, BOUND)
    assert rows_of(world, "exit", healed) == []


def test_a_container_that_is_young_crashes_when_its_time_is_over() -> None:
    world = zones()
    run = settle(world, deploy(world, id="web"))
    world.faults.start("crash-loop", after="20s")
    advance(world, MINUTE)
    first, *_ = rows_of(world, "exit")
    started = next(row.t for row in events(world, "Started"))
    assert first.t == started + 20 * SECOND
    assert run.state is State.RUNNING


def test_a_crash_loop_leaves_a_container_alone_that_is_younger_than_it_says() -> None:
    world = zones(rules=[{"image": "*", "echo": True, "exit": {"after": "5s", "code": 9}}])
    settle(world, deploy(world))
    world.faults.start("crash-loop", after="7s", code=1)
    advance(world, 5 * MINUTE)
    codes = [row.data["code"] for row in rows_of(world, "exit")]
    assert len(codes) > 3
    assert set(codes) == {9}


ONCE = [("exit-code", 0, "Completed"), ("oom", 137, "OOMKilled")]


@pytest.mark.parametrize(("kind", "code", "reason"), ONCE)
def test_what_strikes_once_strikes_once_a_pod(kind: str, code: int, reason: str) -> None:
    world = zones()
    service(world, replicas=3)
    asked: dict[str, Any] = {"code": code} if kind == "exit-code" else {}
    world.faults.start(kind, **asked)
    advance(world, 30 * MINUTE)
    exits = rows_of(world, "exit")
    assert [(row.data["code"], row.data["reason"]) for row in exits] == [(code, reason)] * 3
    assert len({row.subject for row in exits}) == 3


def test_two_probes_that_fail_are_two() -> None:
    world = zones()
    run = service(world)
    world.faults.start("failing-probe", "one")
    world.faults.start("failing-probe", "two", target="run/web")
    advance(world, MINUTE)
    assert not healthy(run)
    world.faults.heal("one")
    advance(world, 5 * MINUTE)
    assert not healthy(run)
    world.faults.heal("two")
    advance(world, MINUTE)
    assert healthy(run)


# -- the way to a container --------------------------------------------------------------------


def ready_after(world: World, **spec: Any) -> int:
    """How long a new service takes to become RUNNING, in nanoseconds."""
    begun = world.now
    run = settle(world, deploy(world, **spec))
    assert run.state is State.RUNNING
    return world.now - begun


@pytest.mark.parametrize(
    ("kind", "asked", "least"),
    [
        ("slow-registry", {"delay": "30s"}, 30 * SECOND),
        ("throttled-registry", {"bandwidth": 1_000_000}, 51 * SECOND),
        ("slow-start", {"delay": "40s"}, 40 * SECOND),
        ("api-latency", {"delay": "3s"}, 3 * SECOND),
    ],
)
def test_what_is_slow_makes_a_start_take_longer(kind: str, asked: Any, least: int) -> None:
    world = make_world(pools=one_node())
    usual = ready_after(world, image="one")
    world.faults.start(kind, **asked)
    slow = ready_after(world, image="two")
    assert slow >= usual + least - PROBE
    world.faults.start(kind, **asked)
    assert (ready_after(world, image="three") > slow + least // 2) is (kind != "throttled-registry")
    world.faults.heal_all()
    assert ready_after(world, image="four") == usual


def test_a_slow_start_is_for_the_pods_that_are_meant() -> None:
    world = make_world(pools=one_node())
    usual = ready_after(world, image="one")
    world.faults.start("slow-start", target="image/two", delay="40s")
    assert ready_after(world, image="three") == usual
    assert ready_after(world, image="two") >= usual + 40 * SECOND - PROBE


def test_a_throttle_slows_the_pull_under_way_and_lets_it_go() -> None:
    world = make_world(pools=one_node(), registry=Registry(bandwidth=10_000_000, size=100_000_000))
    begun = world.now
    run = deploy(world)
    advance(world, 5 * SECOND)
    world.faults.start("throttled-registry", bandwidth=10)
    advance(world, 100 * SECOND)
    assert state(run) is State.PENDING
    world.faults.heal_all()
    settle(world, run)
    assert state(run) is State.RUNNING
    assert 110 * SECOND < world.now - begun < 120 * SECOND


def test_a_pull_error_is_of_the_images_that_are_meant() -> None:
    """Facts 6.2: pulls are tried again after 10, 20, 40... seconds."""
    world = zones()
    world.faults.start("pull-error", target="image/acme/*", error="teapot")
    good = settle(world, deploy(world, image="other/a"))
    bad = deploy(world, image="acme/a")
    advance(world, MINUTE)
    assert healthy(good)
    assert (bad.state, bad.current_health) == (State.PENDING, Health.UNHEALTHY)
    assert 'failed to pull and unpack image "acme/a": teapot' in bad.message
    world.faults.heal_all()
    settle(world, bad)
    assert bad.state is State.RUNNING


def test_some_pulls_are_refused() -> None:
    world = zones()
    world.faults.start("pull-error", probability=0.5)
    runs = [deploy(world, image=f"acme/{number}") for number in range(12)]
    advance(world, 9 * MINUTE)
    failed = {row.subject for row in events(world, "Failed")}
    assert 1 <= len(failed) <= 11
    assert any(run.state is State.RUNNING for run in runs)


# -- nodes -------------------------------------------------------------------------------------


def test_a_node_that_is_down_is_seen_to_be_and_its_pods_come_back_elsewhere() -> None:
    """Facts 8: NotReady 40 to 50 s after the loss, eviction 300 s after that."""
    world = zones()
    run = service(world)
    (pod,) = world.cluster.store.all("Pod")
    node = pod.node
    world.faults.start("node-down", target=f"node/{node.name}")
    lost = world.now
    until(world, lambda: node.ready != "True")
    assert 40 * SECOND <= world.now - lost <= 51 * SECOND
    until(world, lambda: healthy(run) and world.now > lost + MINUTE)
    assert 340 * SECOND <= world.now - lost <= 360 * SECOND
    world.faults.heal_all()
    advance(world, MINUTE)
    assert (node.up, node.ready, node.taints) == (True, "True", ())


def test_a_node_that_says_it_is_not_ready_loses_its_pods_in_time() -> None:
    """Facts 8: the taint not-ready:NoExecute is tolerated for 300 s."""
    world = zones()
    run = service(world)
    (pod,) = world.cluster.store.all("Pod")
    node = pod.node
    world.faults.start("node-not-ready", target=f"node/{node.name}")
    advance(world, 30 * SECOND)
    assert (node.up, node.ready) == (True, "False")
    advance(world, 6 * MINUTE)
    assert pod.removed
    assert healthy(run)
    world.faults.heal_all()
    advance(world, MINUTE)
    assert (node.ready, node.taints) == ("True", ())


def test_a_drained_node_is_empty_and_takes_pods_again_when_it_heals() -> None:
    world = zones()
    run = service(world, replicas=4)
    world.faults.start("drain", target="zone/a")
    advance(world, MINUTE)
    drained = [node for node in world.cluster.nodes if node.zone == "a"]
    assert [(len(node.pods), node.unschedulable) for node in drained] == [(0, True)] * 2
    assert healthy(run)
    world.faults.heal_all()
    assert [node.unschedulable for node in drained] == [False, False]


def test_a_zone_is_lost_as_a_whole_or_not_at_all() -> None:
    for seed in range(10):
        world = zones(seed=seed)
        world.faults.start("zone-loss", target="zone/a", probability=0.5)
        up = [node.up for node in world.cluster.nodes]
        assert up in ([False, False, True, True], [True] * 4)


def test_a_node_is_up_when_the_last_fault_that_keeps_it_down_is_healed() -> None:
    world = zones()
    node = world.cluster.nodes[0]
    steps: list[tuple[Callable[[], object], bool, str]] = [
        (lambda: world.faults.start("node-not-ready", "sick"), True, "False"),
        (lambda: world.faults.start("node-down", "down", target="node/a-1"), False, "Unknown"),
        (lambda: world.faults.start("zone-loss", "zone", target="zone/a"), False, "Unknown"),
        (lambda: world.faults.heal("down"), False, "Unknown"),
        (lambda: world.faults.heal("zone"), True, "False"),
        (lambda: world.faults.heal("sick"), True, "True"),
    ]
    for step, up, ready in steps:
        step()
        advance(world, 2 * MINUTE)
        assert (node.up, node.ready) == (up, ready)


def test_a_node_that_joins_is_struck_too() -> None:
    from emulator.cluster.objects import Node

    world = zones()
    world.faults.start("zone-loss", target="zone/a")
    pool = world.cluster.settings.pools[0]
    world.platform.system.nodes.add(Node("a-3", pool, world.now))
    advance(world, SECOND)
    assert [node.up for node in world.cluster.nodes] == [False, False, True, True, False]
    world.faults.heal_all()
    assert all(node.up for node in world.cluster.nodes)


# -- the control plane -------------------------------------------------------------------------


def test_a_quota_refuses_what_is_new() -> None:
    world = zones()
    old = service(world, "old")
    world.faults.start("quota", "tight", pods=1)
    new = deploy(world, id="new")
    advance(world, MINUTE)
    assert healthy(old)
    assert new.state is State.PENDING
    assert "exceeded quota: fault-tight" in new.message
    world.faults.heal("tight")
    settle(world, new)
    assert healthy(new)


def test_every_quota_must_have_room() -> None:
    world = zones()
    world.faults.start("quota", "loose", pods=100, cpu="64", memory="64Gi", services=50)
    world.faults.start("quota", "tight", services=0)
    assert settle(world, deploy(world)).state is State.ERROR
    world.faults.heal("tight")
    limits = {"cpu": "1", "mem": "1Gi"}
    assert settle(world, deploy(world, resources=limits)).state is State.RUNNING


@pytest.mark.parametrize(
    ("what", "type_", "said"),
    [
        ("addresses", "ClusterIP", "failed to allocate a serviceIP"),
        ("node-ports", "NodePort", "failed to allocate a nodePort"),
    ],
)
def test_a_full_range_refuses_a_service(what: str, type_: str, said: str) -> None:
    """Facts 1: `range is full`, a 500; such a run ends in ERROR for good."""
    world = zones()
    before = service(world, "before", service_type=type_)
    world.faults.start("full-range", range=what)
    during = settle(world, deploy(world, id="during", service_type=type_))
    assert during.state is State.ERROR
    assert said in during.message
    assert "range is full" in during.message
    if what == "node-ports":
        assert settle(world, deploy(world, service_type="ClusterIP")).state is State.RUNNING
    world.faults.heal_all()
    after = settle(world, deploy(world, id="after", service_type=type_))
    assert (healthy(before), after.state, during.state) == (True, State.RUNNING, State.ERROR)


def test_what_is_released_in_a_full_range_is_not_to_be_had() -> None:
    world = zones()
    service(world, "before")
    services = world.platform.system.services
    world.faults.start("full-range")
    free = services._addresses.free
    (held,) = [each for each in world.cluster.store.all("Service") if not each.alias]
    services.delete(held)
    assert services._addresses.free == free + 1
    assert settle(world, deploy(world, id="during")).state is State.ERROR
