"""Controllers in situations that a review found broken: each test failed before its mend."""

from __future__ import annotations

from typing import Any

import pytest
from support import advance, deploy, make_world, settle

from emulator.cluster.apiserver.api import ObjectAPI
from emulator.cluster.apiserver.patch import MERGE_PATCH
from emulator.cluster.apiserver.resources import DEPLOYMENTS, PODS, Resource, find
from emulator.cluster.settings import ClientRate, NodePool
from emulator.domain.health import Health
from emulator.domain.timefmt import MILLISECOND, SECOND
from emulator.world import World

HOME = "digitalhub"


def resource(group: str, plural: str) -> Resource:
    found = find(group, "v1", plural)
    assert found is not None
    return found


REPLICA_SETS = resource("apps", "replicasets")
QUOTAS = resource("", "resourcequotas")


def template(name: str) -> dict[str, Any]:
    container = {"name": "c", "image": "web"}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}


def deployment(name: str, replicas: int, **spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": name}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": selector, "template": template(name), **spec},
    }


def start(**settings: Any) -> tuple[World, ObjectAPI]:
    world = make_world(**settings)
    return world, ObjectAPI(world.platform.system)


def count(api: ObjectAPI, kind: Resource = PODS) -> int:
    return len(api.list(kind, HOME)["items"])


def conditions(api: ObjectAPI, name: str) -> dict[str, Any]:
    status = api.get(DEPLOYMENTS, HOME, name)["status"]
    return {each["type"]: each for each in status.get("conditions", ())}


def quota(api: ObjectAPI, pods: int) -> None:
    body = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": str(pods)}}}
    api.create(QUOTAS, HOME, body)


def test_a_lost_pod_is_replaced_while_another_one_waits_to_be_available() -> None:
    """client-go: what is added now does not wait for what was added for later."""
    world, api = start()
    body = deployment("a", 2, minReadySeconds=3000, progressDeadlineSeconds=4000)
    api.create(DEPLOYMENTS, HOME, body)
    advance(world, 10 * SECOND)
    api.delete(PODS, HOME, api.list(PODS, HOME)["items"][0]["metadata"]["name"])
    advance(world, 10 * SECOND)
    assert count(api) == 2


def test_a_refused_replica_set_still_hears_of_its_pods() -> None:
    world, api = start()
    quota(api, 2)
    run = deploy(world, replicas=3)
    advance(world, 300 * SECOND)
    assert run.health is Health.DEGRADED
    api.delete(PODS, HOME, api.list(PODS, HOME)["items"][0]["metadata"]["name"])
    advance(world, 10 * SECOND)
    assert count(api) == 2


def test_the_failure_is_taken_back_when_nothing_is_missing() -> None:
    world, api = start()
    quota(api, 2)
    api.create(DEPLOYMENTS, HOME, deployment("a", 5))
    advance(world, 30 * SECOND)
    assert "ReplicaFailure" in conditions(api, "a")
    api.patch(DEPLOYMENTS, HOME, "a", MERGE_PATCH, {"spec": {"replicas": 1}})
    advance(world, 60 * SECOND)
    assert "ReplicaFailure" not in conditions(api, "a")
    assert count(api) == 1


def test_a_deployment_adopts_the_replica_set_that_another_has_left() -> None:
    world, api = start()
    api.create(DEPLOYMENTS, HOME, deployment("a", 2))
    advance(world, 10 * SECOND)
    api.delete(DEPLOYMENTS, HOME, "a", {"propagationPolicy": "Orphan"})
    advance(world, SECOND)
    assert "ownerReferences" not in api.list(REPLICA_SETS, HOME)["items"][0]["metadata"]
    api.create(DEPLOYMENTS, HOME, deployment("a", 2))
    advance(world, 10 * SECOND)
    assert count(api, REPLICA_SETS) == 1
    assert count(api) == 2
    assert api.get(DEPLOYMENTS, HOME, "a")["status"]["readyReplicas"] == 2


@pytest.mark.parametrize(("before", "after"), [(600, 30), (60, 120)])
def test_a_changed_deadline_is_the_deadline(before: int, after: int) -> None:
    world, api = start(pools=())
    api.create(DEPLOYMENTS, HOME, deployment("a", 1, progressDeadlineSeconds=before))
    advance(world, 10 * SECOND)
    api.patch(DEPLOYMENTS, HOME, "a", MERGE_PATCH, {"spec": {"progressDeadlineSeconds": after}})
    advance(world, (after - 10 - 1) * SECOND)
    assert conditions(api, "a")["Progressing"]["status"] == "True"
    advance(world, 3 * SECOND)
    assert conditions(api, "a")["Progressing"]["reason"] == "ProgressDeadlineExceeded"


@pytest.mark.parametrize("by", ["replicas", "delete"])
def test_pods_are_deleted_at_the_rate_of_the_client(by: str) -> None:
    """Kubernetes facts section 4: 20 requests a second, 30 at once."""
    pool = NodePool(count=3, pods=1000)
    world, api = start(pools=(pool,), controller_rate=None)
    api.create(DEPLOYMENTS, HOME, deployment("a", 100))
    advance(world, 30 * SECOND)
    world, api = start(pools=(pool,), controller_rate=ClientRate(20, 30))
    api.create(DEPLOYMENTS, HOME, deployment("a", 100))
    advance(world, 30 * SECOND)
    if by == "replicas":
        api.patch(DEPLOYMENTS, HOME, "a", MERGE_PATCH, {"spec": {"replicas": 0}})
    else:
        api.delete(DEPLOYMENTS, HOME, "a")
    advance(world, 50 * MILLISECOND)
    left = sum(not pod.terminating for pod in world.cluster.store.all("Pod"))
    assert 60 <= left < 100
    advance(world, 60 * SECOND)
    assert count(api) == 0


def test_what_is_adopted_counts() -> None:
    """A ReplicaSet that comes after its pods takes them; a relabelled pod is taken or let go."""
    world, api = start()
    for name in ("x", "y"):
        api.create(
            PODS, HOME, {**template("rs"), "metadata": {"name": name, "labels": {"app": "rs"}}}
        )
    body = {
        "metadata": {"name": "rs"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "rs"}},
            "template": template("rs"),
        },
    }
    api.create(REPLICA_SETS, HOME, body)
    advance(world, 10 * SECOND)
    assert count(api) == 3
    lone = {**template("other"), "metadata": {"name": "lone", "labels": {"app": "other"}}}
    api.create(PODS, HOME, lone)
    advance(world, 10 * SECOND)
    api.patch(PODS, HOME, "lone", MERGE_PATCH, {"metadata": {"labels": {"app": "rs"}}})
    advance(world, 40 * SECOND)
    assert count(api) == 3
    api.patch(PODS, HOME, "x", MERGE_PATCH, {"metadata": {"labels": {"app": "free"}}})
    advance(world, 40 * SECOND)
    held = [each for each in api.list(PODS, HOME)["items"] if "ownerReferences" in each["metadata"]]
    assert len(held) == 3
    assert count(api) in (3, 4)


def test_a_foreground_delete_takes_the_pods_first_and_the_run_notices() -> None:
    world, api = start()
    run = settle(world, deploy(world, id="abc"))
    api.delete(DEPLOYMENTS, HOME, "d-containerserve-abc", {"propagationPolicy": "Foreground"})
    advance(world, 20 * MILLISECOND)
    assert api.get(DEPLOYMENTS, HOME, "d-containerserve-abc")["metadata"]["deletionTimestamp"]
    advance(world, 60 * SECOND)
    assert not world.cluster.store.all("Deployment")
    assert "Deployment of this run is gone" in run.message
