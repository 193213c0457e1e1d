"""What a review found of nodes, kubelets, the scheduler and faults, each held by a test.

Source: Kubernetes facts sections 5, 6.5 and 8; the documentation of nodeName and schedulerName; the
words of a failed sandbox are the kubelet's and those of the CNI plugin host-local.
"""

from __future__ import annotations

from typing import Any

from support import advance, make_world

from emulator.cluster.apiserver.api import ObjectAPI
from emulator.cluster.apiserver.resources import PODS, find
from emulator.cluster.distributions import Constant
from emulator.cluster.objects import Node, Pod
from emulator.cluster.settings import ClientRate, NodePool
from emulator.domain.timefmt import MINUTE, SECOND
from emulator.world import World

HOME = "default"
MERGE = "application/merge-patch+json"


def pod(world: World, name: str, requests: dict[str, str] | None = None, **spec: Any) -> Pod:
    """A pod by the API; what it is made of beyond its container is `spec`."""
    container = {"name": "c", "image": "fake", "resources": {"requests": requests or {}}}
    container |= spec.pop("container", {})
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], **spec},
    }
    ObjectAPI(world.platform.system).create(PODS, HOME, manifest)
    made = world.cluster.store.get("Pod", f"{HOME}/{name}")
    assert isinstance(made, Pod)
    return made


def node(world: World, name: str) -> Node:
    """The node of that name."""
    found = world.cluster.store.get("Node", name)
    assert isinstance(found, Node)
    return found


def rows(world: World, kind: str, about: Pod) -> list[dict[str, Any]]:
    """What the journal's rows of a kind say of a pod."""
    subject = world.cluster.store.subject(about)
    return [
        dict(row.data) for row in world.journal.rows if (row.kind, row.subject) == (kind, subject)
    ]


def reasons(world: World, about: Pod) -> list[str]:
    """The reasons of a pod's events, in order."""
    return [data["reason"] for data in rows(world, "event", about)]


def set_cordon(world: World, name: str, closed: bool) -> None:
    """What `kubectl cordon` and `uncordon` send."""
    nodes = find("", "v1", "nodes")
    assert nodes is not None
    api = ObjectAPI(world.platform.system)
    api.patch(nodes, "", name, MERGE, {"spec": {"unschedulable": closed}})


# -- the range of the pods' addresses ---------------------------------------------------------------


def test_a_pod_without_an_address_waits_and_is_tried_again() -> None:
    world = make_world(pod_range="10.0.0.0/29")
    held = [pod(world, f"held-{number}") for number in range(6)]
    advance(world, MINUTE)
    late = pod(world, "late")
    advance(world, MINUTE)
    assert all(each.phase == "Running" for each in held)
    assert (late.phase, late.state.reason, late.ip) == ("Pending", "ContainerCreating", "")
    assert late.conditions["PodReadyToStartContainers"].status == "False"
    said = [each for each in rows(world, "event", late) if "Sandbox" in each["note"].title()]
    assert {(each["type"], each["reason"]) for each in said} == {
        ("Warning", "FailedCreatePodSandBox")
    }
    assert 4 <= len(said) <= 6  # at every sync: 10 to 15 s
    for each in said:
        assert each["note"].startswith("Failed to create pod sandbox: rpc error: code = Unknown")
        assert each["note"].endswith(
            ": failed to allocate for range 0: no IP addresses available in range set:"
            " 10.0.0.1-10.0.0.6"
        )
    world.platform.system.deletion.delete_pod(held[0], 0)
    advance(world, MINUTE)
    assert (late.phase, late.ip) == ("Running", held[0].ip)
    assert late.conditions["PodReadyToStartContainers"].status == "True"


def test_a_pod_without_an_address_can_be_deleted_and_outlives_its_node() -> None:
    world = make_world(pod_range="10.0.0.0/29", pools=(NodePool("n", 1),))
    held = [pod(world, f"held-{number}") for number in range(6)]
    advance(world, MINUTE)
    stays, goes = pod(world, "stays"), pod(world, "goes")
    advance(world, MINUTE)
    nodes = world.platform.system.nodes
    nodes.lose(node(world, "n-1"))
    advance(world, 5 * SECOND)
    nodes.restore(node(world, "n-1"))
    world.platform.system.deletion.delete_pod(goes)
    advance(world, MINUTE)
    assert goes.removed
    assert stays.phase == "Pending"
    world.platform.system.deletion.delete_pod(held[0], 0)
    advance(world, MINUTE)
    assert stays.phase == "Running"


# -- nodes that are removed -------------------------------------------------------------------------


def test_nothing_is_bound_to_a_node_that_was_removed_before_the_binding() -> None:
    """The scheduler's client is slow: pods are assumed on a node before they are bound to it."""
    world = make_world(
        pools=(NodePool("a", 1), NodePool("b", 1)), scheduler_rate=ClientRate(10, 10)
    )
    pods = [pod(world, f"p-{number}") for number in range(60)]
    advance(world, SECOND)
    gone = node(world, "a-1")
    assert any(each.node is None for each in gone.pods.values())
    bound = [each for each in pods if each.node is gone]
    for each in bound:  # the collector finds nothing when the node goes
        world.platform.system.deletion.delete_pod(each, 0)
    world.platform.system.nodes.remove(gone)
    advance(world, 5 * MINUTE)
    left = [each for each in pods if each not in bound]
    assert bound
    assert len(left) > 20
    assert {each.node.name if each.node else "" for each in left} == {"b-1"}
    assert all(each.phase == "Running" and not each.removed for each in left)
    assert all(len(rows(world, "bind", each)) == 1 for each in left)


def test_a_pod_on_a_removed_node_is_collected_however_it_came_there() -> None:
    """The collector goes by what is, not by what was when the node went."""
    world = make_world(pools=(NodePool("n", 2),))
    gone = node(world, "n-1")
    world.platform.system.nodes.remove(gone)
    made = pod(world, "p", schedulerName="mine")
    made.node = gone  # a binding that was under way
    world.cluster.store.changed(made)
    advance(world, 39 * SECOND)
    assert not made.removed
    advance(world, 45 * SECOND)
    assert made.removed


def test_a_pod_that_names_a_node_that_is_not_there_is_collected() -> None:
    world = make_world()
    made = pod(world, "p", nodeName="nowhere")
    advance(world, 39 * SECOND)
    assert (made.phase, made.node) == ("Pending", None)
    advance(world, 45 * SECOND)
    assert made.removed


# -- pods that are not the scheduler's --------------------------------------------------------------


def test_a_pod_that_names_its_node_goes_there_without_the_scheduler() -> None:
    """Neither the cordon nor a selector is asked; nobody says Scheduled."""
    world = make_world(pools=(NodePool("n", 3),))
    for each in world.cluster.nodes:
        world.platform.system.nodes.cordon(each)
    wanted = node(world, "n-2")
    made = pod(world, "p", {"cpu": "1"}, nodeName="n-2", nodeSelector={"disk": "ssd"})
    assert made.node is wanted
    assert wanted.used["cpu"] == 1000
    assert rows(world, "bind", made) == [{"node": "n-2", "requests": {"cpu": 1000}}]
    advance(world, MINUTE)
    assert (made.phase, made.conditions["PodScheduled"].status) == ("Running", "True")
    assert not {"Scheduled", "FailedScheduling"} & set(reasons(world, made))
    world.platform.system.deletion.delete_pod(made, 0)
    assert wanted.used["cpu"] == 0


def test_a_pod_waits_for_the_node_that_it_names() -> None:
    world = make_world(pools=(NodePool("n", 1),))
    made = pod(world, "p", nodeName="late")
    advance(world, 5 * SECOND)
    world.platform.system.nodes.add(Node("late", NodePool("late", 1), world.now))
    advance(world, 5 * MINUTE)
    assert (made.phase, made.node) == ("Running", node(world, "late"))
    assert len(rows(world, "bind", made)) == 1


def test_a_kubelet_rejects_a_pod_that_does_not_fit() -> None:
    """kubernetes pkg/kubelet/lifecycle/predicate.go, InsufficientResourceError."""
    world = make_world(pools=(NodePool("n", 1, cpu=4000),))
    pod(world, "first", {"cpu": "3"})
    advance(world, MINUTE)
    made = pod(world, "p", {"cpu": "2"}, nodeName="n-1")
    advance(world, MINUTE)
    assert (made.phase, made.reason) == ("Failed", "OutOfcpu")
    (said,) = rows(world, "event", made)
    assert said["note"] == (
        "Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000"
    )
    assert node(world, "n-1").used["cpu"] == 3000


def test_a_pod_of_another_scheduler_is_let_be() -> None:
    world = make_world()
    made = pod(world, "p", schedulerName="mine")
    advance(world, MINUTE)
    assert (made.phase, made.node, reasons(world, made)) == ("Pending", None, [])


# -- graces -----------------------------------------------------------------------------------------


def test_a_deletion_shortens_the_kill_that_a_probe_has_begun() -> None:
    """The probe's kill has the pod's grace of 600 s, the deletion one of 5 s."""
    world = make_world(stop=Constant(10**6 * SECOND))
    probe = {"livenessProbe": {"tcpSocket": {"port": 1}, "failureThreshold": 1}}
    made = pod(world, "p", container=probe, terminationGracePeriodSeconds=600)
    advance(world, MINUTE)
    world.platform.system.kubelet.probe_answers(made, "liveness", False)
    advance(world, 20 * SECOND)
    assert "stop" in made.timers
    world.platform.system.deletion.delete_pod(made, 5)
    advance(world, 4 * SECOND)
    assert not made.removed
    advance(world, 2 * SECOND)
    assert made.removed


# -- faults -----------------------------------------------------------------------------------------


def test_a_cordon_made_during_a_fault_outlives_the_faults() -> None:
    world = make_world(pools=(NodePool("n", 3),))
    faults = world.faults
    faults.start("node-down", "down", target="node/n-1")
    advance(world, SECOND)
    set_cordon(world, "n-1", True)
    faults.start("drain", "drain", target="node/n-1")
    advance(world, SECOND)
    faults.heal("drain")
    faults.heal("down")
    advance(world, MINUTE)
    assert (node(world, "n-1").up, node(world, "n-1").unschedulable) == (True, True)


def test_an_uncordon_made_during_a_fault_outlives_the_faults() -> None:
    world = make_world(pools=(NodePool("n", 3),))
    faults = world.faults
    world.platform.system.nodes.cordon(node(world, "n-1"))
    faults.start("node-down", "down", target="node/n-1")
    advance(world, SECOND)
    set_cordon(world, "n-1", False)
    faults.start("drain", "drain", target="node/n-1")
    advance(world, SECOND)
    assert node(world, "n-1").unschedulable
    faults.heal("drain")
    faults.heal("down")
    advance(world, MINUTE)
    assert not node(world, "n-1").unschedulable


def test_a_drain_empties_a_node_that_was_cordoned_before() -> None:
    world = make_world(pools=(NodePool("n", 1),))
    made = pod(world, "p")
    advance(world, MINUTE)
    world.platform.system.nodes.cordon(node(world, "n-1"))
    world.faults.start("drain", "drain", target="node/n-1")
    advance(world, MINUTE)
    assert made.removed
    world.faults.heal("drain")
    advance(world, MINUTE)
    assert node(world, "n-1").unschedulable
