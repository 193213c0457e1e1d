"""Quotas, limits of containers and priority classes: who is refused, with which words, and until when.

Sources: apiserver's admission/plugin/resourcequota, pkg/quota/v1/evaluator/core/{pods,services}.go,
plugin/pkg/admission/{limitranger,priority}; pkg/controller/replicaset (FailedCreate, ReplicaFailure).
"""

from __future__ import annotations

from typing import Any

import pytest
from support import advance, delete, deploy, events, leftovers, make_world, one_node, settle, status

from emulator.cluster.objects import Pod, ReplicaSet
from emulator.cluster.quota import Quotas
from emulator.cluster.settings import (
    GIBIBYTE,
    LimitRangeSpec,
    NodePool,
    PriorityClassSpec,
    QuotaSpec,
)
from emulator.cluster.templates import read_template
from emulator.control.entities import Run
from emulator.domain.health import Health
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import MINUTE, SECOND
from emulator.world import World


def quota_world(hard: dict[str, str], **cluster: Any) -> World:
    """A world with one quota, `q`."""
    return make_world(quotas=(QuotaSpec("q", hard),), **cluster)


def quotas_of(world: World) -> Quotas:
    """The quotas of a world."""
    return world.platform.system.quotas


def used(world: World) -> dict[str, int]:
    """What of the quota `q` is used."""
    held = world.cluster.store.get("ResourceQuota", "digitalhub/q")
    assert held is not None
    return dict(held.used)


def refusals(world: World) -> list[str]:
    """What FailedCreate events say, without the pods' names."""
    notes = [row.data["note"] for row in events(world, "FailedCreate")]
    return [f"{note.split(chr(34), 2)[0]}...{note.split(chr(34), 2)[2]}" for note in notes]


def replica_set(world: World) -> ReplicaSet:
    """The only ReplicaSet there is."""
    (found,) = world.cluster.store.all("ReplicaSet")
    assert isinstance(found, ReplicaSet)
    return found


def pods_of(run: Run) -> int:
    """How many pods a run is seen to have."""
    return len(status(run)["pods"])


# -- quotas -----------------------------------------------------------------------------------------


def test_pods_over_the_quota_are_refused_with_the_real_words() -> None:
    world = quota_world({"pods": "3"})
    run = deploy(world, replicas=5)
    advance(world, MINUTE)
    assert pods_of(run) == 3
    assert used(world) == {"pods": 3}
    expected = (
        "Error creating: pods ... is forbidden: exceeded quota: q, "
        "requested: pods=1, used: pods=3, limited: pods=3"
    )
    assert refusals(world)[0] == expected
    assert {row.data["type"] for row in events(world, "FailedCreate")} == {"Warning"}
    condition = replica_set(world).conditions["ReplicaFailure"]
    assert (condition.status, condition.reason) == ("True", "FailedCreate")
    (failure,) = [
        each
        for each in status(run)["k8s"]["deployment"]["status"]["conditions"]
        if each["type"] == "ReplicaFailure"
    ]
    assert failure["message"].startswith('pods "')
    assert failure["message"].endswith(expected.split("... ")[1])


def test_amounts_are_shown_as_they_were_written() -> None:
    """Quantities keep their kind of suffix: Mi of the requests, none of the platform's limits."""
    world = quota_world(
        {
            "requests.cpu": "0.15",
            "requests.memory": "0.5Gi",
            "limits.memory": "300M",
            "requests.nvidia.com/gpu": "1",
        }
    )
    deploy(world, replicas=1)
    advance(world, MINUTE)
    deploy(world, replicas=1, resources={"gpu": "2"})
    advance(world, 100 * MINUTE)
    assert used(world) == {
        "requests.cpu": 100,
        "requests.memory": 256 * 2**20,
        "limits.memory": 295279008,
        "requests.nvidia.com/gpu": 0,
    }
    assert refusals(world)[0] == (
        "Error creating: pods ... is forbidden: exceeded quota: q, requested: "
        "limits.memory=295279008,requests.cpu=100m,requests.nvidia.com/gpu=2, used: "
        "limits.memory=295279008,requests.cpu=100m,requests.nvidia.com/gpu=0, limited: "
        "limits.memory=300M,requests.cpu=150m,requests.nvidia.com/gpu=1"
    )


def test_a_run_without_room_says_why() -> None:
    world = quota_world({"pods": "0"})
    run = deploy(world, replicas=1)
    advance(world, MINUTE)
    assert run.health is Health.STARTING
    assert "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0" in run.message
    assert run.message.endswith(": ask for less, or raise the quota")


def test_a_run_with_some_of_its_pods_says_why_the_others_are_not_there() -> None:
    world = quota_world({"pods": "2"})
    run = deploy(world, replicas=3)
    advance(world, MINUTE)
    assert run.state is State.RUNNING
    assert run.health is Health.DEGRADED
    assert run.message.startswith("2 of 3 replicas ready: ")
    assert "exceeded quota: q" in run.message


def test_the_replica_set_recovers_by_itself_when_the_quota_is_raised() -> None:
    """Its own retries, 5 ms doubling: no watch of quotas wakes it."""
    world = quota_world({"pods": "1"})
    run = deploy(world, replicas=3)
    advance(world, MINUTE)
    assert pods_of(run) == 1
    asked = len(world.cluster.store.all("Pod"))
    quotas_of(world).set("q", {"pods": "3"})
    assert used(world) == {"pods": asked}
    advance(world, 2 * MINUTE)
    assert pods_of(run) == 3
    assert run.health is Health.HEALTHY
    assert run.message == ""
    assert "ReplicaFailure" not in replica_set(world).conditions


def test_retries_of_a_refused_pod_back_off() -> None:
    """ItemExponentialFailureRateLimiter: 5 ms doubling makes some 17 tries in 9 minutes."""
    world = quota_world({"pods": "0"})
    deploy(world, replicas=1)
    advance(world, 9 * MINUTE)
    assert 15 <= replica_set(world).serial <= 18


def test_what_goes_or_ends_gives_its_share_back() -> None:
    world = quota_world({"pods": "2", "requests.cpu": "1", "count/pods": "9", "services": "9"})
    runs = [settle(world, deploy(world)) for _ in range(2)]
    # each run has its Service and that of its alias
    assert used(world) == {"pods": 2, "requests.cpu": 200, "count/pods": 2, "services": 4}
    for run in runs:
        delete(world, run)
    advance(world, 10 * MINUTE)
    assert set(used(world).values()) == {0}
    assert not quotas_of(world)._held
    assert not leftovers(world)


def test_an_ended_pod_still_counts_as_an_object() -> None:
    """`pods` is what has not ended, `count/pods` what is stored (PodUsageFunc)."""
    world = quota_world({"pods": "9", "count/pods": "9"})
    store = world.cluster.store
    template = read_template({"spec": {"containers": [{"name": "c", "image": "image:1"}]}})
    pod = Pod("p", "digitalhub", world.now, template)
    store.add(pod)
    assert used(world) == {"pods": 1, "count/pods": 1}
    pod.phase = "Succeeded"
    store.changed(pod)
    store.changed(pod)
    assert used(world) == {"pods": 0, "count/pods": 1}
    store.remove(pod)
    assert used(world) == {"pods": 0, "count/pods": 0}


def test_who_asks_for_nothing_of_what_is_limited_is_refused() -> None:
    world = quota_world({"limits.cpu": "1", "requests.memory": "1Gi", "requests.cpu": "1"})
    container = {"name": "c", "image": "image:1", "resources": {"requests": {"cpu": "1"}}}
    template = read_template({"spec": {"containers": [container]}})
    pod = Pod("x", "digitalhub", world.now, template)
    with pytest.raises(Exception, match="forbidden") as refused:
        quotas_of(world).admit_pod(pod)
    assert str(refused.value) == (
        'pods "x" is forbidden: failed quota: q: must specify limits.cpu for: c; '
        "requests.memory for: c"
    )


def test_services_have_their_quota_too() -> None:
    """A refusal of the API, 403: the run cannot be built, and nothing of the Service is left."""
    world = quota_world({"services": "2"})
    first = settle(world, deploy(world))
    second = settle(world, deploy(world))
    assert first.state is State.RUNNING
    row = next(row for row in world.journal.rows if row.kind == "refused")
    assert row.data["code"] == 403
    assert row.data["message"].startswith('services "')
    assert row.data["message"].endswith(
        " is forbidden: exceeded quota: q, requested: services=1, used: services=2, "
        "limited: services=2"
    )
    assert second.state is State.ERROR
    assert len(world.cluster.addresses) == 2
    assert used(world) == {"services": 2}


@pytest.mark.parametrize(
    ("key", "kind", "refused"),
    [
        ("services.nodeports", "NodePort", True),
        ("services.nodeports", "LoadBalancer", True),
        ("services.loadbalancers", "LoadBalancer", True),
        ("services.loadbalancers", "NodePort", False),
        ("services.nodeports", "ClusterIP", False),
        ("count/services", "ClusterIP", True),
        ("count/deployments.apps", "ClusterIP", True),
    ],
)
def test_what_a_service_counts_as(key: str, kind: str, refused: bool) -> None:
    world = quota_world({key: "0"})
    run = settle(world, deploy(world, service_type=kind))
    assert (run.state is State.ERROR) == refused
    rows = [row.data["message"] for row in world.journal.rows if row.kind == "refused"]
    assert bool(rows) == refused
    if refused:
        assert f"requested: {key}=1, used: {key}=0, limited: {key}=0" in rows[0]


def test_a_quota_that_is_taken_away_refuses_nobody() -> None:
    world = quota_world({"pods": "0"})
    quotas_of(world).remove("q")
    quotas_of(world).remove("q")
    run = settle(world, deploy(world))
    assert run.state is State.RUNNING


def test_a_quota_that_is_no_quantity_is_told() -> None:
    world = make_world()
    with pytest.raises(ValueError, match="is not a quantity"):
        quotas_of(world).set("q", {"pods": "many"})


def test_two_quotas_must_both_have_room() -> None:
    world = make_world(quotas=(QuotaSpec("a", {"pods": "9"}), QuotaSpec("b", {"pods": "1"})))
    deploy(world, replicas=2)
    advance(world, MINUTE)
    assert "exceeded quota: b, " in refusals(world)[0]


def test_a_quota_of_another_namespace_is_of_no_concern() -> None:
    world = make_world(quotas=(QuotaSpec("q", {"pods": "0"}, "elsewhere"),))
    assert settle(world, deploy(world)).state is State.RUNNING


# -- limits of containers ---------------------------------------------------------------------------


def test_a_limit_range_fills_in_what_a_container_does_not_say() -> None:
    """Written amounts stay; a request that is not written was the limit before the LimitRange came."""
    limits = LimitRangeSpec(
        "l", default={"cpu": "2", "memory": "1Gi"}, default_request={"cpu": "500m"}
    )
    world = make_world(limit_ranges=(limits,))
    container = {"name": "c", "image": "i", "resources": {"limits": {"memory": "512Mi"}}}
    pod = Pod("p", "digitalhub", 0, read_template({"spec": {"containers": [container]}}))
    world.platform.system.admission.admit(pod)
    assert pod.template.limits == {"cpu": 2000, "memory": GIBIBYTE // 2}
    assert pod.requests == {"cpu": 500, "memory": GIBIBYTE // 2}
    assert pod.template.spec["containers"][0]["resources"] == {
        "limits": {"cpu": "2", "memory": "512Mi"},
        "requests": {"cpu": "500m", "memory": "512Mi"},
    }


def test_the_defaults_of_a_limit_range_come_from_its_bounds() -> None:
    """SetDefaults_LimitRangeItem: limits from the most, requests from the limits, else the least."""
    world = make_world()
    limits = world.platform.system.admission.set_limit_range(
        LimitRangeSpec("l", maximum={"cpu": "2"}, minimum={"memory": "64Mi", "cpu": "100m"})
    )
    assert limits.default == {"cpu": "2"}
    assert limits.default_request == {"cpu": "2", "memory": "64Mi"}


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (
            {"minimum": {"cpu": "200m"}},
            "minimum cpu usage per Container is 200m, but request is 100m",
        ),
        (
            {"maximum": {"memory": "200Mi"}},
            "maximum memory usage per Container is 200Mi, but limit is 295279008",
        ),
        (
            {"minimum": {"cpu": "200m", "memory": "1Gi"}},
            "[minimum cpu usage per Container is 200m, but request is 100m, "
            "minimum memory usage per Container is 1Gi, but request is 256Mi]",
        ),
        (
            {"minimum": {"cpu": "50m"}, "maximum": {"cpu": "50m"}},
            "maximum cpu usage per Container is 50m, but limit is 100m",
        ),
    ],
)
def test_a_container_outside_the_bounds_is_refused(bounds: dict[str, Any], text: str) -> None:
    world = make_world(limit_ranges=(LimitRangeSpec("l", **bounds),))
    deploy(world)
    advance(world, SECOND)
    assert refusals(world)[0] == f"Error creating: pods ... is forbidden: {text}"


def test_a_default_limit_below_the_request_makes_the_pod_invalid() -> None:
    world = make_world(limit_ranges=(LimitRangeSpec("l", default={"ephemeral-storage": "1Gi"}),))
    deploy(world)
    advance(world, SECOND)
    assert refusals(world)[0] == (
        "Error creating: Pod ... is invalid: spec.containers[0].resources.requests: Invalid value: "
        '"2Gi": must be less than or equal to ephemeral-storage limit of 1Gi'
    )


def test_a_quota_sees_what_the_limit_range_has_filled_in() -> None:
    world = quota_world(
        {"limits.ephemeral-storage": "3Gi"},
        limit_ranges=(LimitRangeSpec("l", default={"ephemeral-storage": "2Gi"}),),
    )
    deploy(world, replicas=2)
    advance(world, MINUTE)
    assert refusals(world)[0].endswith(
        "requested: limits.ephemeral-storage=2Gi, used: limits.ephemeral-storage=2Gi, "
        "limited: limits.ephemeral-storage=3Gi"
    )


# -- priority classes ---------------------------------------------------------------------------------


def admitted(world: World, **spec: Any) -> Pod:
    """A pod as admission leaves it. Raises Rejected."""
    container = {"name": "c", "image": "i"}
    pod = Pod("p", "digitalhub", 0, read_template({"spec": {"containers": [container], **spec}}))
    world.platform.system.admission.admit(pod)
    return pod


def test_a_priority_class_gives_its_value_and_its_policy() -> None:
    world = make_world(
        priority_classes=(
            PriorityClassSpec("high", 1000, preempts=False),
            PriorityClassSpec("usual", 7, is_default=True),
        )
    )
    high = admitted(world, priorityClassName="high").template
    assert (high.priority, high.spec["preemptionPolicy"]) == (1000, "Never")
    usual = admitted(world).template
    assert (usual.priority, usual.priority_class) == (7, "usual")
    critical = admitted(world, priorityClassName="system-node-critical").template
    assert critical.priority == 2_000_001_000


def test_an_unknown_priority_class_is_refused() -> None:
    with pytest.raises(Exception, match="no PriorityClass with name ghost was found"):
        admitted(make_world(), priorityClassName="ghost")


def test_a_priority_of_its_own_making_is_refused() -> None:
    with pytest.raises(Exception, match=r"priority \(5\) must not be provided"):
        admitted(make_world(), priority=5)


def test_pods_of_one_replica_set_share_what_admission_made() -> None:
    world = make_world(
        pools=one_node(), priority_classes=(PriorityClassSpec("usual", 7, is_default=True),)
    )
    settle(world, deploy(world, replicas=3))
    templates = [pod.template for pod in world.cluster.store.all("Pod")]
    assert [each.priority for each in templates] == [7, 7, 7]
    assert templates[0] is templates[1] is templates[2]
    assert NodePool().count == len(templates)
