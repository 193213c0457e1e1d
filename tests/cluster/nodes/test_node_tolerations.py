"""Taints and tolerations: how long pods bear what their node has, and taints that operators put.

Sources: Kubernetes facts sections 2 (admission), 4 (client rate) and 8; tainteviction, podgc.
"""

from __future__ import annotations

from typing import Any

import pytest
from nodes_rig import Rig, lose_one, taints

from emulator.cluster.objects import Pod, Taint
from emulator.domain.timefmt import MILLISECOND, SECOND

NO_EXECUTE = "node.kubernetes.io/unreachable:NoExecute"
SOON = 50 * MILLISECOND


def tolerating(**toleration: Any) -> Pod:
    """The pod of a lost node with this toleration, 310 s after the taint; it may be gone by then."""
    rig = Rig()
    rig.deploy(3, (toleration,))
    node, _ = lose_one(rig)
    (pod,) = rig.pods_on(node)
    tainted = rig.until_taint(node, NO_EXECUTE)
    rig.advance(310)
    if pod.deleted_at is not None:
        pod.deleted_at -= tainted + 30 * SECOND
    return pod


@pytest.mark.parametrize(
    ("toleration", "after"),
    [
        ({"key": "node.kubernetes.io/unreachable", "operator": "Exists"}, None),
        ({"operator": "Exists"}, None),
        ({"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20}, 20),
        ({"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}, 0),
        ({"key": "node.kubernetes.io/not-ready", "operator": "Exists"}, 300),
        ({"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}, 300),
        (
            {
                "key": "node.kubernetes.io/unreachable",
                "operator": "Equal",
                "value": "other",
                "effect": "NoExecute",
            },
            0,
        ),
    ],
)
def test_how_long_a_pod_bears_the_loss(toleration: dict[str, Any], after: int | None) -> None:
    """Admission adds 300 s only where the pod says nothing of that taint."""
    pod = tolerating(**toleration)
    if after is None:
        assert not pod.terminating
    else:
        assert pod.deleted_at is not None
        assert after * SECOND <= pod.deleted_at <= after * SECOND + SOON


def test_a_no_execute_taint_evicts_at_once_who_does_not_bear_it() -> None:
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    rig.nodes.taint(node, Taint("maintenance", "NoExecute"))
    rig.advance(0.05)
    assert pod.terminating
    rig.rest()
    assert pod.removed
    assert rig.pods_on(node) == []
    rig.nodes.untaint(node, "maintenance")
    assert node.taints == ()


def test_a_node_out_of_service_lets_its_hanging_pods_go_at_the_next_look() -> None:
    """podgc: the node is not ready and tainted out-of-service; the look comes every 20 s."""
    rig = Rig()
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    rig.nodes.lose(node)
    rig.advance(60)
    tainted = rig.now
    rig.nodes.taint(node, Taint("node.kubernetes.io/out-of-service", "NoExecute", "nodeshutdown"))
    rig.kernel.run_while(lambda: not pod.removed, rig.now + 60 * SECOND)
    assert 0 < rig.now - tainted <= 20 * SECOND
    assert (pod.phase, pod.grace) == ("Failed", 0)
    assert pod.conditions["DisruptionTarget"].reason == "DeletionByTaintManager"
    rig.rest()
    assert len(rig.pods) == 3


def test_out_of_service_says_nothing_while_the_node_is_ready() -> None:
    """Its kubelet ends the pod, however long that takes."""
    rig = Rig(stop=25 * SECOND)
    rig.deploy(3)
    node = rig.node(1)
    (pod,) = rig.pods_on(node)
    tainted = rig.now
    rig.nodes.taint(node, Taint("node.kubernetes.io/out-of-service", "NoExecute", "nodeshutdown"))
    rig.kernel.run_while(lambda: not pod.removed, rig.now + 60 * SECOND)
    assert 25 * SECOND <= rig.now - tainted <= 26 * SECOND


def test_taints_that_operators_put_stay_through_a_loss() -> None:
    rig = Rig()
    node = rig.node(1)
    rig.nodes.taint(node, Taint("dedicated", "NoSchedule", "team"))
    rig.nodes.cordon(node)
    rig.nodes.lose(node)
    rig.rest()
    assert len(node.taints) == 4
    rig.nodes.restore(node)
    rig.rest()
    assert taints(node) == [
        "dedicated:NoSchedule",
        "node.kubernetes.io/unschedulable:NoSchedule",
    ]


def test_the_controller_managers_rate_limits_its_evictions() -> None:
    """20 requests a second with a burst of 30; an eviction is two: the condition, the deletion."""
    rig = Rig(nodes=2)
    rig.nodes.cordon(rig.node(2))
    rig.deploy(60)
    node = rig.node(1)
    pods = rig.pods_on(node)
    rig.nodes.taint(node, Taint("maintenance", "NoExecute"))
    begun = rig.now
    rig.kernel.run_while(lambda: not all(pod.terminating for pod in pods), begun + 30 * SECOND)
    took = rig.now - begun
    assert abs(took - (60 * 2 - 30) * SECOND // 20) <= 100 * MILLISECOND
