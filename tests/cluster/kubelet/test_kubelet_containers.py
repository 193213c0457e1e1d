"""Containers: starts, ends, restarts, phases and conditions.

Source: Kubernetes facts 0.1, 6, 6.1, 6.3; kubernetes 1.36 pkg/kubelet (kuberuntime doBackOff, getPhase,
status/generate.go for order and reasons of the conditions).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from kubelet_bench import RUNNING, START, Bench, condition

from emulator.cluster.distributions import Constant
from emulator.cluster.kubelet import SlowStart
from emulator.domain.kube import ContainerState
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.domain.workload import Exit, MemoryUse, Plan, RunFailed, StartFailed

WAITS = [0, 10, 20, 40, 80, 160, 300, 300]
CONDITIONS = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
]
UNREADY = ("False", "ContainersNotReady", "containers with unready status: [c]")
MEMORY: dict[str, Any] = {"resources": {"limits": {"memory": "128Mi"}}}


def test_a_plain_start() -> None:
    bench = Bench()
    pod = bench.pod()
    bench.to(RUNNING - 1)
    assert (pod.phase, pod.state) == ("Pending", ContainerState("waiting", "ContainerCreating"))
    assert list(pod.conditions) == CONDITIONS
    assert condition(pod, "Ready") == condition(pod, "ContainersReady") == UNREADY
    bench.to(RUNNING)
    assert [note for _, note in bench.said("Created", "Started")] == [
        "Container created",
        "Container started",
    ]
    assert pod.phase == "Running"
    assert pod.state == ContainerState("running", started=RUNNING)
    assert list(pod.conditions) == CONDITIONS
    assert {kind: condition(pod, kind) for kind in CONDITIONS} == dict.fromkeys(
        CONDITIONS, ("True", "", "")
    )
    assert [row.data for row in bench.rows("pod")] == [{"phase": "Running", "ready": True}]
    assert bench.at_rest  # a pod without probes has nothing left to do


def test_a_start_may_be_slowed() -> None:
    bench = Bench()
    bench.kubelet.disturb.starts.append(
        SlowStart(Constant(5 * SECOND), lambda pod: pod.template.image == "present:1")
    )
    bench.pod()
    bench.to(MINUTE)
    assert [at for at, _ in bench.said("Started")] == [RUNNING + 5 * SECOND]


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_the_waits_before_restarts(code: int, seed: int) -> None:
    """0, 10, 20, 40, 80, 160, 300, 300: the first has none; code 0 is treated alike under Always."""
    bench = Bench(seed)
    pod = bench.pod(plan=Plan(exit=Exit(SECOND, code, "Error" if code else "Completed")))
    bench.to(HOUR)
    ends = [at for at, *_ in bench.exits()]
    waits = [later - earlier - START - SECOND for earlier, later in pairwise(ends)]
    assert len(waits) > len(WAITS)
    for n, wait in enumerate(waits):
        nominal = WAITS[min(n, len(WAITS) - 1)] * SECOND
        assert nominal <= wait <= nominal + nominal // 2
    assert pod.phase == "Running"  # all the while
    assert [row.data["phase"] for row in bench.rows("pod")] == ["Running"] * len(bench.rows("pod"))


def test_what_a_crash_loop_shows() -> None:
    bench = Bench()
    pod = bench.pod(plan=Plan(exit=Exit(SECOND, 3)))
    second = RUNNING + 2 * SECOND + START  # the second end
    bench.to(second)
    ended = ContainerState(
        "terminated", "Error", exit_code=3, started=second - SECOND, finished=second
    )
    assert pod.state == pod.last == ended
    assert condition(pod, "Ready") == condition(pod, "ContainersReady") == UNREADY
    bench.to(second + SECOND)  # the kubelet has seen it
    digits = pod.state.message.rpartition("(")[2].rstrip(")")
    where = f"app-1_default({digits})"
    assert [len(part) for part in digits.split("-")] == [8, 4, 4, 4, 12]
    assert pod.state == ContainerState(
        "waiting",
        "CrashLoopBackOff",
        f"back-off 10s restarting failed container=c pod={where}",
    )
    assert bench.said("BackOff") == [
        (second + SECOND, f"Back-off restarting failed container c in pod {where}")
    ]
    assert bench.rows("event")[-1].data["type"] == "Warning"
    assert pod.restarts == 1
    assert pod.last == ended
    bench.to(second + 16 * SECOND)
    assert pod.restarts == 2


def test_a_run_of_more_than_ten_minutes_begins_the_waits_anew() -> None:
    bench = Bench()
    pod = bench.pod()
    bench.to(SECOND)
    for _ in range(3):
        bench.kubelet.kill(pod, 1)
        bench.on(40 * SECOND)
        assert pod.state.phase == "running"
    bench.to(pod.state.started + 600 * SECOND + 1)
    bench.kubelet.kill(pod, 1)
    bench.on(START)
    assert pod.state.phase == "running"
    bench.to(pod.state.started + SECOND)
    bench.kubelet.kill(pod, 1)
    ended = bench.now
    bench.on(30 * SECOND)
    assert 10 * SECOND <= pod.state.started - START - ended <= 15 * SECOND


@pytest.mark.parametrize(
    ("policy", "code", "phase", "reason"),
    [
        ("Never", 0, "Succeeded", "PodCompleted"),
        ("Never", 2, "Failed", "PodFailed"),
        ("OnFailure", 0, "Succeeded", "PodCompleted"),
    ],
)
def test_pods_that_end(policy: str, code: int, phase: str, reason: str) -> None:
    bench = Bench()
    pod = bench.pod(
        plan=Plan(exit=Exit(SECOND, code, "Error" if code else "Completed")),
        spec={"restartPolicy": policy},
    )
    bench.to(MINUTE)
    assert (pod.phase, pod.ready, pod.restarts) == (phase, False, 0)
    assert condition(pod, "Ready") == condition(pod, "ContainersReady") == ("False", reason, "")
    assert condition(pod, "PodReadyToStartContainers")[0] == "False"  # the sandbox is stopped
    initialized = ("True", "PodCompleted" if code == 0 else "", "")
    assert condition(pod, "Initialized") == initialized
    assert pod.state.reason == ("Completed" if code == 0 else "Error")
    assert bench.at_rest
    bench.deletion.delete_pod(pod)
    assert pod.removed
    assert bench.kubelet.addresses.used == 0


def test_on_failure_restarts_a_failure() -> None:
    bench = Bench()
    pod = bench.pod(plan=Plan(exit=Exit(SECOND, 1)), spec={"restartPolicy": "OnFailure"})
    bench.to(RUNNING + SECOND + START)
    assert (pod.phase, pod.restarts, pod.state.phase) == ("Running", 1, "running")


# -- memory ----------------------------------------------------------------------------------------


def test_more_memory_than_the_limit_is_an_oom_kill() -> None:
    """Terminated OOMKilled 137, no Killing event, and the way of every restart."""
    bench = Bench()
    plan = Plan(memory=MemoryUse(2 * SECOND, 129 * 2**20))
    pod = bench.pod(plan=plan, **MEMORY)
    bench.to(RUNNING + 2 * SECOND + START)
    assert bench.exits() == [(RUNNING + 2 * SECOND, 137, "OOMKilled")]
    assert "Killing" not in bench.reasons()
    assert pod.restarts == 1
    assert pod.last is not None
    assert (pod.last.reason, pod.last.exit_code) == ("OOMKilled", 137)
    assert pod.state.phase == "running"


def test_memory_within_the_limit_or_without_one_is_fine() -> None:
    bench = Bench()
    bench.pod(plan=Plan(memory=MemoryUse(0, 128 * 2**20)), **MEMORY)
    bench.pod(image="a", plan=Plan(memory=MemoryUse(0, 2**40)))
    bench.to(MINUTE)
    assert bench.exits() == []


def test_the_earlier_end_counts() -> None:
    bench = Bench()
    plan = Plan(exit=Exit(SECOND, 4), memory=MemoryUse(2 * SECOND, 2**30))
    bench.pod(plan=plan, **MEMORY)
    bench.to(RUNNING + SECOND)
    assert bench.exits() == [(RUNNING + SECOND, 4, "Error")]


def test_a_fault_may_kill() -> None:
    bench = Bench()
    pod = bench.pod()
    bench.kubelet.oom(pod)  # nothing runs yet
    bench.to(SECOND)
    bench.kubelet.oom(pod)
    bench.kubelet.kill(pod, 9)  # what is dead is dead
    assert bench.exits() == [(SECOND, 137, "OOMKilled")]


# -- containers that cannot be ---------------------------------------------------------------------


def test_a_container_that_cannot_be_created_is_tried_again_at_every_sync() -> None:
    """CreateContainerError; the worker comes back after 10 s x U[1, 1.5)."""
    bench = Bench()
    pod = bench.pod(plan=StartFailed("no such device"))
    bench.to(RUNNING)
    assert pod.state == ContainerState("waiting", "CreateContainerError", "no such device")
    assert bench.said("Failed") == [(RUNNING, "Error: no such device")]
    assert pod.phase == "Pending"
    bench.runtime.plans[pod.template.image] = Plan()
    bench.to(RUNNING + 10 * SECOND)
    assert pod.state.phase == "waiting"
    bench.to(RUNNING + START + 15 * SECOND)
    assert (pod.state.phase, pod.restarts) == ("running", 0)


def test_a_container_that_cannot_be_run_has_ended_with_128() -> None:
    bench = Bench()
    pod = bench.pod(plan=RunFailed("exec: no such file"))
    bench.to(RUNNING)
    assert pod.state == ContainerState("waiting", "RunContainerError", "exec: no such file")
    assert bench.exits() == [(RUNNING, 128, "StartError")]
    assert bench.said("Failed") == [(RUNNING, "Error: exec: no such file")]
    bench.to(RUNNING + START + 1500 * MILLISECOND)
    assert (pod.state.reason, pod.restarts) == ("CrashLoopBackOff", 1)


# -- real processes --------------------------------------------------------------------------------


def test_a_real_process_tells_of_its_end_and_only_of_its_own() -> None:
    bench = Bench()
    bench.runtime.plans["present:1"] = None
    pod = bench.pod()
    bench.to(SECOND)
    (tell,) = bench.runtime.told
    tell("exited", 5)
    assert bench.exits() == [(SECOND, 5, "Error")]
    bench.on(START)
    assert pod.state.phase == "running"
    tell("exited", 6)  # the first life's word
    assert pod.state.phase == "running"
