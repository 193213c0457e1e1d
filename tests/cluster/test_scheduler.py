"""Where pods go, and what is said when none fits.

Sources: kubernetes 1.36 pkg/scheduler (messages, LeastAllocated, back-off 1 s to 10 s).
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from support import (
    act,
    advance,
    delete,
    deploy,
    events,
    make_world,
    one_node,
    settle,
    status,
)

from emulator.cluster.settings import (
    GIBIBYTE,
    ClusterSettings,
    NodePool,
    PriorityClassSpec,
)
from emulator.control.entities import Run
from emulator.control.settings import ControlSettings, ResourceProfile
from emulator.domain.health import Health
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.world import World, WorldSettings

API = 10 * MILLISECOND
REACTION = 10 * MILLISECOND


def nodes_of(run: Run) -> Counter[str]:
    """How many pods of a run are on each node."""
    assert run.seen is not None
    return Counter(pod.node for pod in run.seen.pods)


def test_the_text_of_what_fits_nowhere() -> None:
    world = make_world()
    run = deploy(world, id="abc", resources={"cpu": "1k", "mem": "1Ti"})
    advance(world, MINUTE)
    (row,) = events(world, "FailedScheduling")
    text = (
        "0/3 nodes are available: 3 Insufficient cpu, 3 Insufficient memory. no new claims to "
        "deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for "
        "scheduling."
    )
    assert (row.data["type"], row.data["note"]) == ("Warning", text)
    (pod,) = status(run)["pods"]
    (condition,) = pod["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
    assert (condition["reason"], condition["message"]) == ("Unschedulable", text)
    assert pod["phase"] == "Pending"
    assert pod["containers"] == []
    assert run.state is State.PENDING
    assert run.message == f"{text} Ask for less, stop something, or add nodes"


def test_each_node_counts_under_each_of_its_reasons() -> None:
    pools = (
        NodePool("small", 2, cpu=100),
        NodePool("full", 10, pods=0),
        NodePool("poor", 1, memory=GIBIBYTE, gpu=0),
    )
    world = make_world(pools=pools)
    deploy(world, resources={"cpu": "2", "mem": "2Gi", "gpu": "1"})
    advance(world, MINUTE)
    (row,) = events(world, "FailedScheduling")
    # sorted as texts are: 10 before 2
    assert row.data["note"].startswith(
        "0/13 nodes are available: 1 Insufficient memory, 1 Insufficient nvidia.com/gpu, "
        "10 Too many pods, 2 Insufficient cpu. no new claims to deallocate, "
    )


def test_a_cluster_without_nodes() -> None:
    world = make_world(pools=())
    run = deploy(world)
    advance(world, MINUTE)
    assert [row.data["note"] for row in events(world, "FailedScheduling")] == [
        "no nodes available to schedule pods"
    ]
    assert run.state is State.PENDING


def test_the_number_of_pods_is_a_limit_too() -> None:
    world = make_world(pools=one_node(pods=2))
    run = deploy(world, replicas=3)
    advance(world, MINUTE)
    (row,) = events(world, "FailedScheduling")
    assert row.data["note"].startswith("0/1 nodes are available: 1 Too many pods. ")
    assert run.state is State.RUNNING
    assert run.health is Health.DEGRADED
    assert run.message.startswith("2 of 3 replicas ready: 0/1 nodes are available: ")


def test_pods_go_where_most_is_free() -> None:
    world = make_world()
    run = settle(world, deploy(world, replicas=6))
    advance(world, MINUTE)
    assert set(nodes_of(run).values()) == {2}
    busy = settle(world, deploy(world, resources={"cpu": "4"}))
    (taken,) = nodes_of(busy)
    other = settle(world, deploy(world, replicas=2))
    advance(world, MINUTE)
    assert taken not in nodes_of(other)


def test_requests_are_booked_and_given_back() -> None:
    world = make_world(pools=one_node())
    (node,) = world.cluster.nodes
    run = settle(
        world,
        deploy(world, resources={"cpu": "1500m", "mem": "1Gi", "gpu": "1", "disk": "3Gi"}),
    )
    assert node.used == {
        "cpu": 1500,
        "memory": GIBIBYTE,
        "ephemeral-storage": 3 * GIBIBYTE,
        "nvidia.com/gpu": 1,
        "pods": 1,
    }
    act(world, run, "stop")
    advance(world, MINUTE)
    assert set(node.used.values()) == {0}


def test_without_resources_the_platforms_defaults_are_asked_for() -> None:
    """Contract section 4.3: cpu 100m, memory 256Mi, ephemeral-storage 2Gi; limit a tenth more."""
    world = make_world(pools=one_node())
    (node,) = world.cluster.nodes
    run = settle(world, deploy(world))
    assert node.used["cpu"] == 100
    assert node.used["memory"] == 256 * 2**20
    assert node.used["ephemeral-storage"] == 2 * GIBIBYTE
    template = status(run)["k8s"]["deployment"]["spec"]["template"]["spec"]
    assert template["containers"][0]["resources"] == {
        "requests": {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "2Gi"},
        "limits": {"cpu": "100m", "memory": "295279008"},
    }


@pytest.mark.parametrize(("wait", "expected"), [(200 * MILLISECOND, SECOND), (30 * SECOND, None)])
def test_what_waits_is_tried_when_something_is_freed(wait: int, expected: int | None) -> None:
    """Not before its own back-off of a second; after it at once."""
    world = make_world(pools=one_node(cpu=1000))
    first = settle(world, deploy(world, resources={"cpu": "1"}))
    begun = world.now
    second = deploy(world, resources={"cpu": "1"})
    advance(world, wait)
    (failed,) = events(world, "FailedScheduling")
    assert failed.t == begun + API + 3 * REACTION  # Deployment, ReplicaSet, pod: each heard of
    freed = world.now
    delete(world, first)
    advance(world, MINUTE)
    bound = events(world, "Scheduled")[-1].t
    if expected is not None:
        assert bound == failed.t + expected
    else:
        assert freed < bound < freed + SECOND
    assert second.state is State.RUNNING
    assert second.message == ""


def test_who_came_first_is_tried_first() -> None:
    world = make_world(pools=one_node(cpu=1000))
    first = settle(world, deploy(world, resources={"cpu": "1"}))
    waiting = [deploy(world, resources={"cpu": "1"}) for _ in range(3)]
    advance(world, MINUTE)
    delete(world, first)
    advance(world, MINUTE)
    assert [run.state for run in waiting] == [State.RUNNING, State.PENDING, State.PENDING]


def test_the_back_off_of_a_pod_that_fits_nowhere_doubles_to_ten_seconds() -> None:
    """Small services come and go beside it: each that goes is a reason to look again."""
    world = make_world(pools=one_node(cpu=1000))
    keeper = settle(world, deploy(world, resources={"cpu": "500m"}))
    deploy(world, resources={"cpu": "1"})
    begun = world.now + API
    for _ in range(40):
        small = deploy(world)
        advance(world, 500 * MILLISECOND)
        delete(world, small)
        advance(world, 500 * MILLISECOND)
    tries = [row.t - begun for row in events(world, "FailedScheduling")]
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    nominal = [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND, 10 * SECOND]
    assert len(gaps) >= 5
    for gap, least in zip(gaps, nominal, strict=False):
        assert least <= gap <= least + 2 * SECOND
    assert keeper.state is State.RUNNING


@pytest.mark.parametrize(
    ("name", "resource", "amount"),
    [("1xgpu", "nvidia.com/gpu", 1), ("2xgpu", "nvidia.com/gpu", 2), ("large", "cpu", 4000)],
)
def test_a_profile_fits_the_default_pool(name: str, resource: str, amount: int) -> None:
    world = make_world()
    run = settle(world, deploy(world, profile=name))
    assert run.state is State.RUNNING
    (node,) = nodes_of(run)
    assert [each.used[resource] for each in world.cluster.nodes if each.name == node] == [amount]
    labels = status(run)["k8s"]["deployment"]["metadata"]["labels"]
    assert labels["digitalhub/template"] == name


def test_more_of_a_profile_than_there_is_waits() -> None:
    world = make_world()
    runs = [deploy(world, profile="2xgpu") for _ in range(4)]
    advance(world, HOUR // 60)
    assert [run.state for run in runs].count(State.PENDING) == 1
    (row,) = events(world, "FailedScheduling")
    assert "3 Insufficient nvidia.com/gpu. " in row.data["note"]


def test_an_unknown_profile_is_told_and_ignored() -> None:
    world = make_world()
    run = settle(world, deploy(world, profile="4xgpu"))
    assert run.state is State.RUNNING
    note = "profile '4xgpu' is unknown and was ignored"
    assert [row.data["note"] for row in events(world, "UnknownProfile")] == [note]
    (event,) = [each for each in status(run)["events"] if each["reason"] == "UnknownProfile"]
    assert (event["type"], event["note"], event["kind"]) == ("Warning", note, "Deployment")
    assert "digitalhub/template" not in status(run)["k8s"]["deployment"]["metadata"]["labels"]


def test_a_profile_may_say_where_pods_go_and_before_whom() -> None:
    """Contract section 4.3: node selector, tolerations, affinity, runtime and priority class."""
    likes = {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [likes]}}
    profile = ResourceProfile(
        cpu="1",
        node_selector={"disk": "ssd"},
        affinity=affinity,
        tolerations=({"key": "gpu", "operator": "Exists"},),
        runtime_class="nvidia",
        priority_class="high",
    )
    world = World(
        WorldSettings(
            control=ControlSettings(profiles={"special": profile}),
            cluster=ClusterSettings(
                pools=(
                    NodePool("plain", 2),
                    NodePool(
                        "fast",
                        1,
                        cpu=1000,
                        labels={"disk": "ssd"},
                        taints=(("gpu", "", "NoSchedule"),),
                    ),
                ),
                priority_classes=(PriorityClassSpec("high", 1000),),
            ),
        )
    )
    run = settle(world, deploy(world, profile="special"))
    assert set(nodes_of(run)) == {"fast-1"}
    spec = status(run)["k8s"]["deployment"]["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["affinity"] == affinity
    assert spec["runtimeClassName"] == "nvidia"
    assert spec["priorityClassName"] == "high"
    (pod,) = world.cluster.store.all("Pod")
    assert pod.template.priority == 1000


def test_a_run_of_lower_priority_makes_room_for_one_of_higher() -> None:
    """The victim's ReplicaSet makes another pod, which waits."""
    profiles = {"high": ResourceProfile(cpu="1", priority_class="high")}
    world = World(
        WorldSettings(
            control=ControlSettings(profiles=profiles),
            cluster=ClusterSettings(
                pools=one_node(cpu=1000), priority_classes=(PriorityClassSpec("high", 1000),)
            ),
        )
    )
    low = settle(world, deploy(world, resources={"cpu": "1"}))
    high = settle(world, deploy(world, profile="high"))
    advance(world, MINUTE)
    assert high.state is State.RUNNING
    assert low.health is Health.UNHEALTHY
    assert "No preemption victims found for incoming pod." in low.message
    (row,) = events(world, "Preempted")
    assert row.data["note"].endswith(" on node node-1")
