"""What keeps a pod off a node, and what is said of it.

Sources: Kubernetes facts section 5; pkg/scheduler/framework/plugins (order of the filters, texts,
which failure preemption could mend) and preemption/preemption.go.
"""

from __future__ import annotations

from typing import Any

import pytest
from scheduler_alone import Alone

from emulator.cluster.objects import Node
from emulator.cluster.settings import NodePool

TAIL = "no new claims to deallocate, preemption:"
GPU_TAINT = ("gpu", "yes", "NoSchedule")


def only_note(alone: Alone) -> str:
    """The one FailedScheduling there is."""
    (note,) = alone.notes("FailedScheduling")
    return note


def affinity(operator: str, *values: str, key: str = "disk") -> dict[str, Any]:
    """A required node affinity of one expression."""
    expression = {"key": key, "operator": operator, "values": list(values)}
    term = {"matchExpressions": [expression]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"nodeAffinity": required}


def test_each_node_names_the_first_filter_that_fails() -> None:
    """Unschedulable before taints before affinity before resources."""
    alone = Alone(
        NodePool("cordoned", 1, cpu=100, taints=(GPU_TAINT,)),
        NodePool("tainted", 2, cpu=100, taints=(GPU_TAINT,)),
        NodePool("other", 3, cpu=100),
        NodePool("small", 1, cpu=100, labels={"disk": "ssd"}),
    )
    alone.cluster.nodes[0].unschedulable = True
    alone.pod("p", nodeSelector={"disk": "ssd"})
    assert only_note(alone) == (
        "0/7 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable, "
        "2 node(s) had untolerated taint(s), 3 node(s) didn't match Pod's node affinity/selector. "
        f"{TAIL} 0/7 nodes are available: 7 Preemption is not helpful for scheduling."
    )


def test_a_shortage_that_fewer_pods_would_mend_has_no_victims() -> None:
    """A node that could hold the pod when empty is resolvable; one that could not is not (fit.go)."""
    alone = Alone(NodePool("full", 2, cpu=2000), NodePool("small", 1, cpu=1500))
    for number in range(3):
        alone.pod(f"holder-{number}")
    alone.pod("big", requests={"cpu": "2"})
    assert only_note(alone) == (
        f"0/3 nodes are available: 3 Insufficient cpu. {TAIL} 0/3 nodes are available: "
        "1 Preemption is not helpful for scheduling, "
        "2 No preemption victims found for incoming pod."
    )


def test_a_node_names_all_that_it_is_short_of() -> None:
    alone = Alone(NodePool("node", 1, cpu=100, memory=1024, gpu=0, pods=0))
    alone.pod("p", requests={"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"})
    assert only_note(alone).startswith(
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, "
        "1 Insufficient nvidia.com/gpu, 1 Too many pods. "
    )


def test_a_resource_that_is_not_asked_for_is_not_missed() -> None:
    """Over-full nodes take pods that request nothing of what is gone."""
    alone = Alone(NodePool("node", 1, cpu=1000))
    assert alone.placed("holder") == "node-1"
    assert alone.placed("nothing", requests={"cpu": "0"}) == "node-1"


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "value": "yes"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "cpu", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], tolerated: bool) -> None:
    alone = Alone(NodePool("node", 1, taints=(GPU_TAINT,)))
    assert alone.placed("p", tolerations=[toleration]) == ("node-1" if tolerated else "")


def test_a_taint_of_effect_prefer_no_schedule_keeps_nobody_away() -> None:
    alone = Alone(NodePool("node", 1, taints=(("old", "", "PreferNoSchedule"),)))
    assert alone.placed("p") == "node-1"


def test_who_tolerates_the_taint_of_a_cordon_may_go_there() -> None:
    """plugins/nodeunschedulable: as daemons do."""
    alone = Alone(NodePool("node"))
    for node in alone.cluster.nodes:
        node.unschedulable = True
    assert alone.placed("p") == ""
    cordon = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}
    assert alone.placed("daemon", tolerations=[cordon]) != ""


@pytest.mark.parametrize(
    ("required", "matched"),
    [
        (affinity("In", "ssd", "nvme"), True),
        (affinity("In", "nvme"), False),
        (affinity("NotIn", "ssd"), False),
        (affinity("NotIn", "hdd"), True),
        (affinity("NotIn", "x", key="absent"), True),
        (affinity("Exists"), True),
        (affinity("Exists", key="absent"), False),
        (affinity("DoesNotExist", key="absent"), True),
        (affinity("Gt", "7", key="cores"), True),
        (affinity("Gt", "8", key="cores"), False),
        (affinity("Lt", "9", key="cores"), True),
        (affinity("Lt", "9"), False),
    ],
)
def test_node_affinity(required: dict[str, Any], matched: bool) -> None:
    alone = Alone(NodePool("node", 1, labels={"disk": "ssd", "cores": "8"}))
    assert alone.placed("p", affinity=required) == ("node-1" if matched else "")


def test_one_term_of_an_affinity_is_enough_and_an_empty_one_is_none() -> None:
    terms: list[dict[str, Any]] = [
        {},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-2"]}]},
    ]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    alone = Alone(NodePool("node"))
    assert alone.placed("p", affinity={"nodeAffinity": required}) == "node-2"


def test_no_node_at_all() -> None:
    alone = Alone()
    alone.pod("p")
    assert only_note(alone) == "no nodes available to schedule pods"
    alone.join(Node("late", NodePool(), alone.kernel.now))
    alone.wait(1)
    assert alone.notes("Scheduled") == ["Successfully assigned default/p to late"]


def test_what_is_booked_is_freed_when_a_pod_is_gone_or_has_ended() -> None:
    alone = Alone(NodePool("node", 1))
    (node,) = alone.cluster.nodes
    first, second = alone.pod("first"), alone.pod("second")
    assert (node.used["cpu"], node.used["pods"]) == (2000, 2)
    first.phase = "Succeeded"
    alone.cluster.store.changed(first)
    assert (node.used["cpu"], node.used["pods"]) == (1000, 1)
    alone.gone(first)
    alone.gone(second)
    assert set(node.used.values()) == {0}


def test_a_pod_that_comes_with_its_node_is_booked_there() -> None:
    """The scheduler's cache counts every assigned pod, whoever assigned it."""
    alone = Alone(NodePool("node", 1))
    (node,) = alone.cluster.nodes
    pod = alone.pod("p", node=node)
    assert node.used["cpu"] == 1000
    alone.gone(pod)
    assert node.used["cpu"] == 0
    assert alone.notes("Scheduled") == []
