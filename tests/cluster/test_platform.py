"""The platform contract, kept by the simulated cluster; Deployments and their deadline.

Sources: `emulator.platform`; kubernetes 1.36 pkg/controller/deployment (conditions, deadline + 1 s).
"""

from __future__ import annotations

from typing import Any

import pytest
from support import (
    MISSING,
    PORT,
    advance,
    delete,
    deploy,
    leftovers,
    make_world,
    reached,
    settle,
    state,
    status,
)

from emulator.cluster.controllers.deployments import unavailable
from emulator.cluster.objects import Deployment
from emulator.cluster.settings import Image, Registry
from emulator.control import manifests
from emulator.domain.kube import Observation
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.domain.workload import Request
from emulator.platform import (
    OWNER,
    Capability,
    Change,
    ContainerLog,
    NoRoute,
    PlatformError,
    Route,
    Workload,
)
from emulator.world import World

API = 10 * MILLISECOND


def workload(world: World, name: str, **spec: Any) -> Workload:
    """The objects of a run that no control plane follows, so that the platform is on its own."""
    scratch = make_world()
    run = deploy(scratch, id=name, **spec)
    return manifests.build(run, scratch.settings.control, spec.get("aliases", ()))


def apply(world: World, wanted: Workload) -> list[Observation | PlatformError]:
    """The answers to one apply, after the API has had its time."""
    answers: list[Observation | PlatformError] = []
    world.platform.apply(wanted, answers.append)
    advance(world, API)
    return answers


def observe(world: World, name: str) -> Observation:
    """What there is of a workload."""
    seen: list[Observation | PlatformError] = []
    world.platform.observe(name, seen.append)
    (one,) = seen
    assert isinstance(one, Observation)
    return one


def test_the_capabilities() -> None:
    assert make_world().platform.capabilities == set(Capability)


def test_an_answer_takes_the_apis_time_and_comes_once() -> None:
    world = make_world()
    answers: list[Any] = []
    world.platform.apply(workload(world, "abc"), answers.append)
    advance(world, API - 1)
    assert answers == []
    advance(world, HOUR)
    (seen,) = answers
    assert seen.time == API
    assert seen.deployment.name == "d-containerserve-abc"
    assert seen.service.name == "s-containerserve-abc"


def test_an_apply_twice_is_an_apply_once() -> None:
    world = make_world()
    wanted = workload(world, "abc")
    (first,) = apply(world, wanted)
    advance(world, SECOND)
    pods = observe(world, "abc").pods
    (second,) = apply(world, wanted)
    assert isinstance(first, Observation)
    assert isinstance(second, Observation)
    assert first.service == second.service
    assert len(second.pods) == 1
    assert [pod.name for pod in pods] == [pod.name for pod in second.pods]


def test_every_object_has_our_label() -> None:
    wanted = workload(make_world(), "abc")
    for each in (wanted.deployment, wanted.service):
        assert each["metadata"]["labels"][OWNER] == "abc"


def test_what_is_not_there_can_be_deleted_and_looked_at() -> None:
    world = make_world()
    done: list[object] = []
    world.platform.delete("no-such", done.append)
    advance(world, API)
    assert done == [None]
    seen = observe(world, "no-such")
    assert (seen.deployment, seen.service, seen.pods, seen.events) == (None, None, (), ())
    logs: list[tuple[ContainerLog, ...]] = []
    world.platform.logs("no-such", logs.append)
    assert logs == [()]
    assert world.platform.route("no-such", 80) == NoRoute()


def test_a_delete_removes_everything_and_nothing_else() -> None:
    world = make_world()
    apply(world, workload(world, "abc"))
    apply(world, workload(world, "xyz"))
    advance(world, MINUTE)
    before = observe(world, "xyz")
    done: list[object] = []
    world.platform.delete("abc", done.append)
    world.platform.delete("abc", done.append)
    advance(world, MINUTE)
    assert done == [None, None]
    assert observe(world, "abc").deployment is None
    after = observe(world, "xyz")
    assert (after.deployment, after.service, after.pods) == (
        before.deployment,
        before.service,
        before.pods,
    )
    world.platform.delete("xyz", done.append)
    advance(world, MINUTE)
    assert leftovers(world) == {}


def test_anothers_objects_are_not_adopted() -> None:
    world = make_world()
    apply(world, workload(world, "a.b"))
    (answer,) = apply(world, workload(world, "ab"))
    assert answer == PlatformError(
        409, "AlreadyExists", 'deployments.apps "d-containerserve-ab" already exists'
    )
    done: list[object] = []
    world.platform.delete("ab", done.append)
    advance(world, MINUTE)
    assert observe(world, "a.b").deployment is not None


def test_watchers_are_told_until_they_stop() -> None:
    world = make_world()
    heard: list[Change] = []
    other: list[Change] = []
    stop = world.platform.watch(heard.append)
    world.platform.watch(other.append)
    apply(world, workload(world, "abc"))
    advance(world, MINUTE)
    assert {each.workload for each in heard} == {"abc"}
    assert {each.kind for each in heard} == {"Pod", "Deployment", "Service"}
    assert heard == other
    stop()
    stop()
    count = len(heard)
    apply(world, workload(world, "xyz"))
    assert len(heard) == count < len(other)


def test_a_route_answers_on_its_port_only() -> None:
    world = make_world(rules=[{"image": "*", "static": {"body": "hello"}, "listens": [PORT]}])
    run = settle(
        world,
        deploy(
            world,
            id="abc",
            service_ports=[{"port": 80, "target_port": PORT}, {"port": 81, "target_port": 1}],
        ),
    )
    assert run.state is State.RUNNING
    request = Request("GET", "/", (), b"", "s-containerserve-abc", 80)
    found = world.route("S-Containerserve-ABC.", 80)  # a host name is what it is in any case
    assert isinstance(found, Route)
    assert found.target(request).body == b"hello"
    deaf = world.route("s-containerserve-abc", 81)
    assert isinstance(deaf, Route)
    with pytest.raises(ConnectionRefusedError, match="does not listen on port 1"):
        deaf.target(request)


def test_logs_are_the_oldest_pods_first() -> None:
    world = make_world(rules=[{"image": "*", "echo": True}])
    settle(world, deploy(world, id="abc", replicas=2))
    advance(world, MINUTE)
    seen: list[tuple[ContainerLog, ...]] = []
    world.platform.logs("abc", seen.append)
    assert [log.pod for log in seen[0]] == [pod.name for pod in observe(world, "abc").pods]


# -- Deployments ----------------------------------------------------------------------------------------


def conditions(world: World, name: str) -> dict[str, tuple[str, str, str]]:
    """The Deployment's conditions: status, reason, message by type."""
    deployment = observe(world, name).deployment
    assert deployment is not None
    return {each.type: (each.status, each.reason, each.message) for each in deployment.conditions}


def test_the_conditions_of_a_rollout() -> None:
    registry = Registry(images=(Image("big", size=3000 * 2**20),))
    world = make_world(registry=registry)
    deploy(world, id="abc", image="big", replicas=3)
    advance(world, SECOND)
    deployment = world.cluster.groups["abc"].deployment
    assert deployment is not None
    name = deployment.replica_sets[0].name
    unavailable = "Deployment does not have minimum availability."
    assert conditions(world, "abc") == {
        "Available": ("False", "MinimumReplicasUnavailable", unavailable),
        "Progressing": ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.'),
    }
    advance(world, HOUR)
    assert conditions(world, "abc") == {
        "Available": (
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        ),
        "Progressing": (
            "True",
            "NewReplicaSetAvailable",
            f'ReplicaSet "{name}" has successfully progressed.',
        ),
    }


@pytest.mark.parametrize(
    ("replicas", "least"), [(1, 1), (2, 2), (3, 3), (4, 3), (7, 6), (8, 6), (10, 8), (100, 75)]
)
def test_a_quarter_may_be_missing_rounded_down(replicas: int, least: int) -> None:
    """kubernetes ResolveFenceposts for 25 % and 25 %: n=4 leaves 3, n=10 leaves 8."""
    deployment = Deployment("d", "ns", 0)
    deployment.wanted = replicas
    assert replicas - unavailable(deployment) == least


@pytest.mark.parametrize("deadline", [60, 600])
def test_the_deadline_is_seen_a_second_late(deadline: int) -> None:
    world = make_world(deadline=deadline)
    run = deploy(world, id="abc", image=MISSING)
    until = (deadline + 1) * SECOND  # the last progress is written as second 0
    advance(world, until - 1)
    assert state(run) is State.PENDING
    assert conditions(world, "abc")["Progressing"][0] == "True"
    advance(world, 1)
    (row,) = [
        row for row in world.journal.rows if row.data.get("reason") == "ProgressDeadlineExceeded"
    ]
    assert row.t == until
    assert run.state is State.ERROR
    assert reached(world, run, State.ERROR) == until
    assert status(run)["message"] == (
        f'not ready within {deadline} s: ImagePullBackOff: Back-off pulling image "{MISSING}": '
        f'ErrImagePull: failed to pull and unpack image "{MISSING}": not found: check the image\'s '
        "name, and that the registry has it and lets this cluster in"
    )
    advance(world, MINUTE)
    assert set(leftovers(world)) == {"runs"}


def test_core_waits_for_ever() -> None:
    world = make_world("core-0.15")
    run = deploy(world, id="abc", image=MISSING)
    advance(world, 48 * HOUR)
    assert run.state is State.PENDING
    assert conditions(world, "abc")["Progressing"][:2] == ("False", "ProgressDeadlineExceeded")
    assert "message" not in status(run)
    delete(world, run)
    advance(world, MINUTE)
    assert leftovers(world) == {}


def test_progress_moves_the_deadline() -> None:
    """Three replicas on three nodes, one of which pulls for longer than the deadline."""

    class Uneven(Registry):
        """The third pull is a slow one."""

        def find(self, image: str) -> Image:
            seen.append(image)
            return Image(image, size=(50 if len(seen) < 3 else 4000) * 2**20)

    seen: list[str] = []
    world = make_world(registry=Uneven(), deadline=60)
    deploy(world, id="abc", replicas=3)
    advance(world, 61 * SECOND)
    assert conditions(world, "abc")["Progressing"][1] == "ReplicaSetUpdated"
    advance(world, 5 * SECOND)
    assert conditions(world, "abc")["Progressing"][:2] == ("False", "ProgressDeadlineExceeded")
    advance(world, MINUTE)
    assert conditions(world, "abc")["Progressing"][:2] == ("True", "NewReplicaSetAvailable")
    assert world.plane.repository.run("abc").state is State.RUNNING


def test_a_rollout_that_was_complete_never_times_out() -> None:
    rules = [{"image": "crash", "echo": True, "exit": {"after": "5s"}}]
    world = make_world(rules=rules, deadline=60)
    run = deploy(world, id="abc", image="crash")
    advance(world, 2 * HOUR)
    assert conditions(world, "abc")["Progressing"][1] == "NewReplicaSetAvailable"
    assert run.state is State.RUNNING
