"""Nodes that are not ready, cordoned, drained.

Sources: Kubernetes facts sections 6.5 and 8; nodelifecycle, tainteviction; the documentation of
kubectl cordon and drain, and of API-initiated eviction.
"""

from __future__ import annotations

from nodes_rig import Rig, conditions, taints

from emulator.domain.timefmt import SECOND

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
CORDONED = "node.kubernetes.io/unschedulable:NoSchedule"


# -- not ready ------------------------------------------------------------------------------------


def test_a_kubelet_that_is_not_well_says_so_on_its_next_beat() -> None:
    rig = Rig()
    rig.deploy(3)
    node, before = rig.node(1), rig.now
    rig.nodes.not_ready(node)
    rig.kernel.run_while(lambda: node.ready == "True", rig.now + 20 * SECOND)
    assert 0 < rig.now - before <= 10 * SECOND
    condition = node.conditions["Ready"]
    assert (condition.status, condition.reason) == ("False", "KubeletNotReady")
    assert condition.message == "container runtime is down"
    assert conditions(node)["MemoryPressure"] == "False"
    (event,) = rig.said("NodeNotReady")
    assert (event.source, event.type) == ("kubelet", "Normal")
    assert event.note == "Node n-1 status is now: NodeNotReady"


def test_its_pods_run_on_and_are_evicted_after_300_seconds() -> None:
    """The node controller leaves them ready: the condition was not True when it looked."""
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    rig.nodes.not_ready(node)
    tainted = rig.until_taint(node, f"{NOT_READY}:NoExecute")
    assert taints(node) == [f"{NOT_READY}:NoSchedule", f"{NOT_READY}:NoExecute"]
    assert pod.ready
    assert rig.said("NodeNotReady", "node-controller") == []
    rig.kernel.run_while(lambda: not pod.terminating, rig.now + 400 * SECOND)
    assert 300 * SECOND <= rig.now - tainted <= 301 * SECOND
    rig.rest()
    assert pod.removed, "its kubelet is up"
    assert all(each.node is not node for each in rig.pods)


def test_it_gets_well_and_nothing_is_left() -> None:
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    rig.nodes.not_ready(node)
    rig.advance(100)
    rig.nodes.restore(node)
    rig.rest()
    assert node.ready == "True"
    assert node.taints == ()
    assert [pod.restarts for pod in rig.pods] == [0, 0, 0]
    assert len(rig.said("NodeReady", "kubelet")) == 1
    assert len(rig.said("TaintManagerEviction")) == 1


def test_a_node_that_was_not_ready_and_is_lost_changes_its_taints_but_not_its_clock() -> None:
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    rig.nodes.not_ready(node)
    first = rig.until_taint(node, f"{NOT_READY}:NoExecute")
    rig.nodes.lose(node)
    rig.until_taint(node, f"{UNREACHABLE}:NoExecute")
    rig.advance(0.05)
    assert sorted(taints(node)) == [f"{UNREACHABLE}:NoExecute", f"{UNREACHABLE}:NoSchedule"]
    assert not any("Cancelling" in each.note for each in rig.said("TaintManagerEviction"))
    rig.kernel.run_while(lambda: not pod.terminating, rig.now + 400 * SECOND)
    assert 300 * SECOND <= rig.now - first <= 301 * SECOND


# -- cordon and drain -----------------------------------------------------------------------------


def test_cordon_marks_and_taints_and_leaves_what_runs() -> None:
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    rig.nodes.cordon(node)
    assert node.unschedulable
    rig.advance(0.05)
    assert taints(node) == [CORDONED]
    rig.rest()
    assert len(rig.pods_on(node)) == 1
    assert node.ready == "True"
    (event,) = rig.said("NodeNotSchedulable")
    assert event.note == "Node n-1 status is now: NodeNotSchedulable"
    rig.nodes.uncordon(node)
    rig.rest()
    assert (node.unschedulable, node.taints) == (False, ())
    assert len(rig.said("NodeSchedulable")) == 1


def test_a_cordoned_node_gets_no_pod() -> None:
    rig = Rig()
    rig.nodes.cordon(rig.node(1))
    rig.nodes.cordon(rig.node(2))
    rig.deploy(3)
    assert {pod.node for pod in rig.pods} == {rig.node(3)}


def test_drain_evicts_through_the_eviction_api_and_waits() -> None:
    rig = Rig()
    rig.deploy(6)
    node, begun = rig.node(1), rig.now
    ours = rig.pods_on(node)
    assert len(ours) == 2
    ended: list[int] = []
    rig.nodes.drain(node, lambda: ended.append(rig.now))
    assert all(pod.terminating and pod.grace == 30 for pod in ours)
    condition = ours[0].conditions["DisruptionTarget"]
    assert (condition.reason, condition.message) == (
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )
    rig.rest()
    assert [t - begun for t in ended] == [SECOND], "it looks every second"
    assert rig.pods_on(node) == []
    assert [pod.ready for pod in rig.pods] == [True] * 6
    assert node.ready == "True"
    assert taints(node) == [CORDONED]


def test_the_drain_of_an_empty_node_is_done_at_once() -> None:
    rig = Rig()
    ended: list[int] = []
    rig.nodes.drain(rig.node(1), lambda: ended.append(rig.now))
    rig.rest()
    assert ended == [0]


def test_the_drain_of_a_node_that_is_down_hangs_until_it_is_back() -> None:
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    ended: list[int] = []
    rig.nodes.lose(node)
    rig.nodes.drain(node, lambda: ended.append(rig.now))
    rig.advance(600)
    assert ended == []
    rig.nodes.restore(node)
    rig.rest()
    assert len(ended) == 1
