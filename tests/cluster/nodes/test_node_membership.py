"""Nodes that join, that are removed, and what becomes of their pods.

Sources: Kubernetes facts section 8; nodelifecycle, podgc.
"""

from __future__ import annotations

import pytest
from nodes_rig import Rig

from emulator.cluster.objects import Node
from emulator.domain.timefmt import SECOND


@pytest.mark.parametrize("seed", range(8))
def test_the_pods_of_a_removed_node_are_collected_40_to_60_seconds_later(seed: int) -> None:
    rig = Rig(seed=seed)
    rig.deploy(3)
    rig.advance(seed * 2.9)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    removed = rig.now
    rig.nodes.remove(node)
    assert node not in rig.cluster.nodes
    rig.kernel.run_while(lambda: not pod.removed, rig.now + 90 * SECOND)
    assert 40 * SECOND <= rig.now - removed <= 60 * SECOND
    condition = pod.conditions["DisruptionTarget"]
    assert (condition.status, condition.reason, condition.message) == (
        "True",
        "DeletionByPodGC",
        "PodGC: node no longer exists",
    )
    assert (pod.phase, pod.grace) == ("Failed", 0)
    rig.rest()
    assert len(rig.pods) == 3
    assert all(each.ready for each in rig.pods)
    (event,) = rig.said("RemovingNode")
    assert event.note == "Node n-1 event: Removing Node n-1 from Controller"


def test_a_node_that_is_back_under_its_name_in_time_keeps_its_pods() -> None:
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    rig.nodes.remove(node)
    rig.advance(30)
    again = Node("n-1", node.pool, rig.now)
    rig.nodes.add(again)
    rig.rest()
    assert rig.pods_on(again) == [pod]
    assert again.used["pods"] == 1
    assert (pod.ready, pod.restarts, pod.process is None) == (True, 0, False)


def test_a_node_that_was_down_and_is_added_anew_starts_its_pods() -> None:
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    rig.nodes.lose(node)
    rig.nodes.remove(node)
    rig.advance(30)
    rig.nodes.add(Node("n-1", node.pool, rig.now))
    rig.rest()
    assert (pod.ready, pod.restarts, pod.process is None) == (True, 1, False)


def test_a_name_is_taken_once() -> None:
    rig = Rig()
    with pytest.raises(ValueError, match="node n-1 exists already"):
        rig.nodes.add(Node("n-1", rig.node(1).pool, rig.now))


def test_a_node_that_joins_is_registered_and_used() -> None:
    rig = Rig(nodes=1)
    rig.nodes.cordon(rig.node(1))
    rig.create(1)
    rig.advance(30)
    (pod,) = rig.pods
    assert rig.pods_on(rig.node(1)) == []
    late = Node("late", rig.node(1).pool, rig.now)
    rig.nodes.add(late)
    rig.rest()
    assert pod.node is late
    assert pod.ready
    (event,) = rig.said("RegisteredNode")
    assert event.note == "Node late event: Registered Node late in Controller"


def test_a_node_whose_kubelet_never_speaks_is_unknown_after_60_seconds() -> None:
    """Start-up grace; there is no status that anybody could have stopped posting."""
    rig = Rig()
    rig.advance(7)
    late = Node("late", rig.node(1).pool, rig.now)
    late.up = False
    joined = rig.now
    rig.nodes.add(late)
    rig.advance(59)
    assert late.conditions == {}
    rig.kernel.run_while(lambda: not late.conditions, rig.now + 30 * SECOND)
    assert 60 * SECOND <= rig.now - joined <= 65 * SECOND
    said = {(each.reason, each.message) for each in late.conditions.values()}
    assert said == {("NodeStatusNeverUpdated", "Kubelet never posted node status.")}
    rig.advance(0.05)
    assert rig.said("NodeNotReady") == []
    rig.nodes.restore(late)
    rig.rest()
    assert (late.ready, late.taints) == ("True", ())


def test_an_operation_on_a_node_that_is_gone_does_nothing() -> None:
    rig = Rig()
    node = rig.node(1)
    rig.nodes.remove(node)
    rig.rest()
    rows = rig.kernel.journal.count
    for act in (
        rig.nodes.remove,
        rig.nodes.lose,
        rig.nodes.restore,
        rig.nodes.not_ready,
        rig.nodes.cordon,
        rig.nodes.uncordon,
    ):
        act(node)
        rig.rest()
    assert rig.kernel.journal.count == rows
