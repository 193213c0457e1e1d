"""Probes: when they run, what they say and what follows.

Source: Kubernetes facts 6.4; kubernetes 1.36 pkg/kubelet/prober (worker.go: the worker's clock starts
with the pod; prober_manager.go: a readiness run at once when the container has started).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from kubelet_bench import REACTION, RUNNING, START, STOP, Bench, command, condition, http, tcp

from emulator.cluster.objects import Pod
from emulator.domain.timefmt import HOUR, MINUTE, SECOND
from emulator.domain.workload import Exit, Plan, ProbeChange, Stop

#: The pod has been taken; its probes' clocks count from here.
BASE = REACTION


def changes(bench: Bench) -> list[tuple[int, bool]]:
    """When the pod became ready and when not."""
    return [(row.t, row.data["ready"]) for row in bench.rows("pod")]


def test_readiness_is_asked_at_once_when_the_container_has_started() -> None:
    bench = Bench()
    pod = bench.pod(readinessProbe=tcp())
    bench.to(RUNNING)
    assert pod.ready
    assert bench.at_rest


def test_readiness_begins_as_not_ready_and_comes_with_the_next_run() -> None:
    """Period 10 s by default, on the grid of the pod: 2 s after the start it listens."""
    bench = Bench()
    pod = bench.pod(plan=Plan(startup=2 * SECOND), readinessProbe=tcp())
    bench.to(MINUTE)
    assert changes(bench) == [(RUNNING, False), (BASE + 10 * SECOND, True)]
    text = f"Readiness probe failed: dial tcp {pod.ip}:80: connect: connection refused"
    assert bench.said("Unhealthy") == [(RUNNING, text)]
    assert bench.event("Unhealthy").count == 1


def test_an_initial_delay_comes_before_the_first_run() -> None:
    bench = Bench()
    bench.pod(readinessProbe=tcp(initialDelaySeconds=12, periodSeconds=5))
    bench.to(MINUTE)
    assert changes(bench) == [(RUNNING, False), (BASE + 15 * SECOND, True)]
    assert bench.said("Unhealthy") == []


def test_successes_must_come_in_a_row() -> None:
    """The run at the start counts; the others follow the period."""
    bench = Bench()
    bench.pod(readinessProbe=tcp(periodSeconds=5, successThreshold=3))
    bench.to(MINUTE)
    assert changes(bench) == [(RUNNING, False), (BASE + 10 * SECOND, True)]


def test_failures_must_come_in_a_row() -> None:
    plan = Plan(
        probes=(
            ProbeChange(11 * SECOND, "readiness", False),
            ProbeChange(21 * SECOND, "readiness", True),  # after two failures
            ProbeChange(31 * SECOND, "readiness", False),  # for good
        )
    )
    bench = Bench()
    bench.pod(plan=plan, readinessProbe=http(periodSeconds=5))
    bench.to(MINUTE)
    assert changes(bench) == [(RUNNING, True), (BASE + 45 * SECOND, False)]
    text = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert bench.said("Unhealthy") == [(BASE + 15 * SECOND, text), (BASE + 35 * SECOND, text)]
    # 15 and 20; 35, 40, 45, 50 and 55
    assert bench.event("Unhealthy").said == 2 + 5


def test_a_readiness_that_comes_back() -> None:
    plan = Plan(
        probes=(
            ProbeChange(5 * SECOND, "readiness", False),
            ProbeChange(100 * SECOND, "readiness", True),
        )
    )
    bench = Bench()
    pod = bench.pod(plan=plan, readinessProbe=command())
    bench.to(100 * SECOND)
    assert bench.said("Unhealthy") == [(BASE + 10 * SECOND, "Readiness probe failed: ")]
    assert condition(pod, "Ready") == (
        "False",
        "ContainersNotReady",
        "containers with unready status: [c]",
    )
    bench.to(3 * MINUTE)
    assert changes(bench) == [
        (RUNNING, True),
        (BASE + 30 * SECOND, False),
        (BASE + 110 * SECOND, True),
    ]
    assert bench.exits() == []  # readiness never restarts
    assert bench.at_rest


def test_startup_blocks_the_others() -> None:
    """It listens after 25 s; liveness would have killed it at 30 s from the start on."""
    bench = Bench()
    pod = bench.pod(
        plan=Plan(startup=55 * SECOND),
        startupProbe=tcp(periodSeconds=10, failureThreshold=30),
        livenessProbe=tcp(),
        readinessProbe=tcp(),
    )
    bench.to(5 * MINUTE)
    assert changes(bench) == [(RUNNING, False), (BASE + 60 * SECOND, True)]
    assert bench.exits() == []
    assert {note.partition(" ")[0] for _, note in bench.said("Unhealthy")} == {"Startup"}
    assert bench.event("Unhealthy").said == 5  # at 10, 20, 30, 40 and 50 s
    assert pod.workers is not None
    assert sorted(pod.workers) == ["liveness", "readiness"]


def test_a_startup_that_takes_too_long_ends_in_a_restart() -> None:
    bench = Bench()
    pod = bench.pod(plan=Plan(startup=HOUR), startupProbe=tcp(periodSeconds=10, failureThreshold=3))
    killed = BASE + 30 * SECOND
    bench.to(killed + STOP)
    assert bench.said("Killing") == [
        (killed, "Container c failed startup probe, will be restarted")
    ]
    assert bench.exits() == [(killed + STOP, 143, "Error")]  # SIGTERM was enough
    bench.on(START)
    assert (pod.state.phase, pod.restarts) == ("running", 1)


def test_liveness_kills_and_restarts_through_the_back_off() -> None:
    plan = Plan(probes=(ProbeChange(5 * SECOND, "liveness", False),))
    bench = Bench()
    pod = bench.pod(plan=plan, livenessProbe=http(periodSeconds=2))
    bench.to(10 * MINUTE)
    first = BASE + 6 * SECOND
    assert bench.said("Unhealthy")[0] == (
        first,
        "Liveness probe failed: HTTP probe failed with statuscode: 503",
    )
    assert bench.said("Killing")[0] == (
        first + 4 * SECOND,
        "Container c failed liveness probe, will be restarted",
    )
    assert bench.exits()[0] == (first + 4 * SECOND + STOP, 143, "Error")
    starts = [each.started_unix for each in bench.runtime.starts]
    ends = [at for at, *_ in bench.exits()]
    waits = [start - START - end for end, start in zip(ends, starts[1:], strict=False)]
    for wait, nominal in zip(waits, (0, 10, 20, 40, 80, 160), strict=False):
        assert nominal * SECOND <= wait <= nominal * SECOND * 3 // 2
    assert pod.phase == "Running"
    killings = [at for at, _ in bench.said("Killing")]
    assert all((at - BASE) % (2 * SECOND) == 0 for at in killings)  # the grid stays the pod's


def test_a_probes_own_grace_replaces_the_pods() -> None:
    plan = Plan(probes=(ProbeChange(0, "liveness", False),), stop=Stop(None))
    for own, grace in ((None, 30), (7, 7), (1, 2)):
        bench = Bench()
        probe = tcp(periodSeconds=1, failureThreshold=1)
        if own is not None:
            probe["terminationGracePeriodSeconds"] = own
        bench.pod(plan=plan, livenessProbe=probe)
        bench.to(MINUTE)
        (killed, _), *_ = bench.said("Killing")
        assert bench.exits()[0] == (killed + grace * SECOND, 137, "Error")  # at least 2 s


def test_a_probe_that_hangs_fails_at_its_timeout() -> None:
    bench = Bench()
    pod = bench.pod(readinessProbe=http(8080, periodSeconds=10, timeoutSeconds=3))
    bench.to(SECOND)
    bench.kubelet.probe_answers(pod, "readiness", ok=False, hangs=True)
    bench.to(MINUTE)
    text = (
        f'Readiness probe failed: Get "http://{pod.ip}:8080/ready": context deadline exceeded '
        "(Client.Timeout exceeded while awaiting headers)"
    )
    assert bench.said("Unhealthy") == [(BASE + 13 * SECOND, text)]
    assert changes(bench) == [(RUNNING, True), (BASE + 33 * SECOND, False)]
    bench.to(BASE + 61 * SECOND)  # a run is under way
    bench.kubelet.probe_answers(pod, "readiness", ok=True)
    bench.to(2 * MINUTE)
    assert changes(bench)[-1] == (BASE + 70 * SECOND, True)
    assert bench.event("Unhealthy").said == 5  # the run under way is not told of


def test_a_fault_makes_a_probe_fail_until_it_is_healed() -> None:
    bench = Bench()
    pod = bench.pod(readinessProbe=tcp(periodSeconds=1))
    bench.to(10 * SECOND)
    bench.kubelet.probe_answers(pod, "readiness", ok=False)
    bench.to(20 * SECOND)
    assert not pod.ready
    bench.kubelet.probe_answers(pod, "readiness", ok=True)
    bench.to(30 * SECOND)
    assert changes(bench)[1:] == [
        (BASE + 12 * SECOND, False),
        (BASE + 20 * SECOND, True),
    ]


def test_a_failing_probe_outlives_a_restart() -> None:
    bench = Bench()
    pod = bench.pod(readinessProbe=tcp())
    bench.to(SECOND)
    bench.kubelet.probe_answers(pod, "readiness", ok=False)
    bench.kubelet.kill(pod, 1)
    bench.on(SECOND)
    assert (pod.state.phase, pod.ready) == ("running", False)


def test_a_real_process_is_ready_with_the_run_after_its_word() -> None:
    bench = Bench()
    bench.runtime.plans["present:1"] = None
    bench.runtime.ports = frozenset()
    pod = bench.pod(startupProbe=tcp(periodSeconds=1, failureThreshold=60))
    bench.to(5500 * 10**6)
    assert pod.process is not None
    pod.process.ports = frozenset({80})  # type: ignore[attr-defined]  # the bench's own process
    bench.runtime.told[0]("listening", 0)
    bench.to(MINUTE)
    assert changes(bench) == [(RUNNING, False), (BASE + 6 * SECOND, True)]


def test_a_kubelet_that_has_just_started_probes_at_a_random_place_of_the_period() -> None:
    seen = set()
    for seed in range(5):
        bench = Bench(seed)
        pod = bench.pod(startupProbe=tcp(periodSeconds=10))
        bench.to(MINUTE)
        bench.lose()
        bench.on(MINUTE)
        bench.restore()
        back = bench.now
        bench.on(MINUTE)
        ready = changes(bench)[-1]
        assert ready[1]
        assert pod.ready
        assert back < ready[0] <= back + 20 * SECOND
        seen.add(ready[0] - back)
    assert len(seen) > 2


# -- events ----------------------------------------------------------------------------------------


def test_a_probe_that_fails_for_ever_costs_a_row_and_no_timer() -> None:
    bench = Bench()
    bench.runtime.ports = frozenset({9999})
    pod = bench.pod(readinessProbe=tcp(periodSeconds=1))
    bench.to(SECOND)
    assert bench.at_rest
    assert len(bench.said("Unhealthy")) == 1
    bench.to(HOUR)
    event = bench.event("Unhealthy")
    assert event.said == 1 + 3599  # every second from the start on, as kubectl's count
    assert HOUR - event.last <= 300 * SECOND  # the recorder writes one in 300 s
    assert event.count == 1 + (event.last - BASE) // SECOND
    assert pod.phase == "Running"


def test_looking_changes_nothing() -> None:
    def count(looks: int) -> tuple[int, int, int]:
        bench = Bench()
        pod = bench.pod(readinessProbe=tcp(7, periodSeconds=3), livenessProbe=command())
        bench.to(SECOND)
        bench.kubelet.probe_answers(pod, "readiness", ok=False)
        for n in range(looks):
            bench.to(2 * SECOND + n * HOUR // looks)
            bench.cluster.events.all(bench.now)
        bench.to(HOUR)
        bench.kubelet.kill(pod, 1)
        event = bench.event("Unhealthy")
        return event.said, event.count, event.last

    assert count(0) == count(1) == count(97)


@pytest.mark.parametrize("kind", ["readiness", "startup", "liveness"])
def test_an_end_ends_the_probing(kind: str) -> None:
    bench = Bench()
    plan = Plan(exit=Exit(20 * SECOND, 1), probes=(ProbeChange(0, kind, False),))
    probe: dict[str, Any] = {f"{kind}Probe": tcp(failureThreshold=9)}
    pod = bench.pod(plan=plan, spec={"restartPolicy": "Never"}, **probe)
    bench.to(HOUR // 2)
    assert pod.workers is None
    assert bench.event("Unhealthy").said == (3 if kind == "readiness" else 2)
    assert bench.at_rest


def runs_of(pod: Pod, bench: Bench) -> list[int]:
    """The instants at which the count of the only Unhealthy event moved."""
    found, last = [], 0
    for instant in range(bench.now, bench.now + 60 * SECOND, SECOND // 2):
        bench.to(instant)
        said = bench.event("Unhealthy").said
        if said != last:
            found.append(instant)
            last = said
    return found


def test_runs_are_a_period_apart() -> None:
    bench = Bench()
    bench.runtime.ports = frozenset()
    pod = bench.pod(readinessProbe=tcp(periodSeconds=4))
    bench.to(SECOND)
    gaps = [later - earlier for earlier, later in pairwise(runs_of(pod, bench)[1:])]
    assert gaps
    assert set(gaps) == {4 * SECOND}
