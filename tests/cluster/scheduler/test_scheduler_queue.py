"""When a pod is tried, and tried again.

Sources: Kubernetes facts section 5; pkg/scheduler/backend/queue and the queueing hints of the plugins.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from scheduler_alone import Alone, where

from emulator.cluster.objects import Node, Pod
from emulator.cluster.scheduler.queue import backoff
from emulator.cluster.settings import ClientRate, NodePool
from emulator.domain.timefmt import MILLISECOND, SECOND

MINUTE = 60


def test_the_back_off_doubles_from_one_second_to_ten() -> None:
    assert [backoff(each) // SECOND for each in range(1, 8)] == [1, 2, 4, 8, 10, 10, 10]
    assert backoff(10**6) == 10 * SECOND


def test_the_more_important_pod_is_tried_first_and_then_who_came_first() -> None:
    alone = Alone(NodePool("node", 1, cpu=1000))
    holder = alone.pod("holder", priority=100)
    waiting = [
        alone.pod(f"p-{index}", priority=priority) for index, priority in enumerate((0, 5, 5))
    ]
    alone.wait(20)
    alone.gone(holder)
    assert [where(pod) for pod in waiting] == ["", "node-1", ""]
    alone.gone(waiting[1])
    alone.wait(10)
    assert [where(pod) for pod in waiting[::2]] == ["", "node-1"]


def test_pods_that_come_together_are_tried_by_priority() -> None:
    alone = Alone(NodePool("node", 1, cpu=1000), reaction=10 * MILLISECOND)
    low, high = alone.pod("low"), alone.pod("high", priority=1)
    alone.wait(0.01)
    assert (where(low), where(high)) == ("", "node-1")


def test_what_nothing_helps_is_tried_again_after_five_minutes() -> None:
    alone = Alone(NodePool("node", 1, cpu=1000))
    pod = alone.pod("p", requests={"cpu": "2"})
    alone.wait(16 * MINUTE)
    gaps = [later - earlier for earlier, later in pairwise(alone.times("FailedScheduling", pod))]
    assert gaps == [300 * SECOND] * 3
    assert len(set(alone.notes("FailedScheduling"))) == 1


def test_nobody_waiting_means_no_timer() -> None:
    alone = Alone(NodePool("node", 1, cpu=1000))
    holder, waiting = alone.pod("holder"), alone.pod("waiting")
    assert alone.kernel.peek() < float("inf")
    alone.gone(waiting)
    assert alone.kernel.peek() == float("inf")
    waiting = alone.pod("again")
    alone.gone(holder)
    alone.wait(1)
    assert where(waiting) == "node-1"
    assert alone.kernel.peek() == float("inf")


def test_a_pod_that_goes_during_its_back_off_leaves_nothing_behind() -> None:
    alone = Alone(NodePool("node", 1, cpu=1000))
    holder, waiting = alone.pod("holder"), alone.pod("waiting")
    alone.gone(holder)
    alone.gone(waiting)
    assert alone.kernel.peek() == float("inf")
    assert alone.scheduler.waiting == []


def tries(alone: Alone, pod: Pod) -> int:
    """How often a pod has failed."""
    return len(alone.times("FailedScheduling", pod))


def test_a_pod_that_is_gone_helps_who_lacks_room_and_nobody_else() -> None:
    """Hints: an assigned pod's end concerns the filter of resources alone (recorded: even a pod that
    asks more than any node has is tried again)."""
    alone = Alone(NodePool("node", 1, cpu=1000, labels={"disk": "hdd"}))
    holder = alone.pod("holder")
    big = alone.pod("big", requests={"cpu": "9"})
    picky = alone.pod("picky", nodeSelector={"disk": "ssd"})
    alone.wait(MINUTE)
    alone.gone(holder)
    alone.wait(MINUTE)
    assert (tries(alone, big), tries(alone, picky)) == (2, 1)


@pytest.mark.parametrize(
    ("pool", "big", "picky"),
    [
        (NodePool("new", 1, cpu=500), 1, 1),  # too small for the one, of no use to the other
        (NodePool("new", 1, cpu=9000), 2, 1),
        (NodePool("new", 1, cpu=500, labels={"disk": "ssd"}), 1, 2),
    ],
)
def test_a_new_node_helps_who_would_pass_what_he_failed_at(
    pool: NodePool, big: int, picky: int
) -> None:
    """isSchedulableAfterNodeChange of noderesources and nodeaffinity. Bound pods have no event here."""
    alone = Alone(NodePool("node", 1, cpu=1000))
    first = alone.pod("big", requests={"cpu": "9"})
    second = alone.pod("picky", nodeSelector={"disk": "ssd"})
    alone.wait(MINUTE)
    alone.join(Node("new", pool, alone.kernel.now))
    alone.wait(1)
    found = [tries(alone, pod) + (pod.node is not None) for pod in (first, second)]
    assert found == [big, picky]


def test_a_node_that_changes_helps_only_where_its_change_does() -> None:
    alone = Alone(NodePool("node", 1))
    (node,) = alone.cluster.nodes
    node.unschedulable = True
    alone.cluster.store.changed(node)
    pod = alone.pod("p")
    alone.wait(MINUTE)
    node.set_condition("Ready", "True", alone.kernel.now)
    alone.cluster.store.changed(node)
    alone.wait(1)
    assert tries(alone, pod) == 1
    node.unschedulable = False
    alone.cluster.store.changed(node)
    alone.wait(1)
    assert where(pod) == "node-1"


def test_bindings_wait_for_the_client_and_bookings_do_not() -> None:
    """50 requests a second and 100 at once: of 130 pods the last is bound 0.6 s after the first."""
    alone = Alone(NodePool("node", 2), scheduler_rate=ClientRate(50, 100))
    pods = [alone.pod(f"p-{number}", requests={"cpu": "10m"}) for number in range(130)]
    assert sum(node.used["pods"] for node in alone.cluster.nodes) == 130
    assert sum(pod.node is not None for pod in pods) == 100
    alone.wait(0.3)
    assert sum(pod.node is not None for pod in pods) == 115
    alone.gone(pods[-1])  # before it is bound
    alone.wait(0.3)
    assert sum(pod.node is not None for pod in pods) == 129
    assert sum(node.used["pods"] for node in alone.cluster.nodes) == 129
