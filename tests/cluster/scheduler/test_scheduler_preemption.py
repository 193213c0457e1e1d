"""Who has to go for a more important pod.

Sources: Kubernetes facts section 5; pkg/scheduler/framework/preemption/preemption.go and
plugins/defaultpreemption/default_preemption.go (victims, choice of the node, texts).
"""

from __future__ import annotations

from scheduler_alone import Alone, where

from emulator.cluster.settings import NodePool

TAIL = "no new claims to deallocate, preemption:"


def test_a_pod_of_lower_priority_makes_room() -> None:
    alone = Alone(NodePool("node", 1, cpu=1000))
    victim = alone.pod("victim")
    high = alone.pod("high", priority=10)
    assert victim.terminating
    assert high.nominated == "node-1"
    condition = victim.conditions["DisruptionTarget"]
    assert (condition.status, condition.reason) == ("True", "PreemptionByScheduler")
    assert condition.message == "default-scheduler: preempting to accommodate a higher priority pod"
    (note,) = alone.notes("Preempted", victim)
    assert note.startswith("Preempted by pod ")
    assert note.endswith(" on node node-1")
    # what is said of the pod itself: nothing of preemption, which has succeeded
    assert alone.notes("FailedScheduling", high) == ["0/1 nodes are available: 1 Insufficient cpu."]
    alone.gone(victim)
    alone.wait(1)
    assert where(high) == "node-1"
    assert high.nominated == ""


def test_while_the_victims_go_nobody_else_is_evicted() -> None:
    alone = Alone(NodePool("node", 1, cpu=2000))
    first, second = alone.pod("first"), alone.pod("second")
    high = alone.pod("high", priority=10)
    assert [first.terminating, second.terminating].count(True) == 1
    alone.wait(301)
    assert alone.notes("FailedScheduling", high)[-1] == (
        f"0/1 nodes are available: 1 Insufficient cpu. {TAIL} not eligible due to a terminating pod "
        "on the nominated node."
    )
    assert [first.terminating, second.terminating].count(True) == 1


def test_the_room_of_the_victims_is_kept_from_less_important_pods() -> None:
    alone = Alone(NodePool("node", 1, cpu=1000))
    victim = alone.pod("victim")
    high = alone.pod("high", priority=10)
    alone.gone(victim)  # in its back-off, the other does not see what is free
    assert alone.placed("quick") == ""
    alone.wait(1)
    assert where(high) == "node-1"


def test_nobody_is_evicted_where_it_would_not_help() -> None:
    """The dry run's own reasons are counted beside those of the other nodes."""
    alone = Alone(NodePool("node", 1, cpu=2000), NodePool("small", 1, cpu=500))
    equal, low = alone.pod("equal", priority=10), alone.pod("low", requests={"cpu": "500m"})
    alone.pod("fill", priority=10, requests={"cpu": "500m"})
    high = alone.pod("high", priority=10, requests={"cpu": "1500m"})
    assert not equal.terminating
    assert not low.terminating
    (note,) = alone.notes("FailedScheduling", high)
    assert note == (
        f"0/2 nodes are available: 2 Insufficient cpu. {TAIL} 0/2 nodes are available: "
        "1 Insufficient cpu, 1 Preemption is not helpful for scheduling."
    )


def test_as_few_as_possible_go_and_the_least_important_of_them() -> None:
    alone = Alone(NodePool("node", 1, cpu=3000))
    pods = [alone.pod(f"p-{priority}", priority=priority) for priority in (3, 1, 2)]
    alone.pod("high", priority=10, requests={"cpu": "2"})
    assert [pod.terminating for pod in pods] == [False, True, True]


def test_of_equals_the_one_that_started_last_goes() -> None:
    alone = Alone(NodePool("node", 1, cpu=2000))
    old, new = alone.pod("old"), alone.pod("new")
    old.started, new.started = 1, 2
    alone.pod("high", priority=10)
    assert (old.terminating, new.terminating) == (False, True)


def test_the_node_whose_victims_matter_least_is_chosen() -> None:
    """First the highest priority among them, then their sum, then their number."""
    alone = Alone(NodePool("a", 1, cpu=1000), NodePool("b", 1, cpu=1000))
    first = alone.pod("first", priority=5)
    second = alone.pod("second", priority=4)
    alone.pod("high", priority=10)
    assert (first.terminating, second.terminating) == (False, True)


def test_a_pod_with_the_policy_never_evicts_nobody() -> None:
    alone = Alone(NodePool("node", 1, cpu=1000))
    victim = alone.pod("victim")
    polite = alone.pod("polite", priority=10, preemptionPolicy="Never")
    assert not victim.terminating
    assert alone.notes("FailedScheduling", polite) == [
        f"0/1 nodes are available: 1 Insufficient cpu. {TAIL} not eligible due to "
        "preemptionPolicy=Never."
    ]


def test_a_nomination_goes_to_the_more_important_pod() -> None:
    """The less important one looks elsewhere (clearNominatedNodeName)."""
    alone = Alone(NodePool("node", 1, cpu=1000))
    victim = alone.pod("victim")
    middle = alone.pod("middle", priority=5)
    high = alone.pod("high", priority=10)
    assert (middle.nominated, high.nominated) == ("", "node-1")
    alone.gone(victim)
    alone.wait(10)
    assert (where(middle), where(high)) == ("", "node-1")
