"""Health and the contextual message: the table, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.domain.health import REASONS, Health, health, message
from emulator.domain.kube import (
    Condition,
    ContainerState,
    ContainerStatus,
    DeploymentStatus,
    EventRecord,
    Observation,
    PodStatus,
)
from emulator.domain.lifecycle import State

RUNS = ContainerState("running", started=1)
CRASHED = ContainerState("terminated", "Error", exit_code=3)


def deployment(desired: int, ready: int) -> DeploymentStatus:
    return DeploymentStatus("d", "n", desired, ready, ready, desired, (), {})


def pod(
    state: ContainerState,
    *,
    ready: bool = False,
    restarts: int = 0,
    last: ContainerState | None = None,
    **more: Any,
) -> PodStatus:
    container = ContainerStatus("c", "image:1", ready, restarts, state, last)
    given = {"conditions": (), "created": 0, "node": "node-1", **more}
    return PodStatus("p", "n", "Running", containers=(container,), **given)


def seen(
    *pods: PodStatus, desired: int = 1, ready: int = 0, events: tuple[EventRecord, ...] = ()
) -> Observation:
    return Observation(0, deployment(desired, ready), None, (), pods, events)


def event(reason: str, note: str, time: int = 0) -> EventRecord:
    return EventRecord("Warning", reason, note, time, "Pod", "p")


@pytest.mark.parametrize(
    ("state", "desired", "ready", "was_ready", "expected"),
    [
        (State.PENDING, 1, 0, False, Health.STARTING),
        (State.RUNNING, 1, 1, True, Health.HEALTHY),
        (State.RUNNING, 3, 2, True, Health.DEGRADED),
        (State.RUNNING, 1, 0, True, Health.UNHEALTHY),
        (State.RUNNING, 1, 0, False, Health.STARTING),
        (State.ERROR, 1, 1, True, Health.UNHEALTHY),
        *(
            (state, 1, 1, True, Health.STOPPED)
            for state in (State.STOP, State.STOPPED, State.COMPLETED, State.DELETING, State.DELETED)
        ),
    ],
)
def test_health(state: State, desired: int, ready: int, was_ready: bool, expected: Health) -> None:
    observation = seen(pod(RUNS), desired=desired, ready=ready)
    assert health(state, observation, was_ready=was_ready) is expected
    told = message(state, observation, was_ready=was_ready)
    assert (told == "") is (expected in (Health.HEALTHY, Health.STOPPED))


def test_nothing_seen_yet() -> None:
    assert health(State.READY, None, was_ready=False) is Health.STARTING
    assert health(State.RUNNING, None, was_ready=True) is Health.UNHEALTHY
    assert message(State.READY, None, was_ready=False) == (
        "the objects of this run are being created"
    )


@pytest.mark.parametrize(
    ("observation", "how", "told"),
    [
        (
            Observation(0, None, None, (), (), ()),
            Health.STARTING,
            "the Deployment is gone from the cluster: start a new run",
        ),
        (
            seen(pod(ContainerState("waiting", "ImagePullBackOff", "no such image"))),
            Health.UNHEALTHY,
            "ImagePullBackOff: no such image: check the image's name, and that the registry has it "
            "and lets this cluster in",
        ),
        (
            seen(pod(ContainerState("waiting", "InvalidImageName", "bad name"))),
            Health.UNHEALTHY,
            "bad name: mend the image's name in the function",
        ),
        (
            seen(pod(ContainerState("waiting", "CrashLoopBackOff"), restarts=2, last=CRASHED)),
            Health.UNHEALTHY,
            "CrashLoopBackOff: the container exited with code 3 (Error) and was restarted 2 times: "
            "see its logs",
        ),
        (
            seen(pod(RUNS, restarts=1, last=CRASHED)),
            Health.STARTING,
            "restarting: the container exited with code 3 (Error) and was restarted once: see its "
            "logs",
        ),
        (
            seen(
                PodStatus(
                    "p",
                    "n",
                    "Pending",
                    (Condition("PodScheduled", "False", 0, "Unschedulable", "0/3 nodes."),),
                    (),
                    created=0,
                )
            ),
            Health.STARTING,
            "0/3 nodes. Ask for less, stop something, or add nodes",
        ),
        (
            seen(events=(event("FailedCreate", "Error creating: exceeded quota"),)),
            Health.STARTING,
            "Error creating: exceeded quota: ask for less, or raise the quota",
        ),
        (
            seen(pod(RUNS), events=(event("Unhealthy", "old", 1), event("Unhealthy", "new", 2))),
            Health.STARTING,
            "new: check that the container listens on the target port",
        ),
        (
            seen(pod(RUNS)),
            Health.STARTING,
            "the container runs and does not answer on its port yet",
        ),
        (
            seen(pod(ContainerState("waiting")), events=(event("Pulling", "Pulling"),)),
            Health.STARTING,
            'pulling image "image:1" on node-1',
        ),
        (
            seen(
                pod(ContainerState("waiting")),
                events=(event("Pulling", "Pulling", 1), event("Pulled", "Pulled", 2)),
            ),
            Health.STARTING,
            "the container is being created",
        ),
        (seen(), Health.STARTING, "the pods are being created"),
    ],
)
def test_the_message(observation: Observation, how: Health, told: str) -> None:
    assert health(State.PENDING, observation, was_ready=False) is how
    assert message(State.PENDING, observation, was_ready=False) == told


def test_a_degraded_service_counts() -> None:
    waits = pod(ContainerState("waiting", "ErrImagePull", "no such image"))
    observation = seen(pod(RUNS, ready=True), waits, desired=2, ready=1)
    assert message(State.RUNNING, observation, was_ready=True).startswith(
        "1 of 2 replicas ready: ErrImagePull: no such image"
    )


def test_the_gravest_comes_first_and_what_ends_is_not_counted() -> None:
    crashed = pod(ContainerState("waiting", "CrashLoopBackOff"), restarts=2, last=CRASHED)
    unpulled = pod(ContainerState("waiting", "ErrImagePull", "no such image"))
    told = message(State.PENDING, seen(crashed, unpulled), was_ready=False)
    assert told.startswith("ErrImagePull")
    leaving = pod(
        ContainerState("waiting", "CrashLoopBackOff"), restarts=2, last=CRASHED, terminating=True
    )
    assert message(State.PENDING, seen(leaving), was_ready=False) == "the pods are being created"


def test_the_last_rule_always_speaks() -> None:
    assert REASONS[-1](seen())
