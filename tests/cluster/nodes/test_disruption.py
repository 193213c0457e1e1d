"""Many nodes are lost: how fast they are tainted, zone by zone, and when nobody is evicted.

Sources: Kubernetes facts sections 0.6 and 8; nodelifecycle handleDisruption and rate_limited_queue.
"""

from __future__ import annotations

import pytest
from nodes_rig import Rig, lose, taints

from emulator.cluster.settings import NodePool
from emulator.domain.timefmt import MILLISECOND, SECOND

NO_EXECUTE = "node.kubernetes.io/unreachable:NoExecute"


def tainted_at(rig: Rig) -> list[int]:
    """When each node got its NoExecute taint, in seconds after the first one did."""
    found: dict[str, int] = {}
    for row in rig.rows("node"):
        if NO_EXECUTE in row.data["taints"]:
            found.setdefault(row.subject, row.t)
    first = min(found.values(), default=0)
    return [(t - first) // SECOND for t in found.values()]


# -- rates ----------------------------------------------------------------------------------------


def test_a_zone_taints_a_node_every_ten_seconds() -> None:
    rig = Rig(nodes=10)
    lose(rig, rig.cluster.nodes[:5])
    rig.rest()
    assert tainted_at(rig) == [0, 10, 20, 30, 40]


def test_a_node_that_returns_while_it_waits_for_its_taint_gives_up_its_place() -> None:
    rig = Rig(nodes=10)
    lose(rig, rig.cluster.nodes[:4])
    rig.until_taint(rig.node(1), NO_EXECUTE)
    rig.nodes.restore(rig.node(2))
    rig.rest()
    assert tainted_at(rig) == [0, 10, 20]
    assert rig.node(2).taints == ()


@pytest.mark.parametrize(("down", "rate"), [(2, "normal"), (3, "none")])
def test_partial_disruption_of_a_small_zone_stops_its_taints(down: int, rate: str) -> None:
    """More than two, and at least 55 %: three of five; two of three are no disruption."""
    rig = Rig(nodes=3 if rate == "normal" else 5)
    lose(rig, rig.cluster.nodes[:down])
    rig.rest()
    assert tainted_at(rig) == ([0, 10] if rate == "normal" else [])
    assert rig.nodes.lifecycle.zones.state("") == (
        "Normal" if rate == "normal" else "PartialDisruption"
    )
    assert all(taints(node) for node in rig.cluster.nodes[:down])


def test_partial_disruption_of_a_large_zone_slows_its_taints_tenfold() -> None:
    """More than 50 nodes: 0.01 a second."""
    rig = Rig(nodes=51)
    lose(rig, rig.cluster.nodes[:29])
    rig.advance(50)
    rig.until_taint(rig.node(1), NO_EXECUTE)
    rig.advance(250)
    assert tainted_at(rig) == [0, 100, 200]


def test_when_a_small_zone_is_less_disrupted_the_taints_come_with_an_empty_bucket() -> None:
    rig = Rig(nodes=5)
    lose(rig, rig.cluster.nodes[:3])
    rig.rest()
    rig.nodes.restore(rig.node(3))
    back = rig.now
    first = rig.until_taint(rig.node(1), NO_EXECUTE)
    assert 10 * SECOND <= first - back <= 15 * SECOND + 100 * MILLISECOND
    rig.rest()
    assert tainted_at(rig) == [0, 10]


def zoned() -> Rig:
    """Two zones of three nodes."""
    return Rig(pools=(NodePool("a", 3, zone="a"), NodePool("b", 3, zone="b")))


def test_a_zone_that_is_lost_as_a_whole_is_evicted_at_the_normal_rate_while_another_lives() -> None:
    rig = zoned()
    lose(rig, rig.nodes.in_zone("a"))
    rig.rest()
    assert rig.nodes.lifecycle.zones.state("a") == "FullDisruption"
    assert rig.nodes.lifecycle.zones.state("b") == "Normal"
    assert tainted_at(rig) == [0, 10, 20]


def test_zones_have_rates_of_their_own() -> None:
    rig = zoned()
    lose(rig, (rig.node(1), rig.node(2), rig.node(4)))
    rig.rest()
    assert sorted(tainted_at(rig)) == [0, 0, 10]


# -- nobody is ready ------------------------------------------------------------------------------


@pytest.mark.parametrize("rig", [Rig(), zoned()], ids=["no zones", "two zones"])
def test_when_all_nodes_are_lost_nobody_is_evicted(rig: Rig) -> None:
    """Section 0.6 [R]: six minutes, no deletion; nothing ever comes of it."""
    deployment = rig.deploy(6)
    pods = rig.pods
    lose(rig, rig.cluster.nodes)
    rig.advance(6 * 60)
    assert rig.pods == pods
    assert not any(pod.terminating or pod.ready for pod in pods)
    assert {pod.phase for pod in pods} == {"Running"}
    assert tainted_at(rig) == []
    assert deployment.ready == 0
    rig.rest()
    assert rig.pods == pods


def test_who_was_noticed_first_is_spared_when_the_last_one_is() -> None:
    """Leases out of step: the first node is tainted before the second look finds no node ready."""
    rig = Rig()
    rig.deploy(3)
    rig.in_step()
    rig.node(1).lease -= 6 * SECOND
    for node in rig.cluster.nodes:
        rig.nodes.lose(node)
    rig.until_taint(rig.node(1), NO_EXECUTE)
    rig.advance(0.05)
    (pod,) = rig.nodes.taints.planned
    rig.advance(10)
    assert [taints(node) for node in rig.cluster.nodes] == [
        ["node.kubernetes.io/unreachable:NoSchedule"]
    ] * 3
    assert rig.nodes.taints.planned == ()
    (event,) = rig.said("TaintManagerEviction")
    assert event.note == f"Cancelling deletion of Pod default/{pod.name}"


def test_the_first_node_that_is_back_starts_the_clocks_anew() -> None:
    """The bucket begins empty: ten seconds to the first taint, and 300 s from there."""
    rig = Rig()
    rig.deploy(3)
    lose(rig, rig.cluster.nodes)
    rig.advance(600)
    rig.nodes.restore(rig.node(1))
    back = rig.now
    first = rig.until_taint(rig.node(2), NO_EXECUTE)
    assert 10 * SECOND <= first - back <= 15 * SECOND + 100 * MILLISECOND
    assert rig.until_taint(rig.node(3), NO_EXECUTE) - first == 10 * SECOND
    (pod,) = rig.pods_on(rig.node(2))
    rig.kernel.run_while(lambda: not pod.terminating, rig.now + 400 * SECOND)
    assert 300 * SECOND <= rig.now - first <= 301 * SECOND


def test_the_grace_of_a_silent_node_begins_anew_with_the_first_that_is_back() -> None:
    """handleDisruption moves the probe timestamps when full disruption ends."""
    rig = Rig(nodes=2)
    silent, other = rig.cluster.nodes
    rig.nodes.not_ready(silent)
    rig.nodes.not_ready(other)
    rig.advance(20)
    rig.nodes.lose(silent)
    rig.advance(25)
    rig.nodes.restore(other)
    rig.kernel.run_while(lambda: other.ready != "True", rig.now + 20 * SECOND)
    back = rig.now
    rig.kernel.run_while(lambda: silent.ready == "False", rig.now + 100 * SECOND)
    assert 50 * SECOND <= rig.now - back <= 55 * SECOND


def test_when_all_are_back_all_is_as_before() -> None:
    rig = Rig()
    deployment = rig.deploy(6)
    pods = rig.pods
    lose(rig, rig.cluster.nodes)
    rig.advance(600)
    for node in rig.cluster.nodes:
        rig.nodes.restore(node)
    rig.rest()
    assert [node.taints for node in rig.cluster.nodes] == [(), (), ()]
    assert rig.pods == pods
    assert deployment.ready == 6
    assert rig.said("TaintManagerEviction") == []


def test_a_zone_that_goes_with_the_last_ready_node_stops_no_eviction() -> None:
    """handleDisruption forgets a zone without nodes first: the others were fully disrupted before."""
    rig = zoned()
    lose(rig, rig.nodes.in_zone("a"))
    rig.until_taint(rig.node(1), NO_EXECUTE)
    for node in rig.nodes.in_zone("b"):
        rig.nodes.remove(node)
    rig.rest()
    assert all(NO_EXECUTE in taints(node) for node in rig.cluster.nodes)
