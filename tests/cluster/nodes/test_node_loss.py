"""One node of several is lost: who notices when, what is said, and what becomes of the pods.

Sources: Kubernetes facts sections 0.6, 0.7, 0.9 and 8 (observed on 1.36.2); nodelifecycle,
tainteviction.
"""

from __future__ import annotations

import pytest
from nodes_rig import Rig, conditions, lose_one, taints

from emulator.cluster.objects import Node
from emulator.domain.timefmt import MILLISECOND, SECOND

NO_SCHEDULE = "node.kubernetes.io/unreachable:NoSchedule"
NO_EXECUTE = "node.kubernetes.io/unreachable:NoExecute"
SOON = 50 * MILLISECOND


@pytest.mark.parametrize("seed", range(12))
def test_a_loss_is_seen_40_to_55_seconds_after_it(seed: int) -> None:
    """Renewals lie 10 s apart, the grace is 50 s from the last, the look comes every 5 s."""
    rig = Rig(seed=seed)
    rig.advance(100 + seed * 1.7)
    node, at = lose_one(rig)
    assert 40 * SECOND <= rig.now - at <= 55 * SECOND
    assert rig.now - node.lease >= 50 * SECOND


def test_looks_lie_five_seconds_apart_for_all_nodes() -> None:
    rig = Rig(nodes=8)
    for number in range(1, 5):  # fewer than 55 %
        rig.advance(3)
        rig.nodes.lose(rig.node(number))
    rig.advance(100)
    seen = {row.t for row in rig.rows("node") if not row.data["taints"]}
    assert len(seen) > 1
    assert len({t % (5 * SECOND) for t in seen}) == 1


def test_the_conditions_of_a_lost_node() -> None:
    rig = Rig()
    node, _ = lose_one(rig)
    assert conditions(node) == dict.fromkeys(
        ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"), "Unknown"
    )
    said = {(each.reason, each.message) for each in node.conditions.values()}
    assert said == {("NodeStatusUnknown", "Kubelet stopped posting node status.")}
    assert {each.since for each in node.conditions.values()} == {rig.now}


def test_the_timeline_of_one_node_of_three_with_two_of_six_pods() -> None:
    """Section 8 [R]: each step within its window."""
    rig = Rig()
    deployment = rig.deploy(6)
    node, at = lose_one(rig)
    noticed = rig.now
    ours = rig.pods_on(node)
    assert len(ours) == 2
    assert 40 * SECOND <= noticed - at <= 55 * SECOND

    rig.advance(0.05)  # recorded: all within 20 ms
    assert taints(node) == [NO_SCHEDULE]
    assert [pod.ready for pod in ours] == [False, False]
    endpoints = [rig.service.endpoints[pod.key] for pod in ours]
    assert [(each.ready, each.serving, each.terminating) for each in endpoints] == [
        (False, False, False)
    ] * 2
    assert deployment.conditions["Available"].status == "False"  # 4 < 5

    tainted = rig.until_taint(node, NO_EXECUTE)
    assert tainted - noticed == 100 * MILLISECOND

    rig.kernel.run_while(lambda: not ours[0].terminating, rig.now + 400 * SECOND)
    evicted = rig.now
    assert 300 * SECOND <= evicted - tainted <= 300 * SECOND + SOON
    assert 340 * SECOND <= evicted - at <= 356 * SECOND
    rig.advance(0.02)
    fresh = [pod for pod in rig.pods if pod.created >= evicted]
    assert len(fresh) == 2, "replaced as soon as the deletion is asked for"
    rig.advance(0.2)
    assert all(pod.ready and pod.node is not node for pod in fresh)
    assert deployment.conditions["Available"].status == "True"
    assert deployment.terminating_pods == 2

    rig.advance(60)  # the grace is long over
    assert [(pod.removed, pod.terminating, pod.grace) for pod in ours] == [(False, True, 30)] * 2
    endpoints = [rig.service.endpoints[pod.key] for pod in ours]
    assert [each.terminating for each in endpoints] == [True, True]

    removed = rig.now
    rig.nodes.remove(node)
    rig.kernel.run_while(lambda: not ours[0].removed, rig.now + 90 * SECOND)
    assert 40 * SECOND <= rig.now - removed <= 60 * SECOND  # recorded: 46.5 s
    assert [(pod.phase, pod.grace) for pod in ours] == [("Failed", 0)] * 2
    rig.rest()
    assert deployment.terminating_pods == 0


def test_until_it_is_noticed_a_dead_pod_is_a_ready_endpoint_without_a_process() -> None:
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    rig.nodes.lose(node)
    rig.advance(39)
    assert pod.process is None
    assert pod.ready
    assert rig.service.endpoints[pod.key].ready
    rig.advance(17)
    assert not rig.service.endpoints[pod.key].ready


def test_the_controller_says_ready_false_and_leaves_containers_ready_alone() -> None:
    """Section 6 [R]: without reason and message of its own."""
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    before = conditions(pod)
    lose_one(rig)
    rig.advance(0.05)
    assert conditions(pod) == {**before, "Ready": "False"}
    assert before["ContainersReady"] == "True"
    assert (pod.conditions["Ready"].reason, pod.conditions["Ready"].message) == ("", "")
    assert pod.phase == "Running"


def test_what_is_said_of_a_lost_node() -> None:
    rig = Rig()
    rig.deploy(3)
    node, _ = lose_one(rig)
    rig.advance(0.05)
    about_node, about_pod = rig.said("NodeNotReady", "node-controller")
    assert about_node.about is node
    assert (about_node.type, about_node.note) == (
        "Normal",
        "Node n-1 status is now: NodeNotReady",
    )
    assert about_pod.about is rig.pods_on(node)[0]
    assert (about_pod.type, about_pod.note) == ("Warning", "Node is not ready")


def test_what_the_taint_manager_says_and_does() -> None:
    rig = Rig()
    rig.deploy(3)
    node, _ = lose_one(rig)
    (pod,) = rig.pods_on(node)
    rig.advance(310)
    condition = pod.conditions["DisruptionTarget"]
    assert (condition.status, condition.reason, condition.message) == (
        "True",
        "DeletionByTaintManager",
        "Taint manager: deleting due to NoExecute taint",
    )
    (event,) = rig.said("TaintManagerEviction")
    assert (event.type, event.source) == ("Normal", "taint-eviction-controller")
    assert event.note == f"Marking for deletion Pod default/{pod.name}"


def test_a_node_that_is_back_before_anybody_looks_was_never_gone() -> None:
    rig = Rig()
    node = rig.node(1)
    rig.nodes.lose(node)
    rig.advance(30)
    rig.nodes.restore(node)
    assert rig.rows("node") == []
    rig.rest()
    assert node.ready == "True"
    assert rig.rows("node") == []


def test_a_node_that_flaps_is_seen_from_its_last_sign_of_life() -> None:
    rig = Rig()
    node = rig.node(1)
    rig.nodes.lose(node)
    rig.advance(30)
    rig.nodes.restore(node)
    back = rig.now
    rig.advance(1)
    rig.nodes.lose(node)
    rig.advance(48)
    assert node.ready == "True"
    rig.rest()
    (unknown, *_) = rig.rows("node")
    assert 50 * SECOND <= unknown.t - back <= 55 * SECOND


def test_what_returns_in_time_is_spared_and_told_so() -> None:
    rig = Rig()
    rig.deploy(3)
    node, _ = lose_one(rig)
    (pod,) = rig.pods_on(node)
    rig.advance(200)
    assert rig.planned() == [pod]
    back = rig.now
    rig.nodes.restore(node)
    assert conditions(node)["Ready"] == "True"
    condition = node.conditions["Ready"]
    assert (condition.reason, condition.message) == (
        "KubeletReady",
        "kubelet is posting ready status",
    )
    (event,) = rig.said("NodeReady")
    assert (event.source, event.note) == ("kubelet", "Node n-1 status is now: NodeReady")
    rig.advance(0.05)
    assert NO_SCHEDULE not in taints(node)
    rig.kernel.run_while(lambda: bool(node.taints), back + 6 * SECOND)
    assert node.taints == ()
    rig.advance(0.05)
    assert rig.planned() == []
    (event,) = rig.said("TaintManagerEviction")
    assert event.note == f"Cancelling deletion of Pod default/{pod.name}"
    rig.rest()
    assert rig.pods_on(node) == [pod]
    assert (pod.ready, pod.restarts, pod.terminating) == (True, 1, False)


def test_pods_that_wait_for_the_controllers_rate_are_spared_when_the_node_is_back() -> None:
    """20 status updates a second after a burst of 30."""
    rig = Rig(nodes=2)
    rig.nodes.cordon(rig.node(2))
    rig.deploy(60)
    node, _ = lose_one(rig)
    rig.advance(0.52)
    rig.nodes.restore(node)
    rig.rest()
    assert len(rig.said("NodeNotReady", "node-controller")) == 1 + 30 + 10


def test_what_hangs_goes_when_its_node_is_back() -> None:
    rig = Rig()
    rig.deploy(3)
    node, _ = lose_one(rig)
    (pod,) = rig.pods_on(node)
    rig.advance(400)
    assert pod.terminating
    rig.nodes.restore(node)
    rig.advance(1)
    assert pod.removed
    rig.rest()
    assert node.ready == "True"
    assert node.taints == ()
    assert len(rig.pods) == 3


def test_a_pod_bound_to_a_node_that_is_dead_already_is_evicted_too() -> None:
    """The scheduler believes the condition: for 40 to 55 s it places pods there."""
    rig = Rig(nodes=1)
    rig.nodes.lose(rig.node(1))
    other = Node("late", rig.node(1).pool, rig.now)
    rig.create(1)
    rig.advance(5)
    (pod,) = rig.pods
    assert pod.node is rig.node(1)
    rig.nodes.add(other)
    rig.advance(60)
    assert "Ready" not in pod.conditions
    assert rig.said("NodeNotReady", "node-controller")[0].about is rig.node(1)
    assert len(rig.said("NodeNotReady", "node-controller")) == 1
    rig.advance(320)
    assert pod.terminating
    assert [each.node for each in rig.pods if not each.terminating] == [other]


def test_every_change_of_a_node_is_a_row() -> None:
    rig = Rig()
    node, _ = lose_one(rig)
    rig.advance(20)
    rig.nodes.restore(node)
    rig.rest()
    rows = [
        (row.data["ready"], row.data["taints"], row.data["unschedulable"])
        for row in rig.rows("node", "Node/n-1")
    ]
    assert rows == [
        ("Unknown", [], False),
        ("Unknown", [NO_SCHEDULE], False),
        ("Unknown", [NO_SCHEDULE, NO_EXECUTE], False),
        ("True", [NO_SCHEDULE, NO_EXECUTE], False),
        ("True", [NO_EXECUTE], False),
        ("True", [], False),
    ]
    assert len(rig.rows("node")) == len(rows)


def test_nothing_is_scheduled_while_nothing_changes() -> None:
    rig = Rig()
    assert rig.kernel.peek() == float("inf")
    rig.deploy(3)
    rig.rest()
    node, _ = lose_one(rig)
    rig.rest()
    assert node.ready == "Unknown"
    assert rig.pods_on(node)[0].terminating


def test_the_same_seed_gives_the_same_bytes() -> None:
    def life(seed: int) -> str:
        rig = Rig(seed=seed)
        rig.deploy(6)
        node, _ = lose_one(rig)
        rig.advance(333)
        rig.nodes.restore(node)
        rig.rest()
        return rig.kernel.journal.sha256

    assert life(4) == life(4)
    assert life(4) != life(5)
