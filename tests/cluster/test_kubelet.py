"""A pod's life on its node: what Kubernetes says at each step, word for word.

Sources: kubernetes 1.36 pkg/kubelet (events, waiting reasons, back-offs), as the facts' sections 6.1 to
6.5 have them; http-echo's own flags.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from support import (
    MISSING,
    PORT,
    Deployment,
    act,
    advance,
    deploy,
    events,
    make_world,
    one_node,
    ports,
    reached,
    settle,
    state,
    status,
    until,
)

from emulator.cluster.distributions import Constant
from emulator.cluster.settings import Image, Registry
from emulator.control.entities import Run
from emulator.domain.health import Health
from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.platform import NoRoute, Route
from emulator.world import World

LATENCY = 200 * MILLISECOND  # of the registry, by default
START = 300 * MILLISECOND  # from a pulled image to a running container, by default
API = 10 * MILLISECOND  # of a request, and of a change on its way to who watches it
#: From the request to the kubelet: API, Deployment, ReplicaSet, scheduler and kubelet.
ADMITTED = 5 * API


def told(world: World, kind: str = "Pod") -> list[tuple[str, str, str]]:
    """Type, reason and note of the events about one kind of object, in order."""
    return [
        (row.data["type"], row.data["reason"], row.data["note"])
        for row in events(world)
        if row.subject.startswith(f"{kind}/")
    ]


def pod_of(world: World, run: Run) -> Any:
    """The only pod of a run, as the status shows it."""
    (pod,) = status(run)["pods"]
    return pod


def container_state(run: Run) -> Any:
    """The raw state of the only container."""
    (pod,) = status(run)["k8s"]["pods"]
    (container,) = pod["status"]["containerStatuses"]
    return container["state"]


def test_the_events_of_a_start() -> None:
    world = make_world(pools=one_node())
    run = settle(world, deploy(world, id="abc", image="nginx:1"))
    (pod,) = [each["name"] for each in status(run)["pods"]]
    replica_set = pod.rpartition("-")[0]
    assert told(world, "Deployment") == [
        (
            "Normal",
            "ScalingReplicaSet",
            f"Scaled up replica set {told_set(world)} from 0 to 1",
        )
    ]
    assert told(world, "ReplicaSet") == [("Normal", "SuccessfulCreate", f"Created pod: {pod}")]
    assert replica_set.startswith("d-containerserve-abc-")
    assert told(world) == [
        ("Normal", "Scheduled", f"Successfully assigned digitalhub/{pod} to node-1"),
        ("Normal", "Pulling", 'Pulling image "nginx:1"'),
        (
            "Normal",
            "Pulled",
            'Successfully pulled image "nginx:1" in 1.2s (1.2s including waiting). '
            "Image size: 52428800 bytes.",
        ),
        ("Normal", "Created", "Container created"),
        ("Normal", "Started", "Container started"),
    ]
    assert [row.t for row in events(world, "Pulled", "Started")] == [
        ADMITTED + LATENCY + SECOND,
        ADMITTED + LATENCY + SECOND + START,
    ]


def told_set(world: World) -> str:
    """The name of the only ReplicaSet."""
    (row,) = events(world, "SuccessfulCreate")
    return row.subject.removeprefix("ReplicaSet/")


def test_an_image_that_is_there_is_not_pulled() -> None:
    world = make_world(pools=one_node())
    deployment = Deployment(world, image="nginx:1")
    settle(world, deployment.run())
    seen = len(told(world))
    settle(world, deployment.run())
    reasons = [reason for _, reason, _ in told(world)[seen:]]
    assert reasons == ["Scheduled", "Pulled", "Created", "Started"]
    assert told(world)[seen + 1][2] == (
        'Container image "nginx:1" already present on machine and can be accessed by the pod'
    )


def test_a_node_pulls_one_image_at_a_time() -> None:
    registry = Registry(images=(Image("big", size=500 * 2**20),))
    world = make_world(pools=one_node(), registry=registry)
    first = deploy(world, image="big")
    second = deploy(world, image="small")
    for run in (first, second):
        settle(world, run)
    assert [row.data["note"].partition(" in ")[2] for row in events(world, "Pulled")] == [
        "10.2s (10.2s including waiting). Image size: 524288000 bytes.",
        "1.2s (11.4s including waiting). Image size: 52428800 bytes.",
    ]


def test_a_failing_pull() -> None:
    world = make_world(pools=one_node())
    run = deploy(world, image=MISSING)
    error = f'failed to pull and unpack image "{MISSING}": not found'
    advance(world, 1100 * MILLISECOND)  # refreshes are a second apart
    assert container_state(run) == {"waiting": {"reason": "ErrImagePull", "message": error}}
    advance(world, 2 * SECOND)
    assert told(world)[1:] == [
        ("Normal", "Pulling", f'Pulling image "{MISSING}"'),
        ("Warning", "Failed", f'Failed to pull image "{MISSING}": {error}'),
        ("Warning", "Failed", "Error: ErrImagePull"),
        ("Normal", "BackOff", f'Back-off pulling image "{MISSING}"'),
        ("Warning", "Failed", "Error: ImagePullBackOff"),
    ]
    advance(world, 2 * SECOND)
    assert container_state(run) == {
        "waiting": {
            "reason": "ImagePullBackOff",
            "message": f'Back-off pulling image "{MISSING}": ErrImagePull: {error}',
        }
    }
    assert pod_of(world, run)["phase"] == "Pending"
    assert pod_of(world, run)["containers"][0]["state"] == "waiting: ImagePullBackOff"
    assert run.health is Health.UNHEALTHY
    assert "check the image's name" in run.message


def test_pulls_are_tried_again_with_the_back_off() -> None:
    world = make_world("core-0.15", pools=one_node())
    deploy(world, image=MISSING)
    advance(world, 2 * HOUR)
    pulls = [row.t for row in events(world, "Pulling")]
    nominal = [seconds * SECOND for seconds in (10, 20, 40, 80, 160, 300, 300, 300)]
    for earlier, later, wait in zip(pulls, pulls[1:], nominal, strict=False):
        assert wait <= later - (earlier + LATENCY) <= wait + wait // 2


def test_a_pull_that_succeeds_at_last_clears_the_back_off() -> None:
    class Healing(Registry):
        """A registry that has nothing for the first minute."""

        def find(self, image: str) -> Image:
            return Image(image, error="not found" if world.now < MINUTE else "")

    world = make_world(pools=one_node(), registry=Healing())
    run = settle(world, deploy(world))
    assert run.state is State.RUNNING
    assert MINUTE < reached(world, run, State.RUNNING) < 2 * MINUTE
    assert run.message == ""


def test_a_name_that_no_engine_takes() -> None:
    world = make_world()
    run = deploy(world, image="Not:A:Name")
    advance(world, MINUTE)
    text = (
        'Failed to apply default image tag "Not:A:Name": couldn\'t parse image name "Not:A:Name": '
        "invalid reference format"
    )
    assert told(world)[1:] == [
        ("Warning", "InspectFailed", text),
        ("Warning", "Failed", "Error: InvalidImageName"),
    ]
    assert container_state(run)["waiting"]["reason"] == "InvalidImageName"
    assert "mend the image's name" in run.message


def test_an_image_that_must_be_there_and_is_not() -> None:
    world = make_world()
    run = Deployment(world, image="nginx:1", image_pull_policy="Never").run()
    advance(world, MINUTE)
    text = 'Container image "nginx:1" is not present with pull policy of Never'
    assert told(world)[1:] == [
        ("Warning", "ErrImageNeverPull", text),
        ("Warning", "Failed", "Error: ErrImageNeverPull"),
    ]
    assert container_state(run) == {"waiting": {"reason": "ErrImageNeverPull", "message": text}}


def crash_loop(duration: int) -> tuple[World, Run]:
    """A service whose container lives for five seconds, after `duration`."""
    rules = [{"image": "crash", "echo": True, "exit": {"after": "5s", "code": 3}}]
    world = make_world(rules=rules)
    run = deploy(world, image="crash")
    advance(world, duration)
    return world, run


def test_the_waits_of_a_crash_loop() -> None:
    world, run = crash_loop(2 * HOUR)
    exits = [row for row in world.journal.rows if row.kind == "exit"]
    lived = START + 5 * SECOND
    waits = [later.t - lived - exit.t for exit, later in pairwise(exits)]
    nominal = [seconds * SECOND for seconds in (0, 10, 20, 40, 80, 160, 300, 300, 300)]
    assert len(waits) > len(nominal)
    for wait, least in zip(waits, nominal, strict=False):
        assert least <= wait <= least + least // 2
    assert [row.data["restarts"] for row in exits] == list(range(len(exits)))
    assert run.state is State.RUNNING


def test_what_a_crash_loop_says() -> None:
    world, run = crash_loop(10 * SECOND)
    assert [row.data["restarts"] for row in world.journal.rows if row.kind == "exit"] == [0]
    assert not events(world, "BackOff")  # the first restart does not wait
    advance(world, 5 * SECOND)
    name = pod_of(world, run)["name"]
    (note,) = {row.data["note"] for row in events(world, "BackOff")}
    where = f"{name}_digitalhub"
    assert note.startswith(f"Back-off restarting failed container c-containerserve-{run.id} in pod")
    assert where in note
    waiting = container_state(run)["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff"
    assert waiting["message"].startswith(
        f"back-off 10s restarting failed container=c-containerserve-{run.id} pod={where}"
    )
    pod = pod_of(world, run)
    assert pod["phase"] == "Running"  # a crash loop is no Pending
    assert (pod["containers"][0]["restartCount"], pod["containers"][0]["ready"]) == (1, False)
    (raw,) = status(run)["k8s"]["pods"]
    last = raw["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (3, "Error")
    assert run.health is Health.UNHEALTHY
    assert run.message == (
        "CrashLoopBackOff: the container exited with code 3 (Error) and was restarted once: "
        "see its logs"
    )


def test_back_offs_are_written_as_go_writes_them() -> None:
    world, _ = crash_loop(0)
    seen: list[str] = []
    for _ in range(3 * 3600 // 5):
        advance(world, 5 * SECOND)
        for workload in world.cluster.groups.values():
            for pod in workload.pods:
                found = re.match(r"back-off (\S+) restarting", pod.state.message)
                if found and seen[-1:] != [found[1]]:
                    seen.append(found[1])
    assert seen == ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s"]


def test_an_exit_after_more_than_ten_minutes_restarts_at_once() -> None:
    world = make_world(rules=[{"image": "crash", "echo": True, "exit": {"after": "601s"}}])
    run = deploy(world, image="crash")
    advance(world, 2 * HOUR)
    exits = [row.t for row in world.journal.rows if row.kind == "exit"]
    starts = [row.t for row in events(world, "Started")][1:]
    assert len(exits) >= 10
    assert {start - exit for exit, start in zip(exits, starts, strict=False)} == {START}
    assert not events(world, "BackOff")
    assert run.state is State.RUNNING


def test_the_end_of_a_program_that_did_its_work_is_an_end_too() -> None:
    """Kubernetes treats exit code 0 alike where the restart policy is Always."""
    world = make_world(
        rules=[{"image": "job", "echo": True, "exit": {"after": "2s", "code": 0}}], deadline=60
    )
    run = deploy(world, image="job")
    advance(world, MINUTE)
    (pod,) = run.seen.pods if run.seen else ()
    (container,) = pod.containers
    assert container.restarts >= 2
    assert container.last is not None
    assert (container.last.exit_code, container.last.reason) == (0, "Completed")


def test_a_slow_start_is_waited_for_second_by_second() -> None:
    """The startup probe asks every second since the kubelet has the pod (facts 6.4).

    What starts after 1.5 s and listens 20.7 s later is ready after 23 s.
    """
    world = make_world(rules=[{"image": "slow", "echo": True, "startup": "20700ms"}])
    run = deploy(world, image="slow", id="abc")
    until(world, lambda: bool(events(world, "Started")))
    advance(world, 15 * SECOND)
    assert run.state is State.PENDING
    assert run.health is Health.STARTING
    (unhealthy,) = events(world, "Unhealthy")
    assert re.fullmatch(
        rf"Startup probe failed: dial tcp 10\.2\d+\.\d+\.\d+:{PORT}: connect: connection refused",
        unhealthy.data["note"],
    )
    assert isinstance(world.route("s-containerserve-abc", PORT), NoRoute)
    settle(world, run)
    ready = next(row for row in world.journal.rows if row.kind == "pod" and row.data["ready"])
    assert ready.t == ADMITTED + 23 * SECOND
    assert isinstance(world.route("s-containerserve-abc", PORT), Route)


def test_a_program_on_another_port_is_never_ready_and_the_message_says_so() -> None:
    world = make_world()
    run = deploy(
        world,
        image="hashicorp/http-echo",
        command="/http-echo -text=hi -listen=:9999",
        service_ports=ports(5678),
    )
    advance(world, 5 * MINUTE)
    assert state(run) is State.PENDING
    assert run.message == status(run)["message"]
    assert re.fullmatch(
        r"Startup probe failed: dial tcp \S+:5678: connect: connection refused: "
        "check that the container listens on the target port",
        run.message,
    )
    settle(world, run)
    assert run.state is State.ERROR
    assert run.message.startswith("not ready within 600 s: ")


def test_the_port_that_it_listens_on_makes_it_ready() -> None:
    world = make_world()
    run = deploy(
        world,
        image="hashicorp/http-echo",
        command="/http-echo -text=hi -listen=:9999",
        service_ports=[{"port": 80, "target_port": 9999}],
    )
    assert settle(world, run).state is State.RUNNING


def test_a_program_that_refuses_its_flags_crashes() -> None:
    world = make_world()
    run = deploy(world, image="hashicorp/http-echo", command="/http-echo -nonsense")
    advance(world, MINUTE)
    assert run.state is State.PENDING
    assert "the container exited with code 2 (Error)" in run.message


@pytest.mark.parametrize("profile", ["documented", "core-0.15"])
def test_a_stop_ends_the_container_and_says_so(profile: str) -> None:
    world = make_world(profile, pools=one_node())
    run = settle(world, deploy(world, image="nginx:1"))
    seen = len(told(world))
    act(world, run, "stop")
    advance(world, MINUTE)
    assert told(world)[seen:] == [
        ("Normal", "Killing", f"Stopping container c-containerserve-{run.id}")
    ]
    assert gone(world) == 1


def gone(world: World) -> int:
    """How many pods have gone."""
    rows: list[Row] = world.journal.rows
    return sum(
        row.kind == "object" and row.data["op"] == "DELETED" and row.subject.startswith("Pod/")
        for row in rows
    )


def test_a_pod_that_waits_for_its_image_goes_at_once() -> None:
    world = make_world()
    run = deploy(world, image=MISSING)
    advance(world, MINUTE)
    act(world, run, "stop")
    advance(world, 4 * API)  # the request, the ReplicaSet, its pod, the kubelet
    assert gone(world) == 1
    assert not events(world, "Killing")


def test_a_container_that_is_being_ended_neither_crashes_nor_comes_back() -> None:
    rules = [{"image": "crash", "echo": True, "exit": {"after": "5s"}}]
    world = make_world(rules=rules, stop=Constant(20 * SECOND))
    run = settle(world, deploy(world, image="crash"))
    act(world, run, "stop")
    advance(world, MINUTE)
    assert not [row for row in world.journal.rows if row.kind == "exit"]
    assert len(events(world, "Started")) == 1
    assert gone(world) == 1


def test_a_terminating_pod_gets_no_requests() -> None:
    world = make_world()
    run = settle(world, deploy(world, id="abc", replicas=2))
    advance(world, MINUTE)
    act(world, run, "stop")
    until(world, lambda: bool(events(world, "Killing")))
    assert world.cluster.groups["abc"].pods
    assert isinstance(world.route("s-containerserve-abc", PORT), NoRoute)
