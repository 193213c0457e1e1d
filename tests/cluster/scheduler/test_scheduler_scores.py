"""Which of the nodes that fit a pod goes to.

Sources: Kubernetes facts section 5 (weights); pkg/scheduler/framework/plugins/noderesources,
podtopologyspread, tainttoleration, nodeaffinity, imagelocality; schedule_one.go.
"""

from __future__ import annotations

from collections import Counter

import pytest
from scheduler_alone import ZONE, Alone, where

from emulator.cluster.objects import Service, Stored
from emulator.cluster.scheduler import scores, spread
from emulator.cluster.scheduler.cycle import nodes_to_find
from emulator.cluster.settings import GIBIBYTE, MEBIBYTE, Image, NodePool, Registry


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        ((0, 4000), (0, 10000), 100),  # nothing used
        ((1000, 4000), (5000, 10000), 62),  # (75 + 50) / 2, rounded down
        ((5000, 4000), (5000, 10000), 25),  # what is over-full is worth nothing
        ((0, 0), (5000, 10000), 50),  # what there is none of is left out
        ((0, 0), (0, 0), 0),
    ],
)
def test_least_allocated(cpu: tuple[int, int], memory: tuple[int, int], expected: int) -> None:
    assert scores.least_allocated(*cpu, *memory) == expected


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        ((1000, 4000), (2500, 10000), 100),  # alike
        ((3000, 4000), (5000, 10000), 87),  # |0.75 - 0.5| / 2 = 0.125
        ((4000, 4000), (0, 10000), 50),
        ((8000, 4000), (10000, 10000), 100),  # a share is 1 at most
        ((1, 0), (5000, 10000), 100),
    ],
)
def test_balanced_allocation(cpu: tuple[int, int], memory: tuple[int, int], expected: int) -> None:
    assert scores.balanced(*cpu, *memory) == expected


@pytest.mark.parametrize(
    ("total", "enough"), [(1, 1), (99, 99), (100, 100), (1000, 420), (5000, 500), (6000, 300)]
)
def test_how_many_nodes_are_scored(total: int, enough: int) -> None:
    """All of fewer than 100; else max(5, 50 - n / 125) percent, at least 100."""
    assert nodes_to_find(total) == enough


def test_where_many_nodes_fit_the_search_goes_on_where_it_ended() -> None:
    """Of 200 nodes 100 are enough: two pods in a row look at different halves."""
    alone = Alone(NodePool("node", 200))
    names = [node.name for node in alone.cluster.nodes]
    halves = [names.index(alone.placed(f"p-{number}")) // 100 for number in range(6)]
    assert halves == [0, 1, 0, 1, 0, 1]


def test_pods_without_requests_count_as_100m_and_200mi() -> None:
    """GetNonzeroRequests: else all of them would go to one node."""
    alone = Alone(NodePool("node", 2, cpu=4000))
    nodes = [alone.placed(f"p-{number}", requests={}) for number in range(8)]
    assert Counter(nodes) == {"node-1": 4, "node-2": 4}


def test_the_pods_of_a_replica_set_are_spread_over_the_nodes() -> None:
    """The default constraint on hostnames outweighs that one node is a little fuller."""
    alone = Alone(NodePool("big", 1, cpu=64_000), NodePool("node", 2, cpu=16_000))
    owner = Stored("rs", "default", 0)
    nodes = [alone.placed(f"p-{number}", owner=owner) for number in range(6)]
    assert Counter(nodes) == {"big-1": 2, "node-1": 2, "node-2": 2}


def test_the_pods_of_a_replica_set_are_spread_over_the_zones() -> None:
    """Three nodes in one zone, one in the other: the second pod goes where there is none."""
    alone = Alone(NodePool("a", 3, zone="a"), NodePool("b", 1, zone="b"))
    owner = Stored("rs", "default", 0)
    nodes = [alone.placed(f"p-{number}", owner=owner) for number in range(2)]
    assert {name[0] for name in nodes} == {"a", "b"}


def test_a_pod_without_owner_is_spread_by_the_services_that_select_it() -> None:
    """DefaultSelector: a pod that no Service selects has no peers."""
    alone = Alone(NodePool("big", 1, cpu=640_000), NodePool("node", 1, cpu=16_000))
    alone.cluster.store.on("Pod", lambda _op, pod: setattr(pod, "services", services))
    service = Service("svc", "default", 0)
    service.selector = {"app": "a"}
    services: tuple[Service, ...] = ()
    lonely = [alone.placed(f"lonely-{number}", labels={"app": "a"}) for number in range(3)]
    assert set(lonely) == {"big-1"}
    services = (service,)
    assert alone.placed("selected", labels={"app": "a"}) == "node-1"


def test_a_pod_on_its_way_out_is_no_peer() -> None:
    alone = Alone(NodePool("node", 2))
    owner = Stored("rs", "default", 0)
    first = alone.pod("first", owner=owner, requests={"cpu": "0"})
    alone.deletion.delete_pod(first)
    counts = alone.scheduler._peers.of(alone.pod("second", owner=owner), alone.cluster.nodes)
    assert counts is not None
    assert sum(counts.values()) == 1


def test_spread_scores_as_kubernetes_normalises_them() -> None:
    """Three nodes with 2, 1 and 0 peers: ln 5 a peer, plus 2, rounded: 5, 4, 2; 100 (5+2-s)/5."""
    alone = Alone(NodePool("node", 3))
    first, second, third = alone.cluster.nodes
    assert spread.scores({first: 2, second: 1}, [first, second, third]) == [40, 60, 100]


def test_spread_scores_where_nodes_have_zones() -> None:
    """Two zones: ln 4 a peer of the zone and 4 more; s = 11, 8, 6; 100 (11+6-s)/11."""
    alone = Alone(NodePool("a", 2, zone="a"), NodePool("b", 1, zone="b"))
    first, second, other = alone.cluster.nodes
    # first: 1.609 x 1 + 2 + 1.386 x 1 + 4 = 9; second: 2 + 1.386 + 4 = 7; other: 6
    assert spread.scores({first: 1}, [first, second, other]) == [
        100 * (9 + 6 - 9) // 9,
        100 * (9 + 6 - 7) // 9,
        100,
    ]
    assert first.labels[ZONE] == "a"


def test_a_taint_that_only_warns_turns_pods_away_while_there_is_another_node() -> None:
    alone = Alone(
        NodePool("old", 1, cpu=640_000, taints=(("old", "", "PreferNoSchedule"),)),
        NodePool("new", 1, cpu=16_000),
    )
    assert alone.placed("p") == "new-1"
    toleration = {"key": "old", "operator": "Exists"}
    assert alone.placed("tolerant", tolerations=[toleration]) == "old-1"


def test_preferred_affinity_decides_where_all_else_is_nearly_equal() -> None:
    alone = Alone(
        NodePool("a", 1, labels={"disk": "hdd"}), NodePool("b", 1, labels={"disk": "ssd"})
    )
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    field = "preferredDuringSchedulingIgnoredDuringExecution"
    likes = {"nodeAffinity": {field: [{"weight": 1, "preference": term}]}}
    assert {alone.placed(f"p-{number}", affinity=likes) for number in range(4)} == {"b-1"}


def test_a_node_that_has_the_image_is_better() -> None:
    """A gigabyte on one node of two scores 49; a small image scores nothing."""
    registry = Registry(images=(Image("big:1", GIBIBYTE), Image("small:1", 40 * MEBIBYTE)))
    for image, expected in (("big:1", {"node-2"}), ("small:1", {"node-1", "node-2"})):
        found = set()
        for seed in range(8):
            alone = Alone(NodePool("node", 2), registry=registry, seed=seed)
            alone.cluster.nodes[1].images.add(image)
            found.add(alone.placed("p", image=image))
        assert found == expected


def test_equals_are_drawn_each_pod_for_itself() -> None:
    alone = Alone(NodePool("node", 3))
    found = []
    for number in range(60):
        pod = alone.pod(f"p-{number}")
        found.append(where(pod))
        alone.gone(pod)
    assert min(Counter(found)[name] for name in ("node-1", "node-2", "node-3")) > 8


def test_the_spelled_out_scores_are_the_functions() -> None:
    """The fast path and the two functions agree, whatever is used of a node."""
    alone = Alone(NodePool("node", 1, cpu=7000, memory=13 * GIBIBYTE))
    (node,) = alone.cluster.nodes
    for used in range(0, 7000, 331):
        node.used["cpu"], node.used["memory"] = used, used * 1_700_000
        pod = alone.pod(f"p-{used}", requests={"cpu": "300m", "memory": "1Gi"})
        if pod.booked:
            alone.gone(pod)
        cpu, memory = used + 300, used * 1_700_000 + GIBIBYTE
        sizes = (cpu, 7000, memory, 13 * GIBIBYTE)
        expected = scores.least_allocated(*sizes) + scores.balanced(*sizes)
        assert alone.scheduler._scorer._resources([node], pod) == [expected]
